package goredisstore_test

import (
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/goredisstore"
	"github.com/satchel-go/satchel/core/sealed"
	"github.com/satchel-go/satchel/core/storetest"
	"github.com/satchel-go/satchel/internal/testing/redistest"
)

// members returns when ann's members end, and how long her index lasts. It finds
// the index by its prefix, for an encrypted store calls her something else.
func members(t *testing.T, client *redis.Client, prefix string) (till []time.Time, lasts time.Duration) {
	t.Helper()
	keys := client.Keys(t.Context(), prefix+"u:*").Val()
	if len(keys) > 1 {
		t.Fatalf("%d indexes", len(keys))
	}
	for _, key := range keys {
		for field, text := range client.HGetAll(t.Context(), key).Val() {
			if numbers := strings.Fields(text); field != "" && field != "!" {
				ms, err := time.ParseDuration(numbers[2] + "ms")
				if err != nil {
					t.Fatal(err)
				}
				till = append(till, time.UnixMilli(ms.Milliseconds()))
			}
		}
		lasts = client.PTTL(t.Context(), key).Val()
	}
	return till, lasts
}

// The index lasts as long as the longest session in it, and a few minutes more,
// whatever moves the session's expiry.
func TestI2SEC13IndexLastsAsLongAsItsSessions(t *testing.T) {
	t.Parallel()
	for name, wrap := range map[string]func(core.Store) core.Store{
		"plain": func(s core.Store) core.Store { return s },
		"encrypted": func(s core.Store) core.Store {
			keys, err := sealed.ParseKeyring(sealed.GenerateKey())
			if err != nil {
				t.Fatal(err)
			}
			return sealed.Store(s, keys)
		},
		"encrypted, rotating": func(s core.Store) core.Store {
			keys, err := sealed.ParseKeyring(sealed.GenerateKey() + "," + sealed.GenerateKey())
			if err != nil {
				t.Fatal(err)
			}
			return sealed.Store(s, keys)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			clock, prefix := storetest.NewFakeClock(), redistest.UniquePrefix(t)
			client := newClient(t, redistest.Shared(t).Addr())
			store := wrap(goredisstore.New(client, goredisstore.Config{Prefix: prefix, Now: clock.Now, Timeout: patience}))
			s := &site{prefix: prefix}
			var err error
			config := core.Config{Now: clock.Now, IdleTimeout: 3 * time.Second, Lifetime: 24 * time.Hour, TouchAfter: time.Second}
			if s.manager, err = core.New(core.ServerSide(store), config); err != nil {
				t.Fatal(err)
			}
			s.visit()
			check := func(when string) {
				t.Helper()
				infos, err := s.manager.List(t.Context(), "ann")
				till, lasts := members(t, client, prefix)
				if err != nil || len(infos) != 1 || len(till) != 1 {
					t.Fatalf("%s: %d sessions, %d members, %v", when, len(infos), len(till), err)
				}
				expires := infos[0].ExpiresAt
				if more := till[0].Sub(expires); more < time.Minute || more > 7*time.Minute {
					t.Errorf("%s: the member lasts %v longer than its session", when, more)
				}
				if left := expires.Sub(clock.Now()); lasts < left {
					t.Errorf("%s: the index lasts %v, and its session %v", when, lasts, left)
				}
			}
			do := func(what string, handle func(*core.Session)) {
				t.Helper()
				s.handle = handle
				s.visitor.get(t)
				check(what)
			}
			do("login", func(s *core.Session) { s.Login("ann") })
			for range 10 {
				clock.Advance(2 * time.Second)
				do("touch", read)
			}
			do("SetTimeouts", func(s *core.Session) { s.SetTimeouts(time.Hour, 0) })
			for i := range 40 {
				clock.Advance(time.Minute)
				do("write", func(s *core.Session) { s.Set("i", i) })
			}
			if _, lasts := members(t, client, prefix); lasts > time.Hour+6*time.Minute {
				t.Errorf("after an idle timeout of an hour, the index lasts %v", lasts)
			}
			do("Remember", func(s *core.Session) { s.Remember(true); s.SetTimeouts(0, 0) })
			if _, lasts := members(t, client, prefix); lasts < 13*24*time.Hour {
				t.Errorf("after Remember the index lasts %v", lasts)
			}
			do("another login", func(s *core.Session) { s.Login("ann") })
			clock.Advance(3*time.Second + grace)
			if infos, err := s.manager.List(t.Context(), "ann"); err != nil || len(infos) != 0 {
				t.Errorf("after the idle timeout: %v, %v", infos, err)
			}
			if till, lasts := members(t, client, prefix); len(till) != 0 {
				t.Errorf("after the idle timeout, there are members until %v, and the index lasts %v", till, lasts)
			}
		})
	}
}

// A longer session that logs out leaves no longer index than the others need.
func TestSEC13IndexOfExpiredSessionsGoes(t *testing.T) {
	t.Parallel()
	s := newSite(t, core.Config{IdleTimeout: 3 * time.Second})
	client := newClient(t, redistest.Shared(t).Addr())
	remembered := *s.visitor
	s.handle = func(s *core.Session) { s.Login("ann"); s.Remember(true) }
	remembered.get(t)
	s.handle = func(s *core.Session) { s.Login("ann") }
	s.visitor.get(t)
	s.handle = (*core.Session).Logout
	remembered.get(t)
	if till, lasts := members(t, client, s.prefix); len(till) != 1 || lasts > 6*time.Minute {
		t.Errorf("%d members, and the index lasts %v", len(till), lasts)
	}
}

// A session that has ended, but could not be taken out of the index, does not prolong it.
func TestI2SEC13FailedReleaseDoesNotProlongTheIndex(t *testing.T) {
	t.Parallel()
	srv := redistest.Start(t)
	r, proxy := newProxied(t, srv, core.Config{IdleTimeout: time.Hour})
	b := r.loggedIn("ann")
	proxy.CutBefore(redistest.Always, script("release"))
	if n, err := r.manager.RevokeUser(t.Context(), "ann"); n != 1 || err == nil {
		t.Errorf("RevokeUser: %d, %v", n, err)
	}
	proxy.Heal()
	b.shows("after the revocation", "", "/user")
	if _, lasts := members(t, newClient(t, srv.Addr()), r.prefix); lasts > time.Hour+6*time.Minute {
		t.Errorf("the index lasts %v", lasts)
	}
}

// A login whose session nobody can delete or load again, after its save had no answer, is
// listed for as long as the session can live, and the index lasts no longer.
func TestI2SEC13UnansweredLoginDoesNotProlongTheIndex(t *testing.T) {
	t.Parallel()
	srv := redistest.Start(t)
	r, proxy := newProxied(t, srv, core.Config{IdleTimeout: time.Hour})
	proxy.CutAfter(redistest.Always, script("save"))
	proxy.CutBefore(redistest.Always, script("delete"))
	proxy.CutBefore(redistest.Always, redistest.Command("GETEX"))
	r.browser().refused("/login", "user", "ann")
	proxy.Heal()
	if n := len(r.sessions("ann")); n != 1 {
		t.Errorf("%d sessions are listed, want the one that nobody could end", n)
	}
	if _, lasts := members(t, newClient(t, srv.Addr()), r.prefix); lasts > time.Hour+6*time.Minute {
		t.Errorf("the index lasts %v", lasts)
	}
}

// The same after a revocation that cannot tell whether the session has left the index.
func TestI2SEC13UnansweredRevocationDoesNotProlongTheIndex(t *testing.T) {
	t.Parallel()
	srv := redistest.Start(t)
	r, proxy := newProxied(t, srv, core.Config{IdleTimeout: time.Hour})
	r.loggedIn("ann")
	var released atomic.Bool
	proxy.CutAfter(redistest.Always, func(args []string) bool {
		is := script("release")(args)
		released.Store(released.Load() || is)
		return is
	})
	proxy.CutBefore(redistest.Always, func(args []string) bool {
		return released.Load() && redistest.Command("GETEX")(args)
	})
	if n, err := r.manager.RevokeUser(t.Context(), "ann"); n != 1 || err == nil {
		t.Errorf("RevokeUser: %d, %v", n, err)
	}
	proxy.Heal()
	if _, lasts := members(t, newClient(t, srv.Addr()), r.prefix); lasts > time.Hour+6*time.Minute {
		t.Errorf("the index lasts %v", lasts)
	}
}

// The same after a login that could not end the session that it has pushed out of the limit.
func TestI2SEC13FailedPushOutDoesNotProlongTheIndex(t *testing.T) {
	t.Parallel()
	srv := redistest.Start(t)
	r, proxy := newProxied(t, srv, core.Config{IdleTimeout: time.Hour, SessionLimit: 1})
	b := r.loggedIn("ann")
	var pushed atomic.Bool
	proxy.CutBefore(redistest.Always, func(args []string) bool {
		looked := slices.Index(args, "end") + 1 // whether Reserve has looked which sessions live
		pushed.Store(pushed.Load() || script("reserve")(args) && looked > 0 && args[looked] == "1")
		return pushed.Load() && redistest.Command("GETEX")(args)
	})
	r.browser().refused("/login", "user", "ann")
	proxy.Heal()
	if n := len(r.sessions("ann")); n != 1 || !pushed.Load() {
		t.Errorf("%d sessions are listed, want the one that nobody could end", n)
	}
	b.shows("after the failed login", "ann", "/user")
	if _, lasts := members(t, newClient(t, srv.Addr()), r.prefix); lasts > time.Hour+6*time.Minute {
		t.Errorf("the index lasts %v", lasts)
	}
}

// Who cannot tell when a session ends takes nothing back from who could.
func TestSEC13ConfirmedWithoutABoundKeepsTheOneBefore(t *testing.T) {
	t.Parallel()
	prefix, client := redistest.UniquePrefix(t), newClient(t, redistest.Shared(t).Addr())
	store := goredisstore.New(client, goredisstore.Config{Prefix: prefix, Timeout: patience})
	id := core.ID{1}
	for _, until := range []time.Time{time.Now().Add(time.Hour), {}} {
		if _, err := store.Reserve(t.Context(), "ann", id, 0, core.RefuseLogin); err != nil {
			t.Fatal(err)
		}
		if err := store.Confirm(t.Context(), "ann", id, until); err != nil {
			t.Fatal(err)
		}
	}
	if till, lasts := members(t, client, prefix); len(till) != 1 || till[0].Before(time.Now().Add(time.Hour)) || lasts > time.Hour+6*time.Minute {
		t.Errorf("members until %v, and the index lasts %v", till, lasts)
	}
}

// A touch mends the index in the same round trip.
func TestRoundTripsOfATouchThatMends(t *testing.T) {
	clock := storetest.NewFakeClock()
	s := newSite(t, core.Config{Now: clock.Now})
	s.roundTrips(t, func(s *core.Session) { s.Login("ann") })
	clock.Advance(15 * time.Minute)
	s.roundTrips(t, read) // Redis learns the scripts
	for range 3 {
		clock.Advance(15 * time.Minute)
		for _, key := range s.keys(t) {
			if strings.HasPrefix(key, s.prefix+"u:") {
				s.server.MustDo("DEL", key)
			}
		}
		if n := s.roundTrips(t, read); n != 2 {
			t.Errorf("%d round trips (%v), want one to load, and one to touch and mend", n, s.proxy.Commands())
		}
		if infos, err := s.manager.List(t.Context(), "ann"); err != nil || len(infos) != 1 {
			t.Errorf("I2: after the touch, %v, %v", infos, err)
		}
		if n := s.roundTrips(t, func(s *core.Session) { s.Set("k", clock.Now()) }); n != 2 {
			t.Errorf("a write just after takes %d round trips (%v)", n, s.proxy.Commands())
		}
	}
}

// Where Redis may evict the index, an operator's revocation looks at every session.
func TestI2RevokeUserWhereTheIndexIsEvicted(t *testing.T) {
	t.Parallel()
	for _, evicts := range []bool{true, false} {
		client := redis.NewClient(&redis.Options{Addr: redistest.Shared(t).Addr()})
		r := newRig(t, client, goredisstore.Config{AllowEviction: evicts}, core.Config{})
		browsers := []*browser{r.loggedIn("ann"), r.loggedIn("ann"), r.loggedIn("bob")}
		client.Del(t.Context(), r.store.UserKey("ann"))
		var updated int
		if err := r.manager.UpdateUser(t.Context(), "ann", func(*core.Session) error { updated++; return nil }); err != nil {
			t.Error(err)
		}
		client.Del(t.Context(), r.store.UserKey("ann"))
		n, err := r.manager.RevokeUser(t.Context(), "ann")
		if want := map[bool]int{true: 2}[evicts]; n != want || updated != want || err != nil {
			t.Errorf("AllowEviction %v: %d updated, %d ended, %v; want %d", evicts, updated, n, err, want)
		}
		if evicts {
			browsers[0].anonymous()
			browsers[1].anonymous()
		}
		if got := r.sessions("bob"); len(got) != 1 {
			t.Errorf("bob has %d sessions", len(got))
		}
	}
}

// After Redis has lost the index and one session has come back by its touch, a
// revocation ends the others too.
func TestI2SEC17TouchHidesNoLoss(t *testing.T) {
	t.Parallel()
	clients := map[string]func() redis.UniversalClient{
		"single":  func() redis.UniversalClient { return newClient(t, redistest.Shared(t).Addr()) },
		"cluster": func() redis.UniversalClient { return clusterClient(redistest.StartCluster(t, 3)) },
	}
	for name, client := range clients {
		for what, revoke := range map[string]func(*rig, *core.Session) error{
			"RevokeOthers": func(_ *rig, s *core.Session) error { return s.RevokeOthers(t.Context()) },
			"RevokeUser":   func(r *rig, _ *core.Session) error { _, err := r.manager.RevokeUser(t.Context(), "ann"); return err },
		} {
			t.Run(name+", "+what, func(t *testing.T) {
				clock := storetest.NewFakeClock()
				s, r := &site{}, newRig(t, client(), goredisstore.Config{}, core.Config{Now: clock.Now, CommitTimeout: patience, LoadTimeout: patience})
				s.manager = r.manager
				var visitors []*visitor
				for range 4 {
					s.visit()
					s.handle = func(s *core.Session) { s.Login("ann") }
					s.visitor.get(t)
					visitors = append(visitors, s.visitor)
				}
				if err := r.store.Client().Del(t.Context(), r.store.UserKey("ann")).Err(); err != nil {
					t.Fatal(err)
				}
				clock.Advance(16 * time.Minute)
				s.handle = read
				visitors[0].get(t)
				s.handle = func(s *core.Session) {
					if err := revoke(r, s); err != nil {
						t.Error(err)
					}
				}
				visitors[0].get(t)
				for i, v := range visitors[1:] {
					s.handle = func(s *core.Session) {
						if user := s.UserID(); user != "" {
							t.Errorf("session %d is still %s's", i, user)
						}
					}
					v.get(t)
				}
			})
		}
	}
}

// The mark lasts no longer than the index: what is left of expired sessions goes.
func TestI2SEC13MarkGoesWithTheIndex(t *testing.T) {
	t.Parallel()
	x := newIndex(t)
	x.login(core.ID{1}, time.Hour)
	x.client.Del(t.Context(), x.key)
	if err := x.store.Mend(t.Context(), "ann", core.ID{1}, x.clock.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if err := x.store.Release(t.Context(), "ann", core.ID{1}); err != nil {
		t.Fatal(err)
	}
	x.wantTTL("with a mark alone", time.Hour+grace)
	var lost *core.IncompleteError
	if _, err := x.store.List(t.Context(), "ann"); !errors.As(err, &lost) {
		t.Fatalf("List: %v", err)
	}
	if err := lost.Restored(t.Context()); err != nil || x.client.Exists(t.Context(), x.key).Val() != 0 {
		t.Errorf("Restored: %v, and the index is still there", err)
	}
}
