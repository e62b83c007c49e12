package cli

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/satchel-go/satchel/core"

	"github.com/satchel-go/satchel/cmd/satchel/internal/target"
)

// happening is what watch prints.
type happening struct {
	Event string   `json:"event"` // watching, ended, or many ended
	ID    *core.ID `json:"id,omitempty"`
}

func (a *app) watch() *cobra.Command {
	return &cobra.Command{
		Use: "watch", Short: "Print sessions as they are ended, until Ctrl-C", Args: cobra.NoArgs,
		Long: "watch prints the ID of each session that is logged out, revoked or replaced, in Redis and PostgreSQL.\nIt hears of no session that expires.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.with(func(t *target.Target) error { return a.watchStore(cmd.Context(), t) })
		},
	}
}

func (a *app) watchStore(ctx context.Context, t *target.Target) error {
	watcher, ok := core.StoreAs[core.Watcher](t.Store)
	if !ok {
		return target.Refused("a store of this kind does not tell of ends; Redis and PostgreSQL do")
	}
	heard := make(chan core.ID, 1024)
	watching, cancel := context.WithCancel(ctx)
	defer cancel()
	failed := make(chan error, 1)
	go func() {
		failed <- watcher.Watch(watching, func(id core.ID) {
			select {
			case heard <- id:
			case <-watching.Done():
			}
		})
	}()
	for first := true; ; {
		var err error
		select {
		case <-ctx.Done():
			return nil
		case err := <-failed:
			if ctx.Err() != nil {
				return nil
			}
			return err
		case id := <-heard:
			switch {
			case !id.IsZero():
				err = a.either(happening{Event: "ended", ID: &id}, "%s ended\n", id)
			case first:
				err = a.either(happening{Event: "watching"}, "watching %s\n", printable(t.Label))
			default:
				err = a.either(happening{Event: "many ended"}, "every session may have ended\n")
			}
			first = false
		}
		if err != nil {
			return err
		}
	}
}
