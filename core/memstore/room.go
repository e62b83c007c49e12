package memstore

import (
	"context"
	"sync/atomic"

	"github.com/satchel-go/satchel/core"
)

// room is an amount of the two things that a store bounds.
type room struct {
	sessions int64
	bytes    int64
}

func (r room) plus(o room) room  { return room{r.sessions + o.sessions, r.bytes + o.bytes} }
func (r room) minus(o room) room { return room{r.sessions - o.sessions, r.bytes - o.bytes} }

// budget counts the room in use against the bounds. It needs no lock: the room
// in use never exceeds max, however many goroutines race.
type budget struct {
	max      room
	sessions atomic.Int64
	bytes    atomic.Int64
}

// take takes r if it fits. A part of r that is zero or less always fits, so
// an update that does not grow succeeds however full the store is.
func (b *budget) take(r room) bool {
	if !takeUpTo(&b.sessions, r.sessions, b.max.sessions) {
		return false
	}
	if !takeUpTo(&b.bytes, r.bytes, b.max.bytes) {
		b.sessions.Add(-r.sessions)
		return false
	}
	return true
}

// give gives r back.
func (b *budget) give(r room) {
	b.sessions.Add(-r.sessions)
	b.bytes.Add(-r.bytes)
}

// takeUpTo adds n to used unless that would grow it beyond limit.
func takeUpTo(used *atomic.Int64, n, limit int64) bool {
	if n <= 0 {
		used.Add(n)
		return true
	}
	for {
		have := used.Load()
		if have+n > limit {
			return false
		}
		if used.CompareAndSwap(have, have+n) {
			return true
		}
	}
}

// makeRoom frees some room for a save of id and reports whether to try again.
// It removes expired sessions once. Then, only if the save is for a logged-in
// user, it evicts one anonymous session into credit. Room in credit belongs to
// the saver: a flood of anonymous saves cannot take it.
func (s *Store) makeRoom(ctx context.Context, id core.ID, user string, credit *room, swept bool) bool {
	if !swept && s.sweepAll() > 0 {
		return true
	}
	if user == "" || ctx.Err() != nil {
		return false
	}
	return s.evict(id, credit)
}

// evictionSample is how many shards' candidates an eviction compares. A few
// are enough to find a session that was about to expire anyway.
const evictionSample = 4

// evict ends one anonymous session other than id, among the soonest to expire,
// and adds its room to credit. If there is such a session, evict finds one.
func (s *Store) evict(id core.ID, credit *room) bool {
	start := int(s.turn.Add(1))
	var best *shard
	var bestDue int64
	for i, seen := 0, 0; i < shardCount && seen < evictionSample; i++ {
		sh := &s.shards[(start+i)%shardCount]
		sh.mu.Lock()
		candidate, ok := sh.anonymous.firstBut(sh.items[id])
		sh.mu.Unlock()
		if !ok {
			continue
		}
		seen++
		if best == nil || candidate.due < bestDue {
			best, bestDue = sh, candidate.due
		}
	}
	if best == nil {
		return false
	}
	best.mu.Lock()
	defer best.mu.Unlock()
	// Another goroutine may have been faster; then the save tries again.
	if candidate, ok := best.anonymous.firstBut(best.items[id]); ok {
		*credit = credit.plus(best.drop(candidate.it))
		s.journal.Expire(candidate.it.id)
	}
	return true
}
