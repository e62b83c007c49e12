// Package alloctest bounds the memory that tested code allocates.
package alloctest

import (
	"runtime"
	"testing"
)

// tries is how often code is measured that has allocated too much: the rest of
// the process allocates too, but seldom so often at the wrong moment.
const tries = 4

// Bound runs f, and fails t if it allocates more than limit bytes. F is run
// again if it does, and so has to do the same each time. Nothing else of weight may
// run in the process meanwhile.
func Bound(t testing.TB, limit int, f func()) {
	t.Helper()
	least := ^uint64(0)
	for range tries {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		f()
		runtime.ReadMemStats(&after)
		if least = min(least, after.TotalAlloc-before.TotalAlloc); least <= uint64(max(limit, 0)) {
			return
		}
	}
	t.Errorf("allocated %d bytes, want %d at most", least, limit)
}
