package goredisstore_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/goredisstore"
	"github.com/satchel-go/satchel/core/storetest"
	"github.com/satchel-go/satchel/internal/testing/redistest"
)

// grace is how much longer a session is a member than its expiry.
const grace = 5 * time.Minute

// index is ann's index in a store with a clock that can be moved.
type index struct {
	*testing.T

	store  *goredisstore.Store
	clock  *storetest.FakeClock
	client *redis.Client
	prefix string
	key    string
}

func newIndex(t *testing.T) index {
	t.Helper()
	client, clock, prefix := newClient(t, redistest.Shared(t).Addr()), storetest.NewFakeClock(), redistest.UniquePrefix(t)
	store := goredisstore.New(client, goredisstore.Config{Prefix: prefix, Now: clock.Now, Timeout: patience})
	return index{t, store, clock, client, prefix, store.UserKey("ann")}
}

// reserve enters id and checks which sessions have to end.
func (x index) reserve(id core.ID, limit int, want ...core.ID) {
	x.Helper()
	end, err := x.store.Reserve(x.Context(), "ann", id, limit, core.EndOldest)
	if err != nil || !slices.Equal(end, want) {
		x.Errorf("Reserve: %v, %v; want %v to end", end, err, want)
	}
}

// confirm makes id's reservation permanent for as long as lasts; 0 means no bound.
func (x index) confirm(id core.ID, lasts time.Duration) {
	x.Helper()
	var until time.Time
	if lasts > 0 {
		until = x.clock.Now().Add(lasts)
	}
	if err := x.store.Confirm(x.Context(), "ann", id, until); err != nil {
		x.Errorf("Confirm: %v", err)
	}
}

// login enters id, with a session that lives for a day.
func (x index) login(id core.ID, lasts time.Duration) {
	x.Helper()
	x.reserve(id, 0)
	e := core.Entry{Data: []byte("x"), User: "ann", Expires: x.clock.Now().Add(24 * time.Hour)}
	if _, err := x.store.Save(x.Context(), id, e, 0); err != nil {
		x.Errorf("Save: %v", err)
	}
	x.confirm(id, lasts)
}

func (x index) wantList(want ...core.ID) {
	x.Helper()
	ids, err := x.store.List(x.Context(), "ann")
	if err != nil || !slices.Equal(ids, want) {
		x.Errorf("List: %v, %v; want %v", ids, err, want)
	}
}

// wantTTL checks how long Redis keeps the index, allowing for the time that the
// test took.
func (x index) wantTTL(when string, want time.Duration) {
	x.Helper()
	left := x.client.PTTL(x.Context(), x.key).Val()
	if left > want || left < want-30*time.Second {
		x.Errorf("%s the index lasts %v, want %v", when, left, want)
	}
}

// The index lasts as long as the longest login. A shorter login, or one that fails
// after its reservation, must not shorten it: a session that no index names
// survives every revocation.
func TestI2IndexLastsAsLongAsItsSessions(t *testing.T) {
	t.Parallel()
	x := newIndex(t)
	x.reserve(core.ID{1}, 0)
	x.wantTTL("with a reservation alone", time.Minute)
	x.confirm(core.ID{1}, time.Hour)
	x.wantTTL("after a login for an hour", time.Hour+grace)
	x.login(core.ID{2}, 10*time.Hour)
	x.wantTTL("after one for ten hours", 10*time.Hour+grace)
	x.reserve(core.ID{3}, 0)
	x.wantTTL("after a failed login", 10*time.Hour+grace)
	x.login(core.ID{4}, time.Hour)
	x.wantTTL("after a shorter login", 10*time.Hour+grace)
	if err := x.store.Release(t.Context(), "ann", core.ID{2}); err != nil {
		t.Fatal(err)
	}
	x.wantTTL("after the longest has logged out", time.Hour+grace)
	x.login(core.ID{5}, 0)
	x.wantTTL("after a login without a bound", 400*24*time.Hour)
}

// A lapsed reservation leaves the index and can no longer be confirmed, because
// other logins did not count it.
func TestI1ReservationsLapse(t *testing.T) {
	t.Parallel()
	x := newIndex(t)
	x.reserve(core.ID{1}, 0)
	x.clock.Advance(61 * time.Second)
	if err := x.store.Confirm(t.Context(), "ann", core.ID{1}, time.Time{}); !errors.Is(err, core.ErrNotFound) {
		t.Errorf("Confirm of what has lapsed: %v, want ErrNotFound", err)
	}
	x.reserve(core.ID{2}, 0)
	if n := x.client.HLen(t.Context(), x.key).Val(); n != 2 {
		t.Errorf("%d members, want the counter and the new one", n)
	}
	x.clock.Advance(61 * time.Second)
	x.wantList()
	if n := x.client.Exists(t.Context(), x.key).Val(); n != 0 {
		t.Error("an empty index is left")
	}
}

// A login that fails half-way in a logged-in session leaves that session in the
// index.
func TestI2FailedLoginLeavesTheMember(t *testing.T) {
	t.Parallel()
	for name, lasts := range map[string]time.Duration{"bounded": time.Hour, "unbounded": 0} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			x := newIndex(t)
			x.login(core.ID{1}, lasts)
			x.reserve(core.ID{1}, 0)
			x.clock.Advance(2 * time.Minute)
			x.reserve(core.ID{2}, 0)
			x.wantList(core.ID{1}, core.ID{2})
		})
	}
}

// A bounded member counts, may be confirmed again if the answer was lost, and is
// gone when its time is over.
func TestI1BoundedMembers(t *testing.T) {
	t.Parallel()
	x := newIndex(t)
	x.login(core.ID{1}, time.Hour)
	x.login(core.ID{2}, 3*time.Hour)
	x.clock.Advance(30 * time.Minute) // the reservations have lapsed
	x.confirm(core.ID{1}, 30*time.Minute)
	x.login(core.ID{3}, 3*time.Hour)
	x.wantList(core.ID{1}, core.ID{2}, core.ID{3})
	x.clock.Advance(30*time.Minute + grace)
	x.wantList(core.ID{2}, core.ID{3})
	x.reserve(core.ID{4}, 2, core.ID{2})
}

// A member that is taken out, and comes back because its session could not be ended, is bounded
// as before, and by what touches have told since.
func TestI2SEC13TakenOutMembersKeepTheirBound(t *testing.T) {
	t.Parallel()
	for name, touched := range map[string]time.Duration{"untouched": 0, "touched": 3 * time.Hour, "touched for less": time.Minute} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			x := newIndex(t)
			x.login(core.ID{1}, time.Hour)
			x.clock.Advance(2 * time.Minute) // its reservation is over
			x.reserve(core.ID{2}, 1, core.ID{1})
			if touched > 0 {
				if err := x.store.Mend(t.Context(), "ann", core.ID{1}, x.clock.Now().Add(touched)); err != nil {
					t.Fatal(err)
				}
			}
			x.reserve(core.ID{1}, 0)
			x.confirm(core.ID{1}, 0)
			lasts := max(time.Hour-2*time.Minute, touched)
			x.clock.Advance(lasts + grace - time.Second)
			x.wantList(core.ID{1})
			x.clock.Advance(time.Second)
			x.wantList()
		})
	}
}

// The oldest session is the one that logged in least recently, wherever Redis
// keeps it. A session that was taken out but still lives may log in again.
func TestI1OldestIsByLogin(t *testing.T) {
	t.Parallel()
	x := newIndex(t)
	x.login(core.ID{1}, 0)
	x.login(core.ID{2}, 0)
	x.reserve(core.ID{1}, 2)
	x.confirm(core.ID{1}, 0)
	x.wantList(core.ID{2}, core.ID{1})
	x.login(core.ID{3}, 0)
	x.reserve(core.ID{4}, 3, core.ID{2})
	x.reserve(core.ID{2}, 3, core.ID{1})
	x.confirm(core.ID{2}, 0)

	// Deleted sessions are not deleted again at each login.
	if err := x.store.Delete(t.Context(), core.ID{1}); err != nil {
		t.Fatal(err)
	}
	x.reserve(core.ID{5}, 4)
}

// However many dead sessions the index names, none of them counts, and listing
// takes them all out.
func TestI1DeadSessionsDoNotCount(t *testing.T) {
	t.Parallel()
	x := newIndex(t)
	enter(t, x.store, x.client, 1500, false)
	x.wantList()
	if n := x.client.Exists(t.Context(), x.key).Val(); n != 0 {
		t.Errorf("%d members are left", x.client.HLen(t.Context(), x.key).Val())
	}
	enter(t, x.store, x.client, 200, false)
	if _, err := x.store.Reserve(t.Context(), "ann", core.ID{1}, 100, core.RefuseLogin); err != nil {
		t.Errorf("a login at a limit of 100 with no session alive: %v", err)
	}
}

// A session may log in between the check for dead sessions and their removal. It
// stays.
func TestI2HealingSparesWhoLogsIn(t *testing.T) {
	t.Parallel()
	for name, heal := range map[string]struct {
		script string
		f      func(x index, healer *goredisstore.Store) error
	}{
		"List": {"release", func(x index, healer *goredisstore.Store) error {
			_, err := healer.List(x.Context(), "ann")
			return err
		}},
		"Reserve": {"reserve", func(x index, healer *goredisstore.Store) error {
			_, err := healer.Reserve(x.Context(), "ann", core.ID{9}, 3, core.EndOldest)
			return err
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			x := newIndex(t)
			x.login(core.ID{1}, 0)
			if err := x.store.Delete(t.Context(), core.ID{1}); err != nil {
				t.Fatal(err)
			}
			enter(t, x.store, x.client, 40, false) // so many that List looks
			proxy := redistest.StartProxy(t, redistest.Shared(t).Addr())
			healer := goredisstore.New(newClient(t, proxy.Addr()), goredisstore.Config{Prefix: x.prefix, Now: x.clock.Now, Timeout: 5 * time.Second})
			isLook, isRemoval, looked := redistest.Command("GETEX"), script(heal.script), false
			proxy.CutBefore(redistest.Always, func(args []string) bool {
				if isLook(args) {
					looked = true
				} else if looked && isRemoval(args) {
					looked = false
					x.login(core.ID{1}, 0)
				}
				return false
			})
			if err := heal.f(x, healer); err != nil {
				t.Fatal(err)
			}
			ids, err := x.store.List(t.Context(), "ann")
			if err != nil || !slices.Contains(ids, core.ID{1}) {
				t.Errorf("the session lives, and the index does not name it: %v, %v", ids, err)
			}
			if looked {
				t.Error("nothing was removed")
			}
		})
	}
}

// A session that cannot be read, such as one from a newer release, is still a
// session. It stays in the index, where a revocation finds it, and prevents no
// login.
func TestE3UnreadableSessionsStayInTheIndex(t *testing.T) {
	t.Parallel()
	x := newIndex(t)
	newer, list := core.ID{1}, core.ID{2}
	x.login(newer, 0)
	x.login(list, 0)
	enter(t, x.store, x.client, 40, false) // so many that List looks
	x.client.Set(t.Context(), x.store.Key(newer), "\x03 and later", time.Hour)
	x.client.Del(t.Context(), x.store.Key(list))
	x.client.RPush(t.Context(), x.store.Key(list), "x")
	x.wantList(newer, list)
	x.reserve(core.ID{3}, 2, newer)
	x.wantList(newer, list, core.ID{3})
}
