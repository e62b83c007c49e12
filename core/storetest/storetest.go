// Package storetest checks that a [core.Store] keeps its promises. One line in
// a store's tests runs all of it:
//
//	func TestStore(t *testing.T) {
//		storetest.Run(t, func(t *testing.T) core.Store { return open(t) })
//	}
//
// The function returns a new, empty store, isolated from those of other calls by
// its own key prefix, table or database. It registers its own clean-up with t.
// Every case runs as a subtest named after the promise that it checks. A failing
// case prints what the promise is and why it matters. Cases run one after the
// other; those about concurrency start goroutines.
//
// The suite finds the optional abilities, [core.UserIndex], [core.Mender],
// [core.AllDeleter], [core.Sweeper], [core.Counter] and [core.Watcher], as the core does,
// through Unwrap too. It logs which it found and skips the cases of the others. For a store
// that processes share, [RunShared] checks what two of them see. [RunLosing] is for
// a store that can lose its index.
//
// Cases about expiry wait for it, some tenths of a second each, so a store must
// keep expiries to the millisecond or better. [RunWithClock] needs no wait, with
// a store whose clock can be moved.
//
// Run it with the race detector: it makes the concurrent cases sharper.
package storetest

import (
	"context"
	"testing"
	"time"

	"github.com/satchel-go/satchel/core"
)

// Run runs every case as a subtest of t, each with a store of its own.
// newStore is called once per case and returns an empty, isolated store.
func Run(t *testing.T, newStore func(t *testing.T) core.Store) {
	t.Helper()
	RunWithClock(t, func(t *testing.T) (core.Store, Clock) { return newStore(t), realClock{} })
}

// RunWithClock is [Run] for stores whose clock can be moved. newStore returns the
// store and the clock that it reads; see [FakeClock]:
//
//	storetest.RunWithClock(t, func(t *testing.T) (core.Store, storetest.Clock) {
//		clock := storetest.NewFakeClock()
//		return open(t, clock.Now), clock
//	})
func RunWithClock(t *testing.T, newStore func(t *testing.T) (core.Store, Clock)) {
	t.Helper()
	for _, g := range groups() {
		t.Run(g.name, func(t *testing.T) {
			if g.needs != nil {
				// A separate store shows which abilities the group's cases will find.
				store, _ := newStore(t)
				if !g.needs(store) {
					t.Skipf("not declared: %s", g.ability)
				}
				t.Logf("declared: %s", g.ability)
			}
			for _, c := range g.cases {
				t.Run(c.name, func(t *testing.T) {
					store, clock := newStore(t)
					runCase(t, c, store, clock)
				})
			}
		})
	}
}

// testCase is one promise.
type testCase struct {
	name string         // what is promised, with the promise's ID if it has one
	why  string         // one sentence, printed when the case fails
	run  func(*harness) // checks it on an empty store
}

// group is the cases of one concern.
type group struct {
	name    string
	ability string                // the interface that the cases need; "" for none
	needs   func(core.Store) bool // whether a store has it; nil if no interface is needed
	cases   []testCase
}

// groups returns all cases.
func groups() []group {
	return []group{
		{name: "basics", cases: basicCases},
		{name: "data", cases: dataCases},
		{name: "versions", cases: versionCases},
		{name: "expiry", cases: expiryCases},
		{name: "context", cases: contextCases},
		{name: "concurrency", cases: concurrencyCases},
		{"UserIndex", "core.UserIndex", has[core.UserIndex], indexCases},
		{"SessionLimit", "core.UserIndex", has[core.UserIndex], limitCases},
		{"IndexRaces", "core.UserIndex", has[core.UserIndex], indexRaceCases},
		{"Mender", "core.Mender", isMender, menderCases},
		{"AllDeleter", "core.AllDeleter", has[core.AllDeleter], allDeleterCases},
		{"Sweeper", "core.Sweeper", has[core.Sweeper], sweeperCases},
		{"Counter", "core.Counter", has[core.Counter], counterCases},
		{"Watcher", "core.Watcher", has[core.Watcher], watcherCases},
	}
}

// reporter is the part of [testing.TB] that cases use. Tests of the suite
// itself pass one that records.
type reporter interface {
	Helper()
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
	Logf(format string, args ...any)
	Failed() bool
	Context() context.Context
}

// runCase runs c on store and, if it fails, logs why it matters.
func runCase(t reporter, c testCase, store core.Store, clock Clock) {
	t.Helper()
	runCaseOn(t, c, store, store, clock)
}

// runCaseOn is runCase for two stores on the same data.
func runCaseOn(t reporter, c testCase, store, other core.Store, clock Clock) {
	t.Helper()
	defer func() {
		if t.Failed() {
			t.Logf("%s: %s", c.name, c.why)
		}
	}()
	short := time.Minute
	if _, real := clock.(realClock); real {
		short = 300 * time.Millisecond
	}
	c.run(&harness{reporter: t, store: store, other: other, clock: clock, short: short})
}

// ability finds an optional interface of store, or of a store that it wraps, as
// the core does.
func ability[T any](store core.Store) (T, bool) {
	for store != nil {
		if t, ok := store.(T); ok {
			return t, true
		}
		w, ok := store.(interface{ Unwrap() core.Store })
		if !ok {
			break
		}
		store = w.Unwrap()
	}
	var none T
	return none, false
}

// has reports whether store has the ability T.
func has[T any](store core.Store) bool {
	_, ok := ability[T](store)
	return ok
}
