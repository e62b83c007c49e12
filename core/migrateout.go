package core

import (
	"context"
	"errors"
	"time"
)

// migrateOut moves sessions to a backend that is none of ServerSide.
//
// Its handles are *moving. What may be left of a session in the old backend is found by its ID.
type migrateOut struct {
	*mover
	room int // for a token with the client
}

// Load implements [Backend].
func (m migrateOut) Load(ctx context.Context, scope Scope, presented Tokens) (LoadResult, error) {
	l, at, err := m.load(ctx, scope, presented)
	switch {
	case at == inOld && isGone(err):
		return m.returnLeft(ctx, scope, presented)
	case err != nil:
		return l, err
	case l.Superseded:
		if at == inNew && l.Handle != nil {
			l.Handle = arrived(l.Handle, &l.Record, false)
		}
		return l, nil
	case at == inNew:
		l.Handle = arrived(l.Handle, &l.Record, m.from.dir != nil && l.Record.move.old == oldOpen)
		return l, nil
	}
	return m.departing(ctx, l, m.presented(presented.Session))
}

// returnLeft looks for a session that the other direction has moved to the old backend, so
// that the new one has kept only who it was.
func (m migrateOut) returnLeft(ctx context.Context, scope Scope, presented Tokens) (LoadResult, error) {
	at, standing, err := m.left(ctx, m.to.Backend, m.from.native, scope, presented)
	return m.returned(ctx, at, standing, err)
}

// returned makes a session of the old backend of one that was followed there.
func (m migrateOut) returned(ctx context.Context, at *moving, s standing, err error) (LoadResult, error) {
	switch {
	case err != nil:
		return LoadResult{Record: at.record}, err
	case s != honoured:
		return rejoin(s, at)
	}
	return m.departing(ctx, LoadResult{Record: at.record, Handle: at.h}, new(moving))
}

// arrived returns the handle of a session that is in the new backend.
func arrived(h Handle, r *Record, first bool) *moving {
	return &moving{h: h, record: *r, where: inNew, first: first}
}

// departing looks for a session of the old backend in the new one, and returns that if
// it is there. Otherwise old becomes its handle.
func (m migrateOut) departing(ctx context.Context, l LoadResult, old *moving) (LoadResult, error) {
	old.h, old.record, l.Handle = l.Handle, l.Record, old
	old.right = rightOf(&l.Record, old.right.token)
	if l.Record.expired(m.now()) && !old.again { // the core says so; no other may come of it
		return l, nil
	}
	if l.Record.move.place == placeLeaving && m.from.native != nil {
		// The client may not have got its new token, unless that came of a login.
		switch l.Record.move.judge(m.now()) {
		case late:
			old.strayed = m.strays(&l.Record)
			return l.superseded(old), nil
		case refused:
			return rejoin(refused, old)
		}
	}
	l.Refresh = true
	if m.to.dir == nil {
		return l, nil
	}
	there, err := m.to.dir.LoadID(ctx, l.Record.ID)
	switch {
	case isGone(err):
		return l, nil
	case err != nil:
		return LoadResult{}, err
	case m.newer(&l.Record, &there.Record):
		old.over = there.Handle
		return l, nil
	}
	return rejoin(m.standing(&old.right, &there.Record), &moving{h: there.Handle, record: there.Record, right: old.right})
}

// newer reports whether another kind of backend still has the session from before it
// moved back. Such a backend cannot mark it as moved.
func (m migrateOut) newer(old, there *Record) bool {
	later := old.SavedAt.After(there.SavedAt)
	if !m.from.client {
		return m.from.native != nil && old.move.place == placeHere || later
	}
	ahead := old.begun().Sub(there.begun()) // such a backend may keep whole seconds
	return old.User != "" && ahead >= time.Second || old.move.moves > 0 && later && ahead > -time.Second
}

// standing says what p is good for now that there has arrived in a backend of another kind,
// which may not remember that there was a login, or which record it was that moved. So it
// cannot tell older cookies from the one that moved, and all of them have ended.
func (m migrateOut) standing(p *right, there *Record) standing {
	has := rightOf(there, sum{})
	switch {
	case m.from.client && m.now().Sub(there.SavedAt) < supersededFor:
		return late
	case m.from.client, p.user != has.user, has.login-p.login >= 1000:
		return refused
	}
	return there.move.judge(m.now())
}

// Reload implements [Backend].
func (m migrateOut) Reload(ctx context.Context, scope Scope, handle Handle) (LoadResult, error) {
	at := handle.(*moving)
	switch at.where {
	case inNew:
		l, err := m.to.Reload(ctx, scope, at.h)
		if _, ok := m.to.Backend.(Leaver); ok && isGone(err) && m.from.native != nil {
			next, standing, err := m.follow(ctx, m.from.native, at.record.ID, rightOf(&at.record, sum{}))
			return m.returned(ctx, next, standing, err)
		}
		first := at.first && l.Record.move.old == oldOpen
		l.Refresh = l.Refresh || first
		l.Handle = arrived(l.Handle, &l.Record, first)
		return l, err
	case rejoined:
		return m.reloadRejoined(ctx, scope, at, m.standing)
	}
	l, err := m.reloadOld(ctx, scope, at, m.departing)
	if err == nil && at.byID && l.Record.move.place == placeLeaving {
		err = ErrNotFound // what is written here would not reach the client
	}
	return l, err
}

func (m migrateOut) loadID(ctx context.Context, id ID) (LoadResult, error) {
	if m.to.dir != nil {
		l, err := m.to.dir.LoadID(ctx, id)
		if err == nil {
			l.Handle = arrived(l.Handle, &l.Record, false)
		}
		if !isGone(err) {
			return l, err
		}
	}
	return m.loadOldID(ctx, id)
}

// Save implements [Backend]. It changes what r remembers of its moves.
func (m migrateOut) Save(ctx context.Context, scope Scope, r *Record, base Handle, renew bool) (Handle, string, error) {
	if base == nil {
		r.move = moveState{}
		h, token, err := m.to.Save(ctx, scope, r, nil, renew)
		if err != nil {
			return nil, "", err
		}
		return arrived(h, r, false), token, nil
	}
	at := base.(*moving)
	switch {
	case at.where == inOld && at.byID: // there is no client to give the new token to
		return m.stay(ctx, scope, r, at, renew)
	case at.where == inOld:
		return m.move(ctx, scope, r, at, renew)
	}
	h, token, err := m.saveNew(ctx, scope, r, at, renew)
	if err != nil {
		return nil, "", err
	}
	if at.first || renew {
		m.retire(ctx, scope, r.ID, renew)
	}
	next := arrived(h, r, false)
	if token == "" {
		next.where, next.right = at.where, at.right
	}
	return next, token, nil
}

// Touch implements [Backend]. A session of the old backend is moved, but not to a cookie: the
// answer to a request that has only read must not take the place of one that has written.
func (m migrateOut) Touch(ctx context.Context, scope Scope, r *Record, base Handle) (Handle, Tokens, error) {
	at := base.(*moving)
	in := m.to
	switch {
	case at.where == inOld && (at.byID || m.to.client): // if byID, no client gets a new token
		in = m.from
	case at.where == inOld || at.first && !m.to.client:
		return touchBySaving(ctx, m, scope, r, base)
	}
	h, tokens, err := in.Touch(ctx, scope, r, at.h)
	if err != nil {
		return nil, Tokens{}, err
	}
	next := *at
	next.h, next.record = h, *r
	return &next, tokens, nil
}

// Delete implements [Backend]. What it ends cannot come back from the other side.
func (m migrateOut) Delete(ctx context.Context, handle Handle) error {
	at := handle.(*moving)
	if at.where == inNew {
		until := at.record.Expires
		if at.record.move.travelled() {
			until = m.lasts(&at.record)
		}
		return errors.Join(m.to.Delete(ctx, at.h), m.end(ctx, at.record.ID, until))
	}
	return m.deleteMoving(ctx, m, at)
}

func (m migrateOut) end(ctx context.Context, id ID, until time.Time) error {
	if m.from.native != nil {
		if _, err := m.bury(ctx, m.from.native, id, until, true); err != nil || m.to.dir == nil {
			return err
		}
		return m.to.dir.DeleteID(ctx, id)
	}
	var errs [2]error
	for i, s := range [...]side{m.to, m.from} {
		if s.dir != nil {
			errs[i] = s.dir.DeleteID(ctx, id)
		}
	}
	return errors.Join(errs[:]...)
}
