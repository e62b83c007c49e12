package sealed_test

import (
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/memstore"
	"github.com/satchel-go/satchel/core/sealed"
	"github.com/satchel-go/satchel/internal/testing/laxstore"
)

// rotation is an application whose keys change. Managers stand for instances.
type rotation struct {
	*world
	data core.Store
	old  string // keys
	next string
}

// rotations runs a test on both kinds of index.
func rotations(t *testing.T, test func(*testing.T, *rotation)) {
	for name, open := range map[string]func(*memstore.Store) core.Store{
		"strict index": func(s *memstore.Store) core.Store { return s },
		"lax index": func(s *memstore.Store) core.Store {
			return laxstore.New(s)
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := server(t)
			test(t, &rotation{w, open(w.store), sealed.GenerateKey(), sealed.GenerateKey()})
		})
	}
}

// with returns an instance with these keys, newest first.
func (r *rotation) with(keys ...string) *core.Manager { return r.on(r.data, keys) }

// limited is an instance with a session limit.
func (r *rotation) limited(limit int, policy core.LimitPolicy, keys ...string) *core.Manager {
	return r.on(r.data, keys, func(c *core.Config) { c.SessionLimit, c.LimitPolicy = limit, policy })
}

func (r *rotation) on(data core.Store, keys []string, edit ...func(*core.Config)) *core.Manager {
	return r.manager(core.ServerSide(sealed.Store(data, ring(r, keys...))), edit...)
}

// logins logs ann in n times, in a client each.
func (r *rotation) logins(m *core.Manager, n int) []*client {
	r.Helper()
	clients := make([]*client, n)
	for i := range clients {
		clients[i] = newClient(r.T, m)
		clients[i].do(func(s *core.Session) { s.Login("ann") })
		r.clock.Advance(time.Second)
	}
	return clients
}

// wantList checks which sessions m lists for ann, in order.
func (r *rotation) wantList(m *core.Manager, want ...*client) {
	r.Helper()
	infos, err := m.List(r.Context(), "ann")
	if err != nil {
		r.Fatal(err)
	}
	if len(infos) != len(want) {
		r.Fatalf("%d sessions are listed, want %d", len(infos), len(want))
	}
	for i, info := range infos {
		if info.ID != want[i].under(m).id() {
			r.Errorf("at place %d is session %v, want %v", i, info.ID, want[i].under(m).id())
		}
	}
}

func TestSEC44EncryptedEntriesRotate(t *testing.T) {
	rotations(t, func(t *testing.T, r *rotation) {
		before, during, after := r.with(r.old), r.with(r.next, r.old), r.with(r.next)
		clients := r.logins(before, 2)
		saved, idle := clients[0], clients[1]

		for _, c := range clients {
			if c.under(during).user() != "ann" {
				t.Fatal("SEC44: logged out by a new key")
			}
		}
		saved.under(during).do(func(s *core.Session) { s.Set("k", "v") })
		r.clock.Advance(10 * time.Minute)
		idle.under(during).user() // touches, which does not seal
		if got := saved.under(after).get("k"); got != "v" {
			t.Errorf("SEC44: with the new key alone, k is %q", got)
		}
		if got := saved.under(before).user(); got != "" {
			t.Errorf("SEC44: the entry was not sealed anew: the old key alone opens it for %q", got)
		}
		if got := idle.under(after).user(); got != "" {
			t.Errorf("SEC44: an entry of a key that has gone opens for %q", got)
		}
		if idle.under(during).user() != "ann" {
			t.Error("SEC44: an entry whose key was missing for a while is lost")
		}
		r.wantList(after, saved)
	})
}

func TestSEC17EncryptedListsAcrossKeys(t *testing.T) {
	rotations(t, func(t *testing.T, r *rotation) {
		before, during, after := r.with(r.old), r.with(r.next, r.old), r.with(r.next)
		clients := slices.Concat(r.logins(before, 3), r.logins(during, 2))
		bystander := newClient(t, during)
		bystander.do(func(s *core.Session) { s.Login("bob") })
		r.wantList(during, clients...)

		for _, c := range clients[:2] {
			c.under(during).do(func(s *core.Session) { s.Set("k", "v") })
		}
		r.wantList(during, clients[2], clients[3], clients[4], clients[0], clients[1])
		r.wantList(before, clients[2])
		r.wantList(after, clients[3], clients[4], clients[0], clients[1])

		clients[1].under(during).do(func(s *core.Session) { s.Logout() })
		clients[2].under(during).do(func(s *core.Session) { s.Logout() })
		r.wantList(during, clients[3], clients[4], clients[0])
		clients[0].under(during).do(func(s *core.Session) {
			if err := s.RevokeOthers(t.Context()); err != nil {
				t.Error(err)
			}
		})
		r.wantList(during, clients[0])
		if _, err := during.RevokeUser(t.Context(), "ann"); err != nil {
			t.Fatal(err)
		}
		r.wantList(during)
		if r.store.Len() != 1 || bystander.user() != "bob" {
			t.Errorf("SEC17: %d sessions are left", r.store.Len())
		}
	})
}

func TestSEC17EncryptedLoginAgainDuringARotation(t *testing.T) {
	rotations(t, func(t *testing.T, r *rotation) {
		before, during := r.with(r.old), r.with(r.next, r.old)
		clients := r.logins(before, 3)
		again := clients[0].under(during)
		again.do(func(s *core.Session) { s.Login("ann") })
		other := clients[1].under(during)
		other.do(func(s *core.Session) { s.Login("bob") })
		r.wantList(during, clients[2], again)
		r.wantList(before, clients[2])
		if infos, err := during.List(t.Context(), "bob"); err != nil || len(infos) != 1 {
			t.Errorf("bob: %v, %v", infos, err)
		}
		third := r.logins(r.limited(3, core.EndOldest, r.next, r.old), 1)[0] // bob's does not count
		r.wantList(during, clients[2], again, third)
		if other.user() != "bob" {
			t.Error("bob's session was ended to make room for ann")
		}
	})
}

func TestI1EncryptedEndsTheOldestAcrossKeys(t *testing.T) {
	rotations(t, func(t *testing.T, r *rotation) {
		before, during := r.limited(3, core.EndOldest, r.old), r.limited(3, core.EndOldest, r.next, r.old)
		clients := r.logins(before, 3)
		for i := range 5 {
			clients = append(clients, r.logins(during, 1)...)
			r.wantList(during, clients[i+1:]...)
			if r.store.Len() != 3 {
				t.Fatalf("I1: %d sessions are stored, limit 3", r.store.Len())
			}
		}
	})
}

func TestI1EncryptedLoweredLimitDuringARotation(t *testing.T) {
	rotations(t, func(_ *testing.T, r *rotation) {
		clients := slices.Concat(r.logins(r.with(r.old), 3), r.logins(r.with(r.next, r.old), 3))
		m := r.limited(2, core.EndOldest, r.next, r.old)
		clients = append(clients, r.logins(m, 1)...)
		r.wantList(m, clients[5:]...)
	})
}

func TestI1EncryptedRefusesAcrossKeys(t *testing.T) {
	rotations(t, func(t *testing.T, r *rotation) {
		before, during := r.limited(3, core.RefuseLogin, r.old), r.limited(3, core.RefuseLogin, r.next, r.old)
		clients := slices.Concat(r.logins(before, 2), r.logins(during, 1))
		try := func() error {
			var err error
			newClient(t, during).do(func(s *core.Session) { s.Login("ann"); err = s.Commit(t.Context()) })
			return err
		}
		if err := try(); !errors.Is(err, core.ErrSessionLimit) {
			t.Errorf("I1: the fourth: %v", err)
		}
		clients[0].under(during).do(func(s *core.Session) { s.Set("k", "v") }) // moves
		if err := try(); !errors.Is(err, core.ErrSessionLimit) {
			t.Errorf("I1: the fourth, when one has moved: %v", err)
		}
		clients[1].under(during).do(func(s *core.Session) { s.Login("ann") }) // counts once
		clients[1].under(during).do(func(s *core.Session) { s.Logout() })
		clients[2].do(func(s *core.Session) { s.Logout() })
		if err := try(); err != nil {
			t.Errorf("I1: with room: %v", err)
		}
	})
}

// TestSEC18EncryptedStuckLogin is the case of that name of storetest, with an
// old session under an older key.
func TestSEC18EncryptedStuckLogin(t *testing.T) {
	rotations(t, func(t *testing.T, r *rotation) {
		old := r.logins(r.with(r.old), 1)[0].id()
		stuck, quick := core.ID{1}, core.ID{2}
		index := sealed.Store(r.data, ring(t, r.next, r.old)).(core.UserIndex)
		for _, c := range []struct {
			id   core.ID
			want []core.ID
		}{{stuck, []core.ID{old}}, {quick, []core.ID{old, stuck}}} {
			end, err := index.Reserve(t.Context(), "ann", c.id, 1, core.EndOldest)
			if err != nil || !slices.Equal(end, c.want) {
				t.Errorf("SEC18: to end: %v, want %v, error %v", end, c.want, err)
			}
		}
	})
}

// TestSEC18EncryptedLimitIsExactDuringARotation lets logins race while the old
// sessions are being saved, and so move.
func TestSEC18EncryptedLimitIsExactDuringARotation(t *testing.T) {
	const limit = 4
	for _, policy := range []core.LimitPolicy{core.EndOldest, core.RefuseLogin} {
		rotations(t, func(t *testing.T, r *rotation) {
			old := r.logins(r.with(r.old), 3)
			m := r.limited(limit, policy, r.next, r.old)
			var all sync.WaitGroup
			for i := range 30 {
				all.Go(func() {
					newClient(t, m).do(func(s *core.Session) { s.Login("ann"); _ = s.Commit(t.Context()) })
				})
				if i%3 == 0 {
					all.Go(func() {
						old[i/3%3].under(m).do(func(s *core.Session) {
							if s.UserID() == "ann" {
								s.Set("n", i)
							}
						})
					})
				}
			}
			all.Wait()
			infos, err := m.List(t.Context(), "ann")
			if err != nil || len(infos) > limit || len(infos) == 0 {
				t.Errorf("SEC18: %d are listed, limit %d: %v", len(infos), limit, err)
			}
			if policy == core.RefuseLogin && len(infos) < 3 {
				t.Errorf("SEC18: %d are left of 3", len(infos))
			}
			if n := r.store.Len(); n != len(infos) {
				t.Errorf("SEC17: %d sessions live, %d are listed", n, len(infos))
			}
		})
	}
}

// TestSEC44EncryptedInstancesDisagree is the middle of a rollout: instances take
// different keys for the newest, and move a session to and fro.
func TestSEC44EncryptedInstancesDisagree(t *testing.T) {
	rotations(t, func(t *testing.T, r *rotation) {
		a, b := r.with(r.old, r.next), r.with(r.next, r.old)
		c := r.logins(a, 1)[0]
		id := c.id()
		var all sync.WaitGroup
		for i := range 40 {
			m := []*core.Manager{a, b}[i%2]
			all.Go(func() {
				if err := m.Update(t.Context(), id, func(s *core.Session) error { s.Set("n", i); return nil }); err != nil {
					t.Errorf("update: %v", err)
				}
			})
		}
		all.Wait()
		r.wantList(a, c)
		r.wantList(b, c)
		if _, err := a.RevokeUser(t.Context(), "ann"); err != nil || r.store.Len() != 0 {
			t.Errorf("SEC17: %v, %d are left", err, r.store.Len())
		}
	})
}

// TestSEC44EncryptedInstancesCross is the worst moment of that: one instance
// has moved a session, and is about to clean up behind it, when the other moves
// it back to where the first one cleans.
func TestSEC44EncryptedInstancesCross(t *testing.T) {
	rotations(t, func(t *testing.T, r *rotation) {
		a, b := r.with(r.old, r.next), r.with(r.next, r.old)
		c := r.logins(a, 1)[0]
		id := c.id()
		set := func(m *core.Manager, value string) {
			if err := m.Update(t.Context(), id, func(s *core.Session) error { s.Set("k", value); return nil }); err != nil {
				t.Errorf("update: %v", err)
			}
		}
		store := &meddling{ailing: ailing{r.data, nil}, act: func() { set(a, "back") }}
		set(r.on(store, []string{r.next, r.old}), "forth")
		if store.act != nil {
			t.Fatal("nothing was released: this test shows nothing")
		}
		r.wantList(a, c)
		r.wantList(b, c)
		if _, err := b.RevokeUser(t.Context(), "ann"); err != nil || r.store.Len() != 0 {
			t.Errorf("SEC17: %v, %d are left", err, r.store.Len())
		}
	})
}

func TestSEC17EncryptedReleasesUnderEveryName(t *testing.T) {
	rotations(t, func(t *testing.T, r *rotation) {
		before := r.with(r.old)
		c := r.logins(before, 1)[0]
		index := sealed.Store(r.data, ring(t, r.next, r.old)).(core.UserIndex)
		if ids, err := index.List(t.Context(), "ann"); err != nil || len(ids) != 1 {
			t.Fatalf("list: %v, %v", ids, err)
		}
		if err := index.Release(t.Context(), "ann", c.id()); err != nil {
			t.Fatal(err)
		}
		if ids, err := index.List(t.Context(), "ann"); err != nil || len(ids) != 0 {
			t.Errorf("after Release: %v, %v", ids, err)
		}
	})
}
