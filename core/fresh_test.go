package core_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/satchel-go/satchel/core"
)

// copies is a store that answers with the first state it has seen, for ever: the worst
// that a window allows.
type copies struct {
	core.Store
	window time.Duration
	kept   map[core.ID]core.Entry
	asked  int // how often the inner store was
}

func (c *copies) Unwrap() core.Store    { return c.Store }
func (c *copies) Window() time.Duration { return c.window }

func (c *copies) Load(ctx context.Context, id core.ID) (core.Entry, error) {
	if e, ok := c.kept[id]; ok && !core.IsFresh(ctx) {
		return e, nil
	}
	c.asked++
	e, err := c.Store.Load(ctx, id)
	if err == nil {
		c.kept[id] = e
	}
	return e, err
}

// windowed returns two instances on one store: near answers from copies, far does not.
// Ann has a session, which near has a copy of.
func windowed(t *testing.T, edit ...func(*core.Config)) (w *world, store *copies, near, far *client) {
	w = server(t, edit...)
	far = newClient(t, w.m)
	store = &copies{Store: w.store, window: time.Minute, kept: map[core.ID]core.Entry{}}
	near = newClient(t, w.manager(core.ServerSide(store), edit...))
	far.do(func(s *core.Session) { s.Login("ann"); s.Set("k", "old") })
	near.jar = far.jar
	if near.get("k") != "old" {
		t.Fatal("the instances do not share the session")
	}
	return w, store, near, far
}

// TestL4WindowsAreForReadingAlone: only a request that reads gets a copy.
func TestL4WindowsAreForReadingAlone(t *testing.T) {
	for method, want := range map[string]string{"GET": "old", "HEAD": "old", "OPTIONS": "old", "TRACE": "old", "POST": "new", "PUT": "new", "PATCH": "new", "DELETE": "new", "get": "new", "": "new"} {
		_, store, near, far := windowed(t)
		near.method = method
		far.do(func(s *core.Session) { s.Set("k", "new") })
		if got := near.get("k"); got != want {
			t.Errorf("L4: %q reads %q, want %q (%d calls)", method, got, want, store.asked)
		}
	}
}

// TestL1NoCopySaysThatThereIsNoSession: what a copy does not admit, the store decides.
func TestL1NoCopySaysThatThereIsNoSession(t *testing.T) {
	for name, change := range map[string]func(w *world, s *core.Session){
		"login":  func(_ *world, s *core.Session) { s.Login("ann") },
		"renew":  func(_ *world, s *core.Session) { s.Renew() },
		"expiry": func(*world, *core.Session) {},
	} {
		t.Run(name, func(t *testing.T) {
			w, _, near, far := windowed(t)
			w.clock.advance(20 * time.Minute)
			far.do(func(s *core.Session) { s.UserID(); change(w, s) })
			if name == "expiry" {
				w.clock.advance(15 * time.Minute) // the copy's 30 minutes are over
			}
			near.do(func(s *core.Session) {
				if s.UserID() != "ann" || s.Ended() {
					t.Errorf("L1: the user is %q, ended %t", s.UserID(), s.Ended())
				}
			})
		})
	}
}

// TestK1K2WritesFromACopy: a request that began with a copy loses no update, and brings
// no session back.
func TestK1K2WritesFromACopy(t *testing.T) {
	_, _, near, far := windowed(t, func(c *core.Config) { c.CommitTimeout = 200 * time.Millisecond })
	far.do(func(s *core.Session) { s.Set("k", "new") })
	near.do(func(s *core.Session) { s.Set("n", "1") })
	if far.get("k") != "new" || far.get("n") != "1" {
		t.Errorf("K1: k is %q, n is %q", far.get("k"), far.get("n"))
	}
	var w *world
	w, _, near, far = windowed(t)
	near = near.fork()
	far.do(func(s *core.Session) { s.Logout() })
	near.do(func(s *core.Session) { s.Set("n", "1") })
	if w.store.Len() != 0 {
		t.Error("K2: a write from a copy brought the session back")
	}
}

// TestI2ACopyGivesNoRightOverOthers: who was revoked can end and list no sessions.
func TestI2ACopyGivesNoRightOverOthers(t *testing.T) {
	for name, act := range map[string]func(*core.Session) error{
		"RevokeOthers":     func(s *core.Session) error { return s.RevokeOthers(t.Context()) },
		"LogoutEverywhere": func(s *core.Session) error { return s.LogoutEverywhere(t.Context()) },
		"List": func(s *core.Session) error {
			if infos, err := s.List(t.Context()); err != nil || len(infos) > 0 {
				return errors.Join(err, errors.New("listed"))
			}
			return core.ErrEnded
		},
	} {
		t.Run(name, func(t *testing.T) {
			w, _, near, far := windowed(t)
			other := newClient(t, w.m)
			other.do(func(s *core.Session) { s.Login("ann") })
			if err := w.m.Revoke(t.Context(), far.id()); err != nil {
				t.Fatal(err)
			}
			near.do(func(s *core.Session) {
				if err := act(s); !errors.Is(err, core.ErrEnded) {
					t.Errorf("I2: %v", err)
				}
			})
			if other.user() != "ann" {
				t.Error("I2: a revoked session has ended another")
			}
		})
	}
}

func TestRefresh(t *testing.T) {
	w, _, near, far := windowed(t)
	far.do(func(s *core.Session) { s.Set("k", "new"); s.Set("n", "1") })
	near.do(func(s *core.Session) {
		s.Set("n", "2")
		if err := s.Refresh(t.Context()); err != nil {
			t.Fatal(err)
		}
		k, _ := core.Get[string](s, "k")
		if n, _ := core.Get[string](s, "n"); k != "new" || n != "2" {
			t.Errorf("after Refresh, k is %q and the change that is not committed reads %q", k, n)
		}
	})
	if far.get("n") != "2" {
		t.Error("Refresh lost a change")
	}
	if err := w.m.Revoke(t.Context(), far.id()); err != nil {
		t.Fatal(err)
	}
	near.do(func(s *core.Session) {
		if err := s.Refresh(t.Context()); !errors.Is(err, core.ErrEnded) || !s.Ended() || s.UserID() != "" {
			t.Errorf("K2: Refresh of a revoked session: %v, ended %t, user %q", err, s.Ended(), s.UserID())
		}
		if err := s.Refresh(t.Context()); !errors.Is(err, core.ErrEnded) {
			t.Errorf("again: %v", err)
		}
	})
	newClient(t, w.m).do(func(s *core.Session) {
		if err := s.Refresh(t.Context()); err != nil || !s.IsNew() {
			t.Errorf("Refresh of a new session: %v", err)
		}
	})
}

// TestK1RefreshRepeatsUpdates: after a Refresh, an update that is not committed reads as it will be stored.
func TestK1RefreshRepeatsUpdates(t *testing.T) {
	w := server(t)
	c := newClient(t, w.m)
	add := func(n int) int { return n + 1 }
	c.do(func(s *core.Session) { core.Update(s, "n", add) })
	r := c.begin()
	core.Update(r.s, "n", add)
	c.fork().do(func(s *core.Session) { core.Update(s, "n", add) })
	if err := r.s.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n, _ := core.Get[int](r.s, "n"); n != 3 {
		t.Errorf("K1: n is %d, want 3", n)
	}
	if err := r.end(200); err != nil {
		t.Fatal(err)
	}
}

// TestL3RefreshKeepsWhatItHas: an outage changes nothing.
func TestL3RefreshKeepsWhatItHas(t *testing.T) {
	_, store, near, _ := windowed(t)
	near.do(func(s *core.Session) {
		store.Store = offline{store.Store}
		if err := s.Refresh(t.Context()); !errors.Is(err, core.ErrUnavailable) || s.UserID() != "ann" {
			t.Errorf("L3: %v, user %q", err, s.UserID())
		}
	})
}

// offline is a store that cannot be reached.
type offline struct{ core.Store }

func (offline) Load(context.Context, core.ID) (core.Entry, error) {
	return core.Entry{}, errors.New("connection refused")
}

func TestFreshReads(t *testing.T) {
	_, _, near, far := windowed(t, func(c *core.Config) { c.FreshReads = true })
	far.do(func(s *core.Session) { s.Set("k", "new") })
	if got := near.get("k"); got != "new" {
		t.Errorf("with FreshReads, a GET reads %q", got)
	}
}

// TestT1NoWindowAboveTheIdleTimeout: a copy would outlive the session.
func TestT1NoWindowAboveTheIdleTimeout(t *testing.T) {
	store := &copies{Store: newMemory(t), window: time.Minute}
	c := core.Config{IdleTimeout: time.Minute - time.Second}
	if _, err := core.New(core.ServerSide(store), c); err == nil {
		t.Error("a window above the idle timeout is accepted")
	}
	c.IdleTimeout = time.Minute
	m, err := core.New(core.ServerSide(store), c)
	if err != nil || m.Traits().Window != time.Minute {
		t.Errorf("%v, or the window is unknown", err)
	}
}

// TestK1MigrationsGoByTheNewestState: a copy may be of a session that has moved away.
func TestK1MigrationsGoByTheNewestState(t *testing.T) {
	w, store, near, far := windowed(t)
	m := w.manager(core.Migrating(core.ServerSide(store), core.ServerSide(newMemory(t))))
	if m.Traits().Window != 0 {
		t.Error("a migration says it has a window")
	}
	far.do(func(s *core.Session) { s.Set("k", "new") })
	migrating := newClient(t, m)
	migrating.jar = near.jar
	if got := migrating.get("k"); got != "new" {
		t.Errorf("a migration reads %q", got)
	}
}
