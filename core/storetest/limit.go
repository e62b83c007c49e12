package storetest

import (
	"slices"
	"time"

	"github.com/satchel-go/satchel/core"
)

var limitCases = []testCase{
	{
		"no_limit",
		"Limit zero means none: nothing is ended and nothing refused, under either policy.",
		func(h *harness) {
			h.loggedIn("alice", 20)
			h.wantSame("sessions to end", h.reserve("alice", newID(), 0, core.EndOldest), nil)
			h.wantSame("sessions to end", h.reserve("alice", newID(), 0, core.RefuseLogin), nil)
		},
	},
	{
		"I1_end_oldest",
		"Beyond the limit EndOldest takes out and names those that were entered first, and no more than are needed.",
		func(h *harness) {
			ids := h.loggedIn("alice", 3)
			newest := newID()
			end := h.reserve("alice", newest, 3, core.EndOldest)
			h.wantSame("sessions to end at limit 3", end, ids[:1])
			h.remove(ids[0])
			h.wantList("alice", []core.ID{ids[1], ids[2], newest}, newest)
			h.wantErr("Confirm of what was taken out", h.confirm("alice", ids[0]), core.ErrNotFound)
		},
	},
	{
		"I1_a_lowered_limit_ends_several",
		"When the limit was lowered, one login ends all that are too many.",
		func(h *harness) {
			ids := h.loggedIn("alice", 5)
			h.wantSame("sessions to end at limit 2", h.reserve("alice", newID(), 2, core.EndOldest), ids[:4])
		},
	},
	{
		"I1_refuse_login",
		"Beyond the limit RefuseLogin returns ErrSessionLimit and enters nothing; below it, it admits.",
		func(h *harness) {
			ids, late := h.loggedIn("alice", 2), newID()
			_, err := h.index().Reserve(h.Context(), "alice", late, 2, core.RefuseLogin)
			h.wantErr("Reserve beyond the limit", err, core.ErrSessionLimit)
			h.wantErr("Confirm of the refused", h.confirm("alice", late), core.ErrNotFound)
			h.wantList("alice", ids, late)
			h.reserve("alice", late, 3, core.RefuseLogin)
			h.reserve("bob", newID(), 2, core.RefuseLogin)
		},
	},
	{
		"SEC18_reservations_count",
		"A reservation that is not yet confirmed counts: else two logins that overlap would both find room.",
		func(h *harness) {
			first := newID()
			h.reserve("alice", first, 1, core.RefuseLogin)
			_, err := h.index().Reserve(h.Context(), "alice", newID(), 1, core.RefuseLogin)
			h.wantErr("Reserve beside an open reservation", err, core.ErrSessionLimit)
			h.wantSame("sessions to end", h.reserve("alice", newID(), 1, core.EndOldest), []core.ID{first})
		},
	},
	{
		"SEC18_a_withdrawn_reservation_fails_confirm",
		"A login whose reservation was taken out by a later login learns it from Confirm, also when it has saved its session.",
		func(h *harness) {
			slow, quick := newID(), newID()
			h.reserve("alice", slow, 1, core.EndOldest)
			h.wantSame("sessions to end", h.reserve("alice", quick, 1, core.EndOldest), []core.ID{slow})
			h.remove(slow)
			h.save(quick, h.entryFor("alice", "data", time.Hour), 0)
			h.wantErr("Confirm", h.confirm("alice", quick), nil)
			h.save(slow, h.entryFor("alice", "data", time.Hour), 0)
			h.wantErr("Confirm of the withdrawn", h.confirm("alice", slow), core.ErrNotFound)
			h.remove(slow)
			h.wantList("alice", []core.ID{quick})
		},
	},
	{
		"SEC17_what_was_taken_out_is_listed_until_deleted",
		"What Reserve takes out is named by List for as long as its entry lives: whoever was to delete it may have died, and a revocation that does not find it leaves a session to a thief.",
		func(h *harness) {
			old, newest := h.loggedIn("bob", 3), newID()
			h.wantSame("sessions to end", h.reserve("bob", newest, 2, core.EndOldest), old[:2])
			listed, err := h.index().List(h.Context(), "bob") // and now the login has died
			h.wantErr("List", err, nil)
			for _, id := range old[:2] {
				if h.exists(id) && !slices.Contains(listed, id) {
					h.Errorf("session %v lives and is not listed", id)
				}
			}
			h.revokeAll("bob")
			for _, id := range old {
				h.wantGone(id)
			}
			h.wantList("bob", nil, append(old, newest)...)
		},
	},
	{
		"SEC18_a_stuck_login_leaves_no_extra_session",
		"A login that pushes out one which has itself pushed out a session, but not deleted it yet, ends both: else there is one session too many for as long as the first one is stuck, and for ever if it has died.",
		func(h *harness) {
			old, stuck, quick := h.loggedIn("alice", 1)[0], newID(), newID()
			h.reserve("alice", stuck, 1, core.EndOldest) // and now it hangs, before it deletes old
			for _, id := range h.reserve("alice", quick, 1, core.EndOldest) {
				h.remove(id)
			}
			h.save(quick, h.entryFor("alice", "data", time.Hour), 0)
			h.wantErr("Confirm", h.confirm("alice", quick), nil)
			if h.exists(old) {
				h.Errorf("limit 1, and two sessions live: the one that logged in last, and one that is in no list any more")
			}
		},
	},
	{
		"vanished_sessions_do_not_count",
		"A session whose entry was deleted no longer counts, also if nobody released it: else logouts would use up the limit.",
		func(h *harness) {
			ids := h.loggedIn("alice", 2)
			h.remove(ids[0])
			late := newID()
			h.wantSame("sessions to end", h.reserve("alice", late, 2, core.RefuseLogin), nil)
			h.wantList("alice", []core.ID{ids[1], late}, late)
		},
	},
	{
		"expired_sessions_do_not_count",
		"A session whose entry has expired no longer counts.",
		func(h *harness) {
			id, e := newID(), h.entryFor("alice", "data", h.short)
			h.reserve("alice", id, 0, core.EndOldest)
			h.save(id, e, 0)
			if err := h.confirm("alice", id); err != nil {
				if h.clock.Now().Before(e.Expires) {
					h.Errorf("Confirm: %v", err)
				}
				h.release("alice", id) // this machine stalled; the reservation is not what we test
			}
			h.waitUntil(e.Expires)
			h.wantSame("sessions to end", h.reserve("alice", newID(), 1, core.RefuseLogin), nil)
		},
	},
}
