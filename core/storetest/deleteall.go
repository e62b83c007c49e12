package storetest

import (
	"errors"
	"time"

	"github.com/satchel-go/satchel/core"
)

var allDeleterCases = []testCase{
	{
		"SEC17_deletes_every_entry",
		"DeleteAll leaves no session, anonymous or logged in, and the store works as new afterwards. On an empty store it is no error.",
		func(h *harness) {
			h.deleteAll()
			ids := newIDs(50)
			for i, id := range ids {
				h.save(id, h.entryFor([]string{"", "alice", "bob"}[i%3], "data", time.Hour), 0)
			}
			h.deleteAll()
			for _, id := range ids {
				h.wantGone(id)
			}
			h.save(ids[0], h.entry("new"), 0)
			h.wantData(ids[0], "new")
		},
	},
	{
		"SEC16_nothing_in_flight_survives",
		"A save at a base from before a DeleteAll returns ErrNotFound.",
		func(h *harness) {
			id := newID()
			v := h.save(id, h.entry("data"), 0)
			h.deleteAll()
			_, err := h.store.Save(h.Context(), id, h.entry("again"), v)
			h.wantErr("Save after DeleteAll", err, core.ErrNotFound)
			h.wantGone(id)
		},
	},
	{
		"SEC17_deletes_every_reservation",
		"A login that reserved before a DeleteAll fails at Confirm afterwards, and users' lists are empty.",
		func(h *harness) {
			index, ok := ability[core.UserIndex](h.store)
			if !ok {
				return
			}
			reserved := newID()
			h.loggedIn("alice", 2)
			h.reserve("alice", reserved, 0, core.EndOldest)
			h.deleteAll()
			h.save(reserved, h.entryFor("alice", "data", time.Hour), 0)
			h.wantErr("Confirm", index.Confirm(h.Context(), "alice", reserved, time.Time{}), core.ErrNotFound)
			h.remove(reserved)
			h.wantList("alice", nil, reserved)
			h.wantSame("sessions to end", h.reserve("alice", newID(), 1, core.RefuseLogin), nil)
		},
	},
	{
		"K2_racing_saves_lose",
		"Entries from before a DeleteAll are gone after it, however many requests were saving them.",
		func(h *harness) {
			for range 10 { // a save is not under way at that moment every time
				racingSaves(h)
			}
		},
	},
}

// racingSaves deletes everything while entries are being saved.
func racingSaves(h *harness) {
	ids := newIDs(8)
	for _, id := range ids {
		h.save(id, h.entry("x"), 0)
	}
	deleted := make(chan struct{})
	together(len(ids)+1, func(i int) {
		if i == len(ids) {
			defer close(deleted)
			pause()
			h.deleteAll()
			return
		}
		for {
			err := h.update(h.Context(), ids[i], func(data []byte) []byte { return data })
			if err != nil && !errors.Is(err, core.ErrNotFound) {
				h.Errorf("update: %v", err)
			}
			select {
			case <-deleted:
				return
			default:
			}
			if err != nil {
				return
			}
		}
	})
	for _, id := range ids {
		h.wantGone(id)
	}
}

// deleteAll deletes everything.
func (h *harness) deleteAll() {
	h.Helper()
	all, ok := ability[core.AllDeleter](h.store)
	if !ok {
		h.Errorf("the store has no core.AllDeleter")
		return
	}
	if err := all.DeleteAll(h.Context()); err != nil {
		h.Errorf("DeleteAll: %v", err)
	}
}
