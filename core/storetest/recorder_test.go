package storetest

import (
	"strings"
	"testing"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/memstore"
	"github.com/satchel-go/satchel/internal/testing/recorder"
)

// record runs one case on a store that wrap has broken. It returns whether the
// case failed, and its output.
func record(t *testing.T, c testCase, wrap func(*memstore.Store, Clock) core.Store) (failed bool, said string) {
	t.Helper()
	clock := NewFakeClock()
	inner := memstore.New(memstore.Config{Now: clock.Now, SweepInterval: -1})
	store := wrap(inner, clock)
	r := recordOn(t, c, store, store, clock)
	if err := inner.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	return r.Failed(), r.Said()
}

// recordOn is record for two stores on the same data.
func recordOn(t *testing.T, c testCase, store, other core.Store, clock Clock) *recorder.Recorder {
	t.Helper()
	return recorder.Run(t, func(r *recorder.Recorder) { runCaseOn(r, c, store, other, clock) })
}

// findCase returns the case called group/name.
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

// TestCases checks the table itself: names are unique, every case has an
// explanation, and a sound store passes in the recorder too.
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
