package cli

import (
	"context"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/satchel-go/satchel/core"

	"github.com/satchel-go/satchel/cmd/satchel/internal/target"
)

// row is a session in a list.
type row struct {
	ID         core.ID    `json:"id"`
	User       string     `json:"user"`
	Label      string     `json:"label"`
	Created    *time.Time `json:"created"`
	LastSeen   *time.Time `json:"last_seen"`
	Expires    *time.Time `json:"expires"`
	Remembered bool       `json:"remembered"`
	Bytes      int        `json:"bytes"`
	Error      string     `json:"error,omitempty"` // why it cannot be read
}

func (a *app) list() *cobra.Command {
	var all bool
	limit := 0
	c := &cobra.Command{
		Use: "list USER | --all", Short: "List a user's sessions",
		Example: "  satchel list ann\n  satchel list --all --limit 50000 --json",
		Args: func(_ *cobra.Command, args []string) error {
			switch {
			case len(args) > 1 || all == (len(args) == 1) || !all && args[0] == "":
				return target.Usage("want one user, or --all")
			case limit != 0 && (!all || limit < 0):
				return target.Usage("--limit is a number above zero, with --all")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.with(func(t *target.Target) error {
				if all {
					return a.listAll(cmd.Context(), t, limit)
				}
				return a.listUser(cmd.Context(), t, args[0])
			})
		},
	}
	c.Flags().BoolVar(&all, "all", false, "of every user, and anonymous ones, in no order")
	c.Flags().IntVar(&limit, "limit", 0, "with --all, how many at most; needed above 1000")
	return c
}

func (a *app) listUser(ctx context.Context, t *target.Target, user string) error {
	infos, err := t.Sessions.List(ctx, user)
	if err != nil {
		return err
	}
	if len(infos) == 0 {
		if err := t.NeedsKeys(ctx); err != nil {
			return err
		}
		a.say("no sessions of %s", text(user))
		return errNobody
	}
	if err := a.head(); err != nil {
		return err
	}
	for _, info := range infos {
		item := t.Load(ctx, info.ID)
		if item.Record == nil {
			continue // it has just ended
		}
		r := rowOf(t, &item)
		r.LastSeen = &info.LastSeen
		if err := a.row(&r); err != nil {
			return err
		}
	}
	return nil
}

// mostUnasked is how many sessions list --all prints without a limit.
const mostUnasked = 1000

func (a *app) listAll(ctx context.Context, t *target.Target, limit int) error {
	if !t.CanWalk() {
		return t.Walk(ctx, nil) // says so
	}
	if limit < 1 {
		n, err := t.Count(ctx, mostUnasked+1, func(int) {})
		if err != nil {
			return err
		}
		if n > mostUnasked {
			return target.Refused("there are more than %d sessions: say how many with --limit", mostUnasked)
		}
		limit = mostUnasked
	}
	if err := a.head(); err != nil {
		return err
	}
	n := 0
	show := seldom(func(n int) { a.progress("%d sessions so far", n) })
	return each(ctx, t, func(item target.Item) error {
		r := rowOf(t, &item)
		if err := a.row(&r); err != nil {
			return err
		}
		n++
		show(n)
		if n >= limit {
			return target.ErrEnough
		}
		return nil
	})
}

func rowOf(t *target.Target, item *target.Item) row {
	r := row{ID: item.ID, Bytes: item.Bytes}
	if item.Record == nil {
		r.Error = item.Err.Error()
		return r
	}
	seen := t.LastSeen(item.Record)
	r.User, r.Label, r.Remembered = item.Record.User, item.Record.Label, item.Record.Remembered
	r.Created, r.LastSeen, r.Expires = &item.Record.CreatedAt, &seen, &item.Record.Expires
	return r
}

const columns = "%-22s  %-20s  %-20s  %-20s  %-10s  %6s  %s\n"

func (a *app) head() error {
	if a.json {
		return nil
	}
	return a.printf(columns, "ID", "BEGAN", "LAST SEEN", "ENDS UNLESS USED", "REMEMBERED", "BYTES", "USER, LABEL")
}

func (a *app) row(r *row) error {
	if a.json {
		for _, t := range []*time.Time{r.Created, r.LastSeen, r.Expires} {
			if t != nil {
				*t = t.UTC()
			}
		}
		return a.object(r)
	}
	if r.Error != "" {
		return a.printf("%-22s  cannot be read: %s\n", r.ID, printable(r.Error))
	}
	remembered := "no"
	if r.Remembered {
		remembered = "yes"
	}
	user := "(anonymous)"
	if r.User != "" {
		user = text(r.User)
	}
	if r.Label != "" {
		user += ", " + text(r.Label)
	}
	return a.printf(columns, r.ID, moment(*r.Created), moment(*r.LastSeen), moment(*r.Expires), remembered, strconv.Itoa(r.Bytes), user)
}
