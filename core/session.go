package core

import (
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

// Session holds the values, flashes and identity of one client during one
// request. Handlers get it from their adapter, change it, and need not save
// it: the adapter commits it before the response starts.
//
// A Session is safe for concurrent use. Values are snapshots: Set encodes at
// once, and changing what Get returned has no effect. After its request a
// Session can still be read; writes are reported as [ErrTooLate].
type Session struct {
	mu sync.Mutex
	*visit
	slot *Slot // with this visit

	loaded
	index valueIndex // of the base's values
	intent
	endings    []ending // sessions to delete at the next commit, whatever its outcome
	former     *ending  // what a Logout then ends: the session whose token was replaced
	setCookies []string // the carrier's lines to write when the response begins, without those for former cookies
	rare       *rare

	given       atomic.Bool // the handler has asked for the session, and may use it after the header
	phase       phase
	copyState   copyState // how the client's copy stands to the session; see copyNow
	handedOut   bool      // setCookies hand out or delete the session's token, not only its touch
	used        bool
	noTouch     bool
	touchFailed bool
	shortened   bool // the stored expiry is later than today's idle timeout allows
	ended       bool
	superseded  bool // its session was ended or renewed elsewhere: only a login stores anything
	broken      bool // a commit has failed: nothing more is stored
	background  bool // loaded without its token, by Manager.View or Update
}

// rare is what few requests need of a Session.
type rare struct {
	writtenCookies []string   // the lines that WriteCookie has written
	late           error      // the first change that came too late
	snapshots      []snapshot // strict mode: what Get returned
	copyLine       string     // the carrier's line that sets the client's copy right, "" if it has not been made
	events         []Event    // to emit once mu is free
	flushing       time.Time  // when the commit that is under way began; zero if no observer needs it
}

// seldom returns s.rare for writing.
func (s *Session) seldom() *rare {
	if s.rare == nil {
		s.rare = new(rare)
	}
	return s.rare
}

// late returns the error of the first change that came too late.
func (s *Session) late() error {
	if s.rare == nil {
		return nil
	}
	return s.rare.late
}

// written returns the lines that WriteCookie has written.
func (s *Session) written() []string {
	if s.rare == nil {
		return nil
	}
	return s.rare.writtenCookies
}

// loaded is the request's session as it was loaded or last stored. The zero
// value is a new session.
type loaded struct {
	base    Record
	handle  Handle
	token   string   // that the client has, "" for one without a client
	own     []uint64 // numbers of the flashes that this request has stored, if its page is fetched in advance
	stored  bool     // base and handle belong to a stored session
	refresh bool     // the token should be replaced
	source           // of base
}

// intent is what a request wants to change and has not stored yet. The zero
// value changes nothing.
type intent struct {
	changes  []change
	tally    // of changes
	added    []flash
	consumed []uint64 // numbers of stored flashes that were read
	login    string   // user to bind, "" for none
	timeouts *Timeouts
	refused  error   // the error of the first call that cannot be carried out
	replaced *loaded // the other user's session that a Login replaces
	cleared  bool
	renew    bool
	remember tristate

	reauthenticate bool // besides renew
}

// phase says what kind of session a request has.
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

// ending returns the ending that deletes l and then emits event.
func (l *loaded) ending(event EventKind, reason Reason) ending {
	return ending{l.handle, l.base.ID, l.base.User, event, reason}
}

// Format implements [fmt.Formatter]. With every verb, a session prints its ID
// and never its content or token.
func (s *Session) Format(f fmt.State, _ rune) {
	_, _ = fmt.Fprintf(f, "core.Session(%s)", s.id())
}

// MarshalJSON returns only the ID, as a string.
func (s *Session) MarshalJSON() ([]byte, error) {
	return fmt.Appendf(nil, "%q", s.id().String()), nil
}

// ID returns the session's public ID, or the zero ID if the session is not
// stored yet. It stays the same for the session's whole life.
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

// UserID returns the user that the session is bound to, or "" if there is none.
// It returns the new user as soon as Login has been called.
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

// IsNew reports whether the session is not stored yet.
func (s *Session) IsNew() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.used = true
	return !s.stored
}

// Ended reports whether another request ended or renewed the session while this
// one ran, or it expired. What this request writes is then dropped, unless it calls Login,
// which starts a new session.
func (s *Session) Ended() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.used = true
	return s.ended
}

// IsRemembered reports whether the session outlives the browser. It tells of a
// Remember or Login of this request as soon as that has been called.
func (s *Session) IsRemembered() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.used = true
	if s.remember != unset || s.login != "" {
		return s.remember == yes
	}
	return s.base.Remembered
}

// CreatedAt returns when the session was first stored, or zero if it is new.
func (s *Session) CreatedAt() time.Time {
	return s.time(func(r *Record) time.Time { return r.CreatedAt })
}

// AuthenticatedAt returns when the session's user last logged in or reauthenticated,
// or zero if the session is anonymous.
func (s *Session) AuthenticatedAt() time.Time {
	return s.time(func(r *Record) time.Time { return r.AuthenticatedAt })
}

// ExpiresAt returns the end of the absolute lifetime, or zero if there is none
// or the session is new.
func (s *Session) ExpiresAt() time.Time {
	return s.time(func(r *Record) time.Time { return r.Deadline })
}

// IdleExpiresAt returns when the session ends unless it is used before, or zero
// if it is new. The request's own activity counts once it is committed.
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

// Err returns the first error that will fail the commit, such as a value that could
// not be encoded, or else the error of the first change that came too late: once the
// response has started, only a commit finds that out. It returns nil if there is
// none. Setting or deleting the same key again removes the error of a value.
func (s *Session) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.failure(); err != nil {
		return err
	}
	return s.late()
}

func (s *Session) failure() error {
	if s.phase == phaseReadOnly && len(s.endings) > 0 {
		return fmt.Errorf("core: Logout: %w: %w", ErrReadOnly, ErrUnavailable)
	}
	for i := 0; s.failed > 0 && i < len(s.changes); i++ {
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

// HeaderSent reports whether the response has begun. What needs a cookie then comes
// too late.
func (s *Session) HeaderSent() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sent || s.over
}

// SkipTouch keeps this request from counting as activity. It is for pollers that
// would otherwise keep a session alive for ever.
func (s *Session) SkipTouch() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.noTouch = true
}

// emit queues an event until mu is free, because observers may use the session.
func (s *Session) emit(e Event) {
	if e.ID.IsZero() && s.stored {
		e.ID, e.User = s.base.ID, s.base.User
	}
	if s.stored && e.ID == s.base.ID {
		e.Expires, e.Bytes = s.base.Expires, s.base.size()
	}
	if !s.m.observed && !slog.Default().Enabled(s.parent(), e.Level()) {
		return // the default Observer would log nothing
	}
	r := s.seldom()
	if !r.flushing.IsZero() {
		e.Took = time.Since(r.flushing)
	}
	r.events = append(r.events, e)
}

// unlock releases mu and then emits the queued events.
func (s *Session) unlock() {
	if s.rare == nil {
		s.mu.Unlock()
		return
	}
	events := s.rare.events
	s.rare.events, s.rare.flushing = nil, time.Time{}
	ctx := s.parent()
	s.describe(ctx, events...)
	request := s.request
	s.mu.Unlock()
	for i := range events {
		s.m.observe(ctx, request, events[i])
	}
}
