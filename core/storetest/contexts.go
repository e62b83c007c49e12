package storetest

import (
	"context"
	"errors"
	"time"

	"github.com/satchel-go/satchel/core"
)

var contextCases = []testCase{
	{
		"L3_a_cancelled_context_is_no_absence",
		"With a context that is done, every operation fails with an error other than ErrNotFound and ErrConflict, which would log users out or drop their changes.",
		func(h *harness) { h.checkOver(h.cancelled()) },
	},
	{
		"L3_a_passed_deadline_is_no_absence",
		"A passed deadline is an outage like any other, and the store checks it before it does anything.",
		func(h *harness) {
			ctx, cancel := context.WithDeadline(h.Context(), time.Now().Add(-time.Second))
			defer cancel()
			h.checkOver(ctx)
		},
	},
	{
		"a_cancelled_save_has_no_half_effect",
		"A save that failed because its context ended has happened either completely or not at all.",
		func(h *harness) {
			created, updated := newID(), newID()
			v := h.save(updated, h.entryFor("alice", "before", time.Hour), 0)
			_, _ = h.store.Save(h.cancelled(), created, h.entryFor("bob", "new", time.Hour), 0)
			_, _ = h.store.Save(h.cancelled(), updated, h.entryFor("bob", "after", time.Hour), v)
			if e, err := h.store.Load(h.Context(), created); err == nil && (string(e.Data) != "new" || e.User != "bob") {
				h.Errorf("half created: %q of %q", e.Data, e.User)
			}
			e := h.load(updated)
			old := string(e.Data) == "before" && e.User == "alice" && e.Version == v
			now := string(e.Data) == "after" && e.User == "bob" && e.Version != v
			if !old && !now {
				h.Errorf("half updated: %q of %q at version %d, was at %d", e.Data, e.User, e.Version, v)
			}
			h.save(updated, h.entry("later"), e.Version)
		},
	},
}

// cancelled returns a context that is done.
func (h *harness) cancelled() context.Context {
	ctx, cancel := context.WithCancel(h.Context())
	cancel()
	return ctx
}

// checkOver runs every operation with a context that is done, on an entry that
// exists and on one that does not.
func (h *harness) checkOver(ctx context.Context) {
	there, absent := newID(), newID()
	v := h.save(there, h.entryFor("alice", "data", time.Hour), 0)
	for _, id := range []core.ID{there, absent} {
		_, err := h.store.Load(ctx, id)
		h.wantOutage("Load", err)
		_, err = h.store.Save(ctx, id, h.entry("x"), v)
		h.wantOutage("Save", err)
		_, err = h.store.Save(ctx, id, h.entry("x"), 0)
		h.wantOutage("Save at base zero", err)
		h.wantOutage("Touch", h.store.Touch(ctx, id, v, h.clock.Now().Add(time.Hour)))
		h.wantOutage("Delete", h.store.Delete(ctx, id))
	}
	if index, ok := ability[core.UserIndex](h.store); ok {
		_, err := index.Reserve(ctx, "alice", there, 1, core.RefuseLogin)
		h.wantOutage("Reserve", err)
		h.wantOutage("Confirm", index.Confirm(ctx, "alice", absent, time.Time{}))
		h.wantOutage("Release", index.Release(ctx, "alice", there))
		_, err = index.List(ctx, "alice")
		h.wantOutage("List", err)
	}
	if all, ok := ability[core.AllDeleter](h.store); ok {
		h.wantOutage("DeleteAll", all.DeleteAll(ctx))
	}
	if sweeper, ok := ability[core.Sweeper](h.store); ok {
		_, err := sweeper.Sweep(ctx)
		h.wantOutage("Sweep", err)
	}
	if counter, ok := ability[core.Counter](h.store); ok {
		_, err := counter.Count(ctx)
		h.wantOutage("Count", err)
	}
}

// wantOutage checks that err says nothing about a session.
func (h *harness) wantOutage(what string, err error) {
	h.Helper()
	if err == nil {
		h.Errorf("%s succeeded with a context that is done", what)
	}
	for _, sentinel := range []error{core.ErrNotFound, core.ErrConflict, core.ErrSessionLimit} {
		if errors.Is(err, sentinel) {
			h.Errorf("%s with a context that is done: %v, which is an answer about a session", what, err)
		}
	}
}
