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

// A logout after a login as another user ends both sessions.
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

// SkipTouch is for pollers that read: a change of the timeouts still counts.
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
	w := inCookies(t, func(c *core.Config) { c.Cookie.MaxParts = 5 })
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

func TestI3LoginAfterALogoutKeepsItsCookie(t *testing.T) {
	both(t, func(t *testing.T, w *world) {
		c := newClient(t, w.m)
		c.do(func(s *core.Session) { s.Login("ann") })
		c.do(func(s *core.Session) {
			s.Logout()
			s.Login("bob")
			if err := s.Commit(t.Context()); err != nil {
				t.Fatal(err)
			}
		})
		c.do(func(s *core.Session) {
			if s.UserID() != "bob" {
				t.Errorf("user is %q: the automatic commit replaced the new cookie by a deletion", s.UserID())
			}
		})
	})
}

func TestI1RefusedLoginAsAnotherUserKeepsTheSession(t *testing.T) {
	w := server(t, func(c *core.Config) { c.SessionLimit = 1; c.LimitPolicy = core.RefuseLogin })
	newClient(t, w.m).do(func(s *core.Session) { s.Login("bob") })
	c := newClient(t, w.m)
	c.do(func(s *core.Session) { s.Login("ann") })
	x := c.do(func(s *core.Session) {
		s.Login("bob")
		if err := s.Commit(t.Context()); !errors.Is(err, core.ErrSessionLimit) {
			t.Fatal(err)
		}
		s.Flash("error", "Too many sessions")
	})
	infos, _ := w.m.List(t.Context(), "ann")
	c.do(func(s *core.Session) {
		if s.UserID() != "ann" {
			t.Errorf("a refused login replaced ann's cookie (%q) and left her session alive: %d", x.setCookie, len(infos))
		}
	})
}

func TestI1ReauthenticateKeepsTheSession(t *testing.T) {
	both(t, func(t *testing.T, w *world) {
		c := newClient(t, w.m)
		c.do(func(s *core.Session) {
			s.Login("ann")
			s.Remember(true)
			s.Set("k", "v")
			s.SetTimeouts(time.Hour, 40*time.Minute)
		})
		id, thief := c.id(), c.fork()
		w.clock.advance(30 * time.Minute)
		c.do(func(s *core.Session) { s.Reauthenticate() })
		c.do(func(s *core.Session) {
			v, _ := core.Get[string](s, "k")
			if now := w.clock.now(); s.ID() != id || s.UserID() != "ann" || v != "v" || !s.IsRemembered() || !s.AuthenticatedAt().Equal(now) || s.ExpiresAt().Sub(now) != 40*time.Minute {
				t.Errorf("I1: %v of %q, %q, remembered %v, authenticated %v, until %v", s.ID(), s.UserID(), v, s.IsRemembered(), s.AuthenticatedAt(), s.ExpiresAt())
			}
		})
		if !w.m.Traits().ClientSide && thief.user() != "" {
			t.Error("I1: the old token still works")
		}
	})
}

func TestI1ReauthenticateNeedsAUser(t *testing.T) {
	both(t, func(t *testing.T, w *world) {
		r := newClient(t, w.m).begin()
		r.s.Set("k", "v")
		r.s.Reauthenticate()
		if err := r.end(200); err == nil || !strings.Contains(err.Error(), "call Login") {
			t.Errorf("I1: %v", err)
		}
	})
}

func TestK2ReauthenticateDoesNotReviveASession(t *testing.T) {
	w := server(t)
	c := login(t, w, "ann")
	r := c.begin()
	if _, err := w.m.RevokeUser(t.Context(), "ann"); err != nil {
		t.Fatal(err)
	}
	r.s.Reauthenticate()
	if err := r.end(200); err != nil || !r.s.Ended() || len(r.x.setCookie) != 0 || c.user() != "" {
		t.Errorf("K2: %v, ended %v, cookies %q, user %q", err, r.s.Ended(), r.x.setCookie, c.user())
	}
}

func TestI1IsRemembered(t *testing.T) {
	both(t, func(t *testing.T, w *world) {
		c := newClient(t, w.m)
		want := func(s *core.Session, want bool, when string) {
			t.Helper()
			if s.IsRemembered() != want {
				t.Errorf("%s: %v", when, !want)
			}
		}
		c.do(func(s *core.Session) {
			want(s, false, "new")
			s.Login("ann")
			s.Remember(true)
			want(s, true, "asked for")
		})
		c.do(func(s *core.Session) {
			want(s, true, "remembered")
			s.Login("ann")
			want(s, false, "after another login")
		})
		c.do(func(s *core.Session) { want(s, false, "not remembered"); s.Logout(); want(s, false, "logged out") })
	})
}

func TestI3LogoutEverywhere(t *testing.T) {
	w := server(t)
	here, there, bob := login(t, w, "ann"), login(t, w, "ann"), login(t, w, "bob")
	x := here.do(func(s *core.Session) {
		if err := s.LogoutEverywhere(t.Context()); err != nil {
			t.Fatal(err)
		}
		s.Flash("info", "Signed out everywhere.")
	})
	if len(x.setCookie) != 1 {
		t.Errorf("I3: cookies %q", x.setCookie)
	}
	here.do(func(s *core.Session) {
		if f := s.Flashes(); s.UserID() != "" || len(f) != 1 {
			t.Errorf("I3: user %q, flashes %v", s.UserID(), f)
		}
	})
	if there.user() != "" || bob.user() != "bob" {
		t.Errorf("I3: the other session's user is %q, another user's %q", there.user(), bob.user())
	}
	newClient(t, w.m).do(func(s *core.Session) {
		if err := s.LogoutEverywhere(t.Context()); err != nil {
			t.Errorf("I3: anonymous: %v", err)
		}
	})
	cookies := inCookies(t)
	c := login(t, cookies, "ann")
	c.do(func(s *core.Session) {
		if err := s.LogoutEverywhere(t.Context()); !errors.Is(err, core.ErrUnsupported) {
			t.Errorf("I3: client-side: %v", err)
		}
	})
	if c.user() != "ann" {
		t.Error("I3: logged out here although the others stay")
	}
}

func TestC4Rollback(t *testing.T) {
	both(t, func(t *testing.T, w *world) {
		c := newClient(t, w.m)
		c.do(func(s *core.Session) { s.Set("k", "old"); s.Flash("info", "hello") })
		c.do(func(s *core.Session) {
			s.Set("k", "new")
			s.Flash("info", "failed")
			s.Flashes()
			s.Login("ann")
			s.Rollback()
			s.Set("after", "kept")
		})
		c.do(func(s *core.Session) {
			k, _ := core.Get[string](s, "k")
			after, _ := core.Get[string](s, "after")
			if f := s.Flashes(); k != "old" || after != "kept" || s.UserID() != "" || len(f) != 1 || f[0].Text != "hello" {
				t.Errorf("C4: %q, %q, user %q, flashes %v", k, after, s.UserID(), f)
			}
		})
		if w.events.count(core.EventRolledBack) != 1 {
			t.Errorf("C4: %d events", w.events.count(core.EventRolledBack))
		}
		c.do(func(s *core.Session) { s.Logout(); s.Rollback() })
		if len(c.jar) != 0 {
			t.Error("C4: a rollback has undone a logout")
		}
	})
}

// TestT3LateTimeoutsDoNotOutliveTheCookie: longer timeouts that come after the header need a cookie,
// also beside a Renew, which is left out for the same reason.
func TestT3LateTimeoutsDoNotOutliveTheCookie(t *testing.T) {
	w := server(t)
	c := newClient(t, w.m)
	c.do(func(s *core.Session) { s.Login("ann"); s.Remember(true) })
	r := c.begin()
	before := r.s.ExpiresAt()
	if err := w.m.Commit(r.x, r.s, 200); err != nil {
		t.Fatal(err)
	}
	r.s.Renew()
	r.s.SetTimeouts(0, core.NoTimeout)
	w.m.Finish(r.s)
	if got := c.begin().s.ExpiresAt(); !got.Equal(before) {
		t.Errorf("T3: the session ends %v, its cookie %v", got, before)
	}
	if n := w.events.count(core.EventTooLate); n != 1 {
		t.Errorf("C6: %d events of late changes, want 1", n)
	}
}
