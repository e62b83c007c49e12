package core

import (
	"context"
	"errors"
)

// saveLinked is Save for a session of a linked pair: it is brought over as it
// was, and then changed there.
func (m *Migration) saveLinked(ctx context.Context, scope Scope, r *Record, t *twin, renew bool) (Handle, string, error) {
	at, err := m.bring(ctx, scope, t)
	if err != nil {
		return nil, "", err
	}
	next := *at
	r.move = at.record().move
	if renew {
		if r.move.link != "" && !at.native {
			if err := m.unmark(ctx, scope, at); err != nil {
				return nil, "", err
			}
		}
		r.move.link = ""
	}
	var token string
	if at.native {
		b, _ := m.twins()
		var h Handle
		if h, token, err = b.Save(ctx, scope, r, at.n, renew); err != nil {
			return nil, "", goneIsConflict(err)
		}
		next.n, next.nr = h.(*serverHandle), *r
	} else {
		_, b := m.twins()
		if next.l, token, err = b.Save(ctx, scope, r, at.l, renew); err != nil {
			return nil, "", goneIsConflict(err)
		}
		next.lr = *r
	}
	switch {
	case token != "" && at.native:
		next.shown, next.own, next.token, next.l = token, token, "", nil
	case token != "":
		next.shown, next.token, next.own, next.n = token, token, "", nil
	case at.native == m.inward() && t.shown != "" && t.shown != m.lasting(at):
		token = m.lasting(at)
	}
	return &next, token, nil
}

// unmark sees to it that the ServerSide does not bring back what a session was
// before a renewal in the linked backend: a process may have died there.
func (m *Migration) unmark(ctx context.Context, scope Scope, t *twin) error {
	n, _ := m.twins()
	var l Loaded
	h, err := n.peek(ctx, t.id, &l)
	if err != nil || l.Record.move.place != placeLeaving {
		return err
	}
	if l.Record.move.moves >= t.lr.move.moves {
		return ErrConflict // it has been moved since, and is leaving again
	}
	_, err = n.put(ctx, scope, h, m.voidOf(&l.Record, l.Record.move.link), h.version)
	return goneIsConflict(err)
}

// touchLinked is Touch for a session of a linked pair.
func (m *Migration) touchLinked(ctx context.Context, scope Scope, r *Record, t *twin) (Handle, string, error) {
	if t.refresh && t.shown != "" {
		h, token, err := m.saveLinked(ctx, scope, r, t, false)
		if errors.Is(err, ErrConflict) {
			return t, "", nil
		}
		return h, token, err
	}
	next := *t
	if !t.native {
		_, b := m.twins()
		var err error
		if next.l, _, err = b.Touch(ctx, scope, r, t.l); err != nil {
			return nil, "", err
		}
		return &next, "", nil
	}
	b, _ := m.twins()
	h, _, err := b.Touch(ctx, scope, r, t.n)
	if isGone(err) {
		if _, err := m.reloadLinked(ctx, scope, t); err != nil {
			return nil, "", err
		}
		return t, "", nil // it was moved: nothing is touched
	}
	if err != nil {
		return nil, "", err
	}
	next.n = h.(*serverHandle)
	return &next, "", nil
}

// deleteLinked ends a session on both sides. The tombstone in the ServerSide
// names its twin, if it had one by then.
func (m *Migration) deleteLinked(ctx context.Context, t *twin) error {
	n, b := m.twins()
	if err := m.end(ctx, t.id, m.lasts(t.record())); err != nil {
		return err
	}
	h, token := t.l, t.token
	if h == nil && t.own != "" {
		var tomb Loaded
		if _, err := n.load(ctx, t.id, &tomb); err != nil && !isGone(err) {
			return err
		}
		if link := tomb.Record.move.link; link != "" {
			if twin, err := openLink(t.own, link); err == nil { // else it is another token's
				token = twin
			}
		}
	}
	if h == nil && token != "" {
		var err error
		if h, _, err = b.Vacant(t.scope, token, t.id); err != nil {
			return err
		}
	}
	if h == nil {
		return nil
	}
	return b.Delete(ctx, h)
}

// createdLinked returns the handle of a session that is new.
func (m *Migration) createdLinked(scope Scope, r *Record, h Handle, token string) *twin {
	t := &twin{scope: scope, id: r.ID, shown: token, settled: true, native: m.inward()}
	if t.native {
		t.own, t.n, t.nr = token, h.(*serverHandle), *r
	} else {
		t.token, t.l, t.lr = token, h, *r
	}
	return t
}
