package storetest

import (
	"time"

	"github.com/satchel-go/satchel/core"
)

var basicCases = []testCase{
	{
		"round_trip",
		"Load returns the data, user, expiry and version of the last Save.",
		func(h *harness) {
			id, e := newID(), h.entryFor("alice", "data", time.Hour)
			v := h.save(id, e, 0)
			got := h.load(id)
			if string(got.Data) != "data" || got.User != "alice" || got.Version != v {
				h.Errorf("loaded %q of %q at %d, saved %q of %q at %d", got.Data, got.User, got.Version, e.Data, e.User, v)
			}
			if off := got.Expires.Sub(e.Expires).Abs(); off > time.Millisecond {
				h.Errorf("loaded expiry %v, saved %v", got.Expires, e.Expires)
			}
		},
	},
	{
		"save_replaces_everything",
		"A save at the current version replaces data, user and expiry; a store that merges would keep a user who has logged out.",
		func(h *harness) {
			id := newID()
			v := h.save(id, h.entryFor("alice", "first", time.Hour), 0)
			second := h.entryFor("", "second", 2*time.Hour)
			v2 := h.save(id, second, v)
			got := h.load(id)
			if string(got.Data) != "second" || got.User != "" || got.Version != v2 {
				h.Errorf("loaded %q of %q at %d, want \"second\" without a user at %d", got.Data, got.User, got.Version, v2)
			}
			if off := got.Expires.Sub(second.Expires).Abs(); off > time.Millisecond {
				h.Errorf("loaded expiry %v, saved %v", got.Expires, second.Expires)
			}
		},
	},
	{
		"version_in_the_entry_is_ignored",
		"Save goes by base alone and ignores the entry's Version, which is left over from the caller's Load.",
		func(h *harness) {
			id, e := newID(), h.entry("first")
			e.Version = 12345
			v := h.save(id, e, 0)
			e.Version = v + 999
			h.save(id, e, v)
		},
	},
	{
		"unknown_ID_is_not_found",
		"For an ID that was never saved the error is ErrNotFound: the core takes any other error for an outage.",
		func(h *harness) {
			h.save(newID(), h.entry("another"), 0)
			id := newID()
			h.wantGone(id)
			_, err := h.store.Save(h.Context(), id, h.entry("x"), 1)
			h.wantErr("Save of an unknown ID at base 1", err, core.ErrNotFound)
			h.wantErr("Touch of an unknown ID", h.store.Touch(h.Context(), id, 1, h.clock.Now().Add(time.Hour)), core.ErrNotFound)
			h.wantGone(id)
		},
	},
	{
		"SEC15_delete_removes",
		"After Delete the session is gone: a logout must hold on the server.",
		func(h *harness) {
			id, other := newID(), newID()
			h.save(id, h.entry("data"), 0)
			h.save(other, h.entry("other"), 0)
			h.remove(id)
			h.wantGone(id)
			h.wantData(other, "other")
		},
	},
	{
		"deleting_the_absent_is_no_error",
		"Delete is idempotent, so that a logout may be sent again if its answer was lost.",
		func(h *harness) {
			id := newID()
			h.remove(id)
			h.save(id, h.entry("data"), 0)
			h.remove(id)
			h.remove(id)
			h.wantGone(id)
		},
	},
}
