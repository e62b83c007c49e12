package memstore

import (
	"errors"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/satchel-go/satchel/core"
)

// indexed opens a store whose time is *now and returns a counter of its index members.
func indexed(t *testing.T, now *time.Time) (*Store, func() int) {
	t.Helper()
	s := New(Config{Now: func() time.Time { return *now }, SweepInterval: -1})
	return s, func() int {
		n := 0
		for i := range s.users {
			n += len(s.users[i].members)
			if len(s.users[i].members) == 0 && len(s.users[i].lists) != 0 {
				t.Error("an empty list is left in the index")
			}
		}
		return n
	}
}

// enter logs alice in, with a session that lives for an hour.
func enter(t *testing.T, s *Store, id core.ID) {
	t.Helper()
	if _, err := s.Reserve(t.Context(), "alice", id, 0, core.EndOldest); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Save(t.Context(), id, core.Entry{User: "alice", Expires: s.now().Add(time.Hour)}, 0); err != nil {
		t.Fatal(err)
	}
	if err := s.Confirm(t.Context(), "alice", id, time.Time{}); err != nil {
		t.Fatal(err)
	}
}

func TestSEC17IndexNeverLeaks(t *testing.T) {
	one, two := core.ID{15: 1}, core.ID{15: 2}
	for name, end := range map[string]func(*testing.T, *Store, *time.Time) error{
		"delete": func(t *testing.T, s *Store, _ *time.Time) error {
			return errors.Join(s.Delete(t.Context(), one), s.Delete(t.Context(), two))
		},
		"delete all": func(t *testing.T, s *Store, _ *time.Time) error { return s.DeleteAll(t.Context()) },
		"release": func(t *testing.T, s *Store, _ *time.Time) error {
			return errors.Join(s.Release(t.Context(), "alice", one), s.Release(t.Context(), "alice", two))
		},
		"expiry and sweep": func(t *testing.T, s *Store, now *time.Time) error {
			*now = now.Add(time.Hour)
			_, err := s.Sweep(t.Context())
			return err
		},
		"expiry and list": func(t *testing.T, s *Store, now *time.Time) error {
			*now = now.Add(time.Hour)
			_, err := s.List(t.Context(), "alice")
			return err
		},
		"logout that keeps the entry": func(t *testing.T, s *Store, _ *time.Time) error {
			for _, id := range []core.ID{one, two} {
				e, err := s.Load(t.Context(), id)
				if err != nil {
					return err
				}
				e.User = ""
				if _, err = s.Save(t.Context(), id, e, e.Version); err != nil {
					return err
				}
			}
			return nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			now := time.Now()
			s, members := indexed(t, &now)
			enter(t, s, one)
			enter(t, s, two)
			if err := end(t, s, &now); err != nil {
				t.Fatal(err)
			}
			if n := members(); n != 0 {
				t.Errorf("%d members are left", n)
			}
		})
	}
}

func TestReservationLapses(t *testing.T) {
	now := time.Now()
	s, members := indexed(t, &now)
	id := core.ID{1}
	if _, err := s.Reserve(t.Context(), "alice", id, 1, core.RefuseLogin); err != nil {
		t.Fatal(err)
	}
	now = now.Add(reservationTime)
	if err := s.Confirm(t.Context(), "alice", id, time.Time{}); !errors.Is(err, core.ErrNotFound) {
		t.Errorf("Confirm after a minute: %v, want ErrNotFound", err)
	}
	if _, err := s.Reserve(t.Context(), "alice", core.ID{2}, 1, core.RefuseLogin); err != nil {
		t.Errorf("Reserve beside a lapsed reservation: %v", err)
	}
	now = now.Add(reservationTime)
	if _, err := s.Sweep(t.Context()); err != nil || members() != 0 {
		t.Errorf("%d members after a sweep, error %v", members(), err)
	}
}

// A process that dies between Reserve and Confirm must not take a session out
// of the index that was already in it.
func TestReservingAgainKeepsTheConfirmed(t *testing.T) {
	now := time.Now()
	s, members := indexed(t, &now)
	id := core.ID{1}
	enter(t, s, id)
	if _, err := s.Reserve(t.Context(), "alice", id, 1, core.EndOldest); err != nil {
		t.Fatal(err)
	}
	now = now.Add(2 * reservationTime)
	if _, err := s.Sweep(t.Context()); err != nil || members() != 1 {
		t.Errorf("%d members, want 1; error %v", members(), err)
	}
}

// The clean-up after a delete runs once the session's lock is released. It
// must not hit a login that came in between.
func TestLateCleanUpSparesANewLogin(t *testing.T) {
	now := time.Now()
	s, members := indexed(t, &now)
	id := core.ID{1}
	enter(t, s, id)
	old, err := s.Load(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Delete(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	enter(t, s, id)
	s.forget("alice", id, old.Version)
	if members() != 1 {
		t.Error("the clean-up after the old session took the new one out of the index")
	}
}

// Taking a session out of one user's index must not end it if it now belongs
// to another user.
func TestEvictionSparesAnothersSession(t *testing.T) {
	now := time.Now()
	s, _ := indexed(t, &now)
	id := core.ID{1}
	if _, err := s.Save(t.Context(), id, core.Entry{User: "bob", Expires: now.Add(time.Hour)}, 0); err != nil {
		t.Fatal(err)
	}
	for _, reserve := range []core.ID{id, {2}} {
		if _, err := s.Reserve(t.Context(), "alice", reserve, 1, core.EndOldest); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.Load(t.Context(), id); err != nil {
		t.Errorf("bob's session: %v", err)
	}
}

// A member entered after the newest one left is listed like any other.
func TestI2NewestLeavesAndAnotherComes(t *testing.T) {
	now := time.Now()
	s, _ := indexed(t, &now)
	one, two, three := core.ID{1}, core.ID{2}, core.ID{3}
	enter(t, s, one)
	enter(t, s, two)
	if err := s.Delete(t.Context(), two); err != nil {
		t.Fatal(err)
	}
	enter(t, s, three)
	if ids, err := s.List(t.Context(), "alice"); !slices.Equal(ids, []core.ID{one, three}) || err != nil {
		t.Errorf("List: %v, %v", ids, err)
	}
}

// A login on the oldest session itself ends the others, and gives their room back.
func TestI1LimitSparesTheSessionOfTheLogin(t *testing.T) {
	now := time.Now()
	s, _ := indexed(t, &now)
	one, two := core.ID{1}, core.ID{2}
	enter(t, s, one)
	enter(t, s, two)
	end, err := s.Reserve(t.Context(), "alice", one, 1, core.EndOldest)
	if !slices.Equal(end, []core.ID{two}) || err != nil {
		t.Errorf("Reserve ends %v, %v", end, err)
	}
	if _, err := s.Load(t.Context(), one); err != nil || s.Len() != 1 {
		t.Errorf("%v; %d sessions take room", err, s.Len())
	}
}

// A session that now belongs to another user is not one of the first user's.
func TestI2SessionOfAnotherIsNotListed(t *testing.T) {
	now := time.Now()
	s, _ := indexed(t, &now)
	id := core.ID{1}
	enter(t, s, id)
	e, err := s.Load(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	e.User = "bob"
	if _, err := s.Save(t.Context(), id, e, e.Version); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Reserve(t.Context(), "alice", id, 0, core.EndOldest); err != nil {
		t.Fatal(err)
	}
	if err := s.Confirm(t.Context(), "alice", id, time.Time{}); err != nil {
		t.Fatal(err)
	}
	now = now.Add(reservationTime)
	if ids, err := s.List(t.Context(), "alice"); len(ids) != 0 || err != nil {
		t.Errorf("List: %v, %v", ids, err)
	}
}

// The sweeper removes reservations of logins that were never stored.
func TestSEC17LapsedReservationsAreSwept(t *testing.T) {
	var late atomic.Int64
	s := New(Config{Now: func() time.Time { return time.Unix(late.Load(), 0) }, SweepInterval: time.Millisecond})
	defer func() { _ = s.Close() }() // it never fails
	if _, err := s.Reserve(t.Context(), "alice", core.ID{1}, 0, core.EndOldest); err != nil {
		t.Fatal(err)
	}
	late.Store(60)
	us := s.userShardOf("alice")
	for range 5000 {
		us.mu.Lock()
		n := len(us.members)
		us.mu.Unlock()
		if n == 0 {
			return
		}
		time.Sleep(time.Millisecond) // until the sweeper has run
	}
	t.Error("a lapsed reservation is still in the index after several seconds")
}

// A login below a ceiling looks at no other session of its user.
func TestI1LoginsOfManySessionsCostTheSame(t *testing.T) {
	looks, now := 0, time.Now()
	s := New(Config{SweepInterval: -1, Now: func() time.Time { looks++; return now }})
	t.Cleanup(func() { _ = s.Close() })
	for i := range 900 {
		enter(t, s, core.ID{byte(i), byte(i >> 8), 1})
	}
	for _, limit := range []int{0, 1000} {
		looks = 0
		if _, err := s.Reserve(t.Context(), "alice", core.ID{2}, limit, core.Ceiling); err != nil {
			t.Fatal(err)
		}
		if looks > 10 {
			t.Errorf("a login with a ceiling of %d looks at %d sessions", limit, looks)
		}
	}
}

// The mark of an incomplete index goes with the last of what it is about.
func TestSEC13MarksAreSwept(t *testing.T) {
	now := time.Unix(1e9, 0)
	s := New(Config{Now: func() time.Time { return now }, SweepInterval: -1})
	defer func() { _ = s.Close() }()
	id := core.ID{1}
	if _, err := s.Save(t.Context(), id, core.Entry{User: "alice", Expires: now.Add(time.Hour)}, 0); err != nil {
		t.Fatal(err)
	}
	if err := s.Mend(t.Context(), "alice", id, now.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if err := s.Delete(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	for _, marked := range []bool{true, false} {
		if _, err := s.Sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, err := s.List(t.Context(), "alice"); (err != nil) != marked || len(s.userShardOf("alice").marks) > 0 != marked {
			t.Errorf("marked: %v, want %v", err, marked)
		}
		now = now.Add(time.Hour)
	}
}
