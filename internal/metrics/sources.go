package metrics

import (
	"context"
	"reflect"
	"slices"
	"sync"
	"time"

	"github.com/satchel-go/satchel/core"
)

// countTimeout bounds how long a collection waits for a store to count its sessions.
const countTimeout = time.Second

// Sources are what is asked when measurements are collected. The zero Sources is empty.
// It is safe for concurrent use.
type Sources struct {
	mu         sync.Mutex
	counters   []core.Counter
	migrations []*core.Migration
}

// Store returns what [Store] does, and adds a store that is measured only now.
func (s *Sources) Store(store core.Store, r Recorder) core.Store {
	measured, added := Store(store, r)
	if added {
		s.add(store)
	}
	return measured
}

// add adds a store, if it can count its sessions and was not added before.
func (s *Sources) add(store core.Store) {
	counter, ok := core.StoreAs[core.Counter](store)
	if !ok {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if reflect.TypeOf(counter).Comparable() && slices.Contains(s.counters, counter) {
		return
	}
	s.counters = append(s.counters, counter)
}

// AddMigration adds a migration, unless it is nil or was added before.
func (s *Sources) AddMigration(m *core.Migration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if m != nil && !slices.Contains(s.migrations, m) {
		s.migrations = append(s.migrations, m)
	}
}

// Sessions returns how many sessions all stores have together. It is unknown if there
// is no store that counts, or if one could not: a part would look like a loss.
func (s *Sources) Sessions(ctx context.Context) (n int, known bool) {
	s.mu.Lock()
	counters := s.counters // nothing in it changes
	s.mu.Unlock()
	if len(counters) == 0 {
		return 0, false
	}
	ctx, cancel := context.WithTimeout(ctx, countTimeout)
	defer cancel()
	for _, c := range counters {
		some, err := c.Count(ctx)
		if err != nil {
			return 0, false
		}
		n += some
	}
	return n, true
}

// Migration returns the sums of all migrations' counts, and whether there is one.
func (s *Sources) Migration() (sum core.MigrationStats, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range s.migrations {
		stats := m.Stats()
		sum.Moved += stats.Moved
		sum.Guests += stats.Guests
		sum.ReadOld += stats.ReadOld
		sum.Failed += stats.Failed
	}
	return sum, len(s.migrations) > 0
}
