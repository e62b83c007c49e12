package memstore

import (
	"errors"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/satchel-go/satchel/core"
)

// indexed opens a store whose time is *now, and counts its index members.
func indexed(t *testing.T, now *time.Time) (*Store, func() int) {
	t.Helper()
	s, err := NewWith(Config{Now: func() time.Time { return *now }, SweepInterval: -1})
	if err != nil {
		t.Fatal(err)
	}
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

// enter logs a session of alice in that lives for an hour.
func enter(t *testing.T, s *Store, id core.ID, until time.Time) {
	t.Helper()
	if _, err := s.Reserve(t.Context(), "alice", id, 0, core.EndOldest); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Save(t.Context(), id, core.Entry{User: "alice", Expires: s.now().Add(time.Hour)}, 0); err != nil {
		t.Fatal(err)
	}
	if err := s.Confirm(t.Context(), "alice", id, until); err != nil {
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
			enter(t, s, one, time.Time{})
			enter(t, s, two, time.Time{})
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

// A process that dies between Reserve and Confirm of a session that was in the
// index already must not take it out.
func TestReservingAgainKeepsTheConfirmed(t *testing.T) {
	now := time.Now()
	s, members := indexed(t, &now)
	id := core.ID{1}
	enter(t, s, id, time.Time{})
	if _, err := s.Reserve(t.Context(), "alice", id, 1, core.EndOldest); err != nil {
		t.Fatal(err)
	}
	now = now.Add(2 * reservationTime)
	if _, err := s.Sweep(t.Context()); err != nil || members() != 1 {
		t.Errorf("%d members, want 1; error %v", members(), err)
	}
}

func TestConfirmedUntil(t *testing.T) {
	now := time.Now()
	s, _ := indexed(t, &now)
	enter(t, s, core.ID{1}, now.Add(30*time.Second))
	now = now.Add(29 * time.Second)
	if ids, err := s.List(t.Context(), "alice"); len(ids) != 1 || err != nil {
		t.Errorf("List before the bound: %v, %v", ids, err)
	}
	now = now.Add(time.Second)
	if ids, err := s.List(t.Context(), "alice"); len(ids) != 0 || err != nil {
		t.Errorf("List at the bound: %v, %v", ids, err)
	}
}

// The clean-up after a delete runs when the session's lock is free again; it
// must not hit a login that came in between.
func TestLateCleanUpSparesANewLogin(t *testing.T) {
	now := time.Now()
	s, members := indexed(t, &now)
	id := core.ID{1}
	enter(t, s, id, time.Time{})
	old, err := s.Load(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Delete(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	enter(t, s, id, time.Time{})
	s.forget("alice", id, old.Version)
	if members() != 1 {
		t.Error("the clean-up after the old session took the new one out of the index")
	}
}

// Taking a session out for one user must not end it when it is another's now.
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

// What is entered after the newest one has left is listed like any other.
func TestI2NewestLeavesAndAnotherComes(t *testing.T) {
	now := time.Now()
	s, _ := indexed(t, &now)
	one, two, three := core.ID{1}, core.ID{2}, core.ID{3}
	enter(t, s, one, time.Time{})
	enter(t, s, two, time.Time{})
	if err := s.Delete(t.Context(), two); err != nil {
		t.Fatal(err)
	}
	enter(t, s, three, time.Time{})
	if ids, err := s.List(t.Context(), "alice"); !slices.Equal(ids, []core.ID{one, three}) || err != nil {
		t.Errorf("List: %v, %v", ids, err)
	}
}

// A login on the oldest session itself ends the others, and gives their room back.
func TestI1LimitSparesTheSessionOfTheLogin(t *testing.T) {
	now := time.Now()
	s, _ := indexed(t, &now)
	one, two := core.ID{1}, core.ID{2}
	enter(t, s, one, time.Time{})
	enter(t, s, two, time.Time{})
	end, err := s.Reserve(t.Context(), "alice", one, 1, core.EndOldest)
	if !slices.Equal(end, []core.ID{two}) || err != nil {
		t.Errorf("Reserve ends %v, %v", end, err)
	}
	if _, err := s.Load(t.Context(), one); err != nil || s.Len() != 1 {
		t.Errorf("%v; %d sessions take room", err, s.Len())
	}
}

// A session that is another's by now is none of the user's.
func TestI2SessionOfAnotherIsNotListed(t *testing.T) {
	now := time.Now()
	s, _ := indexed(t, &now)
	id := core.ID{1}
	enter(t, s, id, time.Time{})
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

// Reservations of logins that were never stored go in the background.
func TestSEC17LapsedReservationsAreSwept(t *testing.T) {
	var late atomic.Int64
	s, err := NewWith(Config{Now: func() time.Time { return time.Unix(late.Load(), 0) }, SweepInterval: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
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
		time.Sleep(time.Millisecond) // until the sweeper was there
	}
	t.Error("a lapsed reservation is still there after seconds")
}
