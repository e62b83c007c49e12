package memstore

import (
	"maps"
	"slices"
	"time"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/internal/journal"
)

// Journaled returns an empty store for package filestore, which keeps a log of it,
// and the side that the log sees. Everybody else calls [New].
//
// The store's goroutine starts with the journal's Attach.
func Journaled(c Config) (*Store, journal.Memory) {
	c = c.withDefaults()
	s := newStore(c)
	return s, &memory{s, c.SweepInterval}
}

// memory implements [journal.Memory].
type memory struct {
	s     *Store
	sweep time.Duration
}

// Attach implements [journal.Memory].
func (m *memory) Attach(j journal.Journal) {
	m.s.journal = j
	m.s.start(m.sweep)
}

// Put implements [journal.Journal]: no bound keeps out what was stored before.
func (m *memory) Put(id core.ID, e core.Entry) {
	sh := m.s.shardOf(id)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	old := sh.items[id]
	if old != nil {
		m.s.budget.give(old.room())
	}
	m.s.budget.give(room{}.minus(roomFor(e.Data, e.User)))
	sh.put(id, old, e, e.Version)
	m.Raise(uint64(e.Version))
}

// Touch implements [journal.Journal].
func (m *memory) Touch(id core.ID, v core.Version, expires time.Time) {
	sh := m.s.shardOf(id)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if it := sh.items[id]; it != nil && it.version == v {
		it.expires = expires
		sh.queueOf(it.user).moved(it)
	}
}

// Delete implements [journal.Journal].
func (m *memory) Delete(id core.ID) {
	sh := m.s.shardOf(id)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if it := sh.items[id]; it != nil {
		m.s.budget.give(sh.drop(it))
	}
}

// Expire implements [journal.Journal].
func (m *memory) Expire(id core.ID) { m.Delete(id) }

// DeleteAll implements [journal.Journal].
func (m *memory) DeleteAll() { m.s.deleteAll() }

// Member implements [journal.Journal].
func (m *memory) Member(user string, id core.ID, tick uint64) {
	us := m.s.userShardOf(user)
	us.mu.Lock()
	defer us.mu.Unlock()
	if there := us.find(user, id); there != nil {
		us.remove(user, there)
	}
	us.enter(user, &member{id: id, tick: tick, confirmed: true})
	m.Raise(tick)
}

// enter puts m among user's members by its tick; they come nearly in order. A mended
// member has none, and is the newest.
func (us *userShard) enter(user string, m *member) {
	var later []*member
	if list := us.lists[user]; list != nil && m.tick != 0 {
		for last := list.last; last != nil && last.tick > m.tick; last = last.prev {
			later = append(later, last)
		}
	}
	for _, l := range later {
		us.remove(user, l)
	}
	us.append(user, m)
	for _, l := range slices.Backward(later) {
		us.append(user, l)
	}
}

// Release implements [journal.Journal].
func (m *memory) Release(user string, id core.ID) {
	us := m.s.userShardOf(user)
	us.mu.Lock()
	defer us.mu.Unlock()
	if there := us.find(user, id); there != nil {
		us.remove(user, there)
	}
}

// Mark implements [journal.Journal].
func (m *memory) Mark(user string, tick uint64, until time.Time) {
	us := m.s.userShardOf(user)
	us.mu.Lock()
	defer us.mu.Unlock()
	if tick == 0 {
		delete(us.marks, user)
		return
	}
	us.marks[user] = mark{tick, until}
	m.Raise(tick)
}

// Raise implements [journal.Memory].
func (m *memory) Raise(least uint64) uint64 {
	for {
		now := m.s.ticks.Load()
		if now >= least {
			return now
		}
		if m.s.ticks.CompareAndSwap(now, least) {
			return least
		}
	}
}

// Size implements [journal.Memory].
func (m *memory) Size() int64 {
	const fixed = 40 // kind, ID, version, expiry, lengths
	n := m.s.budget.sessions.Load()
	return max(0, m.s.budget.bytes.Load()-n*(overhead-fixed))
}

// Each implements [journal.Memory]. It copies one shard at a time.
func (m *memory) Each(j journal.Journal) {
	var items []item
	for i := range m.s.shards {
		items = m.s.shards[i].copyTo(items[:0])
		for _, it := range items {
			j.Put(it.id, core.Entry{Data: it.data, Expires: it.expires, User: it.user, Version: it.version})
		}
	}
	for i := range m.s.users {
		members, marks := m.s.users[i].copy()
		for _, c := range members {
			j.Member(c.user, c.id, c.tick)
		}
		for user, set := range marks {
			j.Mark(user, set.tick, set.until)
		}
	}
}

// copyTo appends the shard's items.
func (sh *shard) copyTo(items []item) []item {
	sh.mu.RLock()
	defer sh.mu.RUnlock()
	for _, it := range sh.items {
		items = append(items, *it)
	}
	return items
}

// confirmedMember is a member whose reservation is no longer open.
type confirmedMember struct {
	memberKey
	tick uint64
}

// copy returns the confirmed members, each user's in order, and the marks.
func (us *userShard) copy() ([]confirmedMember, map[string]mark) {
	us.mu.Lock()
	defer us.mu.Unlock()
	members := make([]confirmedMember, 0, len(us.members))
	for user, list := range us.lists {
		for m := list.first; m != nil; m = m.next {
			if m.confirmed {
				members = append(members, confirmedMember{memberKey{user, m.id}, m.tick})
			}
		}
	}
	return members, maps.Clone(us.marks)
}
