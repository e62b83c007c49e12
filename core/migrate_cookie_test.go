package core_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/satchel-go/satchel/core"
)

// TestMigratingToCookieWhatDoesNotFit stays where it is, and nothing fails.
func TestMigratingToCookieWhatDoesNotFit(t *testing.T) {
	for _, pair := range []string{"memory to cookie"} {
		v := newMove(t, pair)
		c, _, _ := v.fresh(t)
		c.do(func(s *core.Session) { s.Set("cart", strings.Repeat("x", 30_000)) })
		c.on(v.during)
		for _, theme := range []string{"dark", "light"} {
			c.do(func(s *core.Session) { s.Set("theme", theme) })
			c.do(func(s *core.Session) {
				cart, _ := core.Get[string](s, "cart")
				got, _ := core.Get[string](s, "theme")
				if s.UserID() != "ann" || len(cart) != 30_000 || got != theme {
					t.Errorf("user %q, %d bytes, theme %q", s.UserID(), len(cart), got)
				}
			})
		}
		if s := v.stats.Stats(); s.Moved != 0 || s.Failed != 0 {
			t.Errorf("stats %+v", s)
		}
		// A session that is logged in where it is can be found there.
		anonymous := newClient(t, v.before)
		anonymous.do(func(s *core.Session) { s.Set("cart", strings.Repeat("x", 30_000)) })
		anonymous.on(v.during).do(func(s *core.Session) { s.Login("bob") })
		if infos, err := v.during.List(t.Context(), "bob"); !errors.Is(err, core.ErrUnsupported) || len(infos) != 1 {
			t.Errorf("I2: %v, %v", infos, err)
		}
		if _, err := v.during.RevokeUser(t.Context(), "bob"); !errors.Is(err, core.ErrUnsupported) {
			t.Errorf("RevokeUser: %v", err)
		}
		if user := anonymous.user(); user != "" {
			t.Errorf("K2: %s survived RevokeUser", user)
		}
		c.do(func(s *core.Session) { s.Delete("cart") })
		if user := c.on(v.after).user(); user != "ann" {
			t.Error("a session that has become small enough did not move")
		}
	}
}

// TestMigratingToCookieByID serves operators and background jobs as long as
// the session has not moved, and then says why not.
func TestMigratingToCookieByID(t *testing.T) {
	v := newMove(t, "memory to cookie")
	c, _, id := v.fresh(t)
	note := func(s *core.Session) error { s.Set("note", "x"); return nil }
	for range 2 {
		if err := v.during.Update(t.Context(), id, note); err != nil {
			t.Fatalf("before the move: %v", err)
		}
	}
	if n := v.stats.Stats().Moved; n != 0 {
		t.Errorf("%d sessions were moved by a job that has no client", n)
	}
	if c.on(v.during).get("note") != "x" {
		t.Error("the note was lost")
	}
	c.use()
	if err := v.during.Update(t.Context(), id, note); !errors.Is(err, core.ErrUnsupported) || errors.Is(err, core.ErrUnavailable) {
		t.Errorf("after the move: %v, want ErrUnsupported", err)
	}
	if infos, err := v.during.List(t.Context(), "ann"); !errors.Is(err, core.ErrUnsupported) || len(infos) != 0 {
		t.Errorf("I2: an incomplete list does not say so: %v, %v", infos, err)
	}
	c.use() // shows the new token
	v.clock.advance(2 * time.Minute)
	if err := v.during.Update(t.Context(), id, note); !errors.Is(err, core.ErrNotFound) {
		t.Errorf("long after the move: %v, want ErrNotFound", err)
	}
	if _, err := v.old.Sweep(t.Context()); err != nil || v.old.Len() != 0 {
		t.Errorf("%d entries are left in the old store, %v", v.old.Len(), err)
	}
}

// TestMigratingToCookieOverlap has requests with the old token overlap: each
// finds what those before it have written.
func TestMigratingToCookieOverlap(t *testing.T) {
	v := newMove(t, "memory to cookie")
	c, _, _ := v.fresh(t)
	c.on(v.during)
	one, two := c.begin(), c.fork().begin()
	one.s.Set("one", "1")
	two.s.Set("two", "2")
	if err := errors.Join(one.end(200), two.end(200)); err != nil {
		t.Fatal(err)
	}
	last := two.c
	if last.get("one") != "1" || last.get("two") != "2" {
		t.Error("K1: the last answer lacks what the first had written")
	}
}

// TestMigratingToCookieLogout leaves nothing that the old token opens.
func TestMigratingToCookieLogout(t *testing.T) {
	for _, pair := range []string{"memory to cookie", "foreign to cookie", "memory to foreign"} {
		for _, requests := range []int{0, 1, 2} {
			v := newMove(t, pair)
			c, old, _ := v.fresh(t)
			c.on(v.during)
			for range requests {
				c.use()
			}
			paused := old.fork().on(v.during).begin()
			paused.s.Set("x", "y")
			c.do(func(s *core.Session) { s.Logout() })
			if err := paused.end(200); err != nil {
				t.Error(err)
			}
			if user := paused.c.user(); user != "" && !v.cookie {
				t.Errorf("K2: %s after %d requests: a request that was under way has brought %s back", pair, requests, user)
			}
			for name, m := range map[string]*core.Manager{"during": v.during, "before": v.before} {
				if user := old.fork().on(m).user(); user != "" {
					t.Errorf("K2: %s after %d requests: the old token is %s on the manager %s", pair, requests, user, name)
				}
			}
		}
	}
}

// TestC6MigratingLateWrites keeps what a template does after the header has
// gone, though the new token cannot be sent any more.
func TestC6MigratingLateWrites(t *testing.T) {
	v := newMove(t, "cookie to memory")
	c, _, id := v.fresh(t)
	c.do(func(s *core.Session) { s.Flash("info", "hello") })
	c.on(v.during)
	r := c.begin()
	if hold := r.s.HoldBody(200); hold != 0 {
		t.Errorf("%d bytes of body are held back, and a store needs none", hold)
	}
	if err := v.during.Commit(r.x, r.s, 200); err != nil {
		t.Fatal(err)
	}
	c.take(r.x)
	if len(r.s.Flashes()) != 1 {
		t.Error("no flash")
	}
	r.s.Set("late", "x")
	v.during.Finish(r.s)
	c.do(func(s *core.Session) {
		late, _ := core.Get[string](s, "late")
		if s.ID() != id || late != "x" || len(s.PeekFlashes()) != 0 {
			t.Errorf("late = %q, flashes %v", late, s.PeekFlashes())
		}
	})
	for _, k := range []core.EventKind{core.EventTooLate, core.EventFailed} {
		if n := v.events.count(k); n != 0 {
			t.Errorf("%d events %q", n, k)
		}
	}
}
