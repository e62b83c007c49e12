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
		"Sweep removes expired entries, returns how many there were, and leaves the rest.",
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
			// In real time, a background sweeper may have been faster.
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
		"Sweeps that run while expired entries are created anew under the same IDs leave the new ones.",
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

// whileSweeping runs f while another goroutine sweeps continuously.
func (h *harness) whileSweeping(f func()) {
	var over atomic.Bool
	together(2, func(role int) {
		if role == 1 {
			defer over.Store(true)
			f()
			return
		}
		for !over.Load() {
			h.sweep()
			pause()
		}
	})
}

// sweepRacesTouch touches entries one after the other, each a little before it
// expires, while another goroutine sweeps continuously.
func sweepRacesTouch(h *harness) {
	const entries = 64
	step := h.short / entries
	start := h.clock.Now()
	expiry := func(i int) time.Time { return start.Add(h.short + time.Duration(i)*step) }
	ids, versions, kept := newIDs(entries), make([]core.Version, entries), make([]bool, entries)
	for i, id := range ids {
		e := h.entry("data")
		e.Expires = expiry(i)
		versions[i] = h.save(id, e, 0)
	}
	h.whileSweeping(func() {
		for i, id := range ids {
			if wait := expiry(i).Sub(h.clock.Now()) - step/2; wait > 0 {
				h.clock.Advance(wait)
			}
			err := h.store.Touch(h.Context(), id, versions[i], start.Add(time.Hour))
			late := !h.clock.Now().Before(expiry(i)) // happens in real time
			if err != nil && (!late || !errors.Is(err, core.ErrNotFound)) {
				h.Errorf("Touch of an entry that has not expired: %v", err)
			}
			kept[i] = err == nil
		}
	})
	h.waitUntil(expiry(entries))
	h.sweep()
	for i, id := range ids {
		if exists := h.exists(id); exists != kept[i] {
			h.Errorf("touch of entry %d succeeded: %t; it is there after the sweeps: %t", i, kept[i], exists)
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
	h.whileSweeping(func() {
		for _, id := range ids {
			if _, err := h.store.Save(h.Context(), id, h.entry("new"), 0); err != nil {
				h.Errorf("Save over an expired entry: %v", err)
			}
			pause()
		}
	})
	h.sweep() // at least once after the last Save
	for _, id := range ids {
		h.wantData(id, "new")
	}
}
