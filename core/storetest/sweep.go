package storetest

import (
	"errors"
	"sync/atomic"
	"time"

	"github.com/satchel-go/satchel/core"
)

var sweeperCases = []testCase{
	{
		"SEC70_sweep_removes_only_the_expired",
		"Sweep removes the expired, says how many there were, and leaves the rest.",
		func(h *harness) {
			var dead []core.ID
			var expires time.Time
			live := newIDs(10)
			for _, id := range live {
				h.save(id, h.entryFor("alice", "data", time.Hour), 0)
			}
			for range 5 {
				id, at, _ := h.expiring("data")
				dead, expires = append(dead, id), at
			}
			h.waitUntil(expires)
			// In real time, a sweeper in the background may have been quicker.
			_, waits := h.clock.(realClock)
			if n := h.sweep(); n > len(dead) || n < len(dead) && !waits {
				h.Errorf("Sweep removed %d, want %d", n, len(dead))
			}
			if n := h.sweep(); n != 0 {
				h.Errorf("Sweep right after a sweep removed %d, want 0", n)
			}
			for _, id := range live {
				h.wantData(id, "data")
			}
			for _, id := range dead {
				h.wantGone(id)
			}
		},
	},
	{
		"SEC70_sweep_spares_the_live",
		"Sweeps that run while sessions are touched at the last moment leave every session whose touch succeeded.",
		sweepRacesTouch,
	},
	{
		"SEC70_sweep_spares_the_reborn",
		"Sweeps that run while expired entries are created anew, under the same IDs, leave the new ones.",
		sweepRacesCreate,
	},
}

// sweep sweeps once.
func (h *harness) sweep() int {
	h.Helper()
	sweeper, ok := ability[core.Sweeper](h.store)
	if !ok {
		h.Errorf("the store has no core.Sweeper")
		return 0
	}
	n, err := sweeper.Sweep(h.Context())
	if err != nil {
		h.Errorf("Sweep: %v", err)
	}
	return n
}

// sweepRacesTouch touches entries around the moment at which they expire.
func sweepRacesTouch(h *harness) {
	const entries, rounds = 64, 32
	type touched struct {
		id      core.ID
		version core.Version
		kept    bool
	}
	all := make([]touched, entries)
	start := h.clock.Now()
	for i := range all {
		// Expiries are spread over the time in which the touches run.
		e := h.entry("data")
		e.Expires = start.Add(h.short + time.Duration(i)*h.short/entries)
		all[i].id = newID()
		all[i].version = h.save(all[i].id, e, 0)
	}
	var over atomic.Bool
	together(3, func(i int) {
		switch i {
		case 0: // time passes, until all expiries are over
			defer over.Store(true)
			for range rounds {
				h.clock.Advance(2 * h.short / rounds)
			}
		case 1:
			for !over.Load() {
				h.sweep()
				pause()
			}
		case 2:
			for i := range all {
				// Each as late as possible: a little before its expiry, or just after.
				for h.clock.Now().Before(start.Add(h.short+time.Duration(i)*h.short/entries-h.short/rounds)) && !over.Load() {
					pause()
				}
				err := h.store.Touch(h.Context(), all[i].id, all[i].version, start.Add(time.Hour))
				if err != nil && !errors.Is(err, core.ErrNotFound) {
					h.Errorf("Touch: %v", err)
				}
				all[i].kept = err == nil
			}
		}
	})
	for _, entry := range all {
		if exists := h.exists(entry.id); exists != entry.kept {
			h.Errorf("touch succeeded: %t; entry is there after the sweeps: %t", entry.kept, exists)
		}
	}
}

// sweepRacesCreate saves at base zero over entries that have just expired.
func sweepRacesCreate(h *harness) {
	ids := newIDs(64)
	var last time.Time
	for _, id := range ids {
		e := h.entryFor("", "old", h.short)
		h.save(id, e, 0)
		last = e.Expires
	}
	h.waitUntil(last)
	var over atomic.Bool
	together(2, func(i int) {
		if i == 0 {
			for !over.Load() {
				h.sweep()
				pause()
			}
			return
		}
		defer over.Store(true)
		for _, id := range ids {
			if _, err := h.store.Save(h.Context(), id, h.entry("new"), 0); err != nil {
				h.Errorf("Save over an expired entry: %v", err)
			}
			pause()
		}
	})
	for _, id := range ids {
		h.wantData(id, "new")
	}
}
