package core_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/satchel-go/satchel/core"
)

// forgetful is a store whose index of users knows only what it is told, and deletes
// nothing. It does not notice that a session has ended.
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
		"by user": func(*client) error { _, err := w.m.RevokeUser(t.Context(), "ann"); return err },
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

// An index that is wrong about whose a session is makes no login end it.
func TestI1SEC17LimitEndsOnlyTheUsersOwn(t *testing.T) {
	w := server(t)
	index := &forgetful{Store: w.store, users: map[string][]core.ID{}}
	w.m = w.manager(core.ServerSide(index), func(c *core.Config) { c.SessionLimit = 1 })
	bob, visitor := login(t, w, "bob"), newClient(t, w.m)
	visitor.do(func(s *core.Session) { s.Set("k", "visitor") })
	index.users["ann"] = []core.ID{bob.id(), visitor.id()}
	ann := login(t, w, "ann")
	if bob.user() != "bob" || visitor.get("k") != "visitor" || ann.user() != "ann" {
		t.Errorf("SEC17: after ann's login, bob's session is %q's, the visitor has %q", bob.user(), visitor.get("k"))
	}
	if n := w.events.count(core.EventRevoked); n != 0 {
		t.Errorf("I1: %d events of sessions that were not ended", n)
	}
	if ids := index.users["ann"]; len(ids) != 1 || ids[0] != ann.id() {
		t.Errorf("I1: ann's index has %v", ids)
	}
}

// By default, an account has a thousand sessions at most, and the newest of them.
func TestI1SEC24AccountsHaveACeiling(t *testing.T) {
	w := server(t)
	var first, second *client
	for i := range 1001 {
		c := login(t, w, "ann")
		switch i {
		case 0:
			first = c
		case 1:
			second = c
		}
	}
	if n := w.store.Len(); n != 1000 || first.user() != "" || second.user() != "ann" {
		t.Errorf("%d sessions; the first is %q's, the second %q's", n, first.user(), second.user())
	}
	if n := w.events.count(core.EventRevoked); n != 1 {
		t.Errorf("%d events of sessions that made room", n)
	}
	w.m = w.manager(core.ServerSide(w.store), func(c *core.Config) { c.SessionLimit, c.MaxUserSessions = 1002, 10 })
	for range 2 {
		login(t, w, "ann")
	}
	if n := w.store.Len(); n != 1002 {
		t.Errorf("%d sessions with a limit of the application's own", n)
	}
}

// The login has its place in the index, and is not stored yet.
func TestI2SEC17LoginStoredAfterRevokeUser(t *testing.T) {
	w, store := hookedServer(t)
	r := newClient(t, w.m).begin()
	r.s.Login("ann")
	store.once("save", func() {
		if _, err := w.m.RevokeUser(t.Context(), "ann"); err != nil {
			t.Error(err)
		}
	})
	if err := r.end(200); err != nil {
		t.Fatal(err)
	}
	if len(r.x.setCookie) != 0 || w.store.Len() != 0 {
		t.Errorf("SEC17: the login survived: %q, %d stored", r.x.setCookie, w.store.Len())
	}
}

func TestI2RememberedSessionStaysInTheIndex(t *testing.T) {
	w := server(t, func(c *core.Config) { c.IdleTimeout = 12 * time.Hour })
	c := newClient(t, w.m)
	c.do(func(s *core.Session) { s.Login("ann") })
	c.do(func(s *core.Session) { s.Remember(true) })
	w.clock.advance(13 * time.Hour)
	infos, err := w.m.List(t.Context(), "ann")
	if err != nil || len(infos) != 1 {
		t.Errorf("I2: %d sessions listed, %v", len(infos), err)
	}
	if _, err := w.m.RevokeUser(t.Context(), "ann"); err != nil {
		t.Fatal(err)
	}
	c.do(func(s *core.Session) {
		if s.UserID() == "ann" {
			t.Error("I2: the session survived RevokeUser")
		}
	})
}

func TestI1FailedLoginKeepsNoPlace(t *testing.T) {
	w, spy := spied(t, func(c *core.Config) { c.SessionLimit = 1; c.LimitPolicy = core.RefuseLogin })
	c := newClient(t, w.m)
	spy.fail = errors.New("down")
	if err := c.logIn(); !errors.Is(err, core.ErrUnavailable) {
		t.Fatal(err)
	}
	spy.fail = nil
	if err := c.logIn(); err != nil {
		t.Errorf("the retry of a failed login: %v (nobody is logged in)", err)
	}
}

func TestI2PlaceOfAFailedLoginEndsNobody(t *testing.T) {
	w, spy := spied(t)
	ann := newClient(t, w.m)
	ann.do(func(s *core.Session) { s.Login("ann") })
	c := newClient(t, w.m)
	c.do(func(s *core.Session) { s.Set("cart", "1") })
	spy.fail = errors.New("down")
	r := c.begin()
	r.s.Login("ann") // on a shared computer; the store fails
	_ = r.end(200)
	spy.fail = nil
	c.do(func(s *core.Session) { s.Login("bob") })
	ann.do(func(s *core.Session) {
		if err := s.RevokeOthers(t.Context()); err != nil {
			t.Fatal(err)
		}
	})
	c.do(func(s *core.Session) {
		if s.UserID() != "bob" {
			t.Error("I2: ann's RevokeOthers ended bob's session")
		}
	})
}

func TestI1SEC69RepeatedIDTakesNoPlaceOfAnother(t *testing.T) {
	w := server(t)
	m := w.manager(core.ServerSide(w.store), func(c *core.Config) { c.Rand = &repeating{} })
	newClient(t, m).do(func(s *core.Session) { s.Login("ann") })
	newClient(t, m).do(func(s *core.Session) { s.Login("ann") })
	infos, err := m.List(t.Context(), "ann")
	if len(infos) != 2 || w.store.Len() != 2 {
		t.Errorf("SEC69: %d listed, %d stored, %v", len(infos), w.store.Len(), err)
	}
}
