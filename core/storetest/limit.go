package storetest

import (
	"slices"
	"time"

	"github.com/satchel-go/satchel/core"
)

var limitCases = []testCase{
	{
		"no_limit",
		"Limit zero means no limit: nothing is ended or refused, under either policy.",
		func(h *harness) {
			h.loggedIn("alice", 20)
			h.wantSame("sessions to end", h.reserve("alice", newID(), 0, core.EndOldest), nil)
			h.wantSame("sessions to end", h.reserve("alice", newID(), 0, core.RefuseLogin), nil)
		},
	},
	{
		"I1_end_oldest",
		"Beyond the limit EndOldest takes out and names the sessions entered first, and no more than needed.",
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
		"I1_ceiling_ends_the_oldest",
		"Beyond a Ceiling the sessions entered first are taken out and named, as with EndOldest, and below it none; otherwise one account fills the store.",
		func(h *harness) {
			ids := h.loggedIn("alice", 5)
			h.wantSame("sessions to end at a ceiling of 6", h.reserve("alice", newID(), 6, core.Ceiling), nil)
			end := h.reserve("alice", newID(), 5, core.Ceiling)
			h.wantSame("sessions to end at a ceiling of 5", end, ids[:2])
			for _, id := range end {
				h.remove(id)
				h.release("alice", id)
			}
			listed, err := h.index().List(h.Context(), "alice")
			h.wantErr("List", err, nil)
			if len(listed) != 5 {
				h.Errorf("%d members, want 5", len(listed))
			}
			h.wantSame("sessions to end of bob", h.reserve("bob", newID(), 1, core.Ceiling), nil)
		},
	},
	{
		"I1_a_lowered_limit_ends_several",
		"After the limit was lowered, one login ends all sessions that are too many.",
		func(h *harness) {
			ids := h.loggedIn("alice", 5)
			h.wantSame("sessions to end at limit 2", h.reserve("alice", newID(), 2, core.EndOldest), ids[:4])
		},
	},
	{
		"I1_refuse_login",
		"Beyond the limit RefuseLogin returns ErrSessionLimit and enters nothing; below it, it admits the login.",
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
		"A reservation that is not yet confirmed counts; otherwise two overlapping logins would both find room.",
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
		"A login whose reservation was taken out by a later login learns so from Confirm, even after it has saved its session.",
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
		"List names what Reserve took out for as long as its entry lives. The login that was to delete it may have died, and a revocation that misses it leaves a session to a thief.",
		func(h *harness) {
			old, newest := h.loggedIn("bob", 3), newID()
			h.wantSame("sessions to end", h.reserve("bob", newest, 2, core.EndOldest), old[:2])
			listed, err := h.index().List(h.Context(), "bob") // suppose that the login dies now
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
		"If a login pushes out another that has itself pushed out a session but not yet deleted it, both end. Otherwise there is one session too many while the first login is stuck, or for ever if it died.",
		func(h *harness) {
			old, stuck, quick := h.loggedIn("alice", 1)[0], newID(), newID()
			h.reserve("alice", stuck, 1, core.EndOldest) // suppose that it hangs now, before it deletes old
			for _, id := range h.reserve("alice", quick, 1, core.EndOldest) {
				h.remove(id)
			}
			h.save(quick, h.entryFor("alice", "data", time.Hour), 0)
			h.wantErr("Confirm", h.confirm("alice", quick), nil)
			if h.exists(old) {
				h.Errorf("two sessions live at limit 1: the one that logged in last, and one that is no longer in any list")
			}
		},
	},
	{
		"vanished_sessions_do_not_count",
		"A session whose entry was deleted no longer counts, even if it was not released; otherwise logouts would use up the limit.",
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
				h.release("alice", id) // this machine stalled; the case does not test the reservation
			}
			h.waitUntil(e.Expires)
			h.wantSame("sessions to end", h.reserve("alice", newID(), 1, core.RefuseLogin), nil)
		},
	},
}
