package core

import (
	"context"
	"errors"
	"time"
)

// What follows is for two backends of ServerSide. A session keeps its token,
// and everything that happens to it is a compare-and-set on one of its two
// entries. So it can be moved in both directions at the same time, and a
// process may die at any point:
//
//  1. The entry in the old store is marked as leaving, also if it is marked
//     already. Whoever has loaded it before can no longer save it there.
//  2. The entry in the new store is made, unless somebody has put anything
//     there since this request looked.
//  3. The old entry becomes a void, unless it has changed since 1.
//
// An entry that is marked counts only as long as there is none on the other
// side that has been moved more often. Whoever wants to go on with a marked
// entry first puts a void in the place where 2 would make the other. Voids
// outlast every commit that may be under way, so that 2 notices also when the
// session came and went in the meantime.

// locate finds the entry of id that counts. A nil *moving means that it is in
// the new store and settled, which takes one load to find out.
func (m *Migration) locate(ctx context.Context, id ID) (*serverHandle, Loaded, *moving, error) {
	var before [2]Version
	for {
		var l, o Loaded
		h, err := m.to.native.peek(ctx, id, &l)
		if err != nil || l.Record.move.place == placeHere {
			return h, l, nil, err
		}
		old, err := m.from.native.peek(ctx, id, &o)
		leaving := l.Record.move.place == placeLeaving
		switch {
		case err != nil:
			return nil, Loaded{}, nil, err
		case o.Record.move.place != placeVoid && (!leaving || o.Record.move.moves > l.Record.move.moves):
			return old, o, &moving{old: true, inTheWay: h.version}, nil
		case leaving:
			return h, l, &moving{inTheWay: old.version}, nil
		}
		// Neither. A void in the old store may mean that it was moved between
		// the two looks; then something is different now.
		now := [2]Version{h.version, old.version}
		if old.version == 0 || now == before {
			return nil, Loaded{}, nil, ErrNotFound
		}
		before = now
	}
}

// peek reads the entry of id and its record into l. One that is absent reads like
// a void, at version zero; a tombstone is ErrNotFound.
func (b *serverSide) peek(ctx context.Context, id ID, l *Loaded) (*serverHandle, error) {
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

func (m *Migration) loadKept(ctx context.Context, scope Scope, token string) (Loaded, error) {
	id, sec, ok := parseToken(token)
	if !ok {
		return Loaded{}, ErrNotFound
	}
	h, l, at, err := m.locate(ctx, id)
	if err != nil {
		return Loaded{}, err
	}
	b := m.to.native
	if at != nil && at.old {
		b = m.from.native
	}
	l, err = b.admit(hashSecret(scope, id, sec), h, l)
	if err == nil && !l.Superseded && at != nil {
		if at.old {
			m.read()
		}
		at.carry(&l)
	}
	return l, err
}

// carry makes at the handle of l.
func (at *moving) carry(l *Loaded) {
	at.h, at.record = l.Handle, l.Record
	l.Handle, l.Refresh = at, true
}

// native returns the serverHandle behind handle.
func native(handle Handle) *serverHandle {
	if at, ok := handle.(*moving); ok {
		handle = at.h
	}
	return handle.(*serverHandle)
}

func (m *Migration) reloadKept(ctx context.Context, handle Handle) (Loaded, error) {
	old := native(handle)
	h, l, at, err := m.locate(ctx, old.id)
	if err == nil {
		l, err = m.to.native.again(old, h, l)
	}
	if err == nil && at != nil {
		at.carry(&l)
	}
	return l, err
}

func (m *Migration) loadIDKept(ctx context.Context, id ID) (Loaded, error) {
	return m.reloadKept(ctx, &serverHandle{id: id, byID: true})
}

// moveKept is Save for a session that is not simply in the new store.
func (m *Migration) moveKept(ctx context.Context, scope Scope, r *Record, at *moving, renew bool) (Handle, string, error) {
	next := *at.h.(*serverHandle)
	r.move = moveState{moves: at.record.move.moves + 1}
	if !at.old {
		if err := m.block(ctx, r, at); err != nil {
			return nil, "", err
		}
		h, token, err := m.to.Save(ctx, scope, r, &next, renew)
		return h, token, goneIsConflict(err)
	}
	marked, err := m.mark(ctx, scope, at)
	if err != nil {
		return nil, "", err
	}
	next.version = at.inTheWay
	h, token, err := m.enter(ctx, scope, r, at, func() (Handle, string, error) {
		h, token, err := m.to.Save(ctx, scope, r, &next, renew)
		return h, token, goneIsConflict(err)
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

// vacate makes a void of the old entry of r, which has just been moved.
// ErrNotFound means that the session was ended meanwhile. If it fails otherwise,
// the entry stays, and r counts all the same.
func (m *Migration) vacate(ctx context.Context, r *Record, marked Version) error {
	for {
		void := m.marker(r.ID, placeVoid)
		_, err := m.from.native.put(ctx, Scope{}, &serverHandle{}, &void, marked)
		if !errors.Is(err, ErrConflict) {
			return err
		}
		// Another request has marked it as well, or it has been moved back.
		var l Loaded
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

// goneIsConflict makes the core look for a session that is not where it was:
// it may have been moved by a process that runs the other direction.
func goneIsConflict(err error) error {
	if isGone(err) {
		return ErrConflict
	}
	return err
}

// mark says in the old store that the session is leaving it.
func (m *Migration) mark(ctx context.Context, scope Scope, at *moving) (Version, error) {
	h, r := at.h.(*serverHandle), at.record
	r.move.place = placeLeaving
	v, err := m.from.native.put(ctx, scope, h, &r, h.version)
	return v, goneIsConflict(err)
}

// block puts a void into the old store, in the way of a move from the new store to it.
func (m *Migration) block(ctx context.Context, r *Record, at *moving) error {
	void := m.marker(r.ID, placeVoid)
	_, err := m.from.native.put(ctx, Scope{}, &serverHandle{}, &void, at.inTheWay)
	return goneIsConflict(err)
}

// marker returns a record that is no session.
func (m *Migration) marker(id ID, p place) Record {
	now := m.now()
	return Record{ID: id, CreatedAt: now, SavedAt: now, Expires: now.Add(endedFor), move: moveState{place: p}}
}

// put saves r at the given version under h's hashes.
func (b *serverSide) put(ctx context.Context, scope Scope, h *serverHandle, r *Record, base Version) (Version, error) {
	return b.store.Save(ctx, r.ID, Entry{Data: h.seal(r), Expires: r.Expires, User: scopedUser(scope.Namespace, r.User)}, base)
}
