package core_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/satchel-go/satchel/core"
)

// remote is a store that the core takes for a networked one.
type remote struct {
	core.Store
	deadlines map[string]time.Duration
}

func (s *remote) Local() bool        { return false }
func (s *remote) Unwrap() core.Store { return s.Store }

func (s *remote) note(ctx context.Context, operation string) {
	if at, ok := ctx.Deadline(); ok {
		s.deadlines[operation] = time.Until(at).Round(time.Minute)
	}
}

func (s *remote) Load(ctx context.Context, id core.ID) (core.Entry, error) {
	s.note(ctx, "load")
	return s.Store.Load(ctx, id)
}

func (s *remote) Save(ctx context.Context, id core.ID, e core.Entry, base core.Version) (core.Version, error) {
	s.note(ctx, "save")
	return s.Store.Save(ctx, id, e, base)
}

func TestC5EveryStepHasItsDeadline(t *testing.T) {
	w := server(t)
	store := &remote{Store: w.store, deadlines: map[string]time.Duration{}}
	w.m = w.manager(core.ServerSide(store), func(c *core.Config) { c.LoadTimeout, c.CommitTimeout = time.Hour, 2*time.Hour })
	c := newClient(t, w.m)
	c.do(func(s *core.Session) { s.Set("k", "v") })
	c.do(nil)
	if store.deadlines["load"] != time.Hour || store.deadlines["save"] != 2*time.Hour {
		t.Errorf("deadlines are %v", store.deadlines)
	}
}

func TestC7EveryReadIsUse(t *testing.T) {
	for name, read := range map[string]func(*core.Manager, *core.Session){
		"ID":                  func(_ *core.Manager, s *core.Session) { s.ID() },
		"UserID":              func(_ *core.Manager, s *core.Session) { s.UserID() },
		"IsNew":               func(_ *core.Manager, s *core.Session) { s.IsNew() },
		"Ended":               func(_ *core.Manager, s *core.Session) { s.Ended() },
		"CreatedAt":           func(_ *core.Manager, s *core.Session) { s.CreatedAt() },
		"AuthenticatedAt":     func(_ *core.Manager, s *core.Session) { s.AuthenticatedAt() },
		"ExpiresAt":           func(_ *core.Manager, s *core.Session) { s.ExpiresAt() },
		"IdleExpiresAt":       func(_ *core.Manager, s *core.Session) { s.IdleExpiresAt() },
		"Keys":                func(_ *core.Manager, s *core.Session) { s.Keys() },
		"Get":                 func(_ *core.Manager, s *core.Session) { _, _ = core.Get[string](s, "k") },
		"Flashes":             func(_ *core.Manager, s *core.Session) { s.Flashes() },
		"PeekFlashes":         func(_ *core.Manager, s *core.Session) { s.PeekFlashes() },
		"FromContext":         func(_ *core.Manager, s *core.Session) { core.FromContext(s.Context()) },
		"Manager.FromContext": func(m *core.Manager, s *core.Session) { m.FromContext(s.Context()) },
	} {
		t.Run(name, func(t *testing.T) {
			both(t, func(t *testing.T, w *world) {
				c := newClient(t, w.m)
				c.do(func(s *core.Session) { s.Set("k", "v") })
				x := c.do(func(s *core.Session) { read(w.m, s) })
				if x.response["Vary"] != "Cookie" {
					t.Errorf("a page that depends on the session has Vary %q", x.response["Vary"])
				}
			})
		})
	}
}

// Reading in Config.Check does not make a page depend on the session, nor is it activity.
func TestC7T2CheckIsNoUse(t *testing.T) {
	both(t, func(t *testing.T, w *world) {
		c := newClient(t, w.m)
		c.do(func(s *core.Session) { s.Set("k", "v") })
		w.clock.advance(20 * time.Minute)
		if x := c.do(nil); x.response["Vary"] != "" || len(x.setCookie) != 0 || w.events.count(core.EventTouched) != 0 {
			t.Errorf("Vary %q, cookies %q, %d touches", x.response["Vary"], x.setCookie, w.events.count(core.EventTouched))
		}
	}, func(c *core.Config) {
		c.Check = func(_ context.Context, s *core.Session) error { _ = s.UserID(); return nil }
	})
}

func TestL3SessionThatCannotBeCheckedIsNotServed(t *testing.T) {
	down := false
	both(t, func(t *testing.T, w *world) {
		c := newClient(t, w.m)
		c.do(func(s *core.Session) { s.Login("ann"); s.Set("k", "v") })
		down = true
		c.do(func(s *core.Session) {
			if v, ok := core.Get[string](s, "k"); ok || s.UserID() != "" || !s.IsNew() {
				t.Errorf("nobody knows whether ann may come in, and the handler gets %q, %q", s.UserID(), v)
			}
			s.Set("k", "w")
		})
		down = false
		if c.user() != "ann" || c.get("k") != "v" {
			t.Errorf("afterwards: user %q, k is %q", c.user(), c.get("k"))
		}
	}, func(c *core.Config) {
		c.ServeWhenUnavailable = true
		c.Check = func(context.Context, *core.Session) error {
			if down {
				return fmt.Errorf("database: %w", core.ErrUnavailable)
			}
			return nil
		}
	})
}

func TestL3ClientThatLeavesIsNoOutage(t *testing.T) {
	w, store := hookedServer(t)
	c := newClient(t, w.m)
	c.do(func(s *core.Session) { s.Set("k", "v") })
	for _, left := range []bool{true, false} {
		x := c.exchange()
		ctx, leave := context.WithCancel(t.Context())
		x.ctx = ctx
		store.before = func(string) error {
			if left {
				leave()
				return ctx.Err()
			}
			return errStoreDown
		}
		if _, err := w.m.Load(x); !errors.Is(err, core.ErrUnavailable) {
			t.Errorf("client left %t: %v", left, err)
		}
		leave()
	}
	if a, u := w.events.count(core.EventAborted), w.events.count(core.EventUnavailable); a != 1 || u != 1 {
		t.Errorf("one client left, one answer failed: %d and %d events", a, u)
	}
}

func TestI2NotBeforeIsComparedWithTheLogin(t *testing.T) {
	w := server(t)
	ann := newClient(t, w.m)
	ann.do(func(s *core.Session) { s.Set("k", "v") })
	anonymous := newClient(t, w.m)
	anonymous.do(func(s *core.Session) { s.Set("k", "v") })
	w.clock.advance(time.Minute)
	notBefore := w.clock.now()
	ann.do(func(s *core.Session) { s.Login("ann") })
	m := w.manager(core.ServerSide(w.store), func(c *core.Config) { c.NotBefore = notBefore })
	ann.m, anonymous.m = m, m
	if user, k := ann.user(), anonymous.get("k"); user != "ann" || k != "" {
		t.Errorf("who logged in since is %q, what began before has %q", user, k)
	}
}

func TestC3RefusalsByKind(t *testing.T) {
	for err, status := range map[error]int{
		core.ErrUnavailable:  503,
		core.ErrConflict:     503,
		core.ErrSessionLimit: 409,
		core.ErrEnded:        409,
		core.ErrTooLarge:     500,
		errors.New("other"):  500,
	} {
		r := core.ErrorResponseFor(fmt.Errorf("commit: %w", err))
		if r.Status != status || r.Body == "" || r.ContentType != "text/plain; charset=utf-8" {
			t.Errorf("%v: %+v, want status %d", err, r, status)
		}
	}
}

func TestI3LogoutAfterARefusedLogin(t *testing.T) {
	both(t, func(t *testing.T, w *world) {
		c := login(t, w, "ann")
		c.do(func(s *core.Session) { // fails if the refusal outlives what it was about
			s.Login("")
			s.Logout()
		})
		if len(c.jar) != 0 {
			t.Errorf("cookies %v", c.jar)
		}
	})
}

func TestE1UnencodableTypedFlashFailsTheCommit(t *testing.T) {
	both(t, func(t *testing.T, w *world) {
		c := newClient(t, w.m)
		c.do(func(s *core.Session) { s.Set("k", "v") })
		r := c.begin()
		core.NewFlashKey[chan int]("channel").Add(r.s, make(chan int))
		var value *core.ValueError
		if err := r.s.Err(); !errors.As(err, &value) || value.Key != "channel" {
			t.Errorf("Err: %v", err)
		}
		if err := r.end(200); !errors.As(err, &value) || len(r.x.setCookie) != 0 {
			t.Errorf("commit: %v", err)
		}
	})
}

func TestI1UserIsTheNewOneAtOnce(t *testing.T) {
	both(t, func(t *testing.T, w *world) {
		c := newClient(t, w.m)
		for _, user := range []string{"ann", "bob"} {
			c.do(func(s *core.Session) {
				s.Login(user)
				if got := s.UserID(); got != user {
					t.Errorf("after Login(%q) the user is %q", user, got)
				}
			})
		}
	})
}

// A job's update meets a change, and then a renewal. It goes through, because a job
// has no token that could have been replaced.
func TestK1UpdateFromOutsideMeetsARenewal(t *testing.T) {
	w, store := hookedServer(t)
	c := newClient(t, w.m)
	c.do(func(s *core.Session) { s.Set("k", "v") })
	store.once("save", func() {
		c.do(func(s *core.Session) { s.Set("other", 1) })
		store.once("save", func() { c.do(func(s *core.Session) { s.Renew() }) })
	})
	if err := w.m.Update(t.Context(), c.id(), func(s *core.Session) error { s.Set("k", "job"); return nil }); err != nil {
		t.Fatal(err)
	}
	if n := w.events.count(core.EventConflict); n != 2 || c.get("k") != "job" {
		t.Errorf("after %d conflicts k is %q", n, c.get("k"))
	}
}

func TestCheckMayLogOutByItself(t *testing.T) {
	both(t, func(t *testing.T, w *world) {
		c := newClient(t, w.m)
		c.do(func(s *core.Session) { s.Login("ann") })
		c.do(nil)
	}, func(c *core.Config) {
		c.Check = func(_ context.Context, s *core.Session) error { s.Logout(); return errors.New("gone") }
	})
}

func TestL3ClientThatLeavesDuringCheckStaysLoggedIn(t *testing.T) {
	hangUp := func() {}
	w := server(t, func(c *core.Config) {
		c.Check = func(ctx context.Context, _ *core.Session) error {
			hangUp()
			return ctx.Err() // as any database call answers then
		}
	})
	c := newClient(t, w.m)
	c.do(func(s *core.Session) { s.Login("ann") })
	x := c.exchange()
	x.ctx, hangUp = context.WithCancel(t.Context())
	if s, err := w.m.Load(x); err == nil {
		_ = w.m.Commit(x, s, 200)
		w.m.Finish(s)
	}
	hangUp = func() {}
	c.do(func(s *core.Session) {
		if s.UserID() != "ann" {
			t.Error("L3: the client hung up while Check asked the database, and the user was logged out")
		}
	})
}
