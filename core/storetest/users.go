package storetest

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/satchel-go/satchel/core"
)

// index returns the store's user index. Its cases run only if there is one.
func (h *harness) index() core.UserIndex {
	index, ok := ability[core.UserIndex](h.store)
	if !ok {
		h.Fatalf("the store has no core.UserIndex")
	}
	return index
}

// login takes every step of a login in the order that [core.UserIndex] gives. Beyond the limit it
// ends the oldest.
func (h *harness) login(ctx context.Context, user string, id core.ID, limit int) error {
	index := h.index()
	end, err := index.Reserve(ctx, user, id, limit, core.EndOldest)
	if err != nil {
		return err
	}
	for _, old := range end {
		if err := h.store.Delete(ctx, old); err != nil {
			return err
		}
	}
	if _, err := h.store.Save(ctx, id, h.entryFor(user, "data", time.Hour), 0); err != nil {
		return err
	}
	if err := index.Confirm(ctx, user, id, time.Time{}); err != nil {
		return errors.Join(err, h.store.Delete(ctx, id))
	}
	return nil
}

// loggedIn logs user in n times without a limit.
func (h *harness) loggedIn(user string, n int) []core.ID {
	h.Helper()
	ids := newIDs(n)
	for _, id := range ids {
		h.wantErr("login without a limit", h.login(h.Context(), user, id, 0), nil)
	}
	return ids
}

// reserve reserves and fails the case if it cannot.
func (h *harness) reserve(user string, id core.ID, limit int, policy core.LimitPolicy) []core.ID {
	h.Helper()
	end, err := h.index().Reserve(h.Context(), user, id, limit, policy)
	if err != nil {
		h.Fatalf("Reserve with limit %d: %v", limit, err)
	}
	return end
}

// confirm returns what Confirm says.
func (h *harness) confirm(user string, id core.ID) error {
	return h.index().Confirm(h.Context(), user, id, time.Time{})
}

// release fails the case if it cannot release.
func (h *harness) release(user string, id core.ID) {
	h.Helper()
	if err := h.index().Release(h.Context(), user, id); err != nil {
		h.Fatalf("Release: %v", err)
	}
}

// wantList checks which of user's members exist or are in reserved, in order. It
// ignores sessions that are gone, which List may name.
func (h *harness) wantList(user string, want []core.ID, reserved ...core.ID) {
	h.Helper()
	got, err := h.index().List(h.Context(), user)
	if err != nil {
		h.Errorf("List: %v", err)
		return
	}
	h.wantMembers(user, got, want, reserved...)
}

// wantMembers is wantList for what List has returned.
func (h *harness) wantMembers(user string, got, want []core.ID, reserved ...core.ID) {
	h.Helper()
	got = slices.DeleteFunc(slices.Clone(got), func(id core.ID) bool {
		return !slices.Contains(reserved, id) && !h.exists(id)
	})
	if !slices.Equal(got, want) {
		h.Errorf("List of %q returned %v, want %v", user, got, want)
	}
}

// wantSame checks that got names the same sessions as want, in any order.
func (h *harness) wantSame(what string, got, want []core.ID) {
	h.Helper()
	byBytes := func(a, b core.ID) int { return slices.Compare(a[:], b[:]) }
	got, want = slices.Clone(got), slices.Clone(want)
	slices.SortFunc(got, byBytes)
	slices.SortFunc(want, byBytes)
	if !slices.Equal(got, want) {
		h.Errorf("%s: %v, want %v", what, got, want)
	}
}

// census counts sessions whose login is complete and whose deletion has not
// begun. It never counts one too many: a session leaves before its Delete
// starts, one that was ended before it was counted never enters, and above the limit
// those do not count that Reserve has deleted itself and not told of yet.
type census struct {
	mu     sync.Mutex
	live   map[core.ID]bool
	ended  map[core.ID]bool
	limit  int
	exists func(core.ID) bool
	most   int
}

func newCensus(limit int, exists func(core.ID) bool) *census {
	return &census{live: map[core.ID]bool{}, ended: map[core.ID]bool{}, limit: limit, exists: exists}
}

// enter counts id in.
func (c *census) enter(id core.ID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.ended[id] {
		c.live[id] = true
		if len(c.live) > c.limit {
			maps.DeleteFunc(c.live, func(id core.ID, _ bool) bool { return !c.exists(id) })
		}
		c.most = max(c.most, len(c.live))
	}
}

// leave counts id out, for good.
func (c *census) leave(id core.ID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.live, id)
	c.ended[id] = true
}
