package cli

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/satchel-go/satchel/core"

	"github.com/satchel-go/satchel/cmd/satchel/internal/target"
)

// happening is what watch prints.
type happening struct {
	Event    string   `json:"event"` // watching, ended, many ended, or count
	ID       *core.ID `json:"id,omitempty"`
	Sessions *int     `json:"sessions,omitempty"`
}

func (a *app) watch() *cobra.Command {
	var every time.Duration
	c := &cobra.Command{
		Use: "watch", Short: "Print sessions as they are ended, until Ctrl-C", Args: cobra.NoArgs,
		Long: "watch prints the ID of each session that is logged out, revoked or replaced, in Redis and PostgreSQL.\nIt hears of no session that expires.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if every < 0 {
				return target.Usage("--count must be above zero")
			}
			return a.with(func(t *target.Target) error { return a.watchStore(cmd.Context(), t, every) })
		},
	}
	c.Flags().DurationVar(&every, "count", 0, "count the sessions this often, such as 5s: in Redis that walks through them")
	return c
}

func (a *app) watchStore(ctx context.Context, t *target.Target, every time.Duration) error {
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
	var tick <-chan time.Time
	if every > 0 {
		ticker := time.NewTicker(every)
		defer ticker.Stop()
		tick = ticker.C
	}
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
		case <-tick:
			n, countErr := t.Count(ctx, 0, func(int) {})
			if countErr != nil {
				a.say("cannot count: %s", oneLine(countErr))
				continue
			}
			err = a.either(happening{Event: "count", Sessions: &n}, "%s\n", plural(n, "session"))
		}
		if err != nil {
			return err
		}
	}
}
