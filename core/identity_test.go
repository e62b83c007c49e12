package core_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/satchel-go/satchel/core"
)

func TestI1LoginOfNobodyFails(t *testing.T) {
	both(t, func(t *testing.T, w *world) {
		for _, user := range []string{"", strings.Repeat("x", 1025)} {
			c := newClient(t, w.m)
			r := c.begin()
			r.s.Login(user)
			if err := r.end(200); err == nil || !strings.Contains(err.Error(), "Login") || len(r.x.setCookie) != 0 {
				t.Errorf("I1: a login of %d bytes says %v, and sets %q", len(user), err, r.x.setCookie)
			}
		}
	})
}

// Whoever logs out after having logged in as another ends both sessions.
func TestI3LogoutAfterAnotherLogin(t *testing.T) {
	w := server(t)
	ann := login(t, w, "ann")
	saved := ann.fork()
	ann.do(func(s *core.Session) { s.Login("bob"); s.Logout() })
	if user := saved.user(); user != "" || w.store.Len() != 0 {
		t.Errorf("I3: the cookie from before is of %q, %d sessions are stored", user, w.store.Len())
	}
}

func TestT3RememberLaterAndTakenBack(t *testing.T) {
	both(t, func(t *testing.T, w *world) {
		c := newClient(t, w.m)
		c.do(func(s *core.Session) { s.Login("ann") })
		old := c.fork()
		w.clock.advance(10 * time.Minute)
		x := c.do(func(s *core.Session) { s.Remember(true) })
		if !contains(x.setCookie, "Max-Age=2591400;") { // 30 days after the login
			t.Errorf("T3: remembered: %q", x.setCookie)
		}
		c.do(func(s *core.Session) {
			if life := s.ExpiresAt().Sub(s.AuthenticatedAt()); life != 30*24*time.Hour {
				t.Errorf("T1: the lifetime ends %v after the login", life)
			}
		})
		w.clock.advance(10 * time.Minute)
		if w.store != nil && old.user() != "" {
			t.Error("T3: the cookie from before goes on")
		}
		x = c.do(func(s *core.Session) { s.Remember(false) })
		if len(x.setCookie) == 0 || contains(x.setCookie, "Max-Age") {
			t.Errorf("T3: taken back: %q", x.setCookie)
		}
		w.clock.advance(31 * time.Minute)
		if c.user() != "" {
			t.Error("T3: taken back, but the timeouts are those of remembered sessions")
		}
	})
}

func TestT1TimeoutsOfASession(t *testing.T) {
	both(t, func(t *testing.T, w *world) {
		idle := func(c *client) (d time.Duration) {
			c.do(func(s *core.Session) { d = s.IdleExpiresAt().Sub(w.clock.now()) })
			return d
		}
		c := newClient(t, w.m)
		c.do(func(s *core.Session) { s.Login("ann"); s.SetTimeouts(time.Minute, time.Hour) })
		if d := idle(c); d != time.Minute {
			t.Errorf("T1: set with the login: %v", d)
		}
		c.do(func(s *core.Session) { s.Login("ann") })
		if d := idle(c); d != 30*time.Minute {
			t.Errorf("T1: after another login: %v", d)
		}
		c.do(func(s *core.Session) { s.SetTimeouts(2*time.Minute, 0) })
		if d := idle(c); d != 2*time.Minute {
			t.Errorf("T1: set by a request of its own: %v", d)
		}
		c.do(func(s *core.Session) { s.SetTimeouts(3*time.Minute, 0); s.Login("bob") })
		if d := idle(c); d != 3*time.Minute {
			t.Errorf("T1: set before the login of another: %v", d)
		}
		for _, tiny := range [][2]time.Duration{{time.Millisecond, 0}, {0, time.Millisecond}, {-2, 0}} {
			r := newClient(t, w.m).begin()
			r.s.Set("k", "v")
			r.s.SetTimeouts(tiny[0], tiny[1])
			if err := r.end(200); err == nil || !strings.Contains(err.Error(), "choose a second or more") {
				t.Errorf("T1: SetTimeouts%v says %v", tiny, err)
			}
		}
	})
}

// SkipTouch is for what a poller reads: what changes the timeouts counts.
func TestT2SkipTouchWithAChangeOfTimeouts(t *testing.T) {
	for name, change := range map[string]func(*core.Session){
		"login":    func(s *core.Session) { s.Login("ann") },
		"remember": func(s *core.Session) { s.Remember(true) },
		"timeouts": func(s *core.Session) { s.SetTimeouts(time.Hour, 0) },
	} {
		t.Run(name, func(t *testing.T) {
			w := server(t)
			c := newClient(t, w.m)
			c.do(func(s *core.Session) { s.Set("k", "v") })
			w.clock.advance(20 * time.Minute)
			c.do(func(s *core.Session) { s.SkipTouch(); change(s) })
			w.clock.advance(20 * time.Minute)
			if c.get("k") != "v" {
				t.Error("T2: ended by the idle timeout from before")
			}
		})
	}
}

// The label says where the session began or was logged in, not who wrote last.
func TestI2LabelOfASession(t *testing.T) {
	label := "phone"
	w := server(t, func(c *core.Config) { c.Describe = func(core.Exchange) string { return label } })
	label = strings.Repeat("ü", 200) // 400 bytes
	c := newClient(t, w.m)
	c.do(func(s *core.Session) { s.Login("ann") })
	infos, err := w.m.List(t.Context(), "ann")
	if err != nil || len(infos) != 1 || len(infos[0].Label) > 256 || !strings.HasPrefix(label, infos[0].Label) || len(infos[0].Label) < 200 {
		t.Errorf("I2: a long label is %d bytes, %v", len(infos[0].Label), err)
	}
	label = "laptop"
	c.do(func(s *core.Session) { s.Set("k", "v") })
	infos, err = w.m.List(t.Context(), "ann")
	if err != nil || infos[0].Label == "laptop" {
		t.Errorf("I2: a later write has changed the label, %v", err)
	}
	c.do(func(s *core.Session) { s.Login("ann") })
	if infos, err = w.m.List(t.Context(), "ann"); err != nil || infos[0].Label != "laptop" {
		t.Errorf("I2: after another login the label is %q, %v", infos[0].Label, err)
	}
}

// A commit that needs fewer cookies takes back those of the one before it.
func TestC7FewerPartsThanBefore(t *testing.T) {
	w := sealed(t)
	c := newClient(t, w.m)
	x := c.do(func(s *core.Session) {
		s.Set("k", strings.Repeat("x", 8000))
		if err := s.Commit(t.Context()); err != nil {
			t.Fatal(err)
		}
		s.Set("k", "short")
	})
	if len(x.setCookie) != 1 || c.get("k") != "short" {
		t.Errorf("C7: %d cookies, k is %q", len(x.setCookie), c.get("k"))
	}
}

func TestRenewAndRememberNeedAClient(t *testing.T) {
	w := server(t)
	id := login(t, w, "ann").id()
	for name, f := range map[string]func(*core.Session){"renew": (*core.Session).Renew, "remember": func(s *core.Session) { s.Remember(true) }} {
		if err := w.m.Update(t.Context(), id, func(s *core.Session) error { f(s); return nil }); !errors.Is(err, core.ErrUnsupported) {
			t.Errorf("%s outside a request: %v", name, err)
		}
	}
}
