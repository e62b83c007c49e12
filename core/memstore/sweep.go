package memstore

import (
	"context"
	"time"

	"github.com/satchel-go/satchel/core"
)

// sweepBatch bounds how many sessions are removed each time a shard is locked,
// so that requests do not wait for a sweep.
const sweepBatch = 1024

// Sweep implements [core.Sweeper]. It also removes lapsed reservations and
// index members without a session, but does not count them.
func (s *Store) Sweep(ctx context.Context) (int, error) {
	if err := s.check(ctx, "sweep"); err != nil {
		return 0, err
	}
	removed := s.sweepAll()
	s.healAll()
	return removed, nil
}

// Count implements [core.Counter]. It looks only at what may have expired.
func (s *Store) Count(ctx context.Context) (int, error) {
	if err := s.check(ctx, "count"); err != nil {
		return 0, err
	}
	n, now := 0, s.now()
	for i := range s.shards {
		sh := &s.shards[i]
		sh.mu.RLock()
		n += len(sh.items) - sh.anonymous.expired(0, now) - sh.loggedIn.expired(0, now)
		sh.mu.RUnlock()
	}
	return n, nil
}

// DeleteAll implements [core.AllDeleter] in one step: no other operation sees
// it half done.
func (s *Store) DeleteAll(ctx context.Context) error {
	if err := s.check(ctx, "delete all"); err != nil {
		return err
	}
	s.deleteAll()
	return nil
}

func (s *Store) deleteAll() {
	for i := range s.users {
		s.users[i].mu.Lock()
		defer s.users[i].mu.Unlock()
	}
	for i := range s.shards {
		s.shards[i].mu.Lock()
		defer s.shards[i].mu.Unlock()
	}
	for i := range s.shards {
		s.budget.give(s.shards[i].used)
		s.shards[i].reset()
		s.users[i].reset()
	}
	s.journal.DeleteAll()
}

// sweepEvery removes expired sessions at intervals, until Close.
func (s *Store) sweepEvery(interval time.Duration) {
	defer close(s.done)
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		select {
		case <-s.stop:
			return
		case <-ticker.C:
			s.sweepAll()
			s.healAll()
		}
	}
}

// sweepAll removes every expired session and returns how many there were. It
// costs little when nothing has expired.
func (s *Store) sweepAll() int {
	removed := 0
	for i := range s.shards {
		for {
			n := s.sweepShard(&s.shards[i])
			removed += n
			if n < sweepBatch {
				break
			}
		}
	}
	return removed
}

// sweepShard removes up to sweepBatch expired sessions of one shard.
func (s *Store) sweepShard(sh *shard) int {
	var orphaned []*item // logged-in sessions, whose index members are removed too
	removed := 0
	sh.mu.Lock()
	now := s.now()
	for _, q := range []*queue{&sh.anonymous, &sh.loggedIn} {
		for removed < sweepBatch {
			it := q.first()
			if it == nil || it.live(now) {
				break
			}
			s.budget.give(sh.drop(it))
			s.journal.Expire(it.id)
			removed++
			if it.user != "" {
				orphaned = append(orphaned, it)
			}
		}
	}
	sh.mu.Unlock()

	for _, it := range orphaned {
		s.forget(it.user, it.id, it.version)
	}
	return removed
}

// remove deletes id if it is a session of user. Callers may hold user's shard.
func (s *Store) remove(id core.ID, user string) {
	sh := s.shardOf(id)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if it := sh.items[id]; it != nil && it.user == user {
		s.budget.give(sh.drop(it))
		s.journal.Delete(id)
	}
}
