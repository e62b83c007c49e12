package storetest

import (
	"time"

	"github.com/satchel-go/satchel/core"
)

var versionCases = []testCase{
	{
		"SEC69_create_only_if_absent",
		"Base zero means that the entry must not exist: a random source that repeats must not give one client another's session.",
		func(h *harness) {
			id := newID()
			v := h.save(id, h.entryFor("alice", "hers", time.Hour), 0)
			_, err := h.store.Save(h.Context(), id, h.entry("mine"), 0)
			h.wantErr("Save at base zero over an entry", err, core.ErrConflict)
			got := h.load(id)
			if string(got.Data) != "hers" || got.User != "alice" || got.Version != v {
				h.Errorf("the refused save left %q of %q at %d, want the entry as it was", got.Data, got.User, got.Version)
			}
		},
	},
	{
		"SEC39_stale_base_conflicts",
		"A save at a base that is no longer current returns ErrConflict and changes nothing: of two overlapping requests, neither may undo the other.",
		func(h *harness) {
			id := newID()
			v1 := h.save(id, h.entry("one"), 0)
			v2 := h.save(id, h.entry("two"), v1)
			_, err := h.store.Save(h.Context(), id, h.entry("stale"), v1)
			h.wantErr("Save at a stale base", err, core.ErrConflict)
			h.wantData(id, "two")
			h.save(id, h.entry("three"), v2)
			h.wantData(id, "three")
		},
	},
	{
		"SEC16_save_never_recreates",
		"A save at the base of a deleted entry returns ErrNotFound: a request in flight during a logout must not bring the session back.",
		func(h *harness) {
			id := newID()
			v := h.save(id, h.entry("data"), 0)
			h.remove(id)
			_, err := h.store.Save(h.Context(), id, h.entry("again"), v)
			h.wantErr("Save of a deleted entry", err, core.ErrNotFound)
			h.wantGone(id)
			h.wantErr("Touch of a deleted entry", h.store.Touch(h.Context(), id, v, h.clock.Now().Add(time.Hour)), core.ErrNotFound)
			h.wantGone(id)
		},
	},
	{
		"every_save_has_a_new_version",
		"A version names one state; if it came back, a stale save would pass for a current one. Saving the same data again is a new state too.",
		func(h *harness) {
			id, seen := newID(), map[core.Version]bool{}
			var v core.Version
			for i := range 12 {
				v = h.save(id, h.entry([]string{"a", "b", "b"}[i%3]), v)
				if seen[v] {
					h.Errorf("version %d was given twice", v)
				}
				seen[v] = true
				if got := h.load(id).Version; got != v {
					h.Errorf("Save returned version %d, Load %d", v, got)
				}
			}
		},
	},
	{
		"K2_a_new_entry_is_not_at_an_old_base",
		"If an entry was deleted and its ID is used again, saves and touches at the old entry's version do not reach the new one.",
		func(h *harness) {
			id := newID()
			old := h.save(id, h.entry("old"), 0)
			h.remove(id)
			h.save(id, h.entryFor("alice", "new", time.Hour), 0)
			_, err := h.store.Save(h.Context(), id, h.entry("old again"), old)
			h.wantErr("Save at the old entry's version", err, core.ErrConflict)
			h.wantData(id, "new")
		},
	},
	{
		"a_deleted_ID_can_be_created",
		"Delete leaves nothing behind that would prevent a save at base zero.",
		func(h *harness) {
			id := newID()
			h.save(id, h.entry("old"), 0)
			h.remove(id)
			h.save(id, h.entry("new"), 0)
			h.wantData(id, "new")
		},
	},
	{
		"entries_are_apart",
		"Saving one entry does not touch another, nor its version.",
		func(h *harness) {
			a, b := newID(), newID()
			va := h.save(a, h.entry("a"), 0)
			vb := h.save(b, h.entry("b"), 0)
			h.save(a, h.entry("a2"), va)
			h.save(b, h.entry("b2"), vb)
			h.wantData(a, "a2")
			h.wantData(b, "b2")
		},
	},
}
