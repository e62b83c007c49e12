package storetest

import (
	"context"
	"errors"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/satchel-go/satchel/core"
)

// RunInvalidator checks a [core.Invalidator]: that every change is told, and that it never
// says to have told what it has not. newPair returns two stores on the same, empty data, as
// for [RunShared]. What is done through the first one, or through the second, the second
// reports.
//
// foreign are changes past the store, by name, such as with a command of the database's
// own. Each changes the entry of id, or all, and returns when that is done.
func RunInvalidator(t *testing.T, newPair func(t *testing.T) (a, b core.Store), foreign map[string]func(t *testing.T, store core.Store, id core.ID)) {
	t.Helper()
	for _, c := range invalidatorCases {
		t.Run(c.name, func(t *testing.T) {
			a, b := newPair(t)
			runCaseOn(t, c, a, b, realClock{})
		})
	}
	for _, name := range slices.Sorted(maps.Keys(foreign)) {
		c := testCase{"foreign_" + name, "A change past the store is told too, for copies of what was there must go.", func(h *harness) {
			id := newID()
			h.save(id, h.entry("data"), 0)
			w := h.invalidations()
			w.mayEnd = true
			defer w.stop()
			from := len(w.all())
			foreign[name](t, h.store, id)
			w.wantSince(from, id)
		}}
		t.Run(c.name, func(t *testing.T) {
			a, b := newPair(t)
			runCaseOn(t, c, a, b, realClock{})
		})
	}
}

var invalidatorCases = []testCase{
	{
		"it_says_when_it_listens",
		"The zero ID comes first: what was read before may have changed since.",
		func(h *harness) {
			w := h.invalidations()
			defer w.stop()
			if first := w.all()[0]; !first.IsZero() {
				h.Errorf("the first report is of %v, want the zero ID", first)
			}
			if w.early {
				h.Errorf("alive was called before the zero ID was reported")
			}
		},
	},
	{
		"L4_every_change_is_told",
		"A copy of an entry must go with each change, whoever makes it.",
		func(h *harness) {
			w := h.invalidations()
			defer w.stop()
			for _, store := range []core.Store{h.store, h.other} {
				by := *h
				by.store = store
				id := newID()
				var v core.Version
				told := func(what string, change func()) {
					from := len(w.all())
					change()
					w.until(what+" is reported", func(all []core.ID) bool {
						return slices.Contains(all[from:], id) || slices.Contains(all[from:], core.ID{})
					})
				}
				told("a new entry", func() { v = by.save(id, h.entryFor("alice", "data", time.Hour), 0) })
				told("a save", func() { v = by.save(id, h.entryFor("alice", "more", time.Hour), v) })
				told("a touch", func() { by.wantErr("Touch", store.Touch(h.Context(), id, v, h.clock.Now().Add(2*time.Hour)), nil) })
				if both, ok := store.(core.TouchMender); ok {
					told("a touch that mends", func() {
						by.wantErr("TouchAndMend", both.TouchAndMend(h.Context(), "alice", id, v, h.clock.Now().Add(3*time.Hour)), nil)
					})
				}
				told("a delete", func() { by.remove(id) })
			}
		},
	},
	{
		"I2_delete_all_is_told",
		"A copy of an entry must go with all others.",
		func(h *harness) {
			if !has[core.AllDeleter](h.store) {
				return
			}
			ids := newIDs(3)
			for _, id := range ids {
				h.save(id, h.entryFor("alice", "data", time.Hour), 0)
			}
			w := h.invalidations()
			defer w.stop()
			from := len(w.all())
			h.deleteAll()
			w.wantSince(from, ids...)
		},
	},
	{
		"I1_a_login_that_ends_another_is_told",
		"A session that made room for a newer login has ended, whether Reserve or the caller deletes it.",
		func(h *harness) {
			if !has[core.UserIndex](h.store) {
				return
			}
			old := h.loggedIn("alice", 1)[0]
			w := h.invalidations()
			defer w.stop()
			from := len(w.all())
			h.wantErr("login beyond the limit", h.login(h.Context(), "alice", newID(), 1), nil)
			w.wantSince(from, old)
		},
	},
	{
		"L4_alive_is_never_ahead",
		"Copies are served for a while after what alive says: a change from before that is still untold would be seen late, without a bound.",
		func(h *harness) {
			w := h.invalidations()
			defer w.stop()
			until := time.Now().Add(time.Second / 2)
			together(4, func(int) {
				for time.Now().Before(until) {
					id := newID()
					if _, err := h.store.Save(h.Context(), id, h.entry("data"), 0); err != nil {
						h.Errorf("Save: %v", err)
						return
					}
					w.saved(id, time.Now())
					time.Sleep(time.Millisecond / 4) // reports of a store in memory must come through
				}
			})
			w.aliveSince(time.Now())
			if w.ahead > 0 {
				h.Errorf("%d times, alive spoke of a time before which changes were made that were not told", w.ahead)
			}
		},
	},
	{
		"alive_keeps_pace",
		"Copies are worth nothing if the store rarely says that it has told everything.",
		func(h *harness) {
			w := h.invalidations()
			defer w.stop()
			for range 3 {
				w.aliveSince(time.Now())
			}
		},
	},
	{
		"it_ends_with_its_context",
		"Invalidations returns soon after its context is done, and reports nothing afterwards; otherwise goroutines and connections leak.",
		func(h *harness) {
			w := h.invalidations()
			w.stop()
			told := len(w.all())
			id := newID()
			h.save(id, h.entry("data"), 0)
			second := h.invalidations()
			defer second.stop()
			h.remove(id)
			second.want(id)
			if now := len(w.all()); now != told {
				h.Errorf("changes were reported after Invalidations had returned")
			}
		},
	},
}

// hearer is a running Invalidations.
type hearer struct {
	*listener

	// guarded by listener.mu
	early   bool                  // alive was called first
	last    time.Time             // what alive has said last
	pending map[core.ID]time.Time // saved, and not told
	known   map[core.ID]struct{}  // told
	ahead   int
	pulse   chan struct{}
}

// hearingInterval is what the suite asks for.
const hearingInterval = 25 * time.Millisecond

// invalidations listens through the other store, and returns once that has said so.
func (h *harness) invalidations() *hearer {
	h.Helper()
	reports, ok := ability[core.Invalidator](h.other)
	if !ok {
		h.Fatalf("the store has no core.Invalidator")
	}
	ctx, cancel := context.WithCancel(h.Context())
	w := &hearer{
		listener: &listener{h: h, cancel: cancel, done: make(chan struct{}), more: make(chan struct{}, 1)},
		pending:  map[core.ID]time.Time{}, known: map[core.ID]struct{}{}, pulse: make(chan struct{}, 1),
	}
	go func() {
		defer close(w.done)
		err := reports.Invalidations(ctx, hearingInterval, w.changed, w.alive)
		w.mu.Lock()
		defer w.mu.Unlock()
		w.err = err
		if err != nil && ctx.Err() == nil {
			w.told = append(w.told, core.ID{}) // it may have missed anything
		}
	}()
	w.until("it listens (Invalidations has not reported the zero ID)", func(told []core.ID) bool { return len(told) > 0 })
	w.aliveSince(time.Now().Add(-patience))
	return w
}

func (w *hearer) changed(id core.ID) {
	w.mu.Lock()
	delete(w.pending, id)
	w.known[id] = struct{}{}
	if id.IsZero() {
		clear(w.pending)
	}
	w.mu.Unlock()
	w.tell(id)
}

// saved notes that somebody was told that id is saved.
func (w *hearer) saved(id core.ID, at time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if _, ok := w.known[id]; !ok {
		w.pending[id] = at
	}
}

func (w *hearer) alive(t time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.early = w.early || len(w.told) == 0
	w.last = t
	for _, at := range w.pending {
		if at.Before(t) {
			w.ahead++
		}
	}
	if t.After(time.Now()) {
		w.ahead++
	}
	select {
	case w.pulse <- struct{}{}:
	default:
	}
}

// aliveSince waits until everything from before t is said to be told.
func (w *hearer) aliveSince(t time.Time) {
	w.h.Helper()
	deadline := time.After(patience)
	for {
		w.mu.Lock()
		last, err := w.last, w.err
		w.mu.Unlock()
		if last.After(t) {
			return
		}
		select {
		case <-w.pulse:
		case <-w.done:
			w.h.Fatalf("Invalidations has returned: %v", errors.Join(err))
		case <-deadline:
			w.cancel()
			w.h.Fatalf("waited %v for alive to speak of a time", patience)
		}
	}
}

// wantSince is that of a listener; an Invalidations that has ended has told everything.
func (w *hearer) wantSince(from int, ids ...core.ID) {
	w.h.Helper()
	enough := func(told []core.ID) bool {
		told = told[from:]
		return slices.Contains(told, core.ID{}) ||
			!slices.ContainsFunc(ids, func(id core.ID) bool { return !slices.Contains(told, id) })
	}
	deadline := time.After(patience)
	for !enough(w.all()) {
		select {
		case <-w.more:
		case <-w.done:
			if !enough(w.all()) {
				w.h.Fatalf("Invalidations has returned without an error before every change was reported")
			}
			return
		case <-deadline:
			w.cancel()
			w.h.Fatalf("waited %v until every change is reported", patience)
		}
	}
}

// stop ends it and checks that it returns.
func (w *hearer) stop() {
	w.h.Helper()
	select {
	case <-w.done: // with an error, as it may
		w.cancel()
	default:
		w.listener.stop()
	}
}
