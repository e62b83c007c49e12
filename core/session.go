package core

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// Session is the values, flashes and identity of one client during one
// request. Handlers get it from their adapter, change it, and need not save
// it: the adapter commits it before the response starts.
//
// A Session is safe for concurrent use. Values are snapshots: Set encodes at
// once, and changing what Get returned changes nothing. After its request a
// Session can still be read; writes are reported as [ErrTooLate].
type Session struct {
	mu      sync.Mutex
	m       *Manager
	ex      Exchange // nil outside a request, and after it
	ctx     sessionContext
	request Request // for events; zero outside a request, or if nobody asks

	// What was loaded or last stored.
	phase   phase
	stored  bool // base and handle are those of a stored session
	base    Record
	handle  Handle
	refresh bool // the token should be made anew

	// What this request wants to change.
	changes  []change
	cleared  bool
	added    []flash
	taken    []uint64 // numbers of stored flashes that were read
	login    string   // user to bind, "" for none
	renew    bool
	remember tristate
	timeouts *Timeouts
	replaced *putAside // the other user's session that a Login takes the place of
	endings  []ending  // sessions to delete at the next commit, whatever its outcome

	// How the request and its response stand.
	presented   uint32      // which of our cookies the request carried
	lines       []string    // the Set-Cookie lines that the header has
	nextLines   []string    // those it is to have instead; nil: no change
	given       atomic.Bool // the handler has asked for it, and may use it after the header
	used        bool
	noTouch     bool
	touchFailed bool
	sent        bool // the header has gone, or cannot be written any more
	over        bool // the request is over
	status      int
	ended       bool
	superseded  bool       // its session was ended or renewed elsewhere: only a login stores anything
	broken      bool       // a commit has failed: nothing more is stored
	outside     bool       // in hand without its token: by Manager.View or Update
	unset       bool       // a session was ended: the client's cookie goes too
	late        error      // the first change that came too late
	refused     error      // the first call that cannot be carried out
	snapshots   []snapshot // strict mode: what Get returned
	events      []Event    // to be told once mu is free
}

// phase says what kind of session a request has in hand.
type phase uint8

const (
	phaseLive       phase = iota // stored, or new
	phaseSuperseded              // ended or renewed elsewhere: reads empty, drops writes (promise L4)
	phaseReadOnly                // not loaded because the backend was unavailable
)

type tristate int8

const (
	unset tristate = iota
	no
	yes
)

// ending is a session to delete at the next commit.
type ending struct {
	handle Handle
	id     ID
	user   string
	event  EventKind
	reason Reason
}

// putAside is the session of another user, until the login that takes its
// place is stored. If that fails, it is back.
type putAside struct {
	ending
	base Record
}

// Format implements [fmt.Formatter]: whatever the verb, a session prints its
// ID and never its content or token.
func (s *Session) Format(f fmt.State, _ rune) {
	_, _ = fmt.Fprintf(f, "core.Session(%s)", s.id())
}

// MarshalJSON writes the ID alone.
func (s *Session) MarshalJSON() ([]byte, error) {
	return fmt.Appendf(nil, "%q", s.id().String()), nil
}

// ID returns the session's public ID, or the zero ID before anything is
// stored. It stays the same for the session's whole life.
func (s *Session) ID() ID {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.used = true
	if !s.stored {
		return ID{}
	}
	return s.base.ID
}

// id is ID without counting as use.
func (s *Session) id() ID {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.stored {
		return ID{}
	}
	return s.base.ID
}

// UserID returns the user that the session is bound to, "" if none. It is the
// new one as soon as Login was called.
func (s *Session) UserID() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.used = true
	return s.user()
}

func (s *Session) user() string {
	if s.login != "" {
		return s.login
	}
	return s.base.User
}

// IsNew reports whether nothing is stored of this session yet.
func (s *Session) IsNew() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.used = true
	return !s.stored
}

// Ended reports whether the session was ended or renewed by another request
// while this one ran: what this one writes is dropped. Login starts afresh.
func (s *Session) Ended() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.used = true
	return s.ended
}

// CreatedAt returns when the session was first stored, zero if it is new.
func (s *Session) CreatedAt() time.Time {
	return s.time(func(r *Record) time.Time { return r.CreatedAt })
}

// AuthenticatedAt returns when its user last logged in, zero if nobody did.
func (s *Session) AuthenticatedAt() time.Time {
	return s.time(func(r *Record) time.Time { return r.AuthenticatedAt })
}

// ExpiresAt returns the end of the absolute lifetime, zero if there is none
// or the session is new.
func (s *Session) ExpiresAt() time.Time {
	return s.time(func(r *Record) time.Time { return r.Deadline })
}

// IdleExpiresAt returns when the session ends unless it is used before, zero
// if it is new. A request's own activity counts once it is committed.
func (s *Session) IdleExpiresAt() time.Time {
	return s.time(func(r *Record) time.Time { return r.Expires })
}

func (s *Session) time(of func(*Record) time.Time) time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.used = true
	if !s.stored {
		return time.Time{}
	}
	return of(&s.base)
}

// Err returns the first error that will fail the commit, such as a value that
// could not be encoded, or that came too late; nil if there is none. Setting or
// deleting the same key again mends the former.
func (s *Session) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.failure(); err != nil {
		return err
	}
	return s.late
}

func (s *Session) failure() error {
	for i := range s.changes {
		if s.changes[i].err != nil {
			return s.changes[i].err
		}
	}
	for i := range s.added {
		if s.added[i].err != nil {
			return s.added[i].err
		}
	}
	return s.refused
}

// SkipTouch makes this request not count as activity: for pollers that would
// otherwise keep a session alive for ever.
func (s *Session) SkipTouch() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.noTouch = true
}

// tell queues an event for when mu is free: observers may look at the session.
func (s *Session) tell(e Event) {
	if e.ID.IsZero() && s.stored {
		e.ID, e.User = s.base.ID, s.base.User
	}
	if s.stored && e.ID == s.base.ID {
		e.Expires = s.base.Expires
	}
	s.events = append(s.events, e)
}

// unlock releases mu and then tells the queued events.
func (s *Session) unlock() {
	events := s.events
	s.events = nil
	ctx := s.ctx.Context
	s.mu.Unlock()
	for i := range events {
		s.m.observe(ctx, &s.request, events[i])
	}
}

// undo is forget for what failed or is rolled back: the session that a login
// had put aside is in hand again.
func (s *Session) undo() {
	if r := s.replaced; r != nil {
		s.base, s.handle, s.stored = r.base, r.handle, true
	}
	s.forget()
	s.fallBack()
}

// fallBack takes back that a login would have started afresh: without it, a
// late request still writes nothing (promises K2, L4).
func (s *Session) fallBack() {
	if s.superseded && !s.stored {
		s.phase, s.ended = phaseSuperseded, true
	}
}

// lose lets go of a session that another request has ended or renewed.
func (s *Session) lose() {
	s.detach()
	s.superseded = true
	s.fallBack()
}

// forget drops what this request wanted to change and has not stored.
// Endings stay: a logout is never undone.
func (s *Session) forget() {
	s.changes, s.cleared = nil, false
	s.added, s.taken = nil, nil
	s.login, s.renew, s.remember, s.timeouts, s.replaced = "", false, unset, nil, nil
	s.refused = nil
}

// detach lets go of the stored session: what is in hand from now on is new
// and empty.
func (s *Session) detach() {
	s.forget()
	s.base, s.handle, s.stored, s.refresh = Record{}, nil, false, false
}
