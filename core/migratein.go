package core

import (
	"context"
	"errors"
	"time"
)

// migrateIn moves sessions to a ServerSide from a backend with other tokens.
//
// Its handles are a *serverHandle for a session that is in the new backend, and a *moving.
type migrateIn struct{ *mover }

// at returns what handle stands for.
func (m migrateIn) at(handle Handle) moving {
	if at, ok := handle.(*moving); ok {
		return *at
	}
	h := handle.(*serverHandle)
	return moving{h: h, record: Record{ID: h.id, Expires: h.expires}, where: inNew}
}

// Load implements [Backend].
func (m migrateIn) Load(ctx context.Context, scope Scope, presented Tokens) (LoadResult, error) {
	l, at, err := m.load(ctx, scope, presented)
	if at == inOld && isGone(err) {
		return m.rejoinLeft(ctx, scope, presented)
	}
	if err != nil || l.Superseded || at == inNew {
		return l, err
	}
	return m.departing(ctx, l, m.presented(presented.Session))
}

// departing looks for a session of the old backend in the new one, and returns that if
// it is there. Otherwise old becomes its handle.
func (m migrateIn) departing(ctx context.Context, l LoadResult, old *moving) (LoadResult, error) {
	old.h, old.record, l.Handle = l.Handle, l.Record, old
	old.right = rightOf(&l.Record, old.right.token)
	if l.Record.expired(m.now()) && !old.again { // the core says so; no other may come of it
		return l, nil
	}
	l.Refresh = true
	var there LoadResult
	h, err := m.to.native.load(ctx, l.Record.ID, &there)
	s := &there.Record.move
	switch {
	case isGone(err):
		return l, m.outlived(ctx, m.to.native, &l.Record)
	case err != nil:
		return LoadResult{}, err
	case s.place == placeEnded:
		return rejoin(refused, old)
	case s.place != placeHere:
		old.over = &serverHandle{id: l.Record.ID, version: h.version}
		return l, nil
	}
	standing := m.standing(&old.right, &there.Record)
	if standing == overtakes {
		old.over, old.overtook = h, &there.Record
		return l, nil
	}
	if standing != honoured { // and it stays so when the session has ended
		until := l.Record.Expires
		if m.from.client { // a touch from before the move may come with it next time
			until = later(until, time.UnixMilli(s.since).Add(m.longest(&l.Record)))
			if deadline := l.Record.Deadline; !deadline.IsZero() && deadline.Before(until) {
				until = deadline
			}
		}
		if err := m.outlast(ctx, m.to.native, &there.Record, until); err != nil {
			return LoadResult{}, err
		}
	}
	h.byID = true
	return rejoin(standing, &moving{h: h, record: there.Record, right: old.right, reissue: m.lostAnswer(s)})
}

// lostAnswer reports whether the client has never shown its new token, long after the move.
func (m migrateIn) lostAnswer(s *moveState) bool {
	return s.old == oldOpen && s.settledFor(m.now()) >= moveGrace
}

// rejoinLeft is departing for a session of which the old backend has kept only who it was.
func (m migrateIn) rejoinLeft(ctx context.Context, scope Scope, presented Tokens) (LoadResult, error) {
	at, standing, err := m.left(ctx, m.from.Backend, m.to.native, scope, presented)
	if err != nil {
		return LoadResult{Record: at.record}, err
	}
	at.reissue = m.lostAnswer(&at.record.move)
	return rejoin(standing, at)
}

// Reload implements [Backend].
func (m migrateIn) Reload(ctx context.Context, scope Scope, handle Handle) (LoadResult, error) {
	at := m.at(handle)
	switch at.where {
	case inNew:
		return m.to.Reload(ctx, scope, at.h)
	case rejoined:
		return m.reloadRejoined(ctx, scope, &at, m.standing)
	}
	l, err := m.reloadOld(ctx, scope, &at, m.departing)
	if _, ok := m.from.Backend.(Leaver); !ok || !isGone(err) {
		return l, err
	}
	next, standing, err := m.follow(ctx, m.to.native, at.record.ID, at.right)
	if err != nil {
		return LoadResult{}, err
	}
	return rejoin(standing, next)
}

func (m migrateIn) loadID(ctx context.Context, id ID) (LoadResult, error) {
	var l LoadResult
	h, err := m.to.native.load(ctx, id, &l)
	switch {
	case err != nil && !isGone(err):
		return LoadResult{}, err
	case err == nil && l.Record.move.place == placeEnded:
		return LoadResult{}, ErrNotFound
	case err == nil && l.Record.move.place == placeHere:
		h.byID = true
		l.Handle = h
		return l, nil
	}
	return m.loadOldID(ctx, id)
}

// Save implements [Backend]. It changes what r remembers of its moves.
func (m migrateIn) Save(ctx context.Context, scope Scope, r *Record, base Handle, renew bool) (Handle, string, error) {
	if base == nil {
		r.move = moveState{}
		return m.to.Save(ctx, scope, r, nil, renew)
	}
	at := m.at(base)
	if at.where == inOld {
		h, token, err := m.move(ctx, scope, r, &at, renew)
		m.moved(ctx, r, err)
		return h, token, err
	}
	at.first = at.where == inNew && m.shown(r, at.h.(*serverHandle))
	if err := m.shortening(ctx, r, at.h.(*serverHandle).expires); err != nil {
		return nil, "", err
	}
	h, token, err := m.saveNew(ctx, scope, r, &at, renew)
	if err != nil {
		return nil, "", err
	}
	if at.first {
		m.retire(ctx, scope, r.ID, renew)
	}
	if token != "" {
		h.(*serverHandle).byID = false // from now on, by the token that was made for it
		return h, token, nil
	}
	return at.next(h, r), "", nil
}

// next returns the handle of a session that was at, and has become r in the new backend, where
// it has the same token as before.
func (at *moving) next(h Handle, r *Record) Handle {
	if at.where == rejoined {
		return &moving{h: h, record: *r, where: rejoined, right: at.right}
	}
	return h
}

// shown reports whether the request has presented the new token of a session
// whose old one is still open.
func (m migrateIn) shown(r *Record, h *serverHandle) bool {
	return r.move.old == oldOpen && !h.byID && !h.minted
}

// move saves r, which is in the old backend, in the new one.
func (m migrateIn) move(ctx context.Context, scope Scope, r *Record, at *moving, renew bool) (Handle, string, error) {
	now := m.now()
	r.move = moveState{moves: at.record.move.moves + 1, renewed: r.move.renewed}
	r.move.origin = origin{saved: at.right.saved.UnixMilli(), token: at.right.token}
	r.move.change(oldOpen, now)
	if renew {
		r.move.old = oldClosed
	}
	until := later(later(at.record.Expires, r.Expires), m.config.expiry(&at.record, r.SavedAt))
	if at.overtook != nil {
		until = later(until, m.lasts(at.overtook))
	}
	r.move.until = until.UnixMilli()
	if err := m.shortening(ctx, r, time.Time{}); err != nil {
		return nil, "", err
	}
	h, token, err := m.enter(ctx, scope, r, at.record.User, func() (Handle, string, error) {
		h, token, err := m.to.Save(ctx, scope, r, at.over, true)
		return h, token, goneIsConflict(err)
	})
	if err == nil {
		m.forget(ctx, scope, r, at.overtook)
	}
	if err != nil || m.from.client {
		return h, token, err
	}
	// There is no mark that keeps others from ending it there in the meantime.
	if l, err := m.from.Reload(ctx, scope, at.h); isGone(err) || err == nil && l.Superseded {
		return nil, "", errors.Join(ErrNotFound, m.end(ctx, r.ID, m.lasts(&at.record)))
	}
	if leaver, ok := m.from.Backend.(Leaver); ok {
		_ = leaver.Leave(ctx, scope, &at.record, at.h)
	} else if renew || m.from.dir == nil { // else once the client has shown the new token
		_ = m.shorten(ctx, scope, at, endedFor)
	}
	return h, token, nil
}

// shortening leaves a tombstone if r, which the store was to keep until was, now ends before its old tokens do.
// It comes first: if it cannot be made, nothing is saved.
func (m migrateIn) shortening(ctx context.Context, r *Record, was time.Time) error {
	until := time.UnixMilli(r.move.until)
	if was.Sub(r.KeepUntil()) > moveGrace { // cookies with another right may last as long as that
		until = later(until, was)
	}
	if !r.move.travelled() || !until.After(r.Expires) {
		return nil
	}
	err := m.outlast(ctx, m.to.native, r, until)
	if err == nil {
		r.move.until = 0
	}
	return err
}

// forget takes a session that r has overtaken out of the index of another user.
func (m migrateIn) forget(ctx context.Context, scope Scope, r, overtook *Record) {
	if m.to.users != nil && overtook != nil && overtook.User != "" && overtook.User != r.User {
		_ = m.to.users.Release(ctx, scopedUser(scope.Namespace, overtook.User), r.ID) // else it lapses
	}
}

// Touch implements [Backend]. A session of the old backend is moved.
func (m migrateIn) Touch(ctx context.Context, scope Scope, r *Record, base Handle) (Handle, Tokens, error) {
	at := m.at(base)
	if at.where == inOld || at.reissue || at.where == inNew && m.shown(r, at.h.(*serverHandle)) {
		return touchBySaving(ctx, m, scope, r, base)
	}
	h, tokens, err := m.to.Touch(ctx, scope, r, at.h)
	if err != nil {
		return nil, Tokens{}, err
	}
	return at.next(h, r), tokens, nil
}

// Delete implements [Backend]. What it ends cannot come back from the other side.
func (m migrateIn) Delete(ctx context.Context, handle Handle) error {
	at := m.at(handle)
	if at.where == inNew {
		return m.end(ctx, at.record.ID, at.record.Expires)
	}
	return m.deleteMoving(ctx, m, &at)
}

func (m migrateIn) end(ctx context.Context, id ID, until time.Time) error {
	if _, err := m.bury(ctx, m.to.native, id, until, true); err != nil || m.from.dir == nil {
		return err
	}
	return m.from.dir.DeleteID(ctx, id)
}
