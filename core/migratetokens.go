package core

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// This file serves migrateIn and migrateOut, whose backends have tokens of their own. A
// session gets a new token when it moves. The old one works until the client presents
// the new one.

// moving is the handle of a session that moves, or has moved, between such backends.
type moving struct {
	h      Handle // of the backend that it is in
	record Record // as it was there
	where  where

	byID     bool    // in the old one, loaded without a token
	over     Handle  // in the old one: of what holds its place in the new one, nil if nothing does
	overtook *Record // the session that over is, if it is one
	first    bool    // in the new one: the client shows its new token, perhaps for the first time
	right    right   // in the old one and rejoined: of the token that was presented
	reissue  bool    // rejoined, but the client has never got its token
	again    bool    // in the old one, and reloaded by a request that has loaded it in time
	strayed  bool    // in the old one, while the session is in the new one, which cannot find it by ID
}

// right is what a token of the old backend gives access to. The ID alone gives no right: where
// tokens carry sessions, every cookie that a session ever had has it.
type right struct {
	user     string
	login    int64 // of Record.AuthenticatedAt, in Unix milliseconds, zero if there was none
	entitled int64
	saved    time.Time
	moves    uint64
	token    sum // zero unless tokens carry sessions
}

func rightOf(r *Record, token sum) right {
	p := right{user: r.User, entitled: r.entitled(), saved: r.SavedAt, moves: r.move.moves, token: token}
	if !r.AuthenticatedAt.IsZero() {
		p.login = r.AuthenticatedAt.UnixMilli()
	}
	return p
}

// same reports whether p and q are from the same login and renewal.
func (p *right) same(q *right) bool {
	return p.user == q.user && p.login == q.login && p.entitled == q.entitled
}

// standing decides what p gives access to now that a ServerSide has the session there.
func (m *mover) standing(p *right, there *Record) standing {
	has, s, now := rightOf(there, sum{}), &there.move, m.now()
	moved := p.token == s.origin.token // or tokens do not carry sessions, and the old store has vouched for this one
	younger := p.saved.UnixMilli() > s.origin.saved && p.moves+1 >= s.moves
	switch {
	case p.entitled > has.entitled && (p.user != "" || has.user == ""):
		return overtakes
	case !p.same(&has), s.origin == origin{}, !moved && !younger:
		return s.dead(now)
	case !moved && p.user == "" && s.judge(now) == honoured:
		return overtakes // without a login, nothing says that it has the same right
	}
	return s.judge(now)
}

// where says in which backend a session is, and how it was found there.
type where uint8

const (
	inOld    where = iota
	inNew          // presented with the token that it has there, or just moved
	rejoined       // in the new one, presented with the token of the old one
)

// load looks for what was presented in both backends. A token of the new one costs what it
// costs there.
func (m *mover) load(ctx context.Context, scope Scope, presented Tokens) (l LoadResult, at where, err error) {
	l, err = m.to.Load(ctx, scope, presented)
	if !isGone(err) {
		l.Refresh = l.Refresh || l.Record.move.old == oldOpen
		return l, inNew, err
	}
	l, err = m.from.Load(ctx, scope, presented)
	switch {
	case err == nil && !l.Superseded:
		m.read()
	case err == nil && l.Handle != nil: // a logout ends it on both sides
		m.supersededOld(&l)
	}
	return l, inOld, err
}

// left finds a session that has moved away from b to the ServerSide there by the token that it
// had in b, and says what that is good for: the session, or nothing because it is late. With
// an error, it returns who it was, if that is known.
func (m *mover) left(ctx context.Context, b Backend, there *serverSide, scope Scope, presented Tokens) (*moving, standing, error) {
	leaver, ok := b.(Leaver)
	if !ok || there == nil {
		return new(moving), refused, ErrNotFound
	}
	r, err := leaver.LoadLeft(ctx, scope, presented)
	if err != nil {
		return new(moving), refused, err
	}
	m.read()
	return m.follow(ctx, there, r.ID, rightOf(r, sum{}))
}

// follow is left for a request that knows whom it has lost.
func (m *mover) follow(ctx context.Context, there *serverSide, id ID, p right) (*moving, standing, error) {
	var l LoadResult
	who := &moving{record: Record{ID: id}}
	h, err := there.load(ctx, id, &l)
	if err != nil {
		return who, refused, err
	}
	s := m.standing(&p, &l.Record)
	if l.Record.move.place != placeHere || s == overtakes {
		return who, refused, ErrNotFound
	}
	h.byID = true
	return &moving{h: h, record: l.Record, right: p, where: rejoined}, s, nil
}

// supersededOld makes a moving the handle of l, which was renewed in the old backend.
func (m *mover) supersededOld(l *LoadResult) {
	l.Handle = &moving{h: l.Handle, record: l.Record, strayed: m.strays(&l.Record)}
}

// strays reports whether r has left the old backend, and only its new token can end it.
func (m *mover) strays(r *Record) bool {
	return r.move.place == placeLeaving && m.to.dir == nil && !m.to.client
}

// presented returns the handle of a session that was found in the old backend by its token.
func (m *mover) presented(token string) *moving {
	at := new(moving)
	if m.from.client {
		at.right.token = sumOf(token)
	}
	return at
}

// reloadOld returns the newest state of a session that was in the old backend. Of one that has
// moved since, departing says so.
func (m *mover) reloadOld(ctx context.Context, scope Scope, at *moving, departing func(context.Context, LoadResult, *moving) (LoadResult, error)) (LoadResult, error) {
	l := LoadResult{Record: at.record, Handle: at.h}
	if !m.from.client { // else it has not changed
		var err error
		if l, err = m.from.Reload(ctx, scope, at.h); err != nil {
			return LoadResult{}, err
		}
		if l.Superseded {
			m.supersededOld(&l)
			return l, nil
		}
	}
	return departing(ctx, l, &moving{byID: at.byID, right: at.right, again: true})
}

// reloadRejoined returns the newest state of a session that has moved to a request that has
// presented its old token, if that is still good.
func (m *mover) reloadRejoined(ctx context.Context, scope Scope, at *moving, standing func(*right, *Record) standing) (LoadResult, error) {
	l, err := m.to.Reload(ctx, scope, at.h)
	if err != nil {
		return LoadResult{}, err
	}
	s := standing(&at.right, &l.Record)
	if s == overtakes {
		return LoadResult{}, ErrNotFound
	}
	return rejoin(s, &moving{h: l.Handle, record: l.Record, right: at.right})
}

// loadOldID loads a session of the old backend by its ID.
func (m *mover) loadOldID(ctx context.Context, id ID) (LoadResult, error) {
	if m.from.dir == nil {
		return LoadResult{}, ErrNotFound // or in a cookie, where nobody can look
	}
	l, err := m.from.dir.LoadID(ctx, id)
	if err != nil {
		return LoadResult{}, err
	}
	if m.to.dir == nil && l.Record.move.place == placeLeaving {
		return LoadResult{}, errInCookie
	}
	l.Handle = &moving{h: l.Handle, record: l.Record, byID: true}
	return l, nil
}

// errInCookie is for sessions that only their clients hold by now.
var errInCookie = fmt.Errorf("%w: it was moved to its client's cookie", ErrUnsupported)

// errStrayed is for a logout with the old token of a session that only its new token reaches.
var errStrayed = fmt.Errorf("%w: its new token is needed to end it", ErrUnsupported)

// rejoin lets a request that has presented the old token have the session that is there now,
// or only tells whose the token was.
func rejoin(s standing, there *moving) (LoadResult, error) {
	if s == refused {
		return LoadResult{Record: Record{ID: there.record.ID}}, ErrNotFound
	}
	there.where = rejoined
	l := LoadResult{Record: there.record, Handle: there, Refresh: there.reissue}
	if s == late {
		l = l.superseded(there)
	}
	return l, nil
}

// saveNew saves a session that is in the new backend.
func (m *mover) saveNew(ctx context.Context, scope Scope, r *Record, at *moving, renew bool) (Handle, string, error) {
	now, token := m.now(), renew
	switch {
	case renew && r.move.travelled():
		r.move.change(oldClosed, now)
	case at.first:
		r.move.change(oldLate, now)
	case at.reissue:
		token = renew || r.move.old == oldOpen
		r.move.change(oldOpen, now)
	}
	if r.move.place == placeLeaving {
		r.move.place = placeHere
		r.move.moves++
	}
	return m.to.Save(ctx, scope, r, at.h, token)
}

// deleteMoving ends a session that is in the old backend, or was presented with a token of that.
func (m *mover) deleteMoving(ctx context.Context, w way, at *moving) error {
	if at.strayed {
		return errStrayed // rather than report a logout that ends nothing
	}
	err := w.end(ctx, at.record.ID, m.lasts(&at.record))
	if at.where == inOld && m.from.dir == nil { // only its handle reaches it
		err = errors.Join(err, m.from.Delete(ctx, at.h))
	}
	return err
}

// retire ends the old copy of a session whose client has presented the new token, or
// has just got another one from a login.
func (m *mover) retire(ctx context.Context, scope Scope, id ID, renewed bool) {
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
	switch {
	case !renewed:
		_ = m.shorten(ctx, scope, at, moveGrace)
	case m.from.native != nil:
		_, _ = m.leave(ctx, scope, &l.Record, at, true)
	case m.to.native != nil: // it knows that the old token has ended
		_ = m.shorten(ctx, scope, at, endedFor)
	default:
		_ = m.from.dir.DeleteID(ctx, id) // else it expires when it would have expired
	}
}

// shorten keeps the old copy of a session for requests in progress. If that fails, the
// copy keeps its expiry. ErrNotFound means that it has gone, and only asking tells: so
// shorten also touches a copy that ends sooner, or has expired a moment ago.
func (m *mover) shorten(ctx context.Context, scope Scope, at *moving, life time.Duration) error {
	if m.from.client {
		return nil
	}
	r := at.record
	if soon := m.now().Add(life); soon.Before(r.Expires) {
		r.Expires = soon
	}
	_, _, err := m.from.Touch(ctx, scope, &r, at.h)
	return err
}
