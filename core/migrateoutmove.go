package core

import (
	"context"
	"errors"
)

// move saves r, which is in the old backend, in the new one, unless it has to stay.
func (m migrateOut) move(ctx context.Context, scope Scope, r *Record, at *moving, renew bool) (Handle, string, error) {
	handed := *r // what goes into the new token
	handed.move = moveState{moves: at.record.move.moves + 1, renewed: r.move.renewed}
	if m.to.client {
		return m.moveToClient(ctx, scope, r, &handed, at, renew)
	}
	var left Version
	var err error
	if m.from.native != nil {
		if left, err = m.leave(ctx, scope, r, at, renew); err != nil {
			return nil, "", err
		}
	}
	h, token, err := m.enter(ctx, scope, r, at.record.User, func() (Handle, string, error) {
		return m.to.Save(ctx, scope, &handed, at.over, true)
	})
	switch {
	case errors.Is(err, ErrConflict) && m.to.dir == nil:
		// What is left of it there from before it was moved back cannot be
		// reached, and expires soon.
		return m.stay(ctx, scope, r, at.marked(left), renew)
	case err != nil:
		err = goneIsConflict(err)
		m.moved(ctx, r, err)
		return nil, "", err
	case m.endedMeanwhile(ctx, scope, r.ID, at, left):
		return nil, "", errors.Join(ErrNotFound, m.to.Delete(context.WithoutCancel(ctx), h))
	}
	return m.handOver(ctx, r, &handed, h), token, nil
}

// endedMeanwhile shortens what is left of a session in the old backend, and reports whether it
// was ended there while it moved. A tombstone has another version, which Touch does not tell.
func (m migrateOut) endedMeanwhile(ctx context.Context, scope Scope, id ID, at *moving, left Version) bool {
	if m.from.native == nil {
		return isGone(m.shorten(ctx, scope, at, moveGrace))
	}
	// The deadline of what is left there may be another than that of at.record.
	soon := Record{Expires: m.now().Add(moveGrace)}
	_ = m.from.native.store.Touch(ctx, id, left, soon.KeepUntil()) // it expires by itself otherwise
	var l LoadResult
	h, err := m.from.native.peek(ctx, id, &l)
	return isGone(err) || err == nil && h.version == 0
}

// moveToClient moves a session to a cookie, unless it does not fit.
func (m migrateOut) moveToClient(ctx context.Context, scope Scope, r, handed *Record, at *moving, renew bool) (Handle, string, error) {
	native := m.from.native != nil
	if !renew && native {
		handed.move.change(oldOpen, m.now())
	}
	h, token, err := m.to.Save(ctx, scope, handed, nil, true) // changes nothing yet
	if err != nil {
		return nil, "", err
	}
	switch {
	case native && len(token) > m.room:
		return m.stay(ctx, scope, r, at, renew)
	case native:
		if _, err := m.leave(ctx, scope, r, at, renew); err != nil {
			return nil, "", err
		}
	case isGone(m.shorten(ctx, scope, at, moveGrace)): // it was ended while it moved
		return nil, "", ErrNotFound
	}
	return m.handOver(ctx, r, handed, h), token, nil
}

// handOver tells of a move, and returns the handle of the session.
func (m migrateOut) handOver(ctx context.Context, r, handed *Record, h Handle) Handle {
	r.move = handed.move
	m.moved(ctx, r, nil)
	return arrived(h, r, false)
}

// leave marks the entry that a session leaves in a ServerSide. The entry keeps the new
// state for requests that still present the old token. After a login they get nothing.
func (m *mover) leave(ctx context.Context, scope Scope, r *Record, at *moving, renew bool) (Version, error) {
	now := m.now()
	h, left := at.h.(*serverHandle), *r
	left.move = at.record.move
	left.move.place = placeLeaving
	left.move.change(oldOpen, now)
	if renew {
		left = m.marker(r.ID, placeLeaving)
		left.move.change(oldClosed, now)
	}
	return m.from.native.put(ctx, scope, h, &left, h.version)
}

// marked returns at after the entry of a ServerSide was marked, which made the version left.
func (at *moving) marked(left Version) *moving {
	next := *at
	if h, ok := at.h.(*serverHandle); ok {
		marked := *h
		marked.version = left
		next.h = &marked
	}
	return &next
}

// stay saves a session where it is: in the old backend.
func (m migrateOut) stay(ctx context.Context, scope Scope, r *Record, at *moving, renew bool) (Handle, string, error) {
	r.move.place = placeHere
	users, user := m.from.users, scopedUser(scope.Namespace, r.User)
	login := users != nil && r.User != "" && r.User != at.record.User // the core has reserved in the new one
	if login {
		if _, err := users.Reserve(ctx, user, r.ID, 0, EndOldest); err != nil {
			return nil, "", err
		}
	}
	h, token, err := m.from.Save(ctx, scope, r, at.h, renew)
	if err == nil && login {
		err = confirm(ctx, users, user, r.ID, r.Expires)
	}
	if err != nil {
		return nil, "", err
	}
	return &moving{h: h, record: *r, byID: at.byID}, token, nil
}
