package memstore

import (
	"context"
	"time"

	"github.com/satchel-go/satchel/core"
)

// reservationTime is how long a reservation waits for its Confirm.
const reservationTime = time.Minute

// Reserve implements [core.UserIndex]. A reservation lapses after one minute.
//
// The sessions that it takes out of the index are deleted in the same step.
// Were that left to the caller alone, a second login could push out the first
// one's reservation and be confirmed before the first had deleted anything:
// for a moment there would be one session too many. Deleting them once more,
// as the caller will, does nothing.
func (s *Store) Reserve(ctx context.Context, user string, id core.ID, limit int, policy core.LimitPolicy) ([]core.ID, error) {
	if err := s.check(ctx, "reserve"); err != nil {
		return nil, err
	}
	us := s.userShardOf(user)
	us.mu.Lock()
	defer us.mu.Unlock()

	var end []core.ID
	if limit > 0 {
		others := s.heal(us, user)
		if us.find(user, id) != nil {
			others--
		}
		excess := others + 1 - limit
		if excess > 0 && policy == core.RefuseLogin {
			return nil, fail("reserve", core.ErrSessionLimit)
		}
		end = s.takeOldest(us, user, id, excess)
	}
	m := us.find(user, id)
	if m == nil {
		m = &member{id: id}
	} else {
		us.remove(user, m) // a confirmed one stays confirmed: its session is in use
	}
	m.tick = s.ticks.Add(1)
	m.lapses = s.now().Add(reservationTime)
	us.append(user, m)
	return end, nil
}

// takeOldest takes the n members that user entered first out, id excepted, and
// deletes their sessions.
func (s *Store) takeOldest(us *userShard, user string, id core.ID, n int) []core.ID {
	var end []core.ID
	for m := us.first(user); m != nil && len(end) < n; {
		next := m.next
		if m.id != id {
			us.remove(user, m)
			s.remove(m.id, user)
			end = append(end, m.id)
		}
		m = next
	}
	return end
}

// Confirm implements [core.UserIndex].
func (s *Store) Confirm(ctx context.Context, user string, id core.ID, until time.Time) error {
	if err := s.check(ctx, "confirm"); err != nil {
		return err
	}
	us := s.userShardOf(user)
	us.mu.Lock()
	defer us.mu.Unlock()
	m := us.find(user, id)
	if m == nil || !s.counts(m, user) {
		return fail("confirm", core.ErrNotFound)
	}
	m.confirmed, m.until = true, until
	m.lapses = time.Time{}
	return nil
}

// Release implements [core.UserIndex].
func (s *Store) Release(ctx context.Context, user string, id core.ID) error {
	if err := s.check(ctx, "release"); err != nil {
		return err
	}
	us := s.userShardOf(user)
	us.mu.Lock()
	defer us.mu.Unlock()
	if m := us.find(user, id); m != nil {
		us.remove(user, m)
	}
	return nil
}

// List implements [core.UserIndex]. It names no session that is gone already.
func (s *Store) List(ctx context.Context, user string) ([]core.ID, error) {
	if err := s.check(ctx, "list"); err != nil {
		return nil, err
	}
	us := s.userShardOf(user)
	us.mu.Lock()
	defer us.mu.Unlock()
	ids := make([]core.ID, 0, s.heal(us, user))
	for m := us.first(user); m != nil; m = m.next {
		ids = append(ids, m.id)
	}
	return ids, nil
}

// counts reports whether m is a member of user's: its reservation is open, or
// it is confirmed and its session lives and is still user's. The caller holds
// the user's shard.
func (s *Store) counts(m *member, user string) bool {
	now := s.now()
	if now.Before(m.lapses) {
		return true
	}
	return m.confirmed && (m.until.IsZero() || now.Before(m.until)) && s.isLive(m.id, user)
}

// heal removes user's members that do not count and returns how many are left.
func (s *Store) heal(us *userShard, user string) int {
	left := 0
	for m := us.first(user); m != nil; {
		next := m.next
		if s.counts(m, user) {
			left++
		} else {
			us.remove(user, m)
		}
		m = next
	}
	return left
}

// healAll removes every member that does not count.
func (s *Store) healAll() {
	for i := range s.users {
		us := &s.users[i]
		us.mu.Lock()
		for user := range us.lists {
			s.heal(us, user)
		}
		us.mu.Unlock()
	}
}

// forget removes the member of a session of user's that has just gone at
// version v. The session's shard is unlocked by now, so a new login with the
// same ID may have come in between. Its reservation is then younger than v and
// stays. Reservations that the session was saved under are older than v.
func (s *Store) forget(user string, id core.ID, v core.Version) {
	us := s.userShardOf(user)
	us.mu.Lock()
	defer us.mu.Unlock()
	if m := us.find(user, id); m != nil && m.tick < uint64(v) {
		us.remove(user, m)
	}
}
