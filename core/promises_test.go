package core_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/satchel-go/satchel/core"
)

// Whatever a list of sessions or a store's TTL says of the end, is the end.
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

// forgetful is a store whose index of users knows nothing but what it is
// told, and deletes nothing: it does not notice that a session has ended.
type forgetful struct {
	core.Store
	mu    sync.Mutex
	users map[string][]core.ID
}

func (f *forgetful) Reserve(_ context.Context, user string, id core.ID, limit int, _ core.LimitPolicy) (end []core.ID, _ error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	ids := append(slices.DeleteFunc(f.users[user], func(other core.ID) bool { return other == id }), id)
	if over := len(ids) - limit; limit > 0 && over > 0 {
		end, ids = ids[:over], ids[over:]
	}
	f.users[user] = ids
	return end, nil
}

func (f *forgetful) Confirm(context.Context, string, core.ID, time.Time) error { return nil }

func (f *forgetful) Release(_ context.Context, user string, id core.ID) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.users[user] = slices.DeleteFunc(f.users[user], func(other core.ID) bool { return other == id })
	return nil
}

func (f *forgetful) List(_ context.Context, user string) ([]core.ID, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.users[user]), nil
}

func TestI2EndedSessionsLeaveTheIndex(t *testing.T) {
	w := server(t)
	index := &forgetful{Store: w.store, users: map[string][]core.ID{}}
	w.m = w.manager(core.ServerSide(index))
	for how, end := range map[string]func(c *client) error{
		"Logout":  func(c *client) error { c.do(func(s *core.Session) { s.Logout() }); return nil },
		"Revoke":  func(c *client) error { return w.m.Revoke(t.Context(), c.id()) },
		"by user": func(*client) error { return w.m.RevokeUser(t.Context(), "ann") },
		"another's login": func(c *client) error {
			c.do(func(s *core.Session) { s.Login("bob") })
			return nil
		},
	} {
		c := login(t, w, "ann")
		if ids, _ := index.List(t.Context(), "ann"); len(ids) != 1 {
			t.Fatalf("I2: %d in the index after a login", len(ids))
		}
		if err := end(c); err != nil {
			t.Fatal(err)
		}
		if ids, _ := index.List(t.Context(), "ann"); len(ids) != 0 {
			t.Errorf("I2: after %s, the session is still in its user's index", how)
		}
	}
}

// A store may leave it to the core to delete what a login pushes out.
func TestI1SEC18PushedOutSessionsEnd(t *testing.T) {
	w := server(t)
	w.m = w.manager(core.ServerSide(&forgetful{Store: w.store, users: map[string][]core.ID{}}),
		func(c *core.Config) { c.SessionLimit = 1 })
	first, second := login(t, w, "ann"), login(t, w, "ann")
	if first.user() != "" || second.user() != "ann" || w.store.Len() != 1 {
		t.Errorf("SEC18: the first login reads %q, the second %q, %d stored", first.user(), second.user(), w.store.Len())
	}
}

// interrupted calls before, once, ahead of a save.
type interrupted struct {
	core.Store
	before func()
}

func (i *interrupted) Unwrap() core.Store { return i.Store }

func (i *interrupted) Save(ctx context.Context, id core.ID, e core.Entry, base core.Version) (core.Version, error) {
	if before := i.before; before != nil {
		i.before = nil
		before()
	}
	return i.Store.Save(ctx, id, e, base)
}

// The login has its place in the index, and is not stored yet.
func TestI2SEC17LoginStoredAfterRevokeUser(t *testing.T) {
	w := server(t)
	store := &interrupted{Store: w.store}
	w.m = w.manager(core.ServerSide(store))
	c := newClient(t, w.m)
	r := c.begin()
	r.s.Login("ann")
	store.before = func() {
		if err := w.m.RevokeUser(t.Context(), "ann"); err != nil {
			t.Error(err)
		}
	}
	if err := r.end(200); err != nil {
		t.Fatal(err)
	}
	if store.before != nil {
		t.Fatal("nothing was saved")
	}
	if len(r.x.setCookie) != 0 || w.store.Len() != 0 {
		t.Errorf("SEC17: the login survived: %q, %d stored", r.x.setCookie, w.store.Len())
	}
}
