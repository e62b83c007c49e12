package storetest

import (
	"time"

	"github.com/satchel-go/satchel/core"
)

var indexCases = []testCase{
	{
		"SEC17_list_is_oldest_first",
		"List names all of a user's sessions in the order in which they were entered: a list that misses one hides a thief's session.",
		func(h *harness) { h.wantList("alice", h.loggedIn("alice", 5)) },
	},
	{
		"an_unknown_user_has_no_sessions",
		"List of a user without sessions is empty and no error.",
		func(h *harness) {
			h.loggedIn("alice", 1)
			h.wantList("bob", nil)
		},
	},
	{
		"users_are_apart",
		"One user's sessions are in no other user's list, however similar their names.",
		func(h *harness) {
			want := map[string][]core.ID{}
			for _, user := range userNames {
				want[user] = h.loggedIn(user, 2)
			}
			for user, ids := range want {
				h.wantList(user, ids)
			}
		},
	},
	{
		"reserved_sessions_are_listed",
		"A reservation is in the list from Reserve on, before its session is saved: a revocation in between must find it.",
		func(h *harness) {
			id := newID()
			h.reserve("alice", id, 0, core.EndOldest)
			h.wantList("alice", []core.ID{id}, id)
		},
	},
	{
		"confirm_without_reservation",
		"Confirm of an ID that was not reserved for this user returns ErrNotFound and enters nothing.",
		func(h *harness) {
			id := newID()
			h.save(id, h.entryFor("alice", "data", time.Hour), 0)
			h.wantErr("Confirm without Reserve", h.confirm("alice", id), core.ErrNotFound)
			h.reserve("alice", id, 0, core.EndOldest)
			h.wantErr("Confirm for another user", h.confirm("bob", id), core.ErrNotFound)
			h.wantList("bob", nil)
			h.wantErr("Confirm", h.confirm("alice", id), nil)
		},
	},
	{
		"confirm_is_idempotent",
		"Confirm may be sent again if its answer was lost.",
		func(h *harness) {
			id := h.loggedIn("alice", 1)[0]
			h.wantErr("Confirm, again", h.confirm("alice", id), nil)
			h.wantList("alice", []core.ID{id})
		},
	},
	{
		"SEC17_a_released_reservation_fails_confirm",
		"After Delete and Release between Reserve and Confirm, as when a revocation races a login, Confirm returns ErrNotFound: the login is undone.",
		func(h *harness) {
			before, after := newID(), newID()
			h.reserve("alice", before, 0, core.EndOldest)
			h.remove(before) // not saved yet
			h.release("alice", before)
			h.save(before, h.entryFor("alice", "data", time.Hour), 0)
			h.wantErr("Confirm after a revocation before Save", h.confirm("alice", before), core.ErrNotFound)

			h.reserve("alice", after, 0, core.EndOldest)
			h.save(after, h.entryFor("alice", "data", time.Hour), 0)
			h.remove(after)
			h.release("alice", after)
			h.wantErr("Confirm after a revocation after Save", h.confirm("alice", after), core.ErrNotFound)
			h.wantGone(after)
		},
	},
	{
		"release_takes_out",
		"Release takes a session out of one user's list and leaves the entry; releasing an absent session is no error.",
		func(h *harness) {
			ids := h.loggedIn("alice", 3)
			h.release("alice", ids[1])
			h.release("alice", ids[1])
			h.release("alice", newID())
			h.release("nobody", newID())
			h.release("bob", ids[0])
			h.wantList("alice", []core.ID{ids[0], ids[2]})
			h.load(ids[1])
		},
	},
	{
		"reserving_again_makes_newest",
		"An ID that is already a member counts once and becomes the newest: a session that logs in again is not ended as the oldest.",
		func(h *harness) {
			ids := h.loggedIn("alice", 3)
			h.wantSame("sessions to end", h.reserve("alice", ids[0], 3, core.EndOldest), nil)
			h.wantErr("Confirm", h.confirm("alice", ids[0]), nil)
			h.wantList("alice", []core.ID{ids[1], ids[2], ids[0]})
			h.wantSame("sessions to end with RefuseLogin", h.reserve("alice", ids[1], 3, core.RefuseLogin), nil)
		},
	},
	{
		"a_member_lives_as_long_as_its_entry",
		"A confirmed session stays in the index for as long as its entry lives, whatever touches and saves extend it.",
		func(h *harness) {
			id := h.loggedIn("alice", 1)[0]
			e := h.load(id)
			h.wantErr("Touch", h.store.Touch(h.Context(), id, e.Version, h.clock.Now().Add(3*time.Hour)), nil)
			h.save(id, h.entryFor("alice", "more", 3*time.Hour), e.Version)
			if _, waits := h.clock.(realClock); !waits {
				h.clock.Advance(2 * time.Hour)
			}
			h.wantList("alice", []core.ID{id})
			h.wantSame("sessions to end", h.reserve("alice", newID(), 1, core.EndOldest), []core.ID{id})
		},
	},
	{
		"a_reservation_lasts",
		"A reservation lasts at least a minute; checked with stores whose clock can be moved.",
		func(h *harness) {
			if _, waits := h.clock.(realClock); waits {
				return
			}
			id := newID()
			h.reserve("alice", id, 0, core.EndOldest)
			h.clock.Advance(59 * time.Second)
			h.save(id, h.entryFor("alice", "data", time.Hour), 0)
			h.wantErr("Confirm after 59 seconds", h.confirm("alice", id), nil)
		},
	},
}
