package storetest

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/satchel-go/satchel/core"
)

// RunShared checks what shows only when processes share a store. It calls newPair
// once per case. newPair returns two stores on the same, empty data, each with
// its own connections, as two processes would open them.
//
//	func TestShared(t *testing.T) {
//		storetest.RunShared(t, func(t *testing.T) (a, b core.Store) {
//			prefix := newPrefix(t)
//			return open(t, prefix), open(t, prefix)
//		})
//	}
//
// Call it beside [Run] if the store is a [core.Watcher].
func RunShared(t *testing.T, newPair func(t *testing.T) (a, b core.Store)) {
	t.Helper()
	for _, g := range sharedGroups() {
		t.Run(g.name, func(t *testing.T) {
			if g.needs != nil {
				_, b := newPair(t)
				if !g.needs(b) {
					t.Skipf("not declared: %s", g.ability)
				}
			}
			for _, c := range g.cases {
				t.Run(c.name, func(t *testing.T) {
					a, b := newPair(t)
					runCaseOn(t, c, a, b, realClock{})
				})
			}
		})
	}
}

// sharedGroups returns the cases of RunShared.
func sharedGroups() []group {
	return []group{
		{name: "shared", cases: sharedCases},
		{"Watcher", "core.Watcher", has[core.Watcher], watcherCases},
		{"PulseWatcher", "core.PulseWatcher", has[core.PulseWatcher], pulseCases},
	}
}

var sharedCases = []testCase{
	{
		"what_one_saves_the_other_loads",
		"Two stores on the same data act as one: a user's next request may reach any process.",
		func(h *harness) {
			id := newID()
			v := h.save(id, h.entry("data"), 0)
			e, err := h.other.Load(h.Context(), id)
			if err != nil || string(e.Data) != "data" || e.Version != v {
				h.Errorf("Load through the other store: %q, version %d (saved as %d), error %v", e.Data, e.Version, v, err)
			}
			h.remove(id)
			_, err = h.other.Load(h.Context(), id)
			h.wantErr("Load through the other store after Delete", err, core.ErrNotFound)
		},
	},
}

var watcherCases = []testCase{
	{
		"watch_says_when_it_listens",
		"As soon as it listens, Watch reports the zero ID: the waiting caller then looks once more and misses nothing that ended before.",
		func(h *harness) {
			w := h.watch()
			defer w.stop()
			if first := w.all()[0]; !first.IsZero() {
				h.Errorf("Watch reported %v first, want the zero ID", first)
			}
		},
	},
	{
		"I2_a_delete_is_told",
		"Watch reports the ID of every deleted entry, whoever deletes it: a stream must end with its session.",
		func(h *harness) {
			w := h.watch()
			defer w.stop()
			ids := newIDs(20)
			for _, id := range ids {
				h.save(id, h.entryFor("alice", "data", time.Hour), 0)
			}
			for _, id := range ids {
				h.remove(id)
			}
			w.want(ids...)
		},
	},
	{
		"I2_every_watcher_is_told",
		"Several watchers may run at the same time, through one store or several; each is told of every end.",
		func(h *harness) {
			here, there, again := h.watchOn(h.store), h.watch(), h.watch()
			defer here.stop()
			defer there.stop()
			id := newID()
			h.save(id, h.entry("data"), 0)
			again.stop() // a watcher that leaves does not affect the others
			h.remove(id)
			here.want(id)
			there.want(id)
		},
	},
	{
		"I2_delete_all_is_told",
		"Watch reports a DeleteAll by each ID, or by the zero ID.",
		func(h *harness) {
			if !has[core.AllDeleter](h.store) {
				return
			}
			w := h.watch()
			defer w.stop()
			ids := newIDs(3)
			for _, id := range ids {
				h.save(id, h.entryFor("alice", "data", time.Hour), 0)
			}
			from := len(w.all())
			h.deleteAll()
			w.wantSince(from, ids...)
		},
	},
	{
		"I1_a_login_that_ends_another_is_told",
		"Watch reports a session that made room for a newer login, whether Reserve or the caller deletes it.",
		func(h *harness) {
			if !has[core.UserIndex](h.store) {
				return
			}
			w := h.watch()
			defer w.stop()
			old := h.loggedIn("alice", 1)[0]
			h.wantErr("login beyond the limit", h.login(h.Context(), "alice", newID(), 1), nil)
			w.want(old)
		},
	},
	{
		"what_lives_is_not_told",
		"Watch reports no saves or touches: each false alarm costs every watcher a look.",
		func(h *harness) {
			w := h.watch()
			defer w.stop()
			lives, ends := newID(), newID()
			v := h.save(lives, h.entry("data"), 0)
			v = h.save(lives, h.entry("more"), v)
			h.wantErr("Touch", h.store.Touch(h.Context(), lives, v, h.clock.Now().Add(2*time.Hour)), nil)
			h.save(ends, h.entry("data"), 0)
			h.remove(ends)
			w.want(ends) // this report comes after any wrong one
			if slices.Contains(w.all(), lives) {
				h.Errorf("Watch reported a session that lives")
			}
		},
	},
	{
		"watch_ends_with_its_context",
		"Watch returns soon after its context is done, and reports nothing afterwards; otherwise goroutines and connections leak.",
		func(h *harness) {
			w := h.watch()
			w.stop()
			told := len(w.all())
			id := newID()
			h.save(id, h.entry("data"), 0)
			second := h.watch()
			defer second.stop()
			h.remove(id)
			second.want(id)
			if now := len(w.all()); now != told {
				h.Errorf("Watch called ended after it had returned")
			}
		},
	},
}

var pulseCases = []testCase{
	{
		"I2_a_watch_that_hears_says_so",
		"WatchPulse calls alive at least every five seconds while it hears; otherwise every open socket asks the store.",
		func(h *harness) {
			watcher, _ := ability[core.PulseWatcher](h.other)
			ctx, cancel := context.WithCancel(h.Context())
			defer cancel()
			pulses, done := make(chan struct{}, 1), make(chan struct{})
			go func() {
				defer close(done)
				_ = watcher.WatchPulse(ctx, func(core.ID) {}, func() {
					select {
					case pulses <- struct{}{}:
					default:
					}
				})
			}()
			for range 2 {
				select {
				case <-pulses:
				case <-done:
					h.Fatalf("WatchPulse has returned")
				case <-time.After(patience):
					h.Fatalf("WatchPulse does not call alive")
				}
			}
			cancel()
			<-done
		},
	},
}

// patience is how long a Watch may take to listen, report or return: far more than
// it should need, for machines that stall. The suite's own tests change it.
var patience = 10 * time.Second

// listener is a running Watch.
type listener struct {
	mayEnd bool // before it is stopped, with an error: it has become deaf, and has said so
	h      *harness
	cancel context.CancelFunc
	done   chan struct{} // closed when Watch has returned
	more   chan struct{} // signals that told has grown

	mu   sync.Mutex
	told []core.ID
	err  error // Watch's error, once done is closed
}

// watch starts to watch through the other store.
func (h *harness) watch() *listener {
	h.Helper()
	return h.watchOn(h.other)
}

// watchOn starts to watch through store, and returns once that listens.
func (h *harness) watchOn(store core.Store) *listener {
	h.Helper()
	watcher, ok := ability[core.Watcher](store)
	if !ok {
		h.Fatalf("the store has no core.Watcher")
	}
	ctx, cancel := context.WithCancel(h.Context())
	w := &listener{h: h, cancel: cancel, done: make(chan struct{}), more: make(chan struct{}, 1)}
	go func() {
		defer close(w.done)
		err := watcher.Watch(ctx, w.tell)
		w.mu.Lock()
		defer w.mu.Unlock()
		w.err = err
	}()
	w.until("it listens (Watch has not reported the zero ID)", func(told []core.ID) bool { return len(told) > 0 })
	return w
}

func (w *listener) tell(id core.ID) {
	w.mu.Lock()
	w.told = append(w.told, id)
	w.mu.Unlock()
	select {
	case w.more <- struct{}{}:
	default:
	}
}

// all returns what has been reported so far.
func (w *listener) all() []core.ID {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.told)
}

// until waits until enough holds for what has been reported.
func (w *listener) until(what string, enough func([]core.ID) bool) {
	w.h.Helper()
	deadline := time.After(patience)
	for !enough(w.all()) {
		select {
		case <-w.more:
		case <-w.done:
			w.h.Fatalf("Watch returned before %s: %v", what, w.err)
		case <-deadline:
			w.cancel()
			w.h.Fatalf("waited %v until %s", patience, what)
		}
	}
}

// want waits until each of ids has been reported by name.
func (w *listener) want(ids ...core.ID) {
	w.h.Helper()
	w.until("every end is reported", func(told []core.ID) bool {
		return !slices.ContainsFunc(ids, func(id core.ID) bool { return !slices.Contains(told, id) })
	})
}

// wantSince waits until, from the given place on, ids have been reported by name
// or all at once.
func (w *listener) wantSince(from int, ids ...core.ID) {
	w.h.Helper()
	w.until("every end is reported, or all at once", func(told []core.ID) bool {
		told = told[from:]
		return slices.Contains(told, core.ID{}) ||
			!slices.ContainsFunc(ids, func(id core.ID) bool { return !slices.Contains(told, id) })
	})
}

// stop ends the Watch and checks that it returns.
func (w *listener) stop() {
	w.h.Helper()
	w.cancel()
	select {
	case <-w.done:
	case <-time.After(patience):
		w.h.Errorf("Watch has not returned %v after its context was done", patience)
		return
	}
	if w.err != nil && !w.mayEnd && !errors.Is(w.err, context.Canceled) {
		w.h.Errorf("Watch, when its context was done, returned %v", w.err)
	}
}
