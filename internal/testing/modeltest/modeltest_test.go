package modeltest

import (
	"flag"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

var (
	schedules = flag.Int("schedules", enoughSchedules, "how many schedules to run")
	firstSeed = flag.Uint64("seed", 1, "the seed of the first schedule; the others count up from it")
)

// TestModel runs schedules, finds the promises that they break, and reports them in
// a subtest for each promise.
func TestModel(t *testing.T) {
	n := *schedules
	if testing.Short() {
		n = min(n, 1000)
	}
	provoked, broken := campaign(t, *firstSeed, n)
	missing := map[string][]string{} // a short or failed run says nothing about that
	if n >= enoughSchedules && len(broken) == 0 {
		missing = provoked.missing()
	}
	for _, e := range evidence {
		t.Run(e.promise+"_model", func(t *testing.T) {
			t.Logf("%d %s", provoked[e.what], e.what)
			if texts := missing[e.promise]; texts != nil {
				t.Error(texts)
				delete(missing, e.promise)
			}
			if text, ok := broken[e.promise]; ok {
				t.Error(text)
				delete(broken, e.promise)
			}
		})
	}
	for _, text := range broken {
		t.Error(text)
	}
	for _, texts := range missing {
		t.Error(texts)
	}
	t.Logf("%d schedules, %d commits", n, provoked["commits"])
}

// campaign runs n schedules on all processors. It stops at the first failure, and
// returns a report of it by broken promise.
func campaign(t *testing.T, seed uint64, n int) (provoked counts, broken map[string]string) {
	var (
		mu      sync.Mutex
		group   sync.WaitGroup
		stop    atomic.Bool
		workers = runtime.GOMAXPROCS(0)
	)
	provoked, broken = counts{}, map[string]string{}
	for worker := range workers {
		group.Go(func() {
			c := counts{}
			synctest.Test(t, func(*testing.T) {
				for i := worker; i < n && !stop.Load(); i += workers {
					if v, text := try(seed+uint64(i), c, nil); v != nil {
						stop.Store(true)
						mu.Lock()
						broken[v.promise] = text
						mu.Unlock()
					}
				}
			})
			mu.Lock()
			defer mu.Unlock()
			provoked.plus(c)
		})
	}
	group.Wait()
	return provoked, broken
}

// try runs one schedule. If it fails, try returns what the smallest schedule with
// the same failure shows, and a report.
func try(seed uint64, c counts, breaking breakage) (*violation, string) {
	s := generate(seed)
	found := run(s, c, breaking)
	if found == nil {
		return nil, ""
	}
	small := shrink(s, func(s *schedule) bool {
		v := run(s, counts{}, breaking)
		return v != nil && v.promise == found.promise
	})
	steps, v := trace(small, breaking)
	if v == nil { // it fails only now and then: all the more reason to report it
		small, v, steps = s, found, "It did not fail again, so its steps are unknown."
	}
	return v, fmt.Sprintf("%v\n%v\n%s\nreplay: make torture N=1 SEED=%d", small, v, steps, seed)
}

// TestModelWantsVariety shows that a run that provokes too little fails.
func TestModelWantsVariety(t *testing.T) {
	provoked, _ := campaign(t, 1, 5)
	missing := provoked.missing()
	for _, e := range evidence {
		if len(missing[e.promise]) == 0 {
			t.Errorf("five schedules show enough of %s: %d %s", e.promise, provoked[e.what], e.what)
		}
	}
	if len(missing[""]) != len(variety) {
		t.Errorf("of %d things to do, only %q are missing after five schedules", len(variety), missing[""])
	}
}

// TestModelReplays shows that a seed always gives the same run, and that a
// failing schedule is shrunk to what makes it fail.
func TestModelReplays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for seed := range uint64(200) {
			first, _ := trace(generate(seed), nil)
			second, _ := trace(generate(seed), nil)
			if first != second {
				t.Fatalf("schedule %d runs one way:\n%s\nand another:\n%s", seed, first, second)
			}
		}
		seed, _ := failing(t)
		_, text := try(seed, counts{}, forgetsDeletions)
		if small := strings.Count(text, "actor "); small > 2 {
			t.Errorf("%d actors were shrunk to %d:\n%s", len(generate(seed).actors), small, text)
		}
	})
}

// TestModelReportsWhatDoesNotFailAgain shows that a schedule that fails only
// sometimes is still reported, whole and with its first finding.
func TestModelReportsWhatDoesNotFailAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		// The first runs forget deletions: the one that finds the failure, and then
		// some of those that shrink the schedule, or all but the trace.
		seed, all := failing(t)
		for _, most := range []int{1, 2, 5, all - 1} {
			runs := 0
			v, text := try(seed, counts{}, func(b *broken) {
				if runs++; runs <= most {
					forgetsDeletions(b)
				}
			})
			if v == nil || v.promise != "K2" {
				t.Fatalf("%d runs of %d fail: found %v, want K2", most, all, v)
			}
			for _, want := range []string{
				generate(seed).String(), "\n" + v.String() + "\n", "did not fail again", fmt.Sprintf("SEED=%d", seed),
			} {
				if !strings.Contains(text, want) {
					t.Errorf("%d runs of %d fail: no %q in:\n%s", most, all, want, text)
				}
			}
		}
	})
}

// failing returns the seed of a large schedule that fails if deletions are forgotten, and how
// many runs it takes to find that, and to shrink and trace the schedule.
func failing(t *testing.T) (seed uint64, runs int) {
	t.Helper()
	for seed := range uint64(100) {
		runs := 0
		if v, _ := try(seed, counts{}, func(b *broken) { runs++; forgetsDeletions(b) }); v != nil && len(generate(seed).actors) > 4 {
			return seed, runs
		}
	}
	t.Fatal("no schedule fails")
	return 0, 0
}

// TestModelAllowsAnUndoneTouch: a touch between a job's load and its save may be
// undone by the job, and then the list does not show it either.
func TestModelAllowsAnUndoneTouch(t *testing.T) {
	s := &schedule{
		setup: setup{maxFlashes: 32},
		actors: []script{
			{role: request, status: 200, ops: []op{{do: login, user: "ann"}}},
			{role: job, ops: []op{{do: set, key: "n", n: 3}}},
			{role: advance, by: 11 * time.Minute},
		},
		turns: []int{0, 0, 0, 0, 0, 1, 2, 1, 1, 1, 2},
	}
	synctest.Test(t, func(t *testing.T) {
		if steps, v := trace(s, nil); v != nil {
			t.Errorf("%v\n%s", v, steps)
		}
	})
}
