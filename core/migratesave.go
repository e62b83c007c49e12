package core

import (
	"context"
	"errors"
	"fmt"
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

// moveIn moves a session to a ServerSide from a backend with other tokens.
func (m *Migration) moveIn(ctx context.Context, scope Scope, r *Record, at *moving, renew bool) (Handle, string, error) {
	now := m.now()
	r.move = moveState{moves: at.record.move.moves + 1}
	r.move.change(oldOpen, now)
	if renew {
		r.move.old = oldClosed
	}
	r.move.until = m.lasts(&at.record).UnixMilli()
	h, token, err := m.enter(ctx, scope, r, at, func() (Handle, string, error) {
		h, token, err := m.to.Save(ctx, scope, r, at.over, true)
		return h, token, goneIsConflict(err)
	})
	if err != nil || m.from.client {
		return h, token, err
	}
	// There is no mark that keeps others from ending it there in the meantime.
	if _, err := m.from.Reload(ctx, scope, at.h); isGone(err) {
		return nil, "", errors.Join(ErrNotFound, m.end(ctx, r.ID, m.lasts(&at.record)))
	}
	if renew || m.from.dir == nil { // else once the client has shown the new token
		m.shorten(ctx, scope, at, endedFor)
	}
	return h, token, nil
}

// lasts returns when a token that carries r has ended by itself, also one that was
// made from it a moment ago.
func (m *Migration) lasts(r *Record) time.Time {
	until := m.now().Add(m.config.idle(r))
	if r.Expires.After(until) {
		until = r.Expires
	}
	if old := time.UnixMilli(r.move.until); old.After(until) {
		until = old
	}
	return until
}

// moveOut moves a session to a backend that is none of ServerSide.
func (m *Migration) moveOut(ctx context.Context, scope Scope, r *Record, at *moving, renew bool) (Handle, string, error) {
	server := m.from.native
	handed := *r // what goes into the new token
	handed.move = moveState{moves: at.record.move.moves + 1}
	if !renew && server != nil && m.to.client {
		handed.move.change(oldOpen, m.now())
	}
	var h Handle
	var token string
	var err error
	if m.to.client { // changes nothing yet
		if h, token, err = m.to.Save(ctx, scope, &handed, nil, true); err != nil {
			return nil, "", err
		}
		if server != nil && !m.fits(token) {
			return m.stay(ctx, scope, r, at, renew)
		}
	}
	var left Version
	if server != nil {
		if left, err = m.leave(ctx, scope, r, at, renew); err != nil {
			return nil, "", err
		}
	}
	if !m.to.client {
		h, token, err = m.enter(ctx, scope, r, at, func() (Handle, string, error) {
			return m.to.Save(ctx, scope, &handed, at.over, true)
		})
		if errors.Is(err, ErrConflict) && m.to.dir == nil {
			// What is left of it there from before it was moved back cannot be
			// reached, and expires soon.
			return m.stay(ctx, scope, r, at.marked(left), renew)
		}
		if err != nil {
			err = goneIsConflict(err)
			m.moved(ctx, r, err)
			return nil, "", err
		}
	}
	switch {
	case server == nil:
		m.shorten(ctx, scope, at, moveGrace)
	case !m.to.client:
		_ = server.store.Touch(ctx, r.ID, left, m.now().Add(moveGrace)) // it expires by itself otherwise
	}
	r.move = handed.move
	m.moved(ctx, r, nil)
	return m.wrap(h, r, false), token, nil
}

// leave marks the entry of a ServerSide that a session moves out of. It takes
// what the session has become, for requests that still present the old token;
// after a login they get nothing.
func (m *Migration) leave(ctx context.Context, scope Scope, r *Record, at *moving, renew bool) (Version, error) {
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
func (m *Migration) stay(ctx context.Context, scope Scope, r *Record, at *moving, renew bool) (Handle, string, error) {
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
		err = users.Confirm(ctx, user, r.ID, time.Time{})
	}
	if err != nil {
		return nil, "", err
	}
	return &moving{h: h, record: *r, old: true, byID: at.byID}, token, nil
}

// enter runs save for a session that is moved, and puts it into the new
// index of its user. For one that is being logged in, the core does that.
func (m *Migration) enter(ctx context.Context, scope Scope, r *Record, at *moving, save func() (Handle, string, error)) (Handle, string, error) {
	users, user := m.to.users, scopedUser(scope.Namespace, r.User)
	if users == nil || r.User == "" || r.User != at.record.User {
		return save()
	}
	if _, err := users.Reserve(ctx, user, r.ID, 0, EndOldest); err != nil {
		return nil, "", err
	}
	h, token, err := save()
	if err != nil {
		return nil, "", err
	}
	// The old index forgets it by itself: to take it out could hit a session
	// that another process has moved back in the meantime.
	if err = users.Confirm(ctx, user, r.ID, time.Time{}); isGone(err) {
		err = reenter(ctx, users, user, r.ID)
	}
	if err == nil {
		return h, token, nil
	}
	// Out of the index, nobody could revoke it. The old one counts again.
	undo := context.WithoutCancel(ctx)
	if m.to.native != nil {
		_ = m.to.native.store.Touch(undo, r.ID, native(h).version, m.now()) // unless it is in use already
	} else {
		_ = m.to.Delete(undo, h)
	}
	return nil, "", err
}

// reenter puts a session into its user's index that was taken out while it was
// being moved. Whoever took it out to end it knows its ID and does so; others
// have moved it back, perhaps more than once.
func reenter(ctx context.Context, users UserIndex, user string, id ID) error {
	for range 100 {
		if _, err := users.Reserve(ctx, user, id, 0, EndOldest); err != nil {
			return err
		}
		if err := users.Confirm(ctx, user, id, time.Time{}); !isGone(err) {
			return err
		}
	}
	return fmt.Errorf("%w: the index does not keep session %s", ErrUnavailable, id)
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
