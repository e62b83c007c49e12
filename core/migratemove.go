package core

import (
	"context"
	"errors"
	"fmt"
	"time"
)

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
