package storetest

import (
	"errors"
	"slices"
	"sync/atomic"
	"time"

	"github.com/satchel-go/satchel/core"
)

var indexRaceCases = []testCase{
	{
		"SEC18_parallel_logins_end_the_oldest",
		"During 100 parallel logins with EndOldest, never are more sessions logged in than the limit allows, and in the end exactly as many.",
		func(h *harness) { parallelLogins(h, core.EndOldest) },
	},
	{
		"SEC18_parallel_logins_are_refused",
		"Of 100 parallel logins with RefuseLogin, exactly as many succeed as the limit allows.",
		func(h *harness) { parallelLogins(h, core.RefuseLogin) },
	},
	{
		"SEC17_no_orphan",
		"When logins race a revocation of all the user's sessions, every session that is left is in the list; otherwise it could never be revoked.",
		noOrphan,
	},
	{
		"SEC17_deleting_races_confirm",
		"A session revoked while it was logging in is gone, and its member too, whichever came first.",
		deleteRacesConfirm,
	},
}

const racingLogins = 100

// parallelLogins lets racingLogins logins race for a few places.
func parallelLogins(h *harness, policy core.LimitPolicy) {
	const limit = 3
	index, ctx, count := h.index(), h.Context(), newCensus(limit, h.exists)
	ids := newIDs(racingLogins)
	together(racingLogins, func(i int) {
		id := ids[i]
		end, err := index.Reserve(ctx, "alice", id, limit, policy)
		if err != nil {
			if policy != core.RefuseLogin || !errors.Is(err, core.ErrSessionLimit) {
				h.Errorf("Reserve: %v", err)
			}
			return
		}
		dawdle()
		for _, old := range end {
			count.leave(old)
			if err := h.store.Delete(ctx, old); err != nil {
				h.Errorf("Delete: %v", err)
			}
		}
		if _, err := h.store.Save(ctx, id, h.entryFor("alice", "data", time.Hour), 0); err != nil {
			h.Errorf("Save: %v", err)
		}
		dawdle()
		switch err := index.Confirm(ctx, "alice", id, time.Time{}); {
		case err == nil:
			count.enter(id)
		case errors.Is(err, core.ErrNotFound):
			count.leave(id)
			if err := h.store.Delete(ctx, id); err != nil {
				h.Errorf("Delete: %v", err)
			}
		default:
			h.Errorf("Confirm: %v", err)
		}
	})
	if count.most > limit {
		h.Errorf("%d sessions were logged in at one time, limit %d", count.most, limit)
	}
	left := slices.DeleteFunc(ids, func(id core.ID) bool { return !h.exists(id) })
	if len(left) != limit {
		h.Errorf("%d sessions are left, want %d", len(left), limit)
	}
	listed, err := index.List(ctx, "alice")
	h.wantErr("List", err, nil)
	for _, id := range left {
		if !slices.Contains(listed, id) {
			h.Errorf("session %v lives and is not listed", id)
		}
	}
}

// revokeAll ends all sessions of user, as a revocation by user does: a login that was
// stored and confirmed between Delete and Release is deleted after that.
func (h *harness) revokeAll(user string) {
	ids, err := h.index().List(h.Context(), user)
	if err != nil {
		h.Errorf("List: %v", err)
	}
	for _, id := range ids {
		if err := h.store.Delete(h.Context(), id); err != nil {
			h.Errorf("Delete: %v", err)
		}
		if err := h.index().Release(h.Context(), user, id); err != nil {
			h.Errorf("Release: %v", err)
		}
		if err := h.store.Delete(h.Context(), id); err != nil {
			h.Errorf("Delete: %v", err)
		}
	}
}

func noOrphan(h *harness) {
	for range 10 {
		before, racing := h.loggedIn("alice", 3), newIDs(12)
		together(len(racing)+1, func(i int) {
			if i == len(racing) {
				dawdle()
				h.revokeAll("alice")
				return
			}
			if err := h.login(h.Context(), "alice", racing[i], 0); err != nil && !errors.Is(err, core.ErrNotFound) {
				h.Errorf("login: %v", err)
			}
		})
		for _, id := range before {
			h.wantGone(id)
		}
		listed, err := h.index().List(h.Context(), "alice")
		h.wantErr("List", err, nil)
		for _, id := range racing {
			if h.exists(id) && !slices.Contains(listed, id) {
				h.Errorf("session %v lives and is not listed", id)
			}
		}
		h.revokeAll("alice")
		for _, id := range racing {
			h.wantGone(id)
		}
	}
}

func deleteRacesConfirm(h *harness) {
	for range 20 {
		id := newID()
		h.reserve("alice", id, 0, core.EndOldest)
		h.save(id, h.entryFor("alice", "data", time.Hour), 0)
		var confirmed atomic.Bool
		together(2, func(i int) {
			if i == 0 {
				h.revokeAll("alice")
				return
			}
			err := h.confirm("alice", id)
			if err != nil && !errors.Is(err, core.ErrNotFound) {
				h.Errorf("Confirm: %v", err)
			}
			confirmed.Store(err == nil)
		})
		h.wantGone(id)
		h.wantList("alice", nil, id)
		if confirmed.Load() {
			h.wantErr("Confirm after the revocation", h.confirm("alice", id), core.ErrNotFound)
		}
	}
}
