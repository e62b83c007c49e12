// Package alloctest bounds the memory that tested code allocates.
package alloctest

import (
	"runtime"
	"testing"
)

// tries is how often to measure code that allocates too much. The rest of the
// process allocates too, but seldom so often at the wrong moment.
const tries = 4

// Bound runs f, and fails t if f allocates more than limit bytes. It runs f again
// before it fails, so f must do the same each time. Nothing else that allocates
// much may run in the process at the same time.
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
	t.Errorf("allocated %d bytes, want at most %d", least, limit)
}

// PerRun returns how often and how many bytes f allocates, on average. Like
// [testing.AllocsPerRun] it runs f on one processor, and rounds down.
func PerRun(f func()) (allocs, bytes int) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	const runs = 500
	f() // warm up
	allocs, bytes = int(^uint(0)>>1), int(^uint(0)>>1)
	for range tries {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for range runs {
			f()
		}
		runtime.ReadMemStats(&after)
		allocs = min(allocs, int(after.Mallocs-before.Mallocs)/runs)
		bytes = min(bytes, int(after.TotalAlloc-before.TotalAlloc)/runs)
	}
	return allocs, bytes
}
