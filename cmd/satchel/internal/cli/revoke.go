package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/satchel-go/satchel/core"

	"github.com/satchel-go/satchel/cmd/satchel/internal/target"
)

// errNobody is told already.
var errNobody = fmt.Errorf("%w: %w", errSilent, core.ErrNotFound)

type revocation struct {
	users            []string
	all, yes, dryRun bool
}

func (a *app) revoke() *cobra.Command {
	var r revocation
	c := &cobra.Command{
		Use: "revoke ID… | --user USER | --all", Short: "End sessions, and tell the streams that they have open",
		Example: "  satchel revoke --user ann\n  satchel revoke --all",
		Args: func(_ *cobra.Command, args []string) error {
			ways := 0
			for _, chosen := range []bool{len(args) > 0, len(r.users) > 0, r.all} {
				if chosen {
					ways++
				}
			}
			switch {
			case len(r.users) > 1: // which one would win?
				return target.Usage("want one --user at a time")
			case ways != 1 || len(r.users) == 1 && r.users[0] == "":
				return target.Usage("want IDs of sessions, or --user USER, or --all")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			ids, err := parseIDs(args)
			if err != nil {
				return err
			}
			return a.with(func(t *target.Target) error {
				switch {
				case r.all:
					return a.revokeAll(cmd.Context(), t, r)
				case len(r.users) > 0:
					return a.revokeUser(cmd.Context(), t, r, r.users[0])
				}
				return a.revokeIDs(cmd.Context(), t, ids, r.dryRun)
			})
		},
	}
	c.Flags().StringArrayVar(&r.users, "user", nil, "end all sessions of this user")
	c.Flags().BoolVar(&r.all, "all", false, "end every session in the store, of every namespace")
	c.Flags().BoolVar(&r.yes, "yes", false, "do not ask; needed without a terminal")
	c.Flags().BoolVar(&r.dryRun, "dry-run", false, "say what would end, and end nothing")
	return c
}

// ended tells how many sessions have ended.
func (a *app) ended(n int, dryRun bool) error {
	switch {
	case a.json:
		return a.object(map[string]any{"ended": n, "dry_run": dryRun})
	case dryRun:
		return a.printf("%s would end\n", target.Plural(n, "session"))
	}
	return a.printf("%s ended\n", target.Plural(n, "session"))
}

func (a *app) revokeIDs(ctx context.Context, t *target.Target, ids []core.ID, dryRun bool) error {
	ended := 0
	var absent, failed error
	for _, id := range ids {
		var err error
		if dryRun {
			if err = t.Load(ctx, id).Err; errors.Is(err, core.ErrCorrupt) || errors.Is(err, core.ErrNewerVersion) {
				err = nil
			}
		} else {
			err = t.Sessions.Revoke(ctx, id)
		}
		switch {
		case err == nil:
			ended++
		case errors.Is(err, core.ErrNotFound):
			a.say("%s: no such session", id)
			absent = errNobody
		default:
			failed = errors.Join(failed, err)
		}
	}
	if failed = errors.Join(a.ended(ended, dryRun), failed); failed != nil {
		return failed // and not only what was absent
	}
	return absent
}

func (a *app) revokeUser(ctx context.Context, t *target.Target, r revocation, user string) error {
	n, question := 0, ""
	if r.dryRun || !r.yes && a.Asks {
		infos, err := t.Sessions.List(ctx, user)
		if err != nil && (r.dryRun || ctx.Err() != nil) {
			return err
		}
		what := target.Plural(len(infos), "session")
		if n = len(infos); err != nil { // it looks less far than RevokeUser
			what = "every session"
		}
		question = fmt.Sprintf("End %s of %s? [y/N] ", what, text(user))
	}
	if err := a.confirm(ctx, r, question, "y", "yes"); err != nil {
		return err
	}
	if !r.dryRun {
		var err error
		if n, err = t.Sessions.RevokeUser(ctx, user); err != nil {
			return errors.Join(a.ended(n, false), err)
		}
	}
	if n == 0 {
		if err := t.NeedsKeys(ctx); err != nil {
			return err
		}
		a.say("no sessions of %s: is the name right, and SESSION_NAMESPACE?", text(user))
		return errors.Join(a.ended(0, r.dryRun), errNobody)
	}
	return a.ended(n, r.dryRun)
}

func (a *app) revokeAll(ctx context.Context, t *target.Target, r revocation) error {
	before := 0
	if r.dryRun || !r.yes && a.Asks || t.Redis == nil {
		var err error
		if before, err = t.Count(ctx, 0, seldom(func(n int) { a.progress("counting: %d", n) })); err != nil {
			return err
		}
	}
	word := t.Prefix
	if word == "" {
		word = "all"
	}
	question := fmt.Sprintf("This ends %s in %s.\nType %s to confirm: ", target.Plural(before, "session"), printable(t.Label), printable(word))
	if err := a.confirm(ctx, r, question, word); err != nil {
		return err
	}
	if r.dryRun {
		return a.ended(before, true)
	}
	stop := a.follow(ctx, t, before)
	err := t.Sessions.RevokeAll(ctx)
	ended := stop()
	if err != nil {
		if ctx.Err() != nil {
			err = errInterrupted
		}
		return fmt.Errorf("%w: at least %s ended, others have not: run it again", err, target.Plural(ended, "session"))
	}
	return a.ended(max(before, ended), false)
}

// confirm asks a question, unless nothing will end or --yes is given.
func (a *app) confirm(ctx context.Context, r revocation, question string, accept ...string) error {
	switch {
	case r.yes || r.dryRun:
		return nil
	case !a.Asks:
		return target.Refused("no terminal to ask on: add --yes")
	case !slices.Contains(accept, a.answer(ctx, question)):
		return target.Refused("not confirmed; nothing has ended")
	}
	return nil
}

// follow shows how many sessions have ended, until the function that it returns is called,
// which returns that number.
func (a *app) follow(ctx context.Context, t *target.Target, before int) func() int {
	done := make(chan struct{})
	ended := func(ctx context.Context) int {
		if t.Redis != nil {
			return t.Redis.Unlinked()
		}
		if left, err := t.Count(ctx, 0, func(int) {}); err == nil && before > left {
			return before - left
		}
		return 0
	}
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		for a.Progress {
			select {
			case <-done:
				return
			case <-time.After(time.Second / 4):
				a.progress("%d sessions ended so far", ended(ctx))
			}
		}
	}()
	return func() int {
		close(done)
		<-stopped
		return ended(context.WithoutCancel(ctx))
	}
}
