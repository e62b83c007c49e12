package core_test

import (
	"context"
	"errors"
	"testing"

	"github.com/satchel-go/satchel/core"
)

// A slow store ends a revocation at its deadline.
func TestI2RevokeUserThatIsCutShortCanBeRepeated(t *testing.T) {
	w, store := hookedServer(t)
	c := login(t, w, "ann")
	ctx, cancel := context.WithCancel(t.Context())
	store.before = func(op string) error {
		if op == "delete" {
			cancel()
		}
		return ctx.Err()
	}
	if _, err := w.m.RevokeUser(ctx, "ann"); err == nil {
		t.Fatal("no error")
	}
	store.before = nil
	if _, err := w.m.RevokeUser(t.Context(), "ann"); err != nil { // the operator tries again
		t.Fatal(err)
	}
	c.do(func(s *core.Session) {
		if s.UserID() == "ann" {
			t.Error("I2: RevokeUser answered nil, and the session lives, out of the index")
		}
	})
}

func TestSEC8SEC17NamespacesShareNoUsers(t *testing.T) {
	w := server(t)
	shop := w.manager(core.ServerSide(w.store), func(c *core.Config) { c.Namespace = "shop" })
	admin := w.manager(core.ServerSide(w.store), func(c *core.Config) { c.Namespace = "admin" })
	a := newClient(t, admin)
	var adminID core.ID
	a.do(func(s *core.Session) { s.Login("1") })
	a.do(func(s *core.Session) { adminID = s.ID() })
	b := newClient(t, shop)
	b.do(func(s *core.Session) { s.Login("1") })
	b.do(func(s *core.Session) {
		infos, _ := s.List(t.Context())
		if len(infos) != 1 {
			t.Errorf("SEC8: customer 1 of the shop sees %d sessions, administrator 1's among them", len(infos))
		}
		if err := s.RevokeOwn(t.Context(), adminID); !errors.Is(err, core.ErrNotFound) {
			t.Errorf("SEC17: customer 1 ended administrator 1's session: %v", err)
		}
	})
}

// No user without a namespace is taken for a user of a namespace, whatever the name.
func TestSEC8SEC17NamespacesAreNoPartOfAName(t *testing.T) {
	for _, policy := range []core.LimitPolicy{core.EndOldest, core.RefuseLogin} {
		for _, name := range []string{"app\x00alice", "[3]appalice", "3:appalice", "[0]alice", "appalice", "[", "[1", "[1]x"} {
			w := server(t)
			limited := func(c *core.Config) { c.SessionLimit, c.LimitPolicy = 1, policy }
			plain := w.manager(core.ServerSide(w.store), limited)
			other := newClient(t, plain)
			for _, namespace := range []string{"app", "a", "[3]app"} {
				w.m = w.manager(core.ServerSide(w.store), limited, func(c *core.Config) { c.Namespace = namespace })
				alice := login(t, w, "alice")
				r := other.begin()
				r.s.Login(name)
				if err := r.end(200); err != nil {
					t.Errorf("SEC17: alice of %q keeps %q out: %v", namespace, name, err)
				}
				if alice.user() != "alice" {
					t.Errorf("SEC17: a login of %q ended the session of alice of %q", name, namespace)
				}
				if infos, err := w.m.List(t.Context(), "alice"); len(infos) != 1 || err != nil {
					t.Errorf("SEC8: alice of %q has %d sessions, %v", namespace, len(infos), err)
				}
				if infos, err := plain.List(t.Context(), name); len(infos) != 1 || err != nil {
					t.Errorf("SEC8: %q has %d sessions, %v", name, len(infos), err)
				}
			}
		}
	}
}

func TestL3UserHearsOfOutages(t *testing.T) {
	w, spy := spied(t, func(c *core.Config) { c.ServeWhenUnavailable = true })
	c := newClient(t, w.m)
	c.do(func(s *core.Session) { s.Login("ann") })
	spy.load = func(core.ID) (core.Entry, error) { return core.Entry{}, errors.New("down") }
	c.do(func(s *core.Session) {
		infos, err := s.List(t.Context())
		if err == nil {
			t.Errorf("L3: List on an unavailable session: %v, nil", infos)
		}
		if err := s.RevokeOthers(t.Context()); !errors.Is(err, core.ErrUnavailable) && !errors.Is(err, core.ErrReadOnly) {
			t.Errorf("L3: RevokeOthers: %v", err)
		}
	})
}
