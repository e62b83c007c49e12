package memstore

import (
	"sync"
	"time"

	"github.com/satchel-go/satchel/core"
)

// overhead is what a session counts for besides its data and its user's name:
// its item, its places in the tables and queues, and its index member. A test
// compares it with what the runtime allocates.
const overhead = 384

// item is one session in memory. The lock of its shard guards it. The bytes
// that data points to never change, so callers share them.
type item struct {
	id      core.ID
	version core.Version
	data    []byte
	user    string
	expires time.Time
	pos     int // its position in the queue that it waits in
}

// live reports whether the session may still be used.
func (it *item) live(now time.Time) bool { return now.Before(it.expires) }

// room returns what the item takes of the store's budget.
func (it *item) room() room { return roomFor(it.data, it.user) }

// roomFor returns what a session with this data and user takes.
func roomFor(data []byte, user string) room {
	return room{sessions: 1, bytes: int64(len(data)) + int64(len(user)) + overhead}
}

// shard is one part of the session table.
type shard struct {
	mu    sync.RWMutex
	items map[core.ID]*item

	// Every item waits for its expiry in one of two queues. Anonymous ones have
	// their own, because only they may be evicted to make room.
	anonymous queue
	loggedIn  queue

	used room // the sum over items

	_ [32]byte // keeps locks of neighbouring shards out of one cache line
}

// reset empties the shard.
func (sh *shard) reset() {
	sh.items = make(map[core.ID]*item)
	sh.anonymous, sh.loggedIn = nil, nil
	sh.used = room{}
}

// queueOf returns the queue that an item of user waits in.
func (sh *shard) queueOf(user string) *queue {
	if user == "" {
		return &sh.anonymous
	}
	return &sh.loggedIn
}

// put stores e at version v, in place of old or, if old is nil, as a new item.
func (sh *shard) put(id core.ID, old *item, e core.Entry, v core.Version) {
	it := old
	if it == nil {
		it = &item{id: id}
		sh.items[id] = it
	} else {
		sh.used = sh.used.minus(it.room())
		sh.queueOf(it.user).remove(it)
	}
	it.version, it.data, it.user, it.expires = v, e.Data, e.User, e.Expires
	sh.used = sh.used.plus(it.room())
	sh.queueOf(it.user).push(it)
}

// drop removes it and returns the room that it took.
func (sh *shard) drop(it *item) room {
	delete(sh.items, it.id)
	sh.queueOf(it.user).remove(it)
	freed := it.room()
	sh.used = sh.used.minus(freed)
	return freed
}

// shardOf returns the shard of id. IDs are random, so any byte spreads them.
func (s *Store) shardOf(id core.ID) *shard { return &s.shards[id[len(id)-1]%shardCount] }

// isLive reports whether id is one of user's sessions and may still be used.
func (s *Store) isLive(id core.ID, user string) bool {
	sh := s.shardOf(id)
	sh.mu.RLock()
	defer sh.mu.RUnlock()
	it := sh.items[id]
	return it != nil && it.user == user && it.live(s.now())
}
