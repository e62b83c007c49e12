package core

import (
	"context"
	"errors"
	"time"
)

// Delete implements [Backend]. What it ends cannot come back from the other side.
func (m *Migration) Delete(ctx context.Context, handle Handle) error {
	switch h := handle.(type) {
	case *twin:
		return m.deleteLinked(ctx, h)
	case *moving:
		err := m.end(ctx, h.record.ID, m.lasts(&h.record))
		if h.old && m.from.dir == nil { // only its handle reaches it
			err = errors.Join(err, m.from.Delete(ctx, h.h))
		}
		return err
	case *arrived:
		return errors.Join(m.to.Delete(ctx, h.h), m.end(ctx, h.id, h.expires))
	case *serverHandle:
		return m.end(ctx, h.id, h.expires)
	}
	return m.to.Delete(ctx, handle)
}

// DeleteID implements [Directory].
func (d *migrationDir) DeleteID(ctx context.Context, id ID) error { return d.end(ctx, id, time.Time{}) }

// end ends the session id on both sides. Where a copy or a token of the other
// side could bring it back, a tombstone stays, at least until the given time.
func (m *Migration) end(ctx context.Context, id ID, until time.Time) error {
	switch {
	case m.kept:
		return m.endKept(ctx, id)
	case m.to.native != nil:
		if _, err := m.bury(ctx, m.to.native, id, until); err != nil || m.from.dir == nil {
			return err
		}
		return m.from.dir.DeleteID(ctx, id)
	case m.from.native != nil:
		if _, err := m.bury(ctx, m.from.native, id, until); err != nil || m.to.dir == nil {
			return err
		}
		return m.to.dir.DeleteID(ctx, id)
	}
	var errs [2]error
	for i, s := range [...]side{m.to, m.from} {
		if s.dir != nil {
			errs[i] = s.dir.DeleteID(ctx, id)
		}
	}
	return errors.Join(errs[:]...)
}

// endKept is end for two of ServerSide. The old entry goes first: under a tombstone
// in the new store nobody would find it again, to end it, if that failed.
func (m *Migration) endKept(ctx context.Context, id ID) error {
	if err := m.from.dir.DeleteID(ctx, id); err != nil {
		return errors.Join(err, m.endArrived(ctx, id))
	}
	left, err := m.bury(ctx, m.to.native, id, time.Time{})
	if err == nil && left {
		// It may have been moved from here to there meanwhile, or is about to be.
		_, err = m.bury(ctx, m.from.native, id, time.Time{})
	}
	return err
}

// endArrived ends the session id if it is in the new store, while the old one
// cannot be written to. Its tombstone outlasts what may be left there.
func (m *Migration) endArrived(ctx context.Context, id ID) error {
	var l Loaded
	h, err := m.to.native.peek(ctx, id, &l)
	if isGone(err) || err == nil && (h.version == 0 || l.Record.move.place != placeHere) {
		return nil
	}
	if err == nil {
		_, err = m.bury(ctx, m.to.native, id, m.lasts(&l.Record))
	}
	return err
}

// bury puts a tombstone in the place of the session id in b, and reports whether
// the session was on its way from there to the other side, or had left.
func (m *Migration) bury(ctx context.Context, b *serverSide, id ID, until time.Time) (left bool, _ error) {
	for {
		var l Loaded
		h, err := b.load(ctx, id, &l)
		switch {
		case err == nil && l.Record.move.place == placeEnded && !l.Record.Expires.Before(until):
			return false, nil
		case isGone(err):
			h = &serverHandle{}
		case errors.Is(err, ErrCorrupt), errors.Is(err, ErrNewerVersion):
			return true, b.store.Delete(ctx, id) // nothing that could be moved
		case err != nil:
			return false, err
		}
		left = left || l.Record.move.place == placeLeaving || l.Record.move.place == placeVoid
		tomb := m.marker(id, placeEnded)
		tomb.move.link = l.Record.move.link // to where it may have been moved
		for _, t := range [...]time.Time{until, m.tombUntil(h, &l.Record)} {
			if t.After(tomb.Expires) {
				tomb.Expires = t
			}
		}
		_, err = b.put(ctx, Scope{}, &serverHandle{}, &tomb, h.version)
		if err == nil || !errors.Is(err, ErrConflict) && !isGone(err) || ctx.Err() != nil {
			return left, err
		}
		// Another request was faster; this one wins in the end, for each save
		// that it loses to is one that cannot be made again.
	}
}

// tombUntil returns how long a token of the other side may bring back the session r.
func (m *Migration) tombUntil(h *serverHandle, r *Record) time.Time {
	if m.kept || h.version == 0 {
		return time.Time{}
	}
	return m.lasts(r)
}

// DeleteAll implements [Directory]. The old side comes first: a move that is
// under way finds its session gone from there, and gives up. It comes last as
// well, for moves in the other direction.
func (d *migrationDir) DeleteAll(ctx context.Context) error {
	var errs [3]error
	for i, s := range [...]side{d.from, d.to, d.from} {
		if s.dir != nil && (i < 2 || d.to.dir != nil && errs[0] == nil) {
			errs[i] = s.dir.DeleteAll(ctx)
		}
	}
	return errors.Join(errs[:]...)
}
