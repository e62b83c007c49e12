package core_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/memstore"
)

// misled is a store whose lists name sessions that are not the user's: gone
// ones, and another user's.
type misled struct {
	*memstore.Store
	more []core.ID
}

func (s *misled) List(ctx context.Context, user string) ([]core.ID, error) {
	ids, err := s.Store.List(ctx, user)
	return append(ids, s.more...), err
}

// Sessions that a store lists by mistake are not the user's, whoever asks.
func TestI2SEC17WrongListHarmsNobody(t *testing.T) {
	w := server(t)
	store := &misled{Store: w.store}
	w.m = w.manager(core.ServerSide(store))
	ann, bob, ctx := login(t, w, "ann"), login(t, w, "bob"), t.Context()
	bobs := bob.id()
	store.more = []core.ID{bobs, {7}}
	if infos, err := w.m.List(ctx, "ann"); err != nil || len(infos) != 1 || infos[0].User != "ann" {
		t.Errorf("I2: List: %+v, %v", infos, err)
	}
	var users []string
	if err := w.m.UpdateUser(ctx, "ann", func(s *core.Session) error {
		users = append(users, s.UserID())
		s.Set("k", "changed")
		return nil
	}); err != nil || fmt.Sprint(users) != "[ann]" || bob.get("k") != "bob" {
		t.Errorf("I2: UpdateUser: %v, called for %v, bob has %q", err, users, bob.get("k"))
	}
	ann.do(func(s *core.Session) {
		if err := s.RevokeOwn(ctx, bobs); !errors.Is(err, core.ErrNotFound) {
			t.Errorf("SEC17: RevokeOwn: %v", err)
		}
		if err := s.RevokeOthers(ctx); err != nil {
			t.Errorf("I2: RevokeOthers: %v", err)
		}
	})
	if _, err := w.m.RevokeUser(ctx, "ann"); err != nil || ann.user() != "" {
		t.Errorf("I2: RevokeUser: %v", err)
	}
	if bob.user() != "bob" {
		t.Error("SEC17: bob's session was ended with ann's")
	}
	if n := w.events.count(core.EventRevoked); n != 1 {
		t.Errorf("I2: %d events of one session that was ended", n)
	}
}

func TestI2LastSeen(t *testing.T) {
	seen := func(t *testing.T, w *world) time.Time {
		t.Helper()
		infos, err := w.m.List(t.Context(), "ann")
		if err != nil || len(infos) != 1 {
			t.Fatal(infos, err)
		}
		return infos[0].LastSeen
	}
	t.Run("by reading", func(t *testing.T) {
		w := server(t)
		c := login(t, w, "ann")
		w.clock.advance(10 * time.Minute)
		c.do(func(s *core.Session) { s.Keys() })
		if at := seen(t, w); !at.Equal(w.clock.now()) {
			t.Errorf("I2: %v before the request", w.clock.now().Sub(at))
		}
	})
	t.Run("near the end of the lifetime", func(t *testing.T) {
		w := server(t, func(c *core.Config) { c.IdleTimeout, c.Lifetime = 50*time.Minute, time.Hour })
		c := login(t, w, "ann")
		w.clock.advance(45 * time.Minute)
		c.do(func(s *core.Session) { s.Set("k", "v") })
		if at := seen(t, w); !at.Equal(w.clock.now()) {
			t.Errorf("I2: %v before the write", w.clock.now().Sub(at))
		}
	})
	for name, test := range map[string]struct {
		idle, lifetime time.Duration
		shorter        time.Duration // the lifetime of the Manager from the second request on, if not zero
	}{
		"only read until the end":                       {idle: 14 * 24 * time.Hour, lifetime: 30 * 24 * time.Hour},
		"only read until the end, without idle timeout": {idle: core.NoTimeout, lifetime: 400 * 24 * time.Hour},
		"only read after the lifetime was shortened":    {idle: 14 * 24 * time.Hour, lifetime: 90 * 24 * time.Hour, shorter: 20 * 24 * time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			w := server(t, func(c *core.Config) { c.IdleTimeout, c.Lifetime = test.idle, test.lifetime })
			c := login(t, w, "ann")
			begun, end := w.clock.now(), test.lifetime
			w.clock.advance(13*24*time.Hour + 30*time.Second)
			c.do(func(s *core.Session) { s.Keys() })
			if test.shorter != 0 {
				end = test.shorter
				c.m = w.sharing(func(c *core.Config) { c.IdleTimeout, c.Lifetime = test.idle, test.shorter })
				w.m = c.m
			}
			touched := w.events.count(core.EventTouched)
			for w.clock.advance(27 * time.Minute); w.clock.now().Before(begun.Add(end)); w.clock.advance(27 * time.Minute) {
				c.do(func(s *core.Session) { s.Keys() })
				if ago := w.clock.now().Sub(seen(t, w)); ago < 0 || ago >= time.Hour {
					t.Fatalf("I2: after %v of %v, a session in use was last seen %v ago", w.clock.now().Sub(begun), end, ago)
				}
			}
			if n, hours := w.events.count(core.EventTouched)-touched, int((end-13*24*time.Hour)/time.Hour); n > hours {
				t.Errorf("T2: %d touches in %d hours", n, hours)
			}
		})
	}
	t.Run("without timeouts", func(t *testing.T) {
		w := server(t, func(c *core.Config) { c.IdleTimeout, c.Lifetime = core.NoTimeout, core.NoTimeout })
		login(t, w, "ann")
		if at := seen(t, w); !at.Equal(w.clock.now()) {
			t.Errorf("I2: %v before the login", w.clock.now().Sub(at))
		}
	})
}

// Operators get an error if the store cannot list sessions or cannot end them.
func TestI2L3OperatorsHearOfOutages(t *testing.T) {
	w, store := hookedServer(t)
	id := login(t, w, "ann").id()
	store.before = failing("load")
	if infos, err := w.m.List(t.Context(), "ann"); !errors.Is(err, core.ErrUnavailable) {
		t.Errorf("L3: List: %v, %v", infos, err)
	}
	if err := w.m.Revoke(t.Context(), id); !errors.Is(err, core.ErrUnavailable) {
		t.Errorf("L3: Revoke: %v", err)
	}
	w.m = w.manager(core.ServerSide(undeletable{w.store}))
	if err := w.m.RevokeAll(t.Context()); !errors.Is(err, core.ErrUnavailable) {
		t.Errorf("L3: RevokeAll: %v", err)
	}
	_, revokeErr := w.m.RevokeUser(t.Context(), "")
	for what, err := range map[string]error{"RevokeUser": revokeErr, "UpdateUser": w.m.UpdateUser(t.Context(), "", nil)} {
		if !errors.Is(err, core.ErrNotFound) {
			t.Errorf("I2: %s of nobody: %v", what, err)
		}
	}
}

// undeletable is a store that cannot delete all.
type undeletable struct{ *memstore.Store }

func (undeletable) DeleteAll(context.Context) error { return errStoreDown }

// A session that cannot be changed does not keep others from being changed, and one
// that ends meanwhile is not an error.
func TestUpdateUserGoesOn(t *testing.T) {
	w := server(t)
	var clients []*client
	for range 3 {
		clients = append(clients, login(t, w, "ann"))
		w.clock.advance(time.Second)
	}
	ctx, stop, n := t.Context(), errors.New("stop"), 0
	err := w.m.UpdateUser(ctx, "ann", func(s *core.Session) error {
		s.Set("k", "new")
		if n++; n == 1 {
			return stop
		}
		if n == 2 {
			return w.m.Revoke(ctx, s.ID())
		}
		return nil
	})
	if !errors.Is(err, stop) || errors.Is(err, core.ErrEnded) || errors.Is(err, core.ErrNotFound) || n != 3 {
		t.Errorf("%v after %d sessions", err, n)
	}
	if clients[0].get("k") != "ann" || clients[1].user() != "" || clients[2].get("k") != "new" {
		t.Error("the wrong sessions were changed")
	}
}

// A session that Update has passed on cannot be written afterwards, and reports it.
func TestC6SessionOfUpdateIsOverAfterwards(t *testing.T) {
	w := server(t)
	c := login(t, w, "ann")
	var kept *core.Session
	if err := w.m.Update(t.Context(), c.id(), func(s *core.Session) error { kept = s; return nil }); err != nil {
		t.Fatal(err)
	}
	kept.Set("k", "late")
	if n := w.events.count(core.EventTooLate); n != 1 || !errors.Is(kept.Err(), core.ErrTooLate) {
		t.Errorf("C6: %d events, and the session says %v", n, kept.Err())
	}
}

func TestI2InsideView(t *testing.T) {
	w := server(t)
	id := login(t, w, "ann").id()
	if err := w.m.View(t.Context(), id, func(s *core.Session) error {
		_, err := s.List(t.Context())
		return errors.Join(err, s.RevokeOwn(t.Context(), id))
	}); !errors.Is(err, core.ErrReadOnly) || errors.Is(err, core.ErrUnavailable) || w.store.Len() != 1 {
		t.Errorf("I2: %v, %d stored", err, w.store.Len())
	}
}

// RevokeOwn has ended the user's own session when it returns, and a page that shows
// only the list of devices uses the session.
func TestI2OwnSession(t *testing.T) {
	w := server(t)
	c := login(t, w, "ann")
	w.clock.advance(10 * time.Minute)
	x := c.do(func(s *core.Session) {
		if _, err := s.List(t.Context()); err != nil {
			t.Error(err)
		}
	})
	if w.events.count(core.EventTouched) != 1 || x.response["Vary"] != "Cookie" {
		t.Errorf("T2: the list is no use of the session, Vary is %q", x.response["Vary"])
	}
	c.do(func(s *core.Session) {
		if err := s.RevokeOwn(t.Context(), s.ID()); err != nil || w.store.Len() != 0 {
			t.Errorf("I2: %v, %d stored", err, w.store.Len())
		}
	})
}

// Sessions that Config.NotBefore has ended are gone for operators, too.
func TestI2SessionsBeforeNotBefore(t *testing.T) {
	w := server(t)
	id := login(t, w, "ann").id()
	m := w.manager(core.ServerSide(w.store), func(c *core.Config) { c.NotBefore = w.clock.now().Add(time.Hour) })
	if err := m.View(t.Context(), id, func(*core.Session) error { return nil }); !errors.Is(err, core.ErrNotFound) {
		t.Errorf("I2: View: %v", err)
	}
	if infos, err := m.List(t.Context(), "ann"); err != nil || len(infos) != 0 {
		t.Errorf("I2: List: %+v, %v", infos, err)
	}
}

func TestI2DoneHearsOfRevokeAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, _ := hookedServer(t)
		done, err := w.m.Done(t.Context(), login(t, w, "ann").id())
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		begun := time.Now()
		if err := w.m.RevokeAll(t.Context()); err != nil {
			t.Fatal(err)
		}
		<-done
		if d := time.Since(begun); d != 0 {
			t.Errorf("I2: it took %v, which is the poll's doing", d)
		}
	})
}

// An outage ends no WebSocket: users stay logged in.
func TestL3DoneOutlivesAnOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, store := hookedServer(t)
		id := login(t, w, "ann").id()
		var down atomic.Bool
		store.before = func(op string) error {
			if op == "load" && down.Load() {
				return errStoreDown
			}
			return nil
		}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		done, err := w.m.Done(ctx, id)
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		down.Store(true)
		time.Sleep(time.Minute)
		if isClosed(done) {
			t.Fatal("L3: an outage has ended the session for those who wait")
		}
		down.Store(false)
		if err := w.store.Delete(t.Context(), id); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Second)
		if !isClosed(done) {
			t.Error("I2: not noticed within 5 seconds of the store's return")
		}
	})
}

// RevokeUser also ends a login that is stored between its lookup and its release of
// the place in the index: nothing would find that login afterwards.
func TestI2SEC17LoginStoredWhileRevoked(t *testing.T) {
	w, store := hookedServer(t)
	c := newClient(t, w.m)
	r := c.begin()
	r.s.Login("ann")
	saving, goOn, done := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	var save, release sync.Once
	store.before = func(op string) error {
		switch op {
		case "save":
			save.Do(func() { close(saving); <-goOn })
		case "release":
			release.Do(func() { close(goOn); done <- <-done })
		}
		return nil
	}
	go func() { done <- r.end(200) }()
	<-saving
	if _, err := w.m.RevokeUser(t.Context(), "ann"); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err) // this test shows nothing
	}
	if user := c.user(); user != "" || w.store.Len() != 0 {
		t.Errorf("I2: %q is logged in, %d stored", user, w.store.Len())
	}
}

func TestUpdateUserReturnsWhatTheFunctionReturns(t *testing.T) {
	w := server(t)
	c := newClient(t, w.m)
	c.do(func(s *core.Session) { s.Login("ann") })
	err := w.m.UpdateUser(t.Context(), "ann", func(s *core.Session) error {
		_, err := core.Lookup[int](s, "absent")
		return err
	})
	if err == nil {
		t.Error("f's error vanished")
	}
}
