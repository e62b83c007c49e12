package core

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// errWithdrawn means that a login's reservation was taken away before it was
// stored: the user's sessions were revoked, or newer logins filled the limit.
var errWithdrawn = errors.New("reservation withdrawn")

func (t *saving) reserve(ctx context.Context, r *Record) error {
	s, m := t.s, t.s.m
	if s.login == "" || m.users == nil || t.reserved == r.ID {
		return nil
	}
	end, err := m.users.Reserve(ctx, s.login, r.ID, m.config.SessionLimit, m.config.LimitPolicy)
	if errors.Is(err, ErrSessionLimit) {
		return fmt.Errorf("core: log in: %w", ErrSessionLimit)
	}
	if err != nil {
		return unavailable("reserve", err)
	}
	t.reserved = r.ID
	for i, id := range end {
		if err := m.endOne(ctx, ending{id: id, user: s.login}); err != nil {
			for _, id := range end[i:] { // still alive
				m.reindex(ctx, s.login, id)
			}
			return err
		}
		s.tell(Event{Kind: EventRevoked, Reason: ReasonLimit, ID: id, User: s.login})
	}
	if !t.former.IsZero() {
		// Only now: a revocation from here on finds the new place.
		if err := t.still(ctx, t.former); err != nil {
			t.release(context.WithoutCancel(ctx))
			return err
		}
		t.former = ID{}
	}
	return nil
}

func (t *saving) confirm(ctx context.Context, p *plan, handle Handle) error {
	if t.reserved.IsZero() {
		return nil
	}
	err := t.s.m.users.Confirm(ctx, p.next.User, t.reserved, time.Time{})
	if err == nil {
		return nil
	}
	if deleteErr := t.s.m.backend.Delete(ctx, handle); deleteErr != nil {
		return unavailable("undo", deleteErr)
	}
	if isGone(err) {
		return errWithdrawn
	}
	return unavailable("confirm", err)
}

// release takes back the reservation of a login that will not be stored under
// its ID. The place may be another's by now: of a login of the same user that
// overlapped and won. Then it stays, as it does if nobody can say: it lapses by
// itself, or is a live session's only one.
func (t *saving) release(ctx context.Context) {
	id := t.reserved
	t.reserved = ID{}
	if id.IsZero() || t.s.stored && t.s.base.User == t.s.login || !t.free(ctx, id) {
		return
	}
	_ = t.s.m.users.Release(ctx, t.s.login, id)
	if !t.free(ctx, id) {
		t.s.m.reindex(ctx, t.s.login, id)
	}
}

// undo is release for a save whose answer was lost. If a new session was stored
// all the same, nobody has its token: it is deleted, so that it is neither
// listed nor counts. Of a session that was there before, nobody knows whether
// this login stored it or one that overlapped.
func (t *saving) undo(ctx context.Context) {
	if t.reserved.IsZero() || t.s.stored {
		t.release(ctx)
		return
	}
	if err := t.s.m.endOne(ctx, ending{id: t.reserved, user: t.s.login}); err != nil {
		// If it lives, it is to be found; if not, its place is to be free.
		t.s.m.reindex(ctx, t.s.login, t.reserved)
	}
	t.reserved = ID{}
}

// free reports whether id is known not to be a session of the user who is
// logging in.
func (t *saving) free(ctx context.Context, id ID) bool {
	l, err := t.s.m.dir.LoadID(ctx, id)
	return isGone(err) || err == nil && l.Record.User != t.s.login
}

// still returns errWithdrawn if id is no longer in the index of the user who
// is logging in.
func (t *saving) still(ctx context.Context, id ID) error {
	ids, err := t.s.m.users.List(ctx, t.s.login)
	switch {
	case err != nil:
		return unavailable("list", err)
	case !slices.Contains(ids, id):
		return errWithdrawn
	}
	return nil
}
