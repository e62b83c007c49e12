package storetest

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/memstore"
)

// recorder is a reporter that keeps what a case says.
type recorder struct {
	ctx context.Context

	mu     sync.Mutex
	failed bool
	lines  []string
}

func (r *recorder) Helper()                  {}
func (r *recorder) Context() context.Context { return r.ctx }

func (r *recorder) Logf(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lines = append(r.lines, fmt.Sprintf(format, args...))
}

func (r *recorder) Errorf(format string, args ...any) {
	r.Logf(format, args...)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failed = true
}

func (r *recorder) Fatalf(format string, args ...any) {
	r.Errorf(format, args...)
	runtime.Goexit()
}

func (r *recorder) Failed() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.failed
}

// record runs one case on a store that wrap has broken, and returns what it
// said, and whether it failed.
func record(t *testing.T, c testCase, wrap func(*memstore.Store, Clock) core.Store) (failed bool, said string) {
	t.Helper()
	clock := NewFakeClock()
	inner, err := memstore.NewWith(memstore.Config{Now: clock.Now, SweepInterval: -1})
	if err != nil {
		t.Fatal(err)
	}
	store := wrap(inner, clock)
	r := recordOn(t, c, store, store, clock)
	if err := inner.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	return r.failed, strings.Join(r.lines, "\n")
}

// recordOn is record for two stores on the same data. Goroutines of the case
// end with it.
func recordOn(t *testing.T, c testCase, store, other core.Store, clock Clock) *recorder {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r := &recorder{ctx: ctx}
	done := make(chan struct{})
	go func() { // of its own, for Fatalf ends it
		defer close(done)
		runCaseOn(r, c, store, other, clock)
	}()
	<-done
	return r
}

// findCase returns the case that is called group/name.
func findCase(t *testing.T, path string) testCase {
	t.Helper()
	for _, g := range groups() {
		for _, c := range g.cases {
			if g.name+"/"+c.name == path {
				return c
			}
		}
	}
	t.Fatalf("there is no case %q", path)
	return testCase{}
}

// TestCases checks the table itself: names are unique and say something, and a
// store that is not broken passes in the recorder too.
func TestCases(t *testing.T) {
	seen := map[string]bool{}
	for _, g := range groups() {
		for _, c := range g.cases {
			path := g.name + "/" + c.name
			if seen[path] {
				t.Errorf("two cases are called %s", path)
			}
			seen[path] = true
			if strings.ContainsAny(c.name, " /") || !strings.HasSuffix(c.why, ".") {
				t.Errorf("%s: want a name without spaces and an explanation that is a sentence", path)
			}
			if failed, said := record(t, c, func(s *memstore.Store, _ Clock) core.Store { return newTelling(s, nil) }); failed {
				t.Errorf("%s fails on a sound store:\n%s", path, said)
			}
		}
	}
}
