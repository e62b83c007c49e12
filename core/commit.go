package core

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// StatusHijacked is the status that adapters pass to [Slot.Commit] when the
// handler takes over the connection. The session is stored, but no header can be
// written.
const StatusHijacked = 0

// Commit stores what the request has changed, and writes the session's cookie and
// caching headers into the response. Adapters call it once, before the first byte of
// the header, with the status that the client will see.
//
// On an error, nothing of the handler's response may be sent: Commit has reset
// it, and the adapter answers with [ErrorResponseFor] or the application's error handler.
// A second call has no effect.
//
// A negative status, such as -503, tells of a response that has begun with the positive
// one past the adapter: an error still rolls back, and no header can be written.
func (c *Slot) Commit(status int) error {
	s := c.session.Load()
	if s == nil {
		if s = c.pass(status); s == nil {
			return nil
		}
	}
	return s.respond(status)
}

// respond is [Slot.Commit] for a request that has a session.
func (s *Session) respond(status int) error {
	s.mu.Lock()
	defer s.unlock()
	if s.sent || s.over {
		return nil
	}
	ex := s.ex
	if s.m.config.Strict {
		s.checkSnapshots()
	}
	late := status <= 0 // StatusHijacked, or past the adapter
	s.status = int32(max(status, -status))
	s.rollBackOnError()
	s.sent = late // then changes that need a cookie come too late
	err := s.flush(ex.Context(), !late && s.shows(status))
	if late && (err == nil || errors.Is(err, ErrTooLate)) {
		s.missedHeader()
		return nil
	}
	s.sent = true
	if err != nil {
		s.fail(err)
		ex.ResetResponse()
		s.broken = true // whatever the client is told, nothing more is stored
		if events := s.seldom().events; len(events) > 0 && events[len(events)-1].Kind == EventFailed {
			events[len(events)-1].Answered = !late
		}
		if late {
			s.missedHeader() // the error need not reach the client, nor a cookie with it
		}
	}
	s.writeHeader()
	return err
}

// Finish ends the request. Adapters call it when the handler has returned and its
// response is committed. It stores what a streamed template changed after the
// header, as far as that needs no cookie (promise C6).
func (c *Slot) Finish() { c.finish(0) }

// Abort is Commit and Finish for a handler that panicked. It rolls back the
// handler's changes, but not its logout. The adapter lets the panic continue. After
// Finish it does nothing.
func (c *Slot) Abort() {
	_ = c.Commit(500) // an event has reported the error; the panic is the answer
	c.finish(500)
}

// finish ends the request and emits EventFinished. A status other than zero
// replaces the request's.
func (c *Slot) finish(status int) {
	var e Event
	s, first := c.end(status)
	if s != nil {
		e, first = s.finish(status)
	} else {
		e = Event{Kind: EventFinished, Status: int(c.status)}
	}
	if first {
		c.m.observe(c.parent(), c.request, e) // not queued, for that allocates
	}
}

func (s *Session) finish(status int) (e Event, first bool) {
	s.mu.Lock()
	defer s.unlock()
	if status != 0 {
		s.status = int32(status)
	}
	if s.over {
		return e, false
	}
	s.flushLate()
	if s.rare != nil {
		s.describe(s.parent(), s.rare.events...)
	}
	s.over = true
	e = Event{Kind: EventFinished, Status: int(s.status)}
	if s.broken {
		e.Status = 0 // the answer was not the handler's
	}
	if s.stored {
		e.ID, e.User, e.Expires = s.base.ID, s.base.User, s.base.Expires
	}
	return e, true
}

// holdBody is [Slot.HoldBody].
func (s *Session) holdBody(status int) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.m.traits.ClientSide && s.m.copies == nil || s.sent || s.over || !s.shows(status) {
		return 0
	}
	if s.base.flashCount() == 0 && len(s.added) == 0 {
		return 0
	}
	hold := 0
	used := s.used
	s.visitFlashes(func(*flash) (consumed, more bool) {
		hold = 32 << 10
		return false, false
	})
	s.used = used
	return hold
}

// Commit stores the session now, for handlers that need to know the result. After
// it, Get returns what was stored. Commit does not remove the flashes that were
// read; that depends on the response. It may be called any number of times. The
// cookie enters the response header when the response begins.
//
// After the response header has been sent, Commit still saves changes to a stored
// server-side session. A change that needs a cookie returns [ErrTooLate].
//
// If Commit fails, it drops what it would have stored, except a Logout. The error
// matches [ErrUnavailable], [ErrConflict], [ErrTooLarge], [ErrSessionLimit],
// [ErrEnded], [ErrTooLate], [ErrReadOnly] or [ErrUnsupported], or is a [ValueError].
//
// Cancelling ctx does not stop Commit; Config.CommitTimeout bounds it.
func (s *Session) Commit(ctx context.Context) error {
	s.mu.Lock()
	defer s.unlock()
	if s.over {
		s.tooLate(ReasonAfterwards, "commit")
		return s.late()
	}
	wrote := s.pending()
	err := s.flush(withoutSession{ctx}, s.sent && s.shows(int(s.status)))
	if err == nil && wrote && s.phase == phaseSuperseded {
		err = fmt.Errorf("core: commit session: %w", ErrEnded)
	}
	if err == nil && wrote && s.phase == phaseReadOnly {
		err = fmt.Errorf("core: commit session: %w: %w", ErrReadOnly, ErrUnavailable)
	}
	if err != nil {
		s.fail(err)
		return err
	}
	return nil
}

// WriteCookie writes the session's cookie and caching headers into the response
// header now, for what [Session.Commit] has stored so far, and returns the Set-Cookie
// lines. Adapters do this when the response begins; call it only where none can: without
// an adapter, or before a library takes over the connection and writes the header itself.
// With a header as the [Carrier], the token is in the response header alone and there are
// no lines; see [Session.IssuedToken].
func (m *Manager) WriteCookie(s *Session) (lines []string) {
	s.mu.Lock()
	defer s.unlock()
	if s.exchange() == nil || s.sent {
		return nil
	}
	s.seldom().writtenCookies = s.writeHeader()
	if m.config.Carrier != (Carrier{}) {
		return nil
	}
	return slices.Clone(s.written())
}

// flushLate stores what was changed after the header, as far as possible.
func (s *Session) flushLate() {
	s.rollBackOnError()
	if !s.pending() && !s.touchDue() {
		return
	}
	if err := s.flush(s.parent(), s.shows(int(s.status))); err != nil {
		s.fail(err)
	}
}

// changed reports whether the request wants to change anything but the
// flashes that it has read.
func (s *Session) changed() bool {
	return len(s.changes) > 0 || s.cleared || len(s.added) > 0 || s.login != "" || s.renew ||
		s.remember != unset || s.timeouts != nil || s.refused != nil
}

func (s *Session) pending() bool {
	return s.changed() || len(s.consumed) > 0 || len(s.endings) > 0
}

// flush carries out what is pending. It removes the flashes that were read if the
// response shows them.
func (s *Session) flush(ctx context.Context, shows bool) error {
	pending := s.pending()
	if !pending && !s.touchDue() {
		return nil
	}
	if s.m.observed {
		s.seldom().flushing = time.Now()
		ctx = context.WithValue(ctx, requestKey{}, s.request) // the backend may emit events
	}
	// The client may hang up; a commit that has begun is completed (promise C5).
	ctx, cancel := s.m.deadline(context.WithoutCancel(ctx), s.m.config.CommitTimeout)
	defer cancel()
	if s.background {
		ctx = insisting(ctx)
	}
	if err := s.end(ctx); err != nil {
		return err
	}
	if err := s.failure(); err != nil {
		return err
	}
	switch s.phase {
	case phaseSuperseded:
		s.drop(ReasonSuperseded)
		return nil
	case phaseReadOnly:
		s.drop(ReasonReadOnly)
		return nil
	}
	if s.background && !s.stored && s.changed() {
		s.lose() // just logged out; no client would ever get a new session's token
		return nil
	}
	return s.save(ctx, shows)
}

// end carries out the pending endings. It stops at the first error; the next commit
// tries the remaining ones again.
func (s *Session) end(ctx context.Context) error {
	if s.phase == phaseReadOnly {
		return s.failure()
	}
	var late error
	for len(s.endings) > 0 {
		e := s.endings[0]
		if s.sent && s.m.traits.ClientSide {
			s.endings = s.endings[1:]
			s.tooLate(ReasonLogoutLate, "logout")
			late = s.late()
			continue
		}
		if err := s.m.endOne(ctx, e); err != nil {
			return err
		}
		s.endings = s.endings[1:]
		if !s.sent {
			s.setCookies = s.m.carrier.deletions(s.presented) // unless a new session is stored
			s.handedOut = true
		}
		s.emit(Event{Kind: e.event, Reason: e.reason, ID: e.id, User: e.user})
	}
	return late
}
