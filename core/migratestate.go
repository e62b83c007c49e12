package core

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"time"
)

// place says what the entry of a session in one backend means while sessions
// are being moved between two.
type place uint8

const (
	placeHere    place = iota // the session lives here
	placeLeaving              // it is on its way to the other side: if it is there, that is the session
	placeVoid                 // nothing: it keeps a move that is under way from being completed
	placeEnded                // tombstone: the session has ended and must not come back
)

// oldToken says what the token of the side that a session came from is still good for.
type oldToken uint8

const (
	oldNone   oldToken = iota // there is none, or it is the same as the new one
	oldOpen                   // valid: no request has shown yet that the client has the new one
	oldLate                   // valid for moveGrace, for requests that are under way
	oldClosed                 // dead: replaced by a login or renewal
)

const (
	// moveGrace is how long requests may be in progress with a token that the token of
	// the other side has replaced.
	moveGrace = time.Minute

	// endedFor is how long a tombstone stays where only a request in progress could
	// bring a session back. Commits take seconds.
	endedFor = 5 * time.Minute
)

// moveState is what a record keeps about moves, and about renewals that they depend on.
// A backend that takes no part in a migration ignores it.
type moveState struct {
	place place
	old   oldToken
	moves uint64 // how often the session has been moved: of two copies, the higher one counts
	since int64  // when old became what it is, in Unix milliseconds
	until int64  // when the old token ends by itself, in Unix milliseconds; zero if a tombstone knows

	renewed int64  // when the session got a new token other than by a login, in Unix milliseconds
	origin  origin // the record that has moved here
}

// origin is the record that has moved to a ServerSide.
type origin struct {
	saved int64 // its SavedAt, in Unix milliseconds
	token sum   // of the token that it came in, zero unless tokens carry sessions
}

// sum is a hash of a token that carries a session.
type sum [16]byte

func sumOf(token string) sum {
	hash := sha256.Sum256([]byte("satchel old token\x00" + token))
	return sum(hash[:16])
}

// entitled returns the time of the last login or renewal, in Unix milliseconds. What a
// token from before it gave access to was less.
func (r *Record) entitled() int64 {
	if r.AuthenticatedAt.IsZero() {
		return r.move.renewed
	}
	return max(r.AuthenticatedAt.UnixMilli(), r.move.renewed)
}

// travelled reports whether the session has been elsewhere, or still is.
func (s *moveState) travelled() bool { return *s != moveState{renewed: s.renewed} }

// hidden reports whether the record is a marker that users never see.
func (s *moveState) hidden() bool { return s.place == placeVoid || s.place == placeEnded }

func (s *moveState) appendTo(dst []byte) []byte {
	kinds := byte(s.place) | byte(s.old)<<2
	if s.renewed != 0 {
		kinds |= kindRenewed
	}
	if s.origin != (origin{}) {
		kinds |= kindOrigin
	}
	dst = append(dst, kinds)
	dst = binary.AppendUvarint(dst, s.moves)
	dst = binary.AppendVarint(dst, s.since)
	dst = binary.AppendVarint(dst, s.until)
	if kinds&kindRenewed != 0 {
		dst = binary.AppendVarint(dst, s.renewed)
	}
	if kinds&kindOrigin != 0 {
		dst = binary.AppendVarint(dst, s.origin.saved)
		dst = append(dst, s.origin.token[:]...)
	}
	return dst
}

const (
	// The first byte of a moveState has these beside place and old.
	kindRenewed = 0x10
	kindOrigin  = 0x20

	// maxMoveState is never below the encoded size of a moveState.
	maxMoveState = 1 + 5*binary.MaxVarintLen64 + len(sum{})
)

func (c *cursor) moveState() (s moveState) {
	kinds := c.uvarint()
	if kinds > 0x3f {
		c.fail()
		return s
	}
	s.place, s.old = place(kinds&3), oldToken(kinds>>2&3)
	s.moves = c.uvarint()
	s.since, s.until = c.varint(), c.varint()
	if kinds&kindRenewed != 0 {
		s.renewed = c.varint()
	}
	if kinds&kindOrigin != 0 {
		s.origin.saved = c.varint()
		if len(c.buf) < len(s.origin.token) {
			c.fail()
			return s
		}
		s.origin.token = sum(c.take(len(s.origin.token)))
	}
	return s
}

// change sets what the old token is good for from now on.
func (s *moveState) change(old oldToken, now time.Time) { s.old, s.since = old, now.UnixMilli() }

// settledFor is how long old has been what it is.
func (s *moveState) settledFor(now time.Time) time.Duration {
	return now.Sub(time.UnixMilli(s.since))
}

// standing is what a token of the old side gets from a session that has moved.
type standing uint8

const (
	honoured  standing = iota // the session
	late                      // nothing, and it must not disturb the new token (promise L4)
	refused                   // nothing: it is no token any more
	overtakes                 // the session as it is in the old backend, in place of the one that has moved
)

// judge says what the token of the side that r came from is good for.
func (s *moveState) judge(now time.Time) standing {
	switch {
	case s.old == oldNone, s.old == oldOpen, s.old == oldLate && s.settledFor(now) < moveGrace:
		return honoured
	}
	return s.dead(now)
}

// dead says what a token gets that has no right to the session: nothing, and at first it
// counts as late.
func (s *moveState) dead(now time.Time) standing {
	window := supersededFor
	if s.old == oldLate {
		window += moveGrace
	}
	if s.settledFor(now) < window {
		return late
	}
	return refused
}

// bury puts a tombstone in the place of the session id in b. It reports whether the
// session had left for the other side, or was about to. With outlast, the tombstone
// stays for as long as a token that carries the session could bring it back.
func (m *mover) bury(ctx context.Context, b *serverSide, id ID, until time.Time, outlast bool) (left bool, _ error) {
	for {
		var l LoadResult
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
		tomb.Expires = later(tomb.Expires, until)
		if outlast && l.Record.move.travelled() {
			tomb.Expires = later(tomb.Expires, m.lasts(&l.Record))
		}
		_, err = b.put(ctx, Scope{}, &serverHandle{}, &tomb, h.version)
		if !errors.Is(goneIsConflict(err), ErrConflict) || ctx.Err() != nil {
			return left, err
		}
		// Another request was faster; this one wins in the end, for each save
		// that it loses to is one that cannot be made again.
	}
}

// afterlife is where a tombstone lies that a session leaves at its natural end, when old tokens
// would outlive it.
func afterlife(id ID) ID {
	hash := sha256.Sum256(append([]byte("satchel ended session\x00"), id[:]...))
	return ID(hash[:16])
}

// outlast leaves a tombstone in b for the natural end of r, unless r or a tombstone lasts until then.
func (m *mover) outlast(ctx context.Context, b *serverSide, r *Record, until time.Time) error {
	if !until.After(r.Expires) {
		return nil
	}
	tomb := m.marker(afterlife(r.ID), placeEnded)
	tomb.move.moves, tomb.SavedAt, tomb.Expires = r.move.moves, r.SavedAt, later(tomb.Expires, until)
	for {
		var l LoadResult
		h, err := b.load(ctx, tomb.ID, &l)
		switch {
		case isGone(err):
			h = &serverHandle{}
		case err != nil:
			return err
		case !l.Record.Expires.Before(until) && l.Record.move.moves >= r.move.moves:
			return nil
		}
		tomb.move.moves = max(tomb.move.moves, l.Record.move.moves)
		tomb.SavedAt, tomb.Expires = later(tomb.SavedAt, l.Record.SavedAt), later(tomb.Expires, l.Record.Expires)
		_, err = b.put(ctx, Scope{}, &serverHandle{}, &tomb, h.version)
		if !errors.Is(goneIsConflict(err), ErrConflict) || ctx.Err() != nil {
			return err
		}
	}
}

// outlived returns ErrNotFound if a tombstone in b says that r, which was found in the old
// backend, is from before the natural end of its session.
func (m *mover) outlived(ctx context.Context, b *serverSide, r *Record) error {
	var l LoadResult
	_, err := b.load(ctx, afterlife(r.ID), &l)
	switch {
	case isGone(err):
		return nil
	case err != nil:
		return err
	case r.move.moves > l.Record.move.moves, !m.from.client && !r.SavedAt.Before(l.Record.SavedAt):
		return nil // the session had moved back, perhaps unchanged, and comes again
	}
	return ErrNotFound
}

// lasts returns when a token that carries r has expired, including one that was made
// from it a moment ago, and older ones.
func (m *mover) lasts(r *Record) time.Time {
	until := later(r.Expires, m.now().Add(m.longest(r)))
	return later(until, time.UnixMilli(r.move.until))
}

// longest returns the idle timeout that counts for tokens of r that nobody presents. If clients
// hold its records, an older one may be remembered, or the timeout be raised later.
func (m *mover) longest(r *Record) time.Duration {
	idle := m.config.idle(r)
	if m.from.client || m.to.client {
		idle = max(idle, m.config.idle(&Record{Remembered: true}))
	}
	return idle
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// marker returns a record that is no session.
func (m *mover) marker(id ID, p place) Record {
	now := m.now()
	return Record{ID: id, CreatedAt: now, SavedAt: now, Expires: now.Add(endedFor), move: moveState{place: p}}
}

// put saves r at the given version under h's hashes.
func (b *serverSide) put(ctx context.Context, scope Scope, h *serverHandle, r *Record, base Version) (Version, error) {
	return b.store.Save(ctx, r.ID, Entry{Data: h.seal(r), Expires: r.KeepUntil(), User: scopedUser(scope.Namespace, r.User)}, base)
}
