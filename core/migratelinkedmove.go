package core

import (
	"context"
	"errors"
)

// bring brings a session to where it is to be, as it is.
func (m *Migration) bring(ctx context.Context, scope Scope, t *twin) (at *twin, err error) {
	switch {
	case t.native != m.inward() && t.shown == "": // there is no client to give the new token to
		return t, nil
	case t.native != m.inward():
		if m.inward() {
			at, err = m.bringIn(ctx, scope, t)
		} else {
			at, err = m.bringOut(ctx, scope, t)
		}
		m.moved(ctx, t.record(), err)
		return at, err
	case t.settled:
		return t, nil
	case t.native:
		return m.settleIn(ctx, scope, t)
	}
	return m.settleOut(ctx, scope, t)
}

// bringIn moves a session into the ServerSide.
func (m *Migration) bringIn(ctx context.Context, scope Scope, t *twin) (*twin, error) {
	n, b := m.twins()
	own, h, err := m.tokenOf(scope, t)
	if err != nil {
		return nil, err
	}
	if t.n == nil { // nobody has looked yet
		var l Loaded
		there, err := n.peek(ctx, t.id, &l)
		if err != nil {
			return nil, err
		}
		h.version = there.version
		if there.current == h.current {
			h = there
		}
	}
	next := *t
	next.own, next.native, next.settled = own, true, true
	leaving := t.lr
	leaving.move.place, leaving.move.link = placeLeaving, own
	marked, _, err := b.Save(ctx, scope, &leaving, t.l, false)
	if err != nil {
		return nil, goneIsConflict(err)
	}
	next.nr = t.lr
	next.nr.move = moveState{moves: t.lr.move.moves + 1, until: m.lasts(&t.lr).UnixMilli()}
	if next.nr.move.link, err = sealLink(own, t.token); err != nil {
		return nil, err
	}
	_, _, err = m.enter(ctx, scope, &next.nr, &moving{record: t.lr}, func() (Handle, string, error) {
		arrived := *h
		var err error
		arrived.version, err = n.put(ctx, scope, h, &next.nr, h.version)
		arrived.expires = next.nr.Expires
		next.n = &arrived
		return &arrived, "", goneIsConflict(err)
	})
	if err != nil {
		return nil, err
	}
	next.l, next.lr = nil, Record{}
	if isGone(m.leaveLinked(ctx, scope, &leaving, marked, t.token)) {
		return nil, errors.Join(ErrNotFound, m.end(ctx, t.id, m.lasts(&leaving)))
	}
	return &next, nil
}

// leaveLinked makes a void of the entry in the linked backend that has been left; see vacate.
func (m *Migration) leaveLinked(ctx context.Context, scope Scope, left *Record, marked Handle, token string) error {
	_, b := m.twins()
	for {
		_, _, err := b.Save(ctx, scope, m.voidOf(left, left.move.link), marked, false)
		if !errors.Is(err, ErrConflict) {
			return err
		}
		l, err := b.Load(ctx, scope, token)
		if err != nil {
			return err
		}
		if l.Superseded || l.Record.move.place != placeLeaving || l.Record.move.moves > left.move.moves {
			return nil
		}
		marked = l.Handle
	}
}

// bringOut moves a session out of the ServerSide.
func (m *Migration) bringOut(ctx context.Context, scope Scope, t *twin) (*twin, error) {
	n, b := m.twins()
	next := *t
	var err error
	if next.token == "" && t.nr.move.link != "" {
		if next.token, err = openLink(t.own, t.nr.move.link); err != nil {
			return nil, err
		}
	}
	if next.l == nil {
		if err := m.lookAgain(ctx, scope, &next); err != nil {
			return nil, err
		}
	}
	leaving := t.nr
	leaving.move.place = placeLeaving
	if leaving.move.link, err = sealLink(t.own, next.token); err != nil {
		return nil, err
	}
	marked := *t.n
	if marked.version, err = n.put(ctx, scope, t.n, &leaving, t.n.version); err != nil {
		return nil, goneIsConflict(err)
	}
	next.lr = t.nr
	next.lr.move = moveState{moves: t.nr.move.moves + 1, link: t.own}
	if next.l, _, err = b.Save(ctx, scope, &next.lr, next.l, false); err != nil {
		return nil, goneIsConflict(err)
	}
	next.native, next.settled, next.n, next.nr = false, true, nil, Record{}
	if isGone(m.leaveNative(ctx, scope, &leaving, &marked)) {
		return nil, errors.Join(ErrNotFound, b.Delete(ctx, next.l))
	}
	return &next, nil
}

// lookAgain finds out what is under t's token in the linked backend, which is
// drawn if there is none.
func (m *Migration) lookAgain(ctx context.Context, scope Scope, t *twin) (err error) {
	_, b := m.twins()
	var l Loaded
	if t.token != "" {
		if l, err = b.Load(ctx, scope, t.token); err != nil && !isGone(err) {
			return err
		}
	}
	if t.token != "" && err == nil && !l.Superseded {
		t.l, t.lr = l.Handle, l.Record
		return nil
	}
	if l.Superseded {
		t.token = ""
	}
	t.l, t.token, err = b.Vacant(scope, t.token, t.id)
	return err
}

// leaveNative makes a void of the entry in the ServerSide that has been left; see vacate.
func (m *Migration) leaveNative(ctx context.Context, scope Scope, left *Record, marked *serverHandle) error {
	n, _ := m.twins()
	for {
		_, err := n.put(ctx, scope, marked, m.voidOf(left, left.move.link), marked.version)
		if !errors.Is(err, ErrConflict) {
			return err
		}
		var l Loaded
		h, err := n.peek(ctx, left.ID, &l)
		switch {
		case err != nil:
			return err
		case h.version == 0:
			return ErrNotFound
		case l.Record.move.place != placeLeaving || l.Record.move.moves > left.move.moves:
			return nil
		}
		marked = h
	}
}

// settleIn lets a session stay in the ServerSide that was about to leave it.
func (m *Migration) settleIn(ctx context.Context, scope Scope, t *twin) (*twin, error) {
	n, b := m.twins()
	if _, _, err := b.Save(ctx, scope, m.voidOf(&t.nr, t.own), t.l, false); err != nil {
		return nil, goneIsConflict(err)
	}
	next, h := *t, *t.n
	next.settled, next.l, next.lr = true, nil, Record{}
	next.nr.move.place = placeHere
	next.nr.move.moves++
	version, err := n.put(ctx, scope, t.n, &next.nr, t.n.version)
	if err != nil {
		return nil, goneIsConflict(err)
	}
	h.version = version
	next.n = &h
	return &next, nil
}

// settleOut lets a session stay in the linked backend that was about to leave it.
func (m *Migration) settleOut(ctx context.Context, scope Scope, t *twin) (*twin, error) {
	n, b := m.twins()
	own, h, err := m.tokenOf(scope, t)
	if err != nil {
		return nil, err
	}
	link, err := sealLink(own, t.token)
	if err != nil {
		return nil, err
	}
	if _, err := n.put(ctx, scope, h, m.voidOf(&t.lr, link), h.version); err != nil {
		return nil, goneIsConflict(err)
	}
	next := *t
	next.settled, next.n, next.nr = true, nil, Record{}
	next.lr.move.place = placeHere
	next.lr.move.moves++
	if next.l, _, err = b.Save(ctx, scope, &next.lr, t.l, false); err != nil {
		return nil, goneIsConflict(err)
	}
	return &next, nil
}
