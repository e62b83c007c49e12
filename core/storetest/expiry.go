package storetest

import (
	"time"

	"github.com/satchel-go/satchel/core"
)

var expiryCases = []testCase{
	{
		"SEC13_expired_is_not_found",
		"From its expiry on an entry is gone for Load, Save and Touch alike, whether or not the store has removed it.",
		func(h *harness) {
			id, expires, v := h.expiring("data")
			h.waitUntil(expires)
			h.wantGone(id)
			_, err := h.store.Save(h.Context(), id, h.entry("again"), v)
			h.wantErr("Save of an expired entry", err, core.ErrNotFound)
			h.wantErr("Touch of an expired entry", h.store.Touch(h.Context(), id, v, h.clock.Now().Add(time.Hour)), core.ErrNotFound)
			h.wantGone(id)
		},
	},
	{
		"an_expired_entry_does_not_exist_for_base_zero",
		"A save at base zero succeeds over an expired entry, which counts as absent.",
		func(h *harness) {
			id, expires, _ := h.expiring("old")
			h.waitUntil(expires)
			h.save(id, h.entry("new"), 0)
			h.wantData(id, "new")
		},
	},
	{
		"saved_as_expired_is_never_returned",
		"An entry that has already expired when it is saved must not be returned; Save itself may succeed or fail.",
		func(h *harness) {
			id := newID()
			_, _ = h.store.Save(h.Context(), id, h.entryFor("", "late", -time.Minute), 0)
			h.wantGone(id)
		},
	},
	{
		"touch_extends",
		"Touch extends the expiry, so that a session in use stays.",
		func(h *harness) {
			var id core.ID
			later := h.clock.Now().Add(time.Hour)
			expires := h.beforeExpiry(func(short time.Duration) (time.Time, error) {
				id = newID()
				e := h.entryFor("alice", "data", short)
				v := h.save(id, e, 0)
				return e.Expires, h.store.Touch(h.Context(), id, v, later)
			})
			h.waitUntil(expires)
			h.wantData(id, "data")
			if got := h.load(id).Expires; got.Sub(later).Abs() > time.Millisecond {
				h.Errorf("expiry after Touch is %v, want %v", got, later)
			}
		},
	},
	{
		"touch_shortens",
		"Touch sets the expiry, even to an earlier time.",
		func(h *harness) {
			id := newID()
			v := h.save(id, h.entry("data"), 0)
			expires := h.clock.Now().Add(h.short)
			h.wantErr("Touch", h.store.Touch(h.Context(), id, v, expires), nil)
			h.waitUntil(expires)
			h.wantGone(id)
		},
	},
	{
		"touch_leaves_the_rest",
		"Touch changes neither data nor user nor version: a request that began before it can still save.",
		func(h *harness) {
			id := newID()
			v := h.save(id, h.entryFor("alice", "data", time.Hour), 0)
			h.wantErr("Touch", h.store.Touch(h.Context(), id, v, h.clock.Now().Add(2*time.Hour)), nil)
			if got := h.load(id); string(got.Data) != "data" || got.User != "alice" || got.Version != v {
				h.Errorf("after Touch: %q of %q at version %d, want \"data\" of \"alice\" at %d", got.Data, got.User, got.Version, v)
			}
			h.save(id, h.entry("more"), v)
		},
	},
	{
		"touch_at_a_stale_base_does_nothing",
		"A touch at an old version returns nil and leaves the newer entry's expiry alone, which may have been shortened on purpose.",
		func(h *harness) {
			var id core.ID
			expires := h.beforeExpiry(func(short time.Duration) (time.Time, error) {
				id = newID()
				v1 := h.save(id, h.entry("one"), 0)
				e := h.entryFor("", "two", short)
				h.save(id, e, v1)
				return e.Expires, h.store.Touch(h.Context(), id, v1, h.clock.Now().Add(time.Hour))
			})
			h.waitUntil(expires)
			h.wantGone(id)
		},
	},
	{
		"save_moves_the_expiry",
		"A save sets a new expiry, and that of the earlier save no longer counts.",
		func(h *harness) {
			longer, shorter := newID(), newID()
			v := h.save(shorter, h.entry("data"), 0)
			expires := h.beforeExpiry(func(short time.Duration) (time.Time, error) {
				longer = newID()
				e := h.entryFor("", "data", short)
				base := h.save(longer, e, 0)
				_, err := h.store.Save(h.Context(), longer, h.entry("data"), base)
				return e.Expires, err
			})
			soon := h.entryFor("", "data", h.short)
			h.save(shorter, soon, v)
			h.waitUntil(expires)
			h.waitUntil(soon.Expires)
			h.wantData(longer, "data")
			h.wantGone(shorter)
		},
	},
}

// expiring saves an entry that expires soon.
func (h *harness) expiring(data string) (core.ID, time.Time, core.Version) {
	h.Helper()
	id, e := newID(), h.entryFor("", data, h.short)
	v := h.save(id, e, 0)
	return id, e.Expires, v
}
