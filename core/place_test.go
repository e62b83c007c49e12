package core_test

import (
	"errors"
	"testing"
	"time"

	"github.com/satchel-go/satchel/core"
)

// lose makes the store carry out the nth operation of that name from now on, and
// lose the answer.
func (s *hooked) lose(operation string, nth int) {
	s.awaited = operation
	lose := func(op string) error {
		if op == operation {
			nth--
		}
		if op != operation || nth > 0 {
			return nil
		}
		s.before, s.after, s.awaited = nil, nil, ""
		return errStoreDown
	}
	if operation == "load" { // also one that finds nothing; it changes nothing
		s.before = lose
	} else {
		s.after = lose
	}
}

func refusing(c *core.Config) { c.SessionLimit, c.LimitPolicy = 1, core.RefuseLogin }

// logIn ends a request that logs in as ann.
func (c *client) logIn() error {
	r := c.begin()
	r.s.Login("ann")
	return r.end(200)
}

// A login that fails for want of an answer says so, and keeps out no other.
func TestI1LoginWithoutAnAnswerKeepsNobodyOut(t *testing.T) {
	for what, c := range map[string]struct {
		lost  string
		nth   int
		ready func(*client) // makes the session in which the login runs
		while func(*client) // runs beside the login
	}{
		"reserve":                         {lost: "reserve", nth: 1},
		"reserve, in a session":           {lost: "reserve", nth: 1, ready: shop},
		"the record after a conflict":     {lost: "load", nth: 1, ready: shop, while: shop},
		"who has renewed the session":     {lost: "load", nth: 1, ready: shop, while: leave},
		"the index after a logout":        {lost: "list", nth: 1, ready: shop, while: leave},
		"whose the place is now":          {lost: "load", nth: 2, ready: shop, while: leave},
		"release of the place":            {lost: "release", nth: 1, ready: shop, while: leave},
		"reserve of another, in the same": {lost: "reserve", nth: 2, ready: shop, while: leave},
	} {
		t.Run(what, func(t *testing.T) {
			w, store := hookedServer(t, refusing)
			client := newClient(t, w.m)
			if c.ready != nil {
				c.ready(client)
			}
			late := client.fork().begin()
			late.s.Login("ann")
			if c.while != nil {
				c.while(client)
			}
			store.lose(c.lost, c.nth)
			if err := late.end(200); !errors.Is(err, core.ErrUnavailable) {
				t.Errorf("L3: the login without an answer: %v", err)
			}
			if err := newClient(t, w.m).logIn(); err != nil {
				t.Errorf("I1: the next login: %v; ann has no session", err)
			}
		})
	}
}

func shop(c *client) {
	c.do(func(s *core.Session) { core.Update(s, "cart", func(n int) int { return n + 1 }) })
}
func leave(c *client) { c.do(func(s *core.Session) { s.Logout() }) }

// A login that fails for another reason keeps no place either.
func TestI1LoginWhoseUpdateFailsKeepsNobodyOut(t *testing.T) {
	w, store := hookedServer(t, refusing, func(c *core.Config) { c.MaxBytes = 1 << 10 })
	c := newClient(t, w.m)
	shop(c)
	r := c.fork().begin()
	r.s.Login("ann")
	r.s.Set("large", make([]byte, 900))
	store.once("save", func() { c.do(func(s *core.Session) { s.Set("also large", make([]byte, 900)) }) })
	if err := r.end(200); !errors.Is(err, core.ErrTooLarge) {
		t.Fatalf("two large values in one session: %v", err)
	}
	if err := newClient(t, w.m).logIn(); err != nil {
		t.Errorf("I1: the next login: %v; ann has no session", err)
	}
}

// Nobody is told of too many sessions while the store does not say whether they live.
func TestI1T1LoginBesideAnExpiredSession(t *testing.T) {
	w, store := hookedServer(t, refusing)
	login(t, w, "ann")
	w.clock.advance(30 * time.Minute)
	store.lose("load", 1)
	if err := newClient(t, w.m).logIn(); !errors.Is(err, core.ErrUnavailable) {
		t.Errorf("L3: the session may have expired, and the login ends with %v", err)
	}
	if err := newClient(t, w.m).logIn(); err != nil {
		t.Errorf("T1: the only session has expired, and the login ends with %v", err)
	}
}

// Two logins meet an expired session, and one of them ends it.
func TestI1T1OverlappingLoginsBesideAnExpiredSession(t *testing.T) {
	w, store := hookedServer(t, refusing)
	login(t, w, "ann")
	w.clock.advance(30 * time.Minute)
	store.once("list", func() {
		other := newClient(t, w.m)
		if err := other.logIn(); err != nil {
			t.Errorf("the first login: %v", err)
		}
		leave(other)
	})
	if err := newClient(t, w.m).logIn(); err != nil {
		t.Errorf("I1: ann has no session, and a login ends with %v", err)
	}
}

// Of two clicks on Sign in, the second cannot learn that the first has taken the cart
// along. It must not go on without.
func TestI1K1DoubleClickWithoutAnAnswer(t *testing.T) {
	w, store := hookedServer(t)
	c := newClient(t, w.m)
	shop(c)
	second := c.fork().begin()
	second.s.Login("ann")
	if err := c.logIn(); err != nil {
		t.Fatal(err)
	}
	store.lose("load", 2) // after the reload that meets the new token
	if err := second.end(200); !errors.Is(err, core.ErrUnavailable) || len(second.x.setCookie) > 0 {
		t.Errorf("K1: the second click ends with %v and the cookie %q", err, second.x.setCookie)
	}
	c.do(func(s *core.Session) {
		if n, _ := core.Get[int](s, "cart"); n != 1 || s.UserID() != "ann" {
			t.Errorf("K1: %q has %d things in the cart", s.UserID(), n)
		}
	})
}
