package memstore_test

import (
	"testing"
	"time"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/memstore"
	"github.com/satchel-go/satchel/core/storetest"
)

// TestStore runs the suite in real time, with a sweeper that never rests.
func TestStore(t *testing.T) {
	storetest.Run(t, func(t *testing.T) core.Store {
		return newStore(t, memstore.Config{SweepInterval: time.Millisecond})
	})
}

// TestStoreWithClock runs the suite with a fake clock.
func TestStoreWithClock(t *testing.T) {
	storetest.RunWithClock(t, func(t *testing.T) (core.Store, storetest.Clock) {
		clock := storetest.NewFakeClock()
		return newStore(t, memstore.Config{Now: clock.Now, SweepInterval: -1}), clock
	})
}

// newStore returns a store that is closed when t ends.
func newStore(t testing.TB, c memstore.Config) *memstore.Store {
	t.Helper()
	s := memstore.New(c)
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return s
}
