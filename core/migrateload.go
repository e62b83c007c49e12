package core

import (
	"context"
	"fmt"
	"time"
)

// Load implements [Backend]. A token of the new backend costs what it costs there.
func (m *Migration) Load(ctx context.Context, scope Scope, token string) (Loaded, error) {
	if m.kept {
		return m.loadKept(ctx, scope, token)
	}
	if m.linked {
		return m.loadLinked(ctx, scope, token)
	}
	l, err := m.to.Load(ctx, scope, token)
	if err == nil && !l.Superseded {
		m.arrive(&l)
	}
	if !isGone(err) {
		return l, err
	}
	if l, err = m.from.Load(ctx, scope, token); err != nil || l.Superseded {
		return l, err
	}
	m.read()
	return m.departing(ctx, l)
}

// arrive fits out a session that was found in the new backend.
func (m *Migration) arrive(l *Loaded) {
	first := l.Record.move.old == oldOpen
	l.Refresh = l.Refresh || first
	l.Handle = m.wrap(l.Handle, &l.Record, first)
}

// wrap returns what the core is to hold of a session in the new backend.
func (m *Migration) wrap(h Handle, r *Record, first bool) Handle {
	if m.to.native != nil || m.from.dir == nil {
		return h // it knows its ID, or nobody needs it
	}
	return &arrived{h, r.ID, r.Expires, first}
}

// departing looks whether a session that was found in the old backend lives in
// the new one by now, and then returns that.
func (m *Migration) departing(ctx context.Context, l Loaded) (Loaded, error) {
	now := m.now()
	old := moving{h: l.Handle, record: l.Record, old: true}
	if l.Record.expired(now) { // the core says so; no other may come of it
		l.Handle = &old
		return l, nil
	}
	if l.Record.move.place == placeLeaving && m.from.native != nil {
		// The client may not have got its new token, unless that came of a login.
		switch l.Record.move.judge(now) {
		case late:
			return Loaded{Superseded: true}, nil
		case refused:
			return Loaded{}, ErrNotFound
		}
	}
	l.Handle, l.Refresh = &old, true
	if m.to.dir == nil {
		return l, nil
	}
	there, h, err := m.there(ctx, l.Record.ID)
	switch {
	case err != nil:
		return Loaded{}, err
	case h == nil:
		return l, nil
	case there.move.place == placeEnded:
		return Loaded{}, ErrNotFound
	case there.move.place != placeHere:
		old.over = &serverHandle{id: l.Record.ID, version: h.(*serverHandle).version}
		return l, nil
	case m.to.native == nil && m.newer(&l.Record, there):
		old.over = h
		return l, nil
	}
	return m.rejoin(&l.Record, there, h)
}

// newer reports whether what a backend of another kind has of a session is
// left from before it was moved back. Such a backend cannot be told so.
func (m *Migration) newer(old, there *Record) bool {
	return m.from.native != nil && old.move.place == placeHere || old.SavedAt.After(there.SavedAt)
}

// there returns the record of id in the new backend, hidden ones included, and
// a handle by ID; a nil handle if there is none.
func (m *Migration) there(ctx context.Context, id ID) (*Record, Handle, error) {
	var l Loaded
	var err error
	if b := m.to.native; b != nil {
		var h *serverHandle
		if h, err = b.load(ctx, id, &l); err == nil {
			h.byID = true
			l.Handle = h
		}
	} else {
		l, err = m.to.dir.LoadID(ctx, id)
	}
	if isGone(err) {
		return nil, nil, nil
	}
	return &l.Record, l.Handle, err
}

// rejoin lets a request that has presented the old token have the session
// that has moved.
func (m *Migration) rejoin(old, there *Record, h Handle) (Loaded, error) {
	switch m.standing(old, there) {
	case late:
		return Loaded{Superseded: true}, nil
	case refused:
		return Loaded{}, ErrNotFound
	}
	// Long after the move: the answer with the new token was lost.
	s := &there.move
	reissue := m.to.native != nil && (s.old == oldNone || s.old == oldOpen && s.settledFor(m.now()) >= moveGrace)
	return Loaded{Record: *there, Handle: &moving{h: h, record: *there, reissue: reissue}, Refresh: reissue}, nil
}

// standing says what a token that had the right to the session as it was in
// old is good for now that it is in the new backend.
func (m *Migration) standing(old, there *Record) standing {
	if m.to.native == nil && there.AuthenticatedAt.Sub(old.AuthenticatedAt) >= time.Second {
		return refused // such a backend may not remember that there was a login
	}
	return there.move.judge(m.now())
}

// Reload implements [Backend].
func (m *Migration) Reload(ctx context.Context, scope Scope, handle Handle) (Loaded, error) {
	if m.kept {
		return m.reloadKept(ctx, handle)
	}
	switch h := handle.(type) {
	case *twin:
		return m.reloadLinked(ctx, scope, h)
	case *moving:
		if h.old {
			return m.reloadOld(ctx, scope, h)
		}
		l, err := m.to.Reload(ctx, scope, h.h)
		if err == nil && m.standing(&h.record, &l.Record) != honoured {
			return Loaded{}, ErrNotFound
		}
		l.Handle = &moving{h: l.Handle, record: l.Record}
		return l, err
	case *arrived:
		l, err := m.to.Reload(ctx, scope, h.h)
		if err == nil {
			m.arrive(&l)
		}
		return l, err
	}
	return m.to.Reload(ctx, scope, handle)
}

// reloadOld returns the newest state of a session that was in the old backend.
func (m *Migration) reloadOld(ctx context.Context, scope Scope, h *moving) (Loaded, error) {
	l := Loaded{Record: h.record, Handle: h.h}
	if !m.from.client { // else it has not changed
		var err error
		if l, err = m.from.Reload(ctx, scope, h.h); err != nil {
			return Loaded{}, err
		}
	}
	l, err := m.departing(ctx, l)
	if err == nil && l.Superseded {
		return Loaded{}, ErrNotFound
	}
	if next, ok := l.Handle.(*moving); ok && h.byID {
		if next.byID = true; m.to.native == nil && l.Record.move.place == placeLeaving {
			return Loaded{}, ErrNotFound // what is written here would not reach the client
		}
	}
	return l, err
}

// LoadID implements [Directory].
func (d *migrationDir) LoadID(ctx context.Context, id ID) (Loaded, error) {
	m := d.Migration
	if m.kept {
		return m.loadIDKept(ctx, id)
	}
	if m.linked {
		return m.find(ctx, Scope{}, twin{id: id})
	}
	if m.to.dir != nil {
		there, h, err := m.there(ctx, id)
		switch {
		case err != nil:
			return Loaded{}, err
		case h != nil && there.move.place == placeEnded:
			return Loaded{}, ErrNotFound
		case h != nil && there.move.place == placeHere:
			return Loaded{Record: *there, Handle: m.wrap(h, there, false)}, nil
		}
	}
	if m.from.dir == nil {
		return Loaded{}, ErrNotFound // or in a cookie, where nobody can look
	}
	l, err := m.from.dir.LoadID(ctx, id)
	if err != nil {
		return Loaded{}, err
	}
	if m.to.dir == nil && l.Record.move.place == placeLeaving {
		return Loaded{}, errInCookie
	}
	l.Handle = &moving{h: l.Handle, record: l.Record, old: true, byID: true}
	return l, nil
}

// errInCookie is for sessions that only their clients hold by now.
var errInCookie = fmt.Errorf("%w: it was moved to its client's cookie", ErrUnsupported)
