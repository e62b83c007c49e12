package core_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/satchel-go/satchel/core"
)

// TestK1K2MigratingInterleaved runs every pair of acts, in both directions,
// with one stopped before each of its calls of a store, the other stopped
// before each of its own, and each then going on to its end.
func TestK1K2MigratingInterleaved(t *testing.T) {
	schedules := 0
	for _, first := range acts {
		for _, second := range acts {
			for _, directions := range []string{"forth, forth", "forth, back", "back, forth"} {
				t.Run(fmt.Sprintf("%s and %s, %s", first.name, second.name, directions), func(t *testing.T) {
					schedules += interleave(t, first, second, directions, func() *stage { return newStage(t, kept) })
				})
			}
		}
	}
	t.Logf("%d schedules", schedules)
}

// interleave runs two acts on new stages, once for each pair of calls before
// which they can be stopped. It returns how often.
func interleave(t *testing.T, first, second act, directions string, stage func() *stage) (schedules int) {
	one, two, _ := strings.Cut(directions, ", ")
	for i, moreA := 0, true; moreA; i++ {
		for j, moreB := 0, true; moreB; j++ {
			w := stage()
			a := w.actorOf(first, w.toward(one))
			moreA = a.run(i)
			b := w.actorOf(second, w.toward(two))
			moreB = b.run(j)
			a.finish()
			b.finish()
			w.check()
			schedules++
			if t.Failed() {
				t.Fatalf("the first stopped before its call %d, the second before its call %d: %q, %q", i, j, a.trace, b.trace)
			}
		}
	}
	return schedules
}

// states are what a process that died may have left behind, and what comes of
// moving: each is made from a session that is logged in on the old store.
var states = []struct {
	name string
	make func(w *stage)
}{
	{"old", func(*stage) {}},
	{"moved", func(w *stage) { w.client.on(w.during).use() }},
	{"moved and back", func(w *stage) { w.client.on(w.during).use(); w.client.on(w.back).get("") }},
	{"marked", func(w *stage) { w.crash(w.during, w.new) }},
	{"made, the old one left", func(w *stage) { w.crashAfter(w.during, w.old, 1) }},
	{"back, marked", func(w *stage) { w.client.on(w.during).use(); w.crash(w.back, w.old) }},
	{"back, both marked", func(w *stage) { w.crashAfter(w.during, w.old, 1); w.crash(w.back, w.old) }},
	{"taken over, marked", func(w *stage) { w.crash(w.during, w.new); w.crashAfter(w.back, w.old, 0) }},
}

// crash has a request on m fail at the first save in p.
func (w *stage) crash(m *core.Manager, p *probe) { w.crashAfter(m, p, 0) }

// crashAfter has a request on m fail at the save in p after the first n.
func (w *stage) crashAfter(m *core.Manager, p *probe, n int) {
	p.hook(func(op string, _ core.ID) error {
		if op != "save" {
			return nil
		}
		if n--; n >= 0 {
			return nil
		}
		return errDown
	})
	w.client.on(m).use()
	p.hook(nil)
}

// TestK1K2MigratingCrashed goes on after each state, with one act alone and
// with two that are interleaved at random.
func TestK1K2MigratingCrashed(t *testing.T) {
	for _, state := range states {
		t.Run(state.name, func(t *testing.T) {
			for _, direction := range []string{"forth", "back"} {
				for _, a := range acts {
					w := newStage(t, kept)
					state.make(w)
					w.actorOf(a, w.toward(direction)).finish()
					w.check()
					if t.Failed() {
						t.Fatalf("%s, %s", a.name, direction)
					}
				}
			}
			for seed := range uint64(300) {
				w := newStage(t, kept)
				state.make(w)
				w.atRandom(seed, 3)
			}
		})
	}
}

// TestK1K2MigratingAtRandom interleaves five acts at a time.
func TestK1K2MigratingAtRandom(t *testing.T) {
	for seed := range uint64(1000) {
		newStage(t, kept).atRandom(seed, 5)
	}
}

// atRandom runs n acts that random chooses, step by step as random chooses.
func (w *stage) atRandom(seed uint64, n int) {
	w.Helper()
	random := rand.New(rand.NewPCG(seed, 0))
	var actors []*actor
	var names []string
	directions := []string{"forth", "back"}
	for range n {
		a := acts[random.IntN(len(acts))]
		if a.ends && random.IntN(3) > 0 { // else hardly a session would live on
			a = acts[0]
		}
		if a.name == "revoke all" { // not promised while both directions run
			if len(actors) > 0 {
				continue
			}
			directions = directions[:1]
		}
		direction := directions[random.IntN(len(directions))]
		names = append(names, a.name+" "+direction)
		actors = append(actors, w.actorOf(a, w.toward(direction)))
	}
	interleaveAll(seed, actors)
	w.check()
	if w.Failed() {
		for i, a := range actors {
			w.Logf("%s: %q", names[i], a.trace)
		}
		w.Fatalf("seed %d", seed)
	}
}

// interleaveAll runs actors to their ends, step by step as random chooses.
func interleaveAll(seed uint64, actors []*actor) {
	random, actors := rand.New(rand.NewPCG(seed, 1)), slices.Clone(actors)
	for len(actors) > 0 {
		i := random.IntN(len(actors))
		if !actors[i].run(1) {
			actors = slices.Delete(actors, i, i+1)
		}
	}
}
