package storetest

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/satchel-go/satchel/core"
)

// RunLosing runs the cases of [core.Mender] on a store whose index really is lost:
// its key deleted, its rows gone. newStore returns an empty store and a function
// that loses the index of a user. [Run] takes the members out with Release.
func RunLosing(t *testing.T, newStore func(t *testing.T) (store core.Store, lose func(user string))) {
	t.Helper()
	for _, c := range menderCases {
		t.Run(c.name, func(t *testing.T) {
			store, lose := newStore(t)
			runCase(t, c, losing{store, lose}, realClock{})
		})
	}
}

// losing is a store with RunLosing's function.
type losing struct {
	core.Store
	lose func(user string)
}

func (s losing) Unwrap() core.Store { return s.Store }

// isMender reports whether store's index can be mended.
func isMender(store core.Store) bool {
	index, ok := ability[core.UserIndex](store)
	if ok {
		_, ok = index.(core.Mender)
	}
	return ok
}

var menderCases = []testCase{
	{
		"I2_mend_puts_back",
		"After the index was lost, Mend makes each session a member again, in the order of the calls: otherwise no revocation finds it.",
		func(h *harness) {
			ids := h.loggedIn("alice", 3)
			h.lose()
			h.wantList("alice", nil)
			for _, id := range ids {
				h.mend(id, time.Hour)
			}
			h.wantMarked(ids...)
			h.wantSame("sessions to end", h.reserve("alice", newID(), 3, core.EndOldest), ids[:1])
		},
	},
	{
		"I2_mend_leaves_members_alone",
		"Mend of a member changes neither its place nor the number of members, and puts it into no other user's list.",
		func(h *harness) {
			ids := h.loggedIn("alice", 3)
			h.mend(ids[0], 2*time.Hour)
			h.mend(ids[1], time.Minute)
			h.wantList("alice", ids)
			h.wantList("bob", nil)
			h.wantSame("sessions to end", h.reserve("alice", newID(), 4, core.RefuseLogin), nil)
		},
	},
	{
		"SEC17_mend_marks_the_index",
		"When Mend has put back a member, List says that others may be missing; otherwise a revocation that finds one reports success while the others live.",
		func(h *harness) {
			ids := h.loggedIn("alice", 3)
			h.loggedIn("bob", 1)
			h.lose()
			h.mend(ids[1], time.Hour)
			h.wantMarked(ids[1])
			newest := h.loggedIn("alice", 1)[0]
			h.wantMarked(ids[1], newest)
			h.mend(ids[0], time.Hour) // what the search found
			restore := h.wantMarked(ids[1], newest, ids[0])
			if got, err := h.index().List(h.Context(), "bob"); err != nil || len(got) != 1 {
				h.Errorf("List of another user: %v, %v", got, err)
			}
			restore()
			h.wantList("alice", []core.ID{ids[1], newest, ids[0]})
		},
	},
	{
		"SEC17_mark_outlives_the_member",
		"The mark stays when the sessions that were put back have ended, for the others are still missing.",
		func(h *harness) {
			ids := h.loggedIn("alice", 2)
			h.lose()
			h.mend(ids[0], time.Hour)
			h.remove(ids[0])
			h.release("alice", ids[0])
			h.wantMarked()()
			h.wantList("alice", nil)
		},
	},
	{
		"SEC17_search_leaves_a_later_mark",
		"A search that began before the index was lost again leaves the new mark: it may not have found who logged in meanwhile.",
		func(h *harness) {
			ids := h.loggedIn("alice", 2)
			h.lose()
			h.mend(ids[0], time.Hour)
			before := h.wantMarked(ids[0])
			h.lose()
			before() // at the latest now it is gone
			h.mend(ids[1], time.Hour)
			before()
			h.wantMarked(ids[1])
		},
	},
	{
		"SEC17_mend_confirms_no_reservation",
		"A reservation that Mend has met still lapses and still can be withdrawn: a login that was revoked stays undone.",
		func(h *harness) {
			id := newID()
			h.reserve("alice", id, 0, core.EndOldest)
			h.mend(id, time.Hour)
			h.release("alice", id)
			h.mend(id, time.Hour) // its entry is not there, so it does not come back
			h.save(id, h.entryFor("alice", "data", time.Hour), 0)
			h.wantErr("Confirm after a revocation", h.confirm("alice", id), core.ErrNotFound)
		},
	},
	{
		"SEC18_mend_brings_back_nothing_taken_out",
		"What a login has taken out of the index stays so when a request in flight touches it; otherwise there is one session too many.",
		func(h *harness) {
			ids, newest := h.loggedIn("alice", 2), newID()
			h.wantSame("sessions to end", h.reserve("alice", newest, 2, core.EndOldest), ids[:1])
			h.mend(ids[0], time.Hour)
			h.wantErr("Confirm of what was taken out", h.confirm("alice", ids[0]), core.ErrNotFound)
			h.remove(ids[0])
			h.mend(ids[0], time.Hour)
			h.save(newest, h.entryFor("alice", "data", time.Hour), 0)
			h.wantErr("Confirm", h.confirm("alice", newest), nil)
			h.wantList("alice", []core.ID{ids[1], newest})
			h.wantSame("sessions to end", h.reserve("alice", newest, 2, core.RefuseLogin), nil)
		},
	},
	{
		"I2_mend_keeps_a_member_for_longer",
		"A member lasts for the longest time that the index was told of, by Confirm or Mend; checked with stores whose clock can be moved.",
		func(h *harness) {
			if _, waits := h.clock.(realClock); waits {
				return
			}
			id, now := newID(), h.clock.Now()
			h.reserve("alice", id, 0, core.EndOldest)
			v := h.save(id, h.entryFor("alice", "data", time.Hour), 0)
			h.wantErr("Confirm", h.index().Confirm(h.Context(), "alice", id, now.Add(time.Hour)), nil)
			h.wantErr("Touch", h.store.Touch(h.Context(), id, v, now.Add(3*time.Hour)), nil)
			h.mend(id, 3*time.Hour)
			h.mend(id, time.Minute)
			h.clock.Advance(3*time.Hour - time.Second)
			h.wantList("alice", []core.ID{id})
			h.wantSame("sessions to end", h.reserve("alice", newID(), 1, core.EndOldest), []core.ID{id})
		},
	},
	{
		"I2_touch_and_mend",
		"TouchAndMend does what Touch does, and puts the session back into the index unless it is gone.",
		func(h *harness) {
			store, ok := h.store.(core.TouchMender)
			if s, is := h.store.(losing); is {
				store, ok = s.Store.(core.TouchMender)
			}
			if !ok {
				return
			}
			id, later := h.loggedIn("alice", 1)[0], h.clock.Now().Add(3*time.Hour)
			v := h.load(id).Version
			h.lose()
			h.wantErr("TouchAndMend", store.TouchAndMend(h.Context(), "alice", id, v, later), nil)
			h.wantMarked(id)()
			if got := h.load(id).Expires; got.Sub(later).Abs() > time.Millisecond {
				h.Errorf("expiry after TouchAndMend is %v, want %v", got, later)
			}
			h.save(id, h.entryFor("alice", "more", time.Hour), v)
			h.wantErr("TouchAndMend at a stale base", store.TouchAndMend(h.Context(), "alice", id, v, later.Add(time.Hour)), nil)
			if got := h.load(id).Expires; got.After(later) {
				h.Errorf("TouchAndMend at a stale base has moved the expiry to %v", got)
			}
			h.remove(id)
			h.release("alice", id)
			h.wantErr("TouchAndMend of what is gone", store.TouchAndMend(h.Context(), "alice", id, v, later), core.ErrNotFound)
			h.wantList("alice", nil)
			h.wantSame("sessions to end", h.reserve("alice", newID(), 1, core.RefuseLogin), nil)
		},
	},
	{
		"I2_search_finds_what_the_index_lost",
		"Search names every session of the users, and no other's: what it misses survives a revocation.",
		func(h *harness) {
			alice, bob := h.loggedIn("alice", 30), h.loggedIn("bob", 2)
			for range 30 {
				h.save(newID(), h.entry("anonymous"), 0)
			}
			h.loggedIn("alic", 1)
			h.loggedIn("alice2", 1)
			h.lose()
			h.wantSame("sessions of alice", h.search("alice"), alice)
			h.wantSame("sessions of both", h.search("alice", "bob"), append(bob, alice...))
			h.remove(alice[0])
			h.wantSame("sessions of alice", h.search("alice"), alice[1:])
			h.wantSame("sessions of nobody", h.search("carol"), nil)
		},
	},
	{
		"I2_search_that_does_not_finish_is_an_error",
		"A search whose time is over returns an error: an empty answer would say that all sessions have ended.",
		func(h *harness) {
			h.loggedIn("alice", 3)
			ctx, cancel := context.WithCancel(h.Context())
			cancel()
			if ids, err := h.mender().Search(ctx, "alice"); err == nil || errors.Is(err, core.ErrNotFound) {
				h.Errorf("Search: %v, %v; want an error", ids, err)
			}
		},
	},
}

func (h *harness) mender() core.Mender { return h.index().(core.Mender) }

// mend says that id, a session of alice, expires after d.
func (h *harness) mend(id core.ID, d time.Duration) {
	h.Helper()
	h.wantErr("Mend", h.mender().Mend(h.Context(), "alice", id, h.clock.Now().Add(d)), nil)
}

func (h *harness) search(users ...string) []core.ID {
	h.Helper()
	ids, err := h.mender().Search(h.Context(), users...)
	h.wantErr("Search", err, nil)
	slices.SortFunc(ids, func(a, b core.ID) int { return slices.Compare(a[:], b[:]) })
	return slices.Compact(ids)
}

// wantMarked checks that alice's index is marked, and has the members want. The result
// takes the mark away.
func (h *harness) wantMarked(want ...core.ID) (restore func()) {
	h.Helper()
	got, err := h.index().List(h.Context(), "alice")
	var lost *core.IncompleteError
	if !errors.As(err, &lost) {
		h.Errorf("List of an incomplete index: %v, %v; want a core.IncompleteError", got, err)
	}
	h.wantMembers("alice", got, want)
	return func() {
		h.Helper()
		if lost != nil {
			h.wantErr("Restored", lost.Restored(h.Context()), nil)
		}
	}
}

// lose makes the index lose alice's members.
func (h *harness) lose() {
	h.Helper()
	if s, ok := h.store.(losing); ok {
		s.lose("alice")
		return
	}
	ids, err := h.index().List(h.Context(), "alice")
	if lost := (*core.IncompleteError)(nil); errors.As(err, &lost) {
		err = lost.Restored(h.Context())
	}
	h.wantErr("List", err, nil)
	for _, id := range ids {
		h.release("alice", id)
	}
}
