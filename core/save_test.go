package core_test

import (
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/memstore"
)

// A commit is delayed, conflicts with another, and continues when the session has
// expired, in a store whose clock is behind.
func TestT1ConflictDoesNotReviveAnExpiredSession(t *testing.T) {
	w := server(t)
	behind := memstore.New(memstore.Config{Now: newClock().now})
	t.Cleanup(func() { _ = behind.Close() })
	store := &hooked{Store: behind}
	w.m = w.manager(core.ServerSide(store))
	c := newClient(t, w.m)
	c.do(func(s *core.Session) { s.Set("k", "v") })
	r := c.begin()
	r.s.Set("k", "late")
	store.once("save", func() {
		c.fork().do(func(s *core.Session) { s.Set("other", "1") })
		w.clock.advance(32 * time.Minute) // and a minute's grace
	})
	if err := r.end(200); !errors.Is(err, core.ErrEnded) || core.ErrorResponseFor(err).Status != 409 {
		t.Fatal(err)
	}
	if n := w.events.count(core.EventConflict); n != 1 {
		t.Fatalf("%d conflicts", n)
	}
	if n := w.events.count(core.EventDropped); n != 1 || len(r.x.setCookie) != 0 || c.get("k") != "" {
		t.Errorf("an expired session was stored anew: %d dropped, cookie %q, k is %q", n, r.x.setCookie, c.get("k"))
	}
}

func TestE2SizesAreCappedToTheByte(t *testing.T) {
	both(t, func(t *testing.T, w *world) {
		// Set refuses what no record could hold; what earlier requests stored counts at the commit.
		for n := 100; n < 500; n++ {
			c := newClient(t, w.m)
			c.do(func(s *core.Session) { s.Set("earlier", strings.Repeat("x", 200)) })
			r := c.begin()
			r.s.Set("k", strings.Repeat("x", n))
			err := r.end(200)
			if err == nil {
				continue
			}
			var size *core.SizeError
			if !errors.As(err, &size) || size.Total != 601 || size.Limit != 600 || n == 100 {
				t.Errorf("the first that is refused has a value of %d bytes: %v", n, err)
			}
			return
		}
		t.Error("nothing is refused")
	}, func(c *core.Config) { c.MaxBytes = 600 })
}

// stuck is a random source that gives the same bytes for ever.
type stuck struct{ reads int }

func (r *stuck) Read(p []byte) (int, error) {
	r.reads++
	for i := range p {
		p[i] = 7
	}
	return len(p), nil
}

func TestSEC69StuckRandomSourceEndsTheCommit(t *testing.T) {
	source := &stuck{}
	w := server(t, func(c *core.Config) { c.Rand = io.Reader(source) })
	newClient(t, w.m).do(func(s *core.Session) { s.Set("k", "first") })
	source.reads = 0
	r := newClient(t, w.m).begin()
	r.s.Set("k", "second")
	if err := r.end(200); !errors.Is(err, core.ErrUnavailable) || len(r.x.setCookie) != 0 || w.store.Len() != 1 {
		t.Errorf("%v, cookie %q, %d stored", err, r.x.setCookie, w.store.Len())
	}
	if source.reads > 40 {
		t.Errorf("asked %d times before it gave up", source.reads)
	}
}

// The flashes that were read belong to the session that is gone. In the session
// that the login begins, their numbers are those of other flashes.
func TestF1LoginThatMovesKeepsItsOwnFlashes(t *testing.T) {
	w, store := hookedServer(t)
	c := newClient(t, w.m)
	c.status(303, func(s *core.Session) { s.Flash("info", "old") })
	r := c.begin()
	if got := texts(r.s.Flashes()); got != "[old]" {
		t.Fatal(got)
	}
	r.s.Login("ann")
	r.s.Flash("info", "welcome")
	store.once("save", func() { c.fork().do(func(s *core.Session) { s.Renew() }) })
	if err := r.s.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := r.end(200); err != nil {
		t.Fatal(err)
	}
	c.do(func(s *core.Session) {
		if got := texts(s.Flashes()); got != "[welcome]" || s.UserID() != "ann" {
			t.Errorf("F1: %q has %s", s.UserID(), got)
		}
	})
}

// Two logins run in one session. The first fails and gives back its place just
// when the second has taken it.
func TestI2FailedLoginLeavesThePlaceToTheOther(t *testing.T) {
	w, store := hookedServer(t)
	c := newClient(t, w.m)
	c.do(func(s *core.Session) { s.Set("k", "v") })
	first, second := c.begin(), c.begin()
	first.s.Login("ann")
	second.s.Login("ann")
	store.before = func(op string) error {
		if op != "save" {
			return nil
		}
		store.once("release", func() {
			if err := second.end(200); err != nil {
				t.Error(err)
			}
		})
		return errStoreDown
	}
	if err := first.c.m.Commit(first.x, first.s, 200); !errors.Is(err, core.ErrUnavailable) {
		t.Fatal(err)
	}
	id := second.s.ID()
	infos, err := w.m.List(t.Context(), "ann")
	if err != nil || second.s.UserID() != "ann" || !slices.ContainsFunc(infos, func(i core.Info) bool { return i.ID == id }) {
		t.Errorf("I2: the login that won is not in the list: %v %v", infos, err)
	}
}

// A login is stored, and then the store gives no answers, so the login fails. Its session, if
// it lives, ends when it was told to: its place in the index needs no longer time, or in Redis
// it would stay for more than a year.
func TestI2FailedLoginLeavesNoPlaceForever(t *testing.T) {
	w, store := hookedServer(t)
	r := newClient(t, w.m).begin()
	r.s.Login("ann")
	saved := false
	store.before = func(op string) error {
		if saved && (op == "load" || op == "delete") {
			return errStoreDown
		}
		return nil
	}
	store.after = func(op string) error {
		if op == "save" {
			saved = true
			return errStoreDown
		}
		return nil
	}
	r.failsWithin(w, store, 30*time.Minute)
}

// failsWithin wants a login to fail, and its place in the index to last no longer than that.
func (r *request) failsWithin(w *world, store *hooked, lasts time.Duration) {
	r.c.t.Helper()
	if err := r.c.m.Commit(r.x, r.s, 200); !errors.Is(err, core.ErrUnavailable) {
		r.c.t.Fatal(err)
	}
	if want := w.clock.now().Add(lasts); !store.until.Equal(want) {
		r.c.t.Errorf("I2: the place of a failed login lasts until %v, want %v", store.until, want)
	}
}

// The same if neither the reservation nor its release had an answer.
func TestI2SEC13LoginWithoutAnyAnswerLeavesNoPlaceForever(t *testing.T) {
	w, store := hookedServer(t)
	r := newClient(t, w.m).begin()
	r.s.Login("ann")
	lost := map[string]bool{"reserve": true, "release": true}
	store.before = func(op string) error {
		if op == "load" && !lost["release"] {
			return errStoreDown
		}
		return nil
	}
	store.after = func(op string) error {
		if lost[op] {
			delete(lost, op)
			return errStoreDown
		}
		return nil
	}
	r.failsWithin(w, store, 30*time.Minute)
}

// A revocation meets a login that is being stored, and has no answer when it takes its place
// out of the index. What the login stores may be remembered: it is found for as long.
func TestI2SEC13RevocationBesideALoginLeavesNoPlaceForever(t *testing.T) {
	for name, test := range map[string]struct {
		remembered core.Timeouts
		lasts      time.Duration
	}{
		"by default":     {lasts: 14 * 24 * time.Hour},
		"shorter":        {core.Timeouts{Idle: time.Minute}, 30 * time.Minute},
		"lifetime alone": {core.Timeouts{Idle: core.NoTimeout, Lifetime: 24 * time.Hour}, 24 * time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			w, store := hookedServer(t, func(c *core.Config) { c.Remembered = test.remembered })
			c := newClient(t, w.m)
			c.do(func(s *core.Session) { s.Set("k", "v") })
			r := c.begin()
			r.s.Login("ann")
			store.once("save", func() {
				store.after = func(op string) error {
					if op != "release" {
						return nil
					}
					store.before, store.after = failing("load"), nil
					return errStoreDown
				}
				if _, err := w.m.RevokeUser(t.Context(), "ann"); !errors.Is(err, core.ErrUnavailable) {
					t.Errorf("RevokeUser: %v", err)
				}
				store.before = nil
				if want := w.clock.now().Add(test.lasts); !store.until.Equal(want) {
					t.Errorf("I2: the place lasts until %v, want %v", store.until, want)
				}
			})
			if err := r.end(200); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestI1WithdrawnLoginLeavesNoPlace(t *testing.T) {
	// As in TestI2LoginThatMovesDoesNotSurviveRevokeUser; afterwards the place that
	// the login had taken meanwhile no longer counts.
	w, store := hookedServer(t)
	c := newClient(t, w.m)
	c.do(func(s *core.Session) { s.Set("k", "v") })
	r := c.begin()
	r.s.Login("ann")
	store.once("save", func() {
		c.do(func(s *core.Session) { s.Renew() })
		store.once("reserve", func() {
			if _, err := w.m.RevokeUser(t.Context(), "ann"); err != nil {
				t.Error(err)
			}
		})
	})
	if err := r.end(200); err != nil {
		t.Fatal(err)
	}
	if n := w.events.count(core.EventDropped); n != 1 {
		t.Fatalf("%d logins dropped", n)
	}
	limited := w.manager(core.ServerSide(w.store), func(c *core.Config) { c.SessionLimit, c.LimitPolicy = 1, core.RefuseLogin })
	if err := newClient(t, limited).logIn(); err != nil {
		t.Errorf("I1: ann has no session, and cannot log in: %v", err)
	}
}

// A limit that was lowered makes a login push out several. The first cannot be
// ended: it and the others live on, and are found.
func TestI1SEC18WhatCannotBePushedOutStaysInTheIndex(t *testing.T) {
	w := server(t)
	store := &hooked{Store: w.store}
	index := &forgetful{Store: store, users: map[string][]core.ID{}}
	w.m = w.manager(core.ServerSide(index))
	for range 3 {
		login(t, w, "ann")
	}
	m := w.manager(core.ServerSide(index), func(c *core.Config) { c.SessionLimit = 1 })
	store.before = failing("delete")
	if err := newClient(t, m).logIn(); !errors.Is(err, core.ErrUnavailable) {
		t.Fatal(err)
	}
	store.before = nil
	infos, err := m.List(t.Context(), "ann")
	if err != nil || len(infos) != 3 || w.store.Len() != 3 {
		t.Errorf("SEC18: %d of %d live sessions are in the list, %v", len(infos), w.store.Len(), err)
	}
}
