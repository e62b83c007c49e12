package modeltest

import (
	"flag"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
)

var (
	schedules = flag.Int("schedules", 10_000, "how many schedules to run")
	firstSeed = flag.Uint64("seed", 1, "the seed of the first schedule; the others follow")
)

func TestModel(t *testing.T) {
	var (
		mu    sync.Mutex
		total counts
		group sync.WaitGroup
	)
	workers := runtime.GOMAXPROCS(0)
	for worker := range workers {
		group.Go(func() {
			var c counts
			synctest.Test(t, func(t *testing.T) {
				for i := worker; i < *schedules && !t.Failed(); i += workers {
					try(t, *firstSeed+uint64(i), &c)
				}
			})
			mu.Lock()
			defer mu.Unlock()
			total.plus(&c)
		})
	}
	group.Wait()
	t.Logf("provoked: %+v", total)
}

// try runs one schedule, and reports a failure with the smallest schedule that fails alike.
func try(t *testing.T, seed uint64, c *counts) {
	s := generate(seed)
	found := run(s, c, nil, false)
	if found == nil {
		return
	}
	small := shrink(s, func(s *schedule) bool {
		v := run(s, new(counts), nil, false)
		return v != nil && v.promise == found.promise
	})
	t.Error(report(seed, small, run(small, new(counts), nil, true)))
}

func report(seed uint64, s *schedule, v *violation) string {
	return fmt.Sprintf("%v\n%v\nreplay: make torture N=1 SEED=%d", s, v, seed)
}
