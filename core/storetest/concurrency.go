package storetest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/satchel-go/satchel/core"
)

var concurrencyCases = []testCase{
	{
		"K1_no_lost_update",
		"32 goroutines that load, add one and save, retrying on conflict, lose no count: checking the base and storing are one atomic step.",
		noLostUpdate,
	},
	{
		"SEC69_one_creator_wins",
		"Of concurrent saves at base zero with the same ID exactly one succeeds; the others get ErrConflict.",
		oneCreatorWins,
	},
	{
		"K2_logout_wins",
		"Once Delete has returned, no save or touch that was in flight brings the entry back.",
		logoutWins,
	},
	{
		"K2_touch_never_brings_back",
		"A touch that overlaps a Delete does not keep or re-create the entry, not even an empty one.",
		touchNeverBringsBack,
	},
	{
		"SEC62_many_entries_at_once",
		"Goroutines that use different entries do not affect each other.",
		manyEntries,
	},
}

// pause lets other goroutines run.
func pause() { runtime.Gosched() }

// dawdle lets others run for a moment of random length, so that the steps of
// goroutines interleave in many ways, even on one processor.
func dawdle() { time.Sleep(rand.N(2 * time.Millisecond)) } //nolint:gosec // no secret

func noLostUpdate(h *harness) {
	const goroutines, steps = 32, 8
	id := newID()
	h.save(id, h.entry("0"), 0)
	together(goroutines, func(int) {
		for range steps {
			err := h.update(h.Context(), id, func(data []byte) []byte {
				n, _ := strconv.Atoi(string(data))
				return []byte(strconv.Itoa(n + 1))
			})
			if err != nil {
				h.Errorf("update: %v", err)
				return
			}
		}
	})
	h.wantData(id, strconv.Itoa(goroutines*steps))
}

func oneCreatorWins(h *harness) {
	for range 20 {
		id := newID()
		var winners atomic.Int32
		var winner atomic.Value
		together(16, func(i int) {
			data := fmt.Sprintf("by %d", i)
			_, err := h.store.Save(h.Context(), id, h.entry(data), 0)
			switch {
			case err == nil:
				winners.Add(1)
				winner.Store(data)
			case !errors.Is(err, core.ErrConflict):
				h.Errorf("Save at base zero: %v, want nil or ErrConflict", err)
			}
		})
		if n := winners.Load(); n != 1 {
			h.Fatalf("%d of 16 creators won, want 1", n)
		}
		h.wantData(id, winner.Load().(string))
	}
}

func logoutWins(h *harness) {
	for range 20 {
		id := newID()
		h.save(id, h.entryFor("alice", "x", time.Hour), 0)
		together(5, func(i int) {
			if i == 0 {
				pause()
				if err := h.store.Delete(h.Context(), id); err != nil {
					h.Errorf("Delete: %v", err)
				}
				if h.exists(id) {
					h.Errorf("the entry is there right after Delete returned")
				}
				return
			}
			var err error
			for range 200 { // saving until the store says that the entry is gone
				err = h.update(h.Context(), id, func(data []byte) []byte { return data })
				if err != nil {
					break
				}
			}
			if err != nil && !errors.Is(err, core.ErrNotFound) {
				h.Errorf("update: %v, want ErrNotFound once the entry is deleted", err)
			}
		})
		h.wantGone(id)
	}
}

func touchNeverBringsBack(h *harness) {
	for range 20 {
		id := newID()
		v := h.save(id, h.entry("x"), 0)
		together(5, func(i int) {
			if i == 0 {
				pause()
				if err := h.store.Delete(h.Context(), id); err != nil {
					h.Errorf("Delete: %v", err)
				}
				return
			}
			for range 50 {
				pause()
				err := h.store.Touch(h.Context(), id, v, h.clock.Now().Add(time.Hour))
				if err != nil && !errors.Is(err, core.ErrNotFound) {
					h.Errorf("Touch: %v", err)
				}
			}
		})
		h.wantGone(id)
		h.save(id, h.entry("new"), 0)
		h.wantData(id, "new")
	}
}

func manyEntries(h *harness) {
	together(32, func(i int) {
		id, ctx := newID(), h.Context()
		data := []byte(fmt.Sprintf("entry %d", i))
		e := core.Entry{Data: data, Expires: h.clock.Now().Add(time.Hour)}
		var v core.Version
		for range 10 {
			var err error
			if v, err = h.store.Save(ctx, id, e, v); err != nil {
				h.Errorf("Save: %v", err)
				return
			}
			if err = h.store.Touch(ctx, id, v, e.Expires.Add(time.Hour)); err != nil {
				h.Errorf("Touch: %v", err)
			}
			if got, err := h.store.Load(ctx, id); err != nil || string(got.Data) != string(data) {
				h.Errorf("Load: %q, %v; want %q", got.Data, err, data)
			}
		}
		if err := h.store.Delete(ctx, id); err != nil {
			h.Errorf("Delete: %v", err)
		}
	})
}
