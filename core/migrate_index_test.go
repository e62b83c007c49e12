package core_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/satchel-go/satchel/core"
)

// wantRevocable checks that id is ann's one session, when reservations have
// lapsed and what is left of it in the old store has expired, and ends it.
func (v *move) wantRevocable(c *client, id core.ID) {
	v.Helper()
	for range 3 {
		v.clock.advance(12 * time.Minute)
		c.use()
	}
	if infos, err := v.during.List(v.Context(), "ann"); err != nil || len(infos) != 1 || infos[0].ID != id {
		v.Errorf("I2: listed %v, %v", infos, err)
	}
	if c.fork().user() != "ann" {
		v.Error("logged out")
	}
	if _, err := v.during.RevokeUser(v.Context(), "ann"); err != nil {
		v.Error(err)
	}
	if user := c.fork().user(); user != "" {
		v.Errorf("I2: %s survived RevokeUser", user)
	}
}

// TestI2MigratingIndexThatFails: the session has been made in the new store,
// and its user's index cannot be told. Nobody could revoke it there.
func TestI2MigratingIndexThatFails(t *testing.T) {
	for _, op := range []string{"reserve", "confirm"} {
		v := newMove(t, kept)
		c, _, id := v.fresh(t)
		v.new.hook(func(o string, _ core.ID) error {
			if o == op {
				return errDown
			}
			return nil
		})
		r := c.on(v.during).begin()
		r.s.Set("x", "y")
		if err := r.end(200); !errors.Is(err, core.ErrUnavailable) {
			t.Errorf("%s fails: %v", op, err)
		}
		v.new.hook(func(o string, _ core.ID) error { // it must be right without a touch that mends it
			if o == "mend" {
				return errDown
			}
			return nil
		})
		v.wantRevocable(c, id)
	}
}

// TestI2MigratingIndexThatFailsAtTheEnd has the time of the request be over at
// that moment, too.
func TestI2MigratingIndexThatFailsAtTheEnd(t *testing.T) {
	v := newMove(t, kept)
	c, _, id := v.fresh(t)
	ctx, cancel := context.WithCancel(t.Context())
	v.new.hook(func(op string, _ core.ID) error {
		if op != "confirm" {
			return nil
		}
		cancel()
		return errDown
	})
	if err := v.during.Update(ctx, id, func(s *core.Session) error { s.Set("x", "y"); return nil }); err == nil {
		t.Error("no error")
	}
	v.new.hook(nil)
	v.wantRevocable(c.on(v.during), id)
}

// TestI2MigratingIndexForgetsTheReservation: it is gone by the time that the session
// has been made, and made again.
func TestI2MigratingIndexForgetsTheReservation(t *testing.T) {
	v := newMove(t, kept)
	c, _, id := v.fresh(t)
	times := 0
	v.new.hook(func(op string, id core.ID) error {
		if op == "confirm" && times < 2 {
			times++
			return v.new.Store.Release(v.Context(), "ann", id)
		}
		return nil
	})
	c.on(v.during).do(func(s *core.Session) { s.Set("x", "y") })
	if v.new.hook(nil); times != 2 {
		t.Fatalf("confirmed %d times: this test shows nothing", times)
	}
	v.wantRevocable(c, id)
}

// TestL3MigratingListsOnBothSidesOrSaysSo: what one side does not tell is not
// taken for nothing, or a revocation that reached half of the sessions would be a success.
func TestL3MigratingListsOnBothSidesOrSaysSo(t *testing.T) {
	v := newMove(t, kept)
	moved, _, _ := v.fresh(t)
	waiting, _, _ := v.fresh(t)
	moved.on(v.during).use()
	for name, p := range map[string]*probe{"old": v.old, "new": v.new} {
		p.hook(func(op string, _ core.ID) error {
			if op == "list" {
				return errDown
			}
			return nil
		})
		if infos, err := v.during.List(t.Context(), "ann"); !errors.Is(err, core.ErrUnavailable) {
			t.Errorf("the %s index is down: List: %v, %v", name, infos, err)
		}
		if _, err := v.during.RevokeUser(t.Context(), "ann"); !errors.Is(err, core.ErrUnavailable) {
			t.Errorf("the %s index is down: RevokeUser: %v", name, err)
		}
		p.hook(nil)
	}
	if infos, err := v.during.List(t.Context(), "ann"); err != nil || len(infos) != 2 {
		t.Errorf("List: %v, %v", infos, err)
	}
	if moved.user() != "ann" || waiting.on(v.during).user() != "ann" {
		t.Error("logged out")
	}
}

// TestL3MigratingEndsOnBothSidesOrSaysSo is the same for one session: what could
// not be ended everywhere is an error, and can be ended later.
func TestL3MigratingEndsOnBothSidesOrSaysSo(t *testing.T) {
	ends := map[string]func(v *move, c *client, id core.ID) error{
		"logout": func(_ *move, c *client, _ core.ID) error {
			r := c.fork().begin()
			r.s.Logout()
			return r.end(200)
		},
		"Revoke": func(v *move, _ *client, id core.ID) error { return v.during.Revoke(v.Context(), id) },
		"RevokeUser": func(v *move, _ *client, _ core.ID) error {
			_, err := v.during.RevokeUser(v.Context(), "ann")
			return err
		},
	}
	for name, end := range ends {
		for _, moved := range []bool{false, true} {
			for _, which := range []string{"old", "new"} {
				t.Run(fmt.Sprintf("%s, the %s store takes no writes, moved %v", name, which, moved), func(t *testing.T) {
					v := newMove(t, kept)
					c, _, id := v.fresh(t)
					if c.on(v.during); moved {
						c.use()
					}
					p := map[string]*probe{"old": v.old, "new": v.new}[which]
					p.hook(func(op string, _ core.ID) error {
						if op == "save" || op == "delete" {
							return errDown
						}
						return nil
					})
					if err := end(v, c, id); !errors.Is(err, core.ErrUnavailable) {
						t.Errorf("at first: %v", err)
					}
					if user := c.fork().on(v.during).user(); user != "" && moved && which == "old" {
						t.Errorf("%s could have been ended where the session is", user)
					}
					p.hook(nil)
					if err := end(v, c, id); err != nil && !errors.Is(err, core.ErrNotFound) {
						t.Errorf("again: %v", err)
					}
					for range 2 { // while there is a tombstone, and afterwards
						for i, m := range []*core.Manager{v.during, v.back, v.before, v.after} {
							if user := c.fork().on(m).user(); user != "" {
								t.Errorf("K2: still %s, on manager %d", user, i)
							}
						}
						v.clock.advance(6 * time.Minute)
					}
				})
			}
		}
	}
}

// TestL3MigratingByIDTellsAbsentFromUnavailable: operators and jobs are not told
// that a session has ended when nobody can look.
func TestL3MigratingByIDTellsAbsentFromUnavailable(t *testing.T) {
	eachPair(t, func(t *testing.T, v *move) {
		if v.new == nil || v.dirless("new") {
			return // where nobody can be found by ID
		}
		c, _, id := v.fresh(t)
		c.on(v.during).use()
		v.new.hook(down)
		for name, err := range map[string]error{
			"View":   v.during.View(t.Context(), id, func(*core.Session) error { return nil }),
			"Revoke": v.during.Revoke(t.Context(), id),
		} {
			if !errors.Is(err, core.ErrUnavailable) {
				t.Errorf("%s: %v", name, err)
			}
		}
		v.new.hook(nil)
		if err := v.during.Revoke(t.Context(), id); err != nil || c.user() != "" {
			t.Errorf("Revoke: %v, user %q", err, c.user())
		}
	})
}

// TestI2MigratingStaysListed: a session that is too large for a cookie stays, and
// whoever logs in to it can be found for as long as it lives.
func TestI2MigratingStaysListed(t *testing.T) {
	v := newMove(t, "memory to cookie")
	c := newClient(t, v.before)
	c.do(func(s *core.Session) { s.Set("cart", strings.Repeat("x", 30_000)) })
	c.on(v.during).do(func(s *core.Session) { s.Login("ann") })
	v.clock.advance(2 * time.Minute) // reservations lapse
	for name, m := range map[string]*core.Manager{"during": v.during, "before": v.before} {
		if infos, err := m.List(t.Context(), "ann"); err != nil && !errors.Is(err, core.ErrUnsupported) || len(infos) != 1 {
			t.Errorf("%s: listed %v, %v", name, infos, err)
		}
	}
	if _, err := v.before.RevokeUser(t.Context(), "ann"); err != nil {
		t.Error(err)
	}
	if user := c.user(); user != "" {
		t.Errorf("%s survived RevokeUser", user)
	}
}

// announcing is a store that tells of ends as the test says.
type announcing struct {
	core.Store
	watch func(ctx context.Context, ended func(core.ID)) error
}

func (s *announcing) Watch(ctx context.Context, ended func(core.ID)) error {
	return s.watch(ctx, ended)
}

// watchBoth is Watch of a migration between two stores that watch like that; one
// without such a function cannot.
func watchBoth(ctx context.Context, t *testing.T, ended func(core.ID), sides ...func(context.Context, func(core.ID)) error) error {
	t.Helper()
	var backends []core.Backend
	for _, watch := range sides {
		var s core.Store = newMemory(t)
		if watch != nil {
			s = &announcing{s, watch}
		}
		backends = append(backends, core.ServerSide(s))
	}
	m, err := core.New(core.Migrating(backends[0], backends[1]), core.Config{})
	if err != nil {
		t.Fatal(err)
	}
	return core.WatchBackend(ctx, m, ended)
}

// TestK2MigratingWatchesBothSides: an end that another process tells of
// reaches whoever waits for it, on whichever side it was.
func TestK2MigratingWatchesBothSides(t *testing.T) {
	one, two := core.ID{1}, core.ID{2}
	var sum atomic.Int32
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	tell := func(id core.ID) func(context.Context, func(core.ID)) error {
		return func(ctx context.Context, ended func(core.ID)) error {
			ended(id)
			<-ctx.Done()
			return ctx.Err()
		}
	}
	err := watchBoth(ctx, t, func(id core.ID) {
		if sum.Add(int32(id[0])) == 3 {
			cancel() // both have told
		}
	}, tell(one), tell(two))
	if !errors.Is(err, context.Canceled) || sum.Load() != 3 {
		t.Errorf("told of %d, %v", sum.Load(), err)
	}
}

// TestK2MigratingWatchThatBreaksOff says so if one of the sides has become
// deaf, and only if.
func TestK2MigratingWatchThatBreaksOff(t *testing.T) {
	listen := func(ctx context.Context, _ func(core.ID)) error { <-ctx.Done(); return ctx.Err() }
	breaks := func(context.Context, func(core.ID)) error { return errDown }
	for name, c := range map[string]struct {
		sides [2]func(context.Context, func(core.ID)) error
		want  error
	}{
		"the old one breaks off": {[2]func(context.Context, func(core.ID)) error{breaks, listen}, errDown},
		"the new one breaks off": {[2]func(context.Context, func(core.ID)) error{listen, breaks}, errDown},
		"the new one cannot":     {[2]func(context.Context, func(core.ID)) error{breaks, nil}, errDown},
		"the old one cannot":     {[2]func(context.Context, func(core.ID)) error{nil, breaks}, errDown},
		"neither can":            {[2]func(context.Context, func(core.ID)) error{nil, nil}, core.ErrUnsupported},
	} {
		done := make(chan error, 1)
		go func() { done <- watchBoth(t.Context(), t, func(core.ID) {}, c.sides[0], c.sides[1]) }()
		select {
		case err := <-done:
			if !errors.Is(err, c.want) {
				t.Errorf("%s: %v, want %v", name, err, c.want)
			}
		case <-time.After(10 * time.Second):
			t.Fatalf("%s: the other goes on, and nobody is told", name)
		}
	}
}
