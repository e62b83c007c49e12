package memstore

import (
	"context"
	"slices"
	"time"

	"github.com/satchel-go/satchel/core"
)

// reservationTime is how long a reservation waits for its Confirm.
const reservationTime = time.Minute

// Reserve implements [core.UserIndex]. A reservation lapses after one minute.
//
// It deletes the sessions that it takes out of the index in the same step.
// If only the caller deleted them, a second login could push out the first
// one's reservation and be confirmed before the first deleted anything. For a
// moment there would be one session too many. When the caller deletes them
// again, nothing happens.
func (s *Store) Reserve(ctx context.Context, user string, id core.ID, limit int, policy core.LimitPolicy) ([]core.ID, error) {
	if err := s.check(ctx, "reserve"); err != nil {
		return nil, err
	}
	us := s.userShardOf(user)
	us.mu.Lock()
	defer us.mu.Unlock()

	var end []core.ID
	if limit > 0 {
		others := us.len(user)
		if policy != core.Ceiling || others >= limit {
			others = s.heal(us, user) // else it does not matter
		}
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
		us.remove(user, m) // a confirmed member stays confirmed: its session is in use
	}
	m.tick = s.ticks.Add(1)
	m.lapses = s.now().Add(reservationTime).UnixMilli()
	us.append(user, m)
	return end, nil
}

// takeOldest removes the n members that user entered first, except id, and
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

// Confirm implements [core.UserIndex]. It needs no time: the index sees whether the
// session lives.
func (s *Store) Confirm(ctx context.Context, user string, id core.ID, _ time.Time) error {
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
	m.confirmed, m.lapses = true, 0
	s.journal.Member(user, id, m.tick)
	return nil
}

// Mend implements [core.Mender].
func (s *Store) Mend(ctx context.Context, user string, id core.ID, until time.Time) error {
	if err := s.check(ctx, "mend"); err != nil {
		return err
	}
	us := s.userShardOf(user)
	us.mu.Lock()
	defer us.mu.Unlock()
	m := us.find(user, id)
	switch {
	case m != nil && s.counts(m, user), !s.isLive(id, user):
		return nil
	case m == nil:
		m = &member{id: id}
		us.append(user, m)
	}
	m.confirmed, m.lapses = true, 0
	s.journal.Member(user, id, m.tick)
	set := us.marks[user]
	if set.tick == 0 {
		set.tick = s.ticks.Add(1)
	}
	if until.After(set.until) {
		set.until = until
	}
	us.marks[user] = set
	s.journal.Mark(user, set.tick, set.until)
	return nil
}

// restored takes user's mark away if it is the one of tick.
func (s *Store) restored(ctx context.Context, user string, tick uint64) error {
	if err := s.check(ctx, "mend"); err != nil {
		return err
	}
	us := s.userShardOf(user)
	us.mu.Lock()
	defer us.mu.Unlock()
	if us.marks[user].tick == tick {
		delete(us.marks, user)
		s.journal.Mark(user, 0, time.Time{})
	}
	return nil
}

// Search implements [core.Mender].
func (s *Store) Search(ctx context.Context, users ...string) ([]core.ID, error) {
	var found []core.ID
	for i := range s.shards {
		if err := s.check(ctx, "search"); err != nil {
			return nil, err
		}
		found = s.searchShard(&s.shards[i], found, users)
	}
	return found, nil
}

func (s *Store) searchShard(sh *shard, found []core.ID, users []string) []core.ID {
	sh.mu.RLock()
	defer sh.mu.RUnlock()
	now := s.now()
	for id, it := range sh.items {
		if it.live(now) && slices.Contains(users, it.user) {
			found = append(found, id)
		}
	}
	return found
}

// Forgetful implements [core.Mender].
func (s *Store) Forgetful() bool { return false }

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
		s.journal.Release(user, id)
	}
	return nil
}

// List implements [core.UserIndex]. It leaves out sessions that are gone.
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
	if set, ok := us.marks[user]; ok {
		return ids, &core.IncompleteError{Restored: func(ctx context.Context) error { return s.restored(ctx, user, set.tick) }}
	}
	return ids, nil
}

// counts reports whether m counts as one of user's sessions. It does while its
// reservation is open, and once confirmed while its session lives and still
// belongs to user. The caller holds the lock of the user's shard.
func (s *Store) counts(m *member, user string) bool {
	if s.now().UnixMilli() < m.lapses {
		return true
	}
	return m.confirmed && s.isLive(m.id, user)
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

// healAll removes every member that does not count, and every mark whose time is over.
func (s *Store) healAll() {
	for i := range s.users {
		us := &s.users[i]
		us.mu.Lock()
		for user := range us.lists {
			s.heal(us, user)
		}
		for user, set := range us.marks {
			if us.lists[user] == nil && !s.now().Before(set.until) {
				delete(us.marks, user)
			}
		}
		us.mu.Unlock()
	}
}

// forget removes the index member of user's session id, which was just removed
// at version v. The session's shard is already unlocked, so a new login with
// the same ID may have come in between. Its reservation is newer than v and
// stays. Reservations under which the session was saved are older than v.
func (s *Store) forget(user string, id core.ID, v core.Version) {
	us := s.userShardOf(user)
	us.mu.Lock()
	defer us.mu.Unlock()
	if m := us.find(user, id); m != nil && m.tick < uint64(v) {
		us.remove(user, m)
	}
}
