package storetest

import (
	"time"

	"github.com/satchel-go/satchel/core"
)

var counterCases = []testCase{
	{
		"I2_counts_the_living",
		"Count returns how many entries live, anonymous ones included, and none that has expired, removed or not: an operator and a graph must see what users have.",
		func(h *harness) {
			h.wantCount(0)
			ids := newIDs(7)
			for i, id := range ids {
				h.save(id, h.entryFor([]string{"", "alice", "bob"}[i%3], "data", time.Hour), 0)
			}
			h.expiring("data")
			h.beforeExpiry(func(short time.Duration) (time.Time, error) { // it lives on
				id, e := newID(), h.entry("data")
				e.Expires = h.clock.Now().Add(short)
				return e.Expires, h.store.Touch(h.Context(), id, h.save(id, e, 0), h.clock.Now().Add(2*time.Hour))
			})
			shortened := newID()
			v := h.save(shortened, h.entryFor("alice", "data", time.Hour), 0)
			soon := h.clock.Now().Add(h.short)
			h.wantErr("Touch", h.store.Touch(h.Context(), shortened, v, soon), nil)
			h.waitUntil(soon)
			h.wantCount(8)
			h.remove(ids[0])
			h.remove(ids[1])
			h.wantCount(6)
			if has[core.AllDeleter](h.store) {
				h.deleteAll()
				h.wantCount(0)
			}
		},
	},
}

// wantCount checks how many entries the store counts.
func (h *harness) wantCount(want int) {
	h.Helper()
	counter, ok := ability[core.Counter](h.store)
	if !ok {
		h.Errorf("the store has no core.Counter")
		return
	}
	if n, err := counter.Count(h.Context()); err != nil || n != want {
		h.Errorf("Count returned %d, error %v; want %d", n, err, want)
	}
}
