package cli

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"github.com/satchel-go/satchel/core"

	"github.com/satchel-go/satchel/cmd/satchel/internal/doctor"
	"github.com/satchel-go/satchel/cmd/satchel/internal/target"
)

func (a *app) doctor() *cobra.Command {
	return &cobra.Command{
		Use: "doctor", Short: "Say what is wrong with the store and its settings, and what to do",
		Long: "doctor looks and writes nothing. It exits with 1 if it has found a problem.", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			bad := 0
			var unwritten error
			err := doctor.Examine(cmd.Context(), a.target(), func(f doctor.Finding) {
				f.Text = printable(f.Text)
				mark := map[doctor.Level]string{doctor.Good: a.colour(32, "✓"), doctor.Warn: a.colour(33, "!"), doctor.Bad: a.colour(31, "✗")}[f.Level]
				if f.Level == doctor.Bad {
					bad++
				}
				if err := a.either(f, "%s %s: %s\n", mark, f.Check, f.Text); err != nil {
					unwritten = err
				}
			})
			if err = errors.Join(err, unwritten); err == nil && bad > 0 {
				err = errSilent
			}
			return err
		},
	}
}

func (a *app) count() *cobra.Command {
	var detail bool
	c := &cobra.Command{
		Use: "count", Short: "Count the sessions", Args: cobra.NoArgs,
		Long: "count asks a store that knows; in Redis it walks through the keys.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.with(func(t *target.Target) error {
				if detail {
					return a.countDetail(cmd.Context(), t)
				}
				n, err := t.Count(cmd.Context(), 0, seldom(func(n int) { a.progress("%d sessions so far", n) }))
				if err != nil {
					if n > 0 {
						a.say("at least %s when it stopped", target.Plural(n, "session"))
					}
					return err
				}
				if a.json {
					return a.object(map[string]int{"sessions": n})
				}
				return a.printf("%s\n", target.Plural(n, "session"))
			})
		},
	}
	c.Flags().BoolVar(&detail, "detail", false, "read every session, and tell logged-in ones from anonymous")
	return c
}

// counts is what count --detail prints.
type counts struct {
	Sessions   int `json:"sessions"`
	LoggedIn   int `json:"logged_in"`
	Anonymous  int `json:"anonymous"`
	Unreadable int `json:"unreadable"`
}

func (a *app) countDetail(ctx context.Context, t *target.Target) error {
	var n counts
	show := seldom(func(int) { a.progress("%d sessions so far", n.Sessions) })
	err := each(ctx, t, func(item target.Item) error {
		n.Sessions++
		switch {
		case item.Record == nil:
			n.Unreadable++
		case item.Record.User == "":
			n.Anonymous++
		default:
			n.LoggedIn++
		}
		show(0)
		return nil
	})
	if err != nil {
		return err
	}
	if a.json {
		return a.object(n)
	}
	return a.printf("%s: %d logged in, %d anonymous, %d that cannot be read\n", target.Plural(n.Sessions, "session"), n.LoggedIn, n.Anonymous, n.Unreadable)
}

// each calls f with every session that has not ended.
func each(ctx context.Context, t *target.Target, f func(target.Item) error) error {
	return t.Walk(ctx, func(ids []core.ID) error {
		for _, item := range t.LoadAll(ctx, ids) {
			switch {
			case errors.Is(item.Err, core.ErrNotFound):
				continue
			case item.Err != nil && !errors.Is(item.Err, core.ErrCorrupt) && !errors.Is(item.Err, core.ErrNewerVersion):
				return item.Err
			}
			if err := f(item); err != nil {
				return err
			}
		}
		return ctx.Err()
	})
}
