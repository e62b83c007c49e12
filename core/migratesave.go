package core

import (
	"context"
	"errors"
	"time"
)

// Save implements [Backend]. It changes what r remembers of its moves.
func (m *Migration) Save(ctx context.Context, scope Scope, r *Record, base Handle, renew bool) (Handle, string, error) {
	if base == nil {
		r.move = moveState{}
		h, token, err := m.to.Save(ctx, scope, r, nil, renew)
		if err != nil {
			return nil, "", err
		}
		if m.linked {
			return m.createdLinked(scope, r, h, token), token, nil
		}
		return m.wrap(h, r, false), token, nil
	}
	if t, ok := base.(*twin); ok {
		return m.saveLinked(ctx, scope, r, t, renew)
	}
	at, ok := base.(*moving)
	if !ok || !at.old && !m.kept {
		return m.saveMoved(ctx, scope, r, base, renew)
	}
	var h Handle
	var token string
	var err error
	switch {
	case m.kept:
		h, token, err = m.moveKept(ctx, scope, r, at, renew)
	case m.to.native != nil:
		h, token, err = m.moveIn(ctx, scope, r, at, renew)
	case at.byID: // there is no client to give the new token to
		return m.stay(ctx, scope, r, at, renew)
	default:
		return m.moveOut(ctx, scope, r, at, renew)
	}
	if at.old {
		m.moved(ctx, r, err)
	}
	return h, token, err
}

// saveMoved is Save for a session that is in the new backend.
func (m *Migration) saveMoved(ctx context.Context, scope Scope, r *Record, base Handle, renew bool) (Handle, string, error) {
	if m.kept {
		h, token, err := m.to.Save(ctx, scope, r, base, renew)
		return h, token, goneIsConflict(err)
	}
	now := m.now()
	first, reissue := m.shown(r, base), false
	switch {
	case renew && r.move != moveState{}: // it has been elsewhere, or still is
		r.move.change(oldClosed, now)
	case first:
		r.move.change(oldLate, now)
	default:
		if at, ok := base.(*moving); ok && at.reissue {
			reissue = r.move.old == oldOpen
			r.move.change(oldOpen, now)
		}
	}
	if r.move.place == placeLeaving {
		r.move.place = placeHere
		r.move.moves++
	}
	h, token, err := m.to.Save(ctx, scope, r, inner(base), renew || reissue)
	if err != nil {
		return nil, "", err
	}
	if first || renew && m.to.native == nil {
		m.retire(ctx, scope, r.ID, renew)
	}
	if _, rejoined := base.(*moving); rejoined && token == "" {
		return &moving{h: h, record: *r}, "", nil
	}
	if own, ok := h.(*serverHandle); ok && token != "" {
		own.byID = false // from now on, by the token that was made for it
	}
	return m.wrap(h, r, false), token, nil
}

// inner returns the handle of the backend that the session is in.
func inner(handle Handle) Handle {
	switch h := handle.(type) {
	case *moving:
		return h.h
	case *arrived:
		return h.h
	}
	return handle
}

// shown reports whether the request has presented the new token of a session
// whose old one is still open.
func (m *Migration) shown(r *Record, base Handle) bool {
	switch h := base.(type) {
	case *serverHandle:
		return r.move.old == oldOpen && !h.byID && !h.minted
	case *arrived:
		return h.first
	}
	return false
}

// Touch implements [Backend]. A session of the old backend is moved.
func (m *Migration) Touch(ctx context.Context, scope Scope, r *Record, base Handle) (Handle, string, error) {
	if t, ok := base.(*twin); ok {
		return m.touchLinked(ctx, scope, r, t)
	}
	at, unsettled := base.(*moving)
	if unsettled && at.byID && m.to.native == nil { // there is no client to give a new token to
		h, token, err := m.from.Touch(ctx, scope, r, at.h)
		if err != nil {
			return nil, "", err
		}
		return &moving{h: h, record: *r, old: true, byID: true}, token, nil
	}
	if unsettled && (m.kept || at.old || at.reissue) || !m.kept && m.shown(r, base) {
		h, token, err := m.Save(ctx, scope, r, base, false)
		if errors.Is(err, ErrConflict) {
			return base, "", nil
		}
		return h, token, err
	}
	h, token, err := m.to.Touch(ctx, scope, r, inner(base))
	switch {
	case err == nil && unsettled:
		return &moving{h: h, record: *r}, token, nil
	case err == nil:
		return m.wrap(h, r, false), token, nil
	case m.kept && isGone(err):
		if _, err := m.Reload(ctx, scope, base); err != nil {
			return nil, "", err
		}
		return base, "", nil // it was moved back: nothing is touched
	}
	return nil, "", err
}

// retire ends the old copy of a session whose client has shown the new
// token, or has just been given another by a login.
func (m *Migration) retire(ctx context.Context, scope Scope, id ID, renewed bool) {
	if m.from.dir == nil {
		return
	}
	l, err := m.from.dir.LoadID(ctx, id)
	if err != nil {
		return // mostly because it has gone
	}
	if m.from.native != nil && l.Record.move.place != placeLeaving {
		return // it was moved back
	}
	at := &moving{h: l.Handle, record: l.Record}
	if !renewed {
		m.shorten(ctx, scope, at, moveGrace)
	} else if m.from.native != nil {
		_, _ = m.leave(ctx, scope, &l.Record, at, true)
	} else {
		m.shorten(ctx, scope, at, endedFor)
	}
}

// shorten lets the old copy of a session live on for requests that are under
// way. If that fails, it expires when it would have expired.
func (m *Migration) shorten(ctx context.Context, scope Scope, at *moving, life time.Duration) {
	if m.from.client {
		return
	}
	r := at.record
	if soon := m.now().Add(life); soon.Before(r.Expires) {
		r.Expires = soon
		_, _, _ = m.from.Touch(ctx, scope, &r, at.h)
	}
}
