package core

import (
	"context"
	"fmt"
	"time"
)

// What follows is for a ServerSide and a linked backend, in either direction.
// A session has a token of each of the two, its twins: who has one of them gets
// what who has the other gets. Each entry names the other's token, so that
// everybody looks at the same two entries, and moves go as between two of
// ServerSide (see migratekept.go):
//
//  1. The entry that the session leaves is marked, and says where it goes.
//  2. The entry on the other side is made, unless somebody has put anything there.
//  3. The entry that it has left becomes a void, which still names the other.
//
// What moves is the session as it was. Changes are saved once it has arrived.
// A login or renewal makes a new token on its side, which has no twin.

// linked is a backend that finds sessions by their tokens alone, but compares
// and sets, and keeps all that is in a record.
type linked interface {
	Backend

	// Vacant returns a handle with which Save makes a session under a token:
	// ErrConflict if there is one. An empty token is drawn.
	Vacant(scope Scope, token string, id ID) (handle Handle, drawn string, err error)
}

// twin is the handle of a session of such a pair.
type twin struct {
	scope Scope
	id    ID
	shown string // what the request has presented, or was given last; empty if it came by ID
	own   string // the token of the ServerSide, empty if there is none yet
	token string // the token of the linked backend, likewise

	n  *serverHandle // at version zero if there is no entry
	nr Record
	l  Handle // nil if nobody has looked
	lr Record

	native  bool // the session is in the ServerSide
	settled bool // and the entry on the other side does not have to be got out of the way
	refresh bool
}

// Format implements [fmt.Formatter]: whatever the verb, no token is printed.
func (*twin) Format(f fmt.State, _ rune) { _, _ = fmt.Fprint(f, "core.twin") }

// record returns what counts.
func (t *twin) record() *Record {
	if t.native {
		return &t.nr
	}
	return &t.lr
}

// twins returns the two sides of a linked pair.
func (m *Migration) twins() (*serverSide, linked) {
	if n := m.to.native; n != nil {
		return n, m.from.linked
	}
	return m.from.native, m.to.linked
}

// inward reports whether sessions move to the ServerSide.
func (m *Migration) inward() bool { return m.to.native != nil }

// loadLinked is Load for a linked pair. What looks like a token of the
// ServerSide may be one of the other.
func (m *Migration) loadLinked(ctx context.Context, scope Scope, token string) (Loaded, error) {
	if id, _, ok := parseToken(token); ok {
		l, err := m.find(ctx, scope, twin{id: id, shown: token, own: token})
		if !isGone(err) {
			return m.presented(l), err
		}
	}
	l, err := m.find(ctx, scope, twin{shown: token, token: token})
	return m.presented(l), err
}

// presented counts what a request has presented.
func (m *Migration) presented(l Loaded) Loaded {
	if t, ok := l.Handle.(*twin); ok && (t.native != m.inward() || t.shown != m.lasting(t)) {
		m.read()
	}
	return l
}

// lasting is the token that the client is to have in the end.
func (m *Migration) lasting(t *twin) string {
	if m.inward() {
		return t.own
	}
	return t.token
}

// reloadLinked is Reload for a linked pair.
func (m *Migration) reloadLinked(ctx context.Context, scope Scope, t *twin) (Loaded, error) {
	l, err := m.find(ctx, scope, twin{id: t.id, shown: t.shown, own: t.own, token: t.token})
	if err == nil && l.Superseded {
		return Loaded{}, ErrNotFound
	}
	if next, ok := l.Handle.(*twin); ok && t.n != nil && next.n != nil && t.n.current == next.n.current {
		next.n.minted = t.n.minted // still nobody has it
	}
	return l, err
}

// find finds the entry that counts.
func (m *Migration) find(ctx context.Context, scope Scope, t twin) (Loaded, error) {
	var before Version
	t.scope = scope
	for range 100 {
		if t.token != "" {
			if l, done, err := m.lookLinked(ctx, scope, &t); done || err != nil {
				return l, err
			}
		}
		if l, done, err := m.lookNative(ctx, scope, &t); done || err != nil {
			return l, err
		}
		token, err := m.follow(&t)
		if err != nil {
			return Loaded{}, err
		}
		if token != t.token {
			t.token = token
			continue
		}
		leaving := t.lr.move.place == placeLeaving
		switch {
		case t.token == "":
			return Loaded{}, ErrNotFound
		case leaving && (t.nr.move.place == placeVoid || t.lr.move.moves > t.nr.move.moves):
			t.native, t.settled = false, false
			return m.found(&t), nil
		case t.nr.move.place == placeLeaving:
			t.native, t.settled = true, false
			return m.found(&t), nil
		case t.n.version == 0 || t.n.version == before:
			return Loaded{}, ErrNotFound
		}
		before = t.n.version // it may have been moved between the two looks
	}
	return Loaded{}, fmt.Errorf("%w: session %s is being moved all the time", ErrUnavailable, t.id)
}

// found makes t the handle of the session that it has led to.
func (m *Migration) found(t *twin) Loaded {
	next := *t
	next.refresh = t.refresh || !t.settled || t.native != m.inward() || t.shown != "" && t.shown != m.lasting(t)
	return Loaded{Record: *next.record(), Handle: &next, Refresh: next.refresh}
}

// lookLinked looks into the linked backend. It is done if the session is there.
func (m *Migration) lookLinked(ctx context.Context, scope Scope, t *twin) (_ Loaded, done bool, _ error) {
	n, b := m.twins()
	l, err := b.Load(ctx, scope, t.token)
	switch {
	case isGone(err) && t.shown != t.token:
		t.lr = Record{move: moveState{place: placeVoid}}
		t.l, _, err = b.Vacant(scope, t.token, t.id)
		return Loaded{}, false, err
	case err != nil:
		return Loaded{}, false, err
	case l.Superseded:
		return l, true, nil
	case t.own != "" && l.Record.move.link != t.own:
		return Loaded{}, false, ErrNotFound // no twin of it
	}
	t.id, t.l, t.lr, t.own = l.Record.ID, l.Handle, l.Record, l.Record.move.link
	if t.lr.move.place != placeHere {
		return Loaded{}, false, nil
	}
	if t.lr.move.moves > 0 { // it may have been ended by somebody who did not find it here
		if _, err := n.peek(ctx, t.id, new(Loaded)); err != nil {
			if isGone(err) { // it was, and could not be deleted here then
				_ = b.Delete(ctx, l.Handle)
			}
			return Loaded{}, false, err
		}
	}
	t.native, t.settled, t.refresh = false, true, l.Refresh
	return m.found(t), true, nil
}

// lookNative looks into the ServerSide. It is done if the session is there.
func (m *Migration) lookNative(ctx context.Context, scope Scope, t *twin) (_ Loaded, done bool, _ error) {
	b, _ := m.twins()
	var l Loaded
	h, err := b.peek(ctx, t.id, &l)
	if err != nil {
		return Loaded{}, false, err
	}
	t.n, t.nr = h, l.Record
	// What is on its way from the other side is that side's yet.
	ahead := t.lr.move.place == placeLeaving && (t.nr.move.place == placeVoid || t.lr.move.moves > t.nr.move.moves)
	if h.version != 0 && t.own != "" && !ahead {
		id, sec, _ := parseToken(t.own)
		l.Record.move.place = placeHere
		if l, err = b.admit(hashSecret(scope, id, sec), h, l); err != nil || l.Superseded {
			return l, l.Superseded, err
		}
	}
	if t.nr.move.place != placeHere {
		return Loaded{}, false, nil
	}
	h.byID = t.shown == ""
	t.native, t.settled = true, true
	return m.found(t), true, nil
}

// follow returns the token of the linked backend, as far as it is known.
func (m *Migration) follow(t *twin) (string, error) {
	switch {
	case t.shown == "" && t.nr.move.place == placeLeaving:
		return "", fmt.Errorf("%w: the session is being moved", ErrUnsupported)
	case t.own == "" || t.nr.move.link == "" || t.nr.move.place == placeHere:
		return t.token, nil
	}
	return openLink(t.own, t.nr.move.link)
}

// voidOf returns what names a twin but is no session.
func (m *Migration) voidOf(r *Record, link string) *Record {
	void := m.marker(r.ID, placeVoid)
	void.move.moves, void.move.link = r.move.moves, link
	if until := m.lasts(r); until.After(void.Expires) {
		void.Expires = until
	}
	return &void
}

// tokenOf returns the token of the ServerSide that t has or is to get, and the handle for it.
func (m *Migration) tokenOf(scope Scope, t *twin) (string, *serverHandle, error) {
	b, _ := m.twins()
	own := t.own
	if own == "" {
		sec, err := newSecret(b.rand)
		if err != nil {
			return "", nil, err
		}
		own = formatToken(t.id, sec)
	}
	_, sec, _ := parseToken(own)
	h := serverHandle{id: t.id}
	if t.n != nil {
		h = *t.n
	}
	if sum := hashSecret(scope, t.id, sec); h.current != sum {
		h = serverHandle{id: t.id, version: h.version, current: sum}
	}
	h.expires = time.Time{}
	return own, &h, nil
}
