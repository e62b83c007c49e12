package core

import (
	"context"
	"errors"
	"time"
)

// migrateKept moves sessions between two backends of ServerSide. A session keeps its
// token. Every change is a compare-and-set on one of its two entries. Therefore both
// directions may run at the same time, and a process may die at any point:
//
//  1. Mark the entry in the old store as leaving, even if it is marked already. Requests
//     that loaded it before can no longer save it there.
//  2. Create the entry in the new store, unless another request has put anything there
//     since this one looked.
//  3. Turn the old entry into a void, unless it has changed since step 1.
//
// A marked entry counts only while the other side has no entry that was moved more
// often. A request that continues with a marked entry first puts a void where step 2
// would create the other one. Voids outlast every commit in progress. So step 2 also
// notices a session that came and went in the meantime.
//
// Almost all sessions have settled in the new store; their handle is a *serverHandle.
// The others have an *unsettled.
type migrateKept struct{ *mover }

// unsettled is the handle of a session that is in the old store, or whose entry in the new one
// does not count for certain.
type unsettled struct {
	h      *serverHandle
	record Record // as it was there

	old      bool    // it is in the old store; else in the new one
	inTheWay Version // of what holds its place on the other side, zero if nothing does
}

// Load implements [Backend]. A session that has settled costs what it costs there.
func (m migrateKept) Load(ctx context.Context, scope Scope, presented Tokens) (LoadResult, error) {
	id, sec, ok := parseToken(presented.Session)
	if !ok {
		return LoadResult{}, ErrNotFound
	}
	h, l, at, err := m.locate(ctx, id)
	if err != nil {
		return LoadResult{}, err
	}
	l, err = m.to.native.admit(hashSecret(scope, id, sec), h, l)
	if err == nil && !l.Superseded && at != nil {
		if at.old {
			m.read()
		}
		at.carry(&l)
	}
	return l, err
}

// carry makes at the handle of l.
func (at *unsettled) carry(l *LoadResult) {
	at.h, at.record = l.Handle.(*serverHandle), l.Record
	l.Handle, l.Refresh = at, true
}

// settled returns the serverHandle behind handle; at is nil if it is that.
func settled(handle Handle) (h *serverHandle, at *unsettled) {
	if at, ok := handle.(*unsettled); ok {
		return at.h, at
	}
	return handle.(*serverHandle), nil
}

// Reload implements [Backend].
func (m migrateKept) Reload(ctx context.Context, _ Scope, handle Handle) (LoadResult, error) {
	old, _ := settled(handle)
	h, l, at, err := m.locate(ctx, old.id)
	if err == nil {
		l, err = m.to.native.again(old, h, l)
	}
	if err == nil && !l.Superseded && at != nil {
		at.carry(&l)
	}
	return l, err
}

func (m migrateKept) loadID(ctx context.Context, id ID) (LoadResult, error) {
	return m.Reload(ctx, Scope{}, &serverHandle{id: id, byID: true})
}

// Save implements [Backend]. It changes what r remembers of its moves.
func (m migrateKept) Save(ctx context.Context, scope Scope, r *Record, base Handle, renew bool) (Handle, string, error) {
	if base == nil {
		r.move = moveState{}
		return m.to.Save(ctx, scope, r, nil, renew)
	}
	h, at := settled(base)
	if at == nil {
		return m.save(ctx, scope, r, h, renew)
	}
	next := *h
	r.move = moveState{moves: at.record.move.moves + 1, renewed: r.move.renewed}
	if at.old {
		h, token, err := m.move(ctx, scope, r, at, &next, renew)
		m.moved(ctx, r, err)
		return h, token, err
	}
	if err := m.block(ctx, r, at); err != nil {
		return nil, "", err
	}
	return m.save(ctx, scope, r, &next, renew)
}

// save saves r in the new store.
func (m migrateKept) save(ctx context.Context, scope Scope, r *Record, h *serverHandle, renew bool) (Handle, string, error) {
	next, token, err := m.to.Save(ctx, scope, r, h, renew)
	return next, token, goneIsConflict(err)
}

// Touch implements [Backend]. A session that is not settled is moved.
func (m migrateKept) Touch(ctx context.Context, scope Scope, r *Record, base Handle) (Handle, Tokens, error) {
	h, at := settled(base)
	if at != nil {
		return touchBySaving(ctx, m, scope, r, base)
	}
	next, tokens, err := m.to.Touch(ctx, scope, r, h)
	if isGone(err) {
		l, err := m.Reload(ctx, scope, base)
		if err == nil && l.Superseded {
			err = ErrNotFound
		}
		if err != nil {
			return nil, Tokens{}, err
		}
		return base, Tokens{}, nil // it was moved back: nothing is touched
	}
	return next, tokens, err
}

// touchBySaving moves a session, or notes that its client has shown the new token.
func touchBySaving(ctx context.Context, b Backend, scope Scope, r *Record, base Handle) (Handle, Tokens, error) {
	h, token, err := b.Save(ctx, scope, r, base, false)
	if errors.Is(err, ErrConflict) {
		return base, Tokens{}, nil
	}
	return h, Tokens{Session: token}, err
}

// Delete implements [Backend]. What it ends cannot come back from the other side.
func (m migrateKept) Delete(ctx context.Context, handle Handle) error {
	h, _ := settled(handle)
	return m.end(ctx, h.id, time.Time{})
}

// end ends the session id. The old entry goes first: under a tombstone
// in the new store nobody would find it again, to end it, if that failed.
func (m migrateKept) end(ctx context.Context, id ID, _ time.Time) error {
	if err := m.from.dir.DeleteID(ctx, id); err != nil {
		return errors.Join(err, m.endArrived(ctx, id))
	}
	left, err := m.bury(ctx, m.to.native, id, time.Time{}, false)
	if err == nil && left {
		// It may have been moved from here to there meanwhile, or is about to be.
		_, err = m.bury(ctx, m.from.native, id, time.Time{}, false)
	}
	return err
}

// endArrived ends the session id in the new store while the old one cannot be written.
// Its tombstone outlasts what may remain in the old store.
func (m migrateKept) endArrived(ctx context.Context, id ID) error {
	var l LoadResult
	h, err := m.to.native.peek(ctx, id, &l)
	if isGone(err) || err == nil && (h.version == 0 || l.Record.move.place != placeHere) {
		return nil
	}
	if err == nil {
		_, err = m.bury(ctx, m.to.native, id, m.lasts(&l.Record), false)
	}
	return err
}

// locate finds the entry of id that counts. A nil *unsettled means that it is in
// the new store and settled, which takes one load to find out.
func (m migrateKept) locate(ctx context.Context, id ID) (*serverHandle, LoadResult, *unsettled, error) {
	var before [2]Version
	for {
		var l, o LoadResult
		h, err := m.to.native.peek(ctx, id, &l)
		if err != nil || l.Record.move.place == placeHere {
			return h, l, nil, err
		}
		old, err := m.from.native.peek(ctx, id, &o)
		leaving := l.Record.move.place == placeLeaving
		switch {
		case err != nil:
			return nil, LoadResult{}, nil, err
		case o.Record.move.place != placeVoid && (!leaving || o.Record.move.moves > l.Record.move.moves):
			return old, o, &unsettled{old: true, inTheWay: h.version}, nil
		case leaving:
			return h, l, &unsettled{inTheWay: old.version}, nil
		}
		// Neither. A void in the old store may mean that it was moved between
		// the two looks; then something is different now.
		now := [2]Version{h.version, old.version}
		if old.version == 0 || now == before {
			return nil, LoadResult{}, nil, ErrNotFound
		}
		before = now
	}
}

// peek reads the entry of id and its record into l. One that is absent reads like
// a void, at version zero; a tombstone is ErrNotFound.
func (b *serverSide) peek(ctx context.Context, id ID, l *LoadResult) (*serverHandle, error) {
	h, err := b.load(ctx, id, l)
	switch {
	case isGone(err):
		l.Record.move.place = placeVoid
		return &serverHandle{}, nil
	case err != nil:
		return nil, err
	case l.Record.move.place == placeEnded:
		return nil, ErrNotFound
	}
	return h, nil
}

// move saves r, which is in the old store, in the new one.
func (m migrateKept) move(ctx context.Context, scope Scope, r *Record, at *unsettled, next *serverHandle, renew bool) (Handle, string, error) {
	marked, err := m.mark(ctx, scope, at)
	if err != nil {
		return nil, "", err
	}
	next.version = at.inTheWay
	h, token, err := m.enter(ctx, scope, r, at.record.User, func() (Handle, string, error) {
		return m.save(ctx, scope, r, next, renew)
	})
	if err != nil {
		return nil, "", err
	}
	if isGone(m.vacate(ctx, r, marked)) {
		// Moves leave something there: it was ended while it was neither here nor there.
		return nil, "", errors.Join(ErrNotFound, m.end(ctx, r.ID, time.Time{}))
	}
	return h, token, nil
}

// mark says in the old store that the session is leaving it.
func (m migrateKept) mark(ctx context.Context, scope Scope, at *unsettled) (Version, error) {
	h, r := at.h, at.record
	r.move.place = placeLeaving
	v, err := m.from.native.put(ctx, scope, h, &r, h.version)
	return v, goneIsConflict(err)
}

// block puts a void into the old store, in the way of a move from the new store to it.
func (m migrateKept) block(ctx context.Context, r *Record, at *unsettled) error {
	void := m.marker(r.ID, placeVoid)
	_, err := m.from.native.put(ctx, Scope{}, &serverHandle{}, &void, at.inTheWay)
	return goneIsConflict(err)
}

// vacate makes a void of the old entry of r, which has just been moved.
// ErrNotFound means that the session was ended meanwhile. If it fails otherwise,
// the entry stays, and r counts all the same.
func (m migrateKept) vacate(ctx context.Context, r *Record, marked Version) error {
	for {
		void := m.marker(r.ID, placeVoid)
		_, err := m.from.native.put(ctx, Scope{}, &serverHandle{}, &void, marked)
		if !errors.Is(err, ErrConflict) {
			return err
		}
		// Another request has marked it as well, or it has been moved back.
		var l LoadResult
		h, err := m.from.native.peek(ctx, r.ID, &l)
		if isGone(err) || err == nil && h.version == 0 {
			return ErrNotFound
		}
		if err != nil || l.Record.move.place != placeLeaving || l.Record.move.moves >= r.move.moves {
			return nil
		}
		marked = h.version
	}
}
