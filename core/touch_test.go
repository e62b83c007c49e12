package core_test

import (
	"testing"
	"time"

	"github.com/satchel-go/satchel/core"
)

// A session ends when the list of sessions and the store's TTL say that it ends.
func TestT1ExpiryIsCappedByTheLifetime(t *testing.T) {
	both(t, func(t *testing.T, w *world) {
		c := newClient(t, w.m)
		c.do(func(s *core.Session) { s.Set("k", "v") })
		w.clock.advance(30 * time.Minute)
		c.do(func(s *core.Session) { s.Keys() })
		c.do(func(s *core.Session) {
			if left := s.IdleExpiresAt().Sub(w.clock.now()); left != 30*time.Minute || !s.IdleExpiresAt().Equal(s.ExpiresAt()) {
				t.Errorf("T1: half an hour before its deadline, the session has %v", left)
			}
		})
	}, func(c *core.Config) { c.IdleTimeout, c.Lifetime = 40*time.Minute, time.Hour })
}

func TestT1JobKeepsTheTouchOfARequest(t *testing.T) {
	w := server(t)
	c := newClient(t, w.m)
	var id core.ID
	c.do(func(s *core.Session) { s.Login("ann") })
	c.do(func(s *core.Session) { id = s.ID() })
	w.clock.advance(29 * time.Minute)
	if err := w.m.Update(t.Context(), id, func(s *core.Session) error {
		s.Set("job", "done")
		c.do(func(s *core.Session) { _ = s.UserID() }) // the user is active meanwhile
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if w.events.count(core.EventTouched) != 1 {
		t.Fatal("no touch")
	}
	w.clock.advance(2 * time.Minute)
	c.do(func(s *core.Session) {
		if s.UserID() != "ann" {
			t.Error("T1: used 2 minutes ago, and ended by the idle timeout of 30 minutes")
		}
	})
}

func TestT1UseAfterTheHeaderIsActivity(t *testing.T) {
	w := server(t)
	c := newClient(t, w.m)
	c.do(func(s *core.Session) { s.Login("ann") })
	for range 4 { // a template that streams and greets the user
		w.clock.advance(10 * time.Minute)
		r := c.begin()
		if err := w.m.Commit(r.x, r.s, 200); err != nil {
			t.Fatal(err)
		}
		if r.s.UserID() != "ann" {
			t.Error("T1: in use every 10 minutes, and ended by the idle timeout of 30 minutes")
		}
		w.m.Finish(r.s)
	}
}

func TestT1UseCountsUntilTheDeadline(t *testing.T) {
	w := server(t, func(c *core.Config) {
		c.IdleTimeout, c.Lifetime, c.TouchAfter = 30*time.Minute, 58*time.Minute, 29*time.Minute
	})
	c := newClient(t, w.m)
	c.do(func(s *core.Session) { s.Login("ann") })
	for i := range 56 {
		w.clock.advance(time.Minute)
		user := ""
		c.do(func(s *core.Session) { user = s.UserID() })
		if user != "ann" {
			t.Fatalf("T1: used every minute, ended after %d of 58 minutes", i+1)
		}
	}
}

func TestT1NotBeforeProlongsNothing(t *testing.T) {
	both(t, func(t *testing.T, w *world) {
		c := newClient(t, w.m)
		c.do(func(s *core.Session) { s.Login("ann") })
		w.clock.advance(2 * time.Hour)
		c.do(func(s *core.Session) {
			if s.UserID() == "ann" {
				t.Error("T1: unused for 2 hours, idle timeout 30 minutes, and alive")
			}
		})
	}, func(c *core.Config) { c.NotBefore = newClock().now().Add(24 * time.Hour) })
}
