package nearcache

import (
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/satchel-go/satchel/core"
)

const (
	// maxShards is how many locks there are. Each shard has its part of the bounds.
	maxShards = 64

	// overhead is what a copy takes besides its data and user: its place in the map, and
	// an item. The allocator rounds up by about a 32nd.
	overhead = 176

	// never is the end of a lease that does not end.
	never = math.MaxInt64
)

// cache is copies of entries. Times are nanoseconds since start, by the monotonic clock.
type cache struct {
	config  Config
	start   time.Time
	blind   bool // each copy has a lease of its own
	shards  []shard
	entries int   // at most in a shard
	bytes   int64 // at most in a shard

	lease     atomic.Int64 // until when copies may be served
	listening atomic.Bool  // changes are reported, so what is read may be kept

	listener
}

// shard has a part of the copies.
type shard struct {
	mu      sync.Mutex
	items   map[core.ID]*item
	markers map[core.ID]*marker
	size    int64

	hits, misses, invalidations uint64
}

// item is a copy.
type item struct {
	entry core.Entry
	size  int64
	until int64 // the end of its own lease
	used  bool  // since eviction has last looked
}

// marker stands for reads in progress. What they return is kept only if it is still
// there: it goes with every change that is reported meanwhile, for a report is not repeated.
type marker struct {
	readers int
	began   int64 // the first of them
}

func newCache(c Config) *cache {
	n := min(maxShards, max(1, c.MaxEntries/100), max(1, int(c.MaxBytes>>18)))
	a := &cache{config: c, start: time.Now(), shards: make([]shard, n), entries: (c.MaxEntries + n - 1) / n, bytes: c.MaxBytes / int64(n)}
	for i := range a.shards {
		a.shards[i].empty()
	}
	return a
}

func (c *cache) clock() int64 { return int64(time.Since(c.start)) }

// goBlind serves each copy for a window, whatever changes.
func (c *cache) goBlind() {
	c.blind = true
	c.lease.Store(never)
	c.listening.Store(true)
}

// until returns the end of the lease of a copy that was read at a time.
func (c *cache) until(read int64) int64 {
	if c.blind {
		return read + int64(c.config.Window)
	}
	return never
}

func (c *cache) shard(id core.ID) *shard {
	// IDs are random.
	return &c.shards[(uint(id[0])|uint(id[1])<<8)%uint(len(c.shards))]
}

// get returns the copy of id if it may be served.
func (c *cache) get(id core.ID) (core.Entry, bool) {
	// In this order: a copy that is there once the lease is known is none that a
	// report before the lease has spoken of.
	lease, now := c.lease.Load(), c.clock()
	s := c.shard(id)
	s.mu.Lock()
	defer s.mu.Unlock()
	if it := s.items[id]; it != nil && now < lease && now < it.until {
		it.used = true
		s.hits++
		return it.entry, true
	}
	s.misses++
	return core.Entry{}, false
}

// begin notes a read of id, unless what it returns is not to be kept.
func (c *cache) begin(id core.ID) *marker {
	now := c.clock()
	s := c.shard(id)
	s.mu.Lock()
	defer s.mu.Unlock()
	if !c.listening.Load() { // under the lock: then clear finds the marker
		return nil
	}
	m := s.markers[id]
	if m == nil {
		m = &marker{began: now}
		s.markers[id] = m
	}
	m.readers++
	return m
}

// beginAlone is begin for a save, before which nothing was as it will be.
func (c *cache) beginAlone(id core.ID) *marker {
	now := c.clock()
	s := c.shard(id)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.forget(id)
	if !c.listening.Load() {
		return nil
	}
	m := &marker{readers: 1, began: now}
	s.markers[id] = m
	return m
}

// abandon notes that a read has returned nothing.
func (c *cache) abandon(id core.ID, m *marker) {
	s := c.shard(id)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.over(id, m)
}

// put keeps e, which a read has returned, if nothing was reported since.
func (c *cache) put(id core.ID, m *marker, e core.Entry) {
	s := c.shard(id)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over(id, m) {
		c.keep(s, id, e, m.began)
	}
}

// putAlone keeps e, which was saved. Reads that were in progress may have returned what
// was before.
func (c *cache) putAlone(id core.ID, m *marker, e core.Entry) {
	s := c.shard(id)
	s.mu.Lock()
	defer s.mu.Unlock()
	valid := s.over(id, m)
	s.forget(id)
	if valid {
		c.keep(s, id, e, m.began)
	}
}

// over ends a read, and reports whether its marker is still there.
func (s *shard) over(id core.ID, m *marker) bool {
	if m == nil || s.markers[id] != m {
		return false
	}
	if m.readers--; m.readers == 0 {
		delete(s.markers, id)
	}
	return true
}

// keep makes e the copy of id, and room for it.
func (c *cache) keep(s *shard, id core.ID, e core.Entry, read int64) {
	s.remove(id)
	n := int64(len(e.Data) + len(e.User))
	it := &item{entry: e, size: n + n/32 + overhead, until: c.until(read)}
	if it.size > c.bytes {
		return
	}
	for victim, old := range s.items { // in an order that differs each time
		if len(s.items) < c.entries && s.size+it.size <= c.bytes {
			break
		}
		if old.used {
			old.used = false // a second chance
			continue
		}
		s.remove(victim)
	}
	for victim := range s.items { // all were in use
		if len(s.items) < c.entries && s.size+it.size <= c.bytes {
			break
		}
		s.remove(victim)
	}
	s.items[id] = it
	s.size += it.size
}

func (s *shard) remove(id core.ID) {
	if it := s.items[id]; it != nil {
		s.size -= it.size
		delete(s.items, id)
	}
}

// forget removes the copy of id, and the marker of what is being read.
func (s *shard) forget(id core.ID) {
	s.remove(id)
	delete(s.markers, id)
}

func (s *shard) empty() {
	s.items, s.markers, s.size = map[core.ID]*item{}, map[core.ID]*marker{}, 0
}

// drop forgets id.
func (c *cache) drop(id core.ID) {
	s := c.shard(id)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.forget(id)
}

// clear forgets everything.
func (c *cache) clear() {
	for i := range c.shards {
		s := &c.shards[i]
		s.mu.Lock()
		s.empty()
		s.mu.Unlock()
	}
}

// Stats returns what the store has done so far.
func (c *cache) Stats() Stats {
	st := Stats{LeasesLost: c.lost.Load()}
	for i := range c.shards {
		s := &c.shards[i]
		s.mu.Lock()
		st.Hits += s.hits
		st.Misses += s.misses
		st.Invalidations += s.invalidations
		st.Entries += len(s.items)
		st.Bytes += s.size
		s.mu.Unlock()
	}
	if err := c.failed.Load(); err != nil {
		st.Err = *err
	}
	return st
}
