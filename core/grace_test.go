package core_test

import (
	"errors"
	"testing"
	"time"

	"github.com/satchel-go/satchel/core"
)

// acrossIdle begins a request of ann's just before the idle timeout of her session,
// and lets d pass after that timeout.
func acrossIdle(t *testing.T, d time.Duration) (*world, *client, *request) {
	t.Helper()
	w := server(t)
	c := login(t, w, "ann")
	w.clock.advance(30*time.Minute - time.Second)
	r := c.begin()
	w.clock.advance(time.Second + d)
	return w, c, r
}

func TestT1StoresKeepSessionsAMinuteLonger(t *testing.T) {
	for _, test := range []struct{ idle, lifetime, want time.Duration }{
		{30 * time.Minute, 12 * time.Hour, 31 * time.Minute},
		{30 * time.Minute, core.NoTimeout, 31 * time.Minute},
		{30 * time.Minute, 32 * time.Minute, 31 * time.Minute},
		{30 * time.Minute, 31 * time.Minute, 30*time.Minute + 30*time.Second},
		{30 * time.Minute, 30 * time.Minute, 30 * time.Minute},
		{3 * time.Second, 6 * time.Second, 4500 * time.Millisecond},
	} {
		w := server(t, func(c *core.Config) { c.IdleTimeout, c.Lifetime = test.idle, test.lifetime })
		c := newClient(t, w.m)
		c.do(func(s *core.Session) { s.Set("k", "v") })
		check := func(when string) {
			e, err := w.store.Load(t.Context(), c.id())
			if err != nil {
				t.Fatal(err)
			}
			if got := e.Expires.Sub(w.clock.now()); got != test.want {
				t.Errorf("%v of %v: %s the store is told %v, want %v", test.idle, test.lifetime, when, got, test.want)
			}
			c.do(func(s *core.Session) {
				s.SkipTouch()
				if got := s.IdleExpiresAt().Sub(w.clock.now()); got != test.idle {
					t.Errorf("%v of %v: %s the idle expiry is in %v", test.idle, test.lifetime, when, got)
				}
			})
		}
		check("after a save")
		if test.lifetime == core.NoTimeout {
			w.clock.advance(test.idle / 2)
			c.get("k")
			check("after a touch")
		}
	}
}

func TestT1TouchesNearTheEndOfTheLifetime(t *testing.T) {
	w := server(t, func(c *core.Config) { c.IdleTimeout, c.Lifetime = 3*time.Second, 10*time.Second })
	c := login(t, w, "ann")
	begun := w.clock.now()
	for i := range 9 {
		w.clock.advance(time.Second)
		if user := c.user(); user != "ann" {
			t.Fatalf("logged out after %d seconds", i+1)
		}
		c.do(func(s *core.Session) {
			want := min(time.Duration(i+1+3)*time.Second, 10*time.Second)
			if got := s.IdleExpiresAt().Sub(begun); got != want {
				t.Errorf("after %d seconds the idle expiry is at %v, want %v", i+1, got, want)
			}
		})
		if e, err := w.store.Load(t.Context(), c.id()); err != nil || e.Expires.Sub(begun) > 10*time.Second+time.Millisecond { // that tells of the last use
			t.Errorf("kept until %v, %v", e.Expires.Sub(begun), err)
		}
	}
}

func TestT1NothingShowsAnExpiredSession(t *testing.T) {
	w, c, r := acrossIdle(t, time.Second)
	id := r.s.ID()
	if infos, err := w.m.List(t.Context(), "ann"); err != nil || len(infos) != 0 {
		t.Errorf("listed: %v, %v", infos, err)
	}
	if _, err := w.m.Done(t.Context(), id); !errors.Is(err, core.ErrNotFound) {
		t.Errorf("Done: %v", err)
	}
	if err := w.m.View(t.Context(), id, func(*core.Session) error { return nil }); !errors.Is(err, core.ErrNotFound) {
		t.Errorf("View: %v", err)
	}
	if user := c.fork().user(); user != "" {
		t.Errorf("a later request is %q", user)
	}
	r.s.Set("k", "v")
	if err := r.end(200); err != nil {
		t.Fatal(err)
	}
	if infos, err := w.m.List(t.Context(), "ann"); err != nil || len(infos) != 1 || infos[0].ID != id || c.get("k") != "v" {
		t.Errorf("K1: listed: %v, %v; k is %q", infos, err, c.get("k"))
	}
}

func TestK2RevocationReachesAnExpiredSession(t *testing.T) {
	for what, revoke := range map[string]func(*world, *client, core.ID) error{
		"Revoke": func(w *world, _ *client, id core.ID) error {
			err := w.m.Revoke(t.Context(), id)
			if errors.Is(err, core.ErrNotFound) {
				err = nil // it has expired
			}
			return err
		},
		"RevokeUser": func(w *world, _ *client, _ core.ID) error {
			_, err := w.m.RevokeUser(t.Context(), "ann")
			return err
		},
		"RevokeOthers": func(_ *world, other *client, _ core.ID) (err error) {
			other.do(func(s *core.Session) { err = s.RevokeOthers(t.Context()) })
			return err
		},
		"RevokeOwn": func(_ *world, other *client, id core.ID) (err error) {
			other.do(func(s *core.Session) { err = s.RevokeOwn(t.Context(), id) })
			if errors.Is(err, core.ErrNotFound) {
				err = nil
			}
			return err
		},
	} {
		w, c, r := acrossIdle(t, time.Second)
		id := r.s.ID()
		other := login(t, w, "ann")
		before := w.events.count(core.EventRevoked)
		if err := revoke(w, other, id); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		r.s.Set("k", "v")
		if err := r.end(200); err != nil {
			t.Fatal(err)
		}
		if _, err := w.store.Load(t.Context(), id); !errors.Is(err, core.ErrNotFound) || c.user() != "" {
			t.Errorf("%s: a request in flight has brought the session back: %v", what, err)
		}
		want := before
		if what == "RevokeUser" {
			want++ // the other one, which lives
		}
		if n := w.events.count(core.EventRevoked); n != want {
			t.Errorf("%s: %d events of a revocation, want %d", what, n, want)
		}
	}
}

// TestK2LogoutReachesAnExpiredSession: a logout that comes after the idle limit wins against a request that
// came before it and may yet commit.
func TestK2LogoutReachesAnExpiredSession(t *testing.T) {
	for after, ends := range map[time.Duration]bool{0: true, 59 * time.Second: true, time.Minute: false} {
		w, c, r := acrossIdle(t, after)
		x := c.fork().do(func(s *core.Session) { s.Logout() })
		if (len(x.setCookie) != 0) != ends || w.events.count(core.EventLogout) != map[bool]int{true: 1}[ends] {
			t.Errorf("a logout %v after the limit has set %q, and made %d events", after, x.setCookie, w.events.count(core.EventLogout))
		}
		r.s.Set("k", "v")
		if err := r.end(200); ends && err != nil || c.user() != "" || ends && w.store.Len() != 0 {
			t.Errorf("a logout %v after the limit: the session is %q's, %v; %d are stored", after, c.user(), err, w.store.Len())
		}
	}
}

func TestT1OnlyActivityCrossesTheIdleLimit(t *testing.T) {
	w, c, r := acrossIdle(t, time.Second)
	r.s.SkipTouch()
	r.s.Set("k", "v")
	if err := r.end(200); !errors.Is(err, core.ErrEnded) || c.user() != "" {
		t.Errorf("SkipTouch: %v, user %q", err, c.user())
	}

	c = login(t, w, "ann")
	err := w.m.Update(t.Context(), c.id(), func(s *core.Session) error {
		w.clock.advance(30 * time.Minute)
		s.Set("k", "v")
		return nil
	})
	if !errors.Is(err, core.ErrEnded) || c.user() != "" {
		t.Errorf("Update: %v, user %q", err, c.user())
	}
}

// TestT1ClientSideOnlyActivityCrossesTheIdleLimit: what is no activity would seal a token that has expired.
func TestT1ClientSideOnlyActivityCrossesTheIdleLimit(t *testing.T) {
	for _, poller := range []bool{false, true} {
		w := inCookies(t)
		c := newClient(t, w.m)
		c.do(func(s *core.Session) { s.Login("ann") })
		w.clock.advance(30*time.Minute - time.Second)
		r := c.begin()
		w.clock.advance(2 * time.Second)
		if poller {
			r.s.SkipTouch()
		}
		r.s.Set("k", "v")
		err, kept := r.end(200), c.get("k") == "v"
		if errors.Is(err, core.ErrEnded) != poller || kept == poller {
			t.Errorf("SkipTouch %t: %v, kept %t", poller, err, kept)
		}
	}
}

func TestT1ClientSideNothingCrossesTheLifetime(t *testing.T) {
	for name, late := range map[string]func(*core.Session){
		"a value":         func(s *core.Session) { s.Set("k", "v") },
		"longer timeouts": func(s *core.Session) { s.SetTimeouts(0, 2*time.Hour) },
		"a login":         func(s *core.Session) { s.Login("ann") },
	} {
		w := inCookies(t, func(c *core.Config) { c.IdleTimeout, c.Lifetime = time.Hour, time.Hour })
		c := newClient(t, w.m)
		c.do(func(s *core.Session) { s.Login("ann") })
		w.clock.advance(time.Hour - time.Second)
		r := c.begin()
		w.clock.advance(time.Second)
		late(r.s)
		err, login := r.end(200), name == "a login"
		if errors.Is(err, core.ErrEnded) == login || (c.user() == "ann") != login {
			t.Errorf("%s: %v, user %q", name, err, c.user())
		}
	}
}

// TestT1NothingCrossesTheLifetimeThoughItIsKept: the store keeps a session that was only read some seconds
// longer, which tells when that was.
func TestT1NothingCrossesTheLifetimeThoughItIsKept(t *testing.T) {
	const day = 24 * time.Hour
	for name, late := range map[string]func(*core.Session){
		"a read":  func(s *core.Session) { s.Keys() },
		"a write": func(s *core.Session) { s.Set("k", "v") },
	} {
		w := server(t, func(c *core.Config) { c.IdleTimeout, c.Lifetime = 14*day, 30*day })
		c := login(t, w, "ann")
		w.clock.advance(10 * day)
		c.user()
		w.clock.advance(10 * day)
		id := c.id()
		w.clock.advance(10*day - time.Second)
		r := c.fork().begin()
		w.clock.advance(time.Second)
		if _, err := w.store.Load(t.Context(), id); err != nil {
			t.Fatalf("%s: not kept: %v", name, err)
		}
		late(r.s)
		if err := r.end(200); errors.Is(err, core.ErrEnded) != (name == "a write") {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := w.m.Done(t.Context(), id); !errors.Is(err, core.ErrNotFound) || c.user() != "" {
			t.Errorf("%s: alive after its lifetime: %v", name, err)
		}
		if n := w.events.count(core.EventTouched); n != 2 {
			t.Errorf("%s: %d touches", name, n)
		}
	}
}

func TestT1OverlappingWorkAcrossTheIdleLimit(t *testing.T) {
	w := server(t)
	c := login(t, w, "ann")
	w.clock.advance(30*time.Minute - time.Second)
	first, second := c.begin(), c.begin()
	w.clock.advance(2 * time.Second)
	first.s.Set("a", "1")
	if err := first.end(200); err != nil {
		t.Fatal(err)
	}
	w.clock.advance(5 * time.Minute) // the first has moved the expiry, for the second too
	second.s.Set("b", "2")
	if err := second.end(200); err != nil || c.get("a") != "1" || c.get("b") != "2" {
		t.Errorf("K1: %v, a is %q, b is %q", err, c.get("a"), c.get("b"))
	}
}
