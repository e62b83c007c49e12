package core

import (
	"encoding/binary"
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
	// moveGrace is how long requests may be under way with a token that has
	// been replaced by that of the other side.
	moveGrace = time.Minute

	// endedFor is how long a tombstone stays where nothing but a request that
	// is under way could bring a session back. Commits take seconds.
	endedFor = 5 * time.Minute
)

// moveState is what a record carries of having been moved. It is zero in
// backends that never took part in a migration, and harmless after one.
type moveState struct {
	place place
	old   oldToken
	moves uint64 // how often the session has been moved: of two copies, the higher one counts
	since int64  // when old became what it is, in Unix milliseconds
	until int64  // when the old token ends by itself, in Unix milliseconds
	link  string // the twin of its token, see linked; sealed in a ServerSide
}

// hasLink is set in the first byte of a state with a link.
const hasLink = 0x10

// hidden reports whether a record is no session: users never see it.
func (s *moveState) hidden() bool { return s.place == placeVoid || s.place == placeEnded }

func (s *moveState) appendTo(dst []byte) []byte {
	kinds := byte(s.place) | byte(s.old)<<2
	if s.link != "" {
		kinds |= hasLink
	}
	dst = append(dst, kinds)
	dst = binary.AppendUvarint(dst, s.moves)
	dst = binary.AppendVarint(dst, s.since)
	dst = binary.AppendVarint(dst, s.until)
	if s.link != "" {
		dst = appendString(dst, s.link)
	}
	return dst
}

func (c *cursor) moveState() (s moveState) {
	kinds := c.uvarint()
	if kinds > hasLink|0xf {
		c.fail()
		return s
	}
	s.place, s.old = place(kinds&3), oldToken(kinds>>2&3)
	s.moves = c.uvarint()
	s.since, s.until = c.varint(), c.varint()
	if kinds&hasLink != 0 {
		s.link = string(c.bytes())
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
	honoured standing = iota // the session
	late                     // nothing, and it must not disturb the new token (promise L4)
	refused                  // nothing: it is no token any more
)

// judge says what the token of the side that r came from is good for.
func (s *moveState) judge(now time.Time) standing {
	age := s.settledFor(now)
	switch {
	case s.old == oldNone, s.old == oldOpen, s.old == oldLate && age < moveGrace:
		return honoured
	case age < endedFor:
		return late
	}
	return refused
}
