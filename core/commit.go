package core

import (
	"context"
	"errors"
	"fmt"
)

// StatusHijacked is the status that adapters pass to [Manager.Commit] when
// the handler takes over the connection: the session is stored, but no header can be written.
const StatusHijacked = 0

// Commit stores what the request has changed, and writes what the client must
// know into the response header. Adapters call it once, before the first byte
// of the header, with the status that the client will see.
//
// On an error, nothing of the handler's response may be sent: Commit has reset
// it, and the adapter answers with [Refuse] or the application's error handler.
// A second call has no effect.
func (m *Manager) Commit(ex Exchange, s *Session, status int) error {
	s.mu.Lock()
	defer s.unlock()
	if s.sent || s.over {
		return nil
	}
	if m.config.Strict {
		s.checkSnapshots()
	}
	s.status = status
	s.rollBackOnError()
	s.sent = status == StatusHijacked // then what needs a cookie comes too late
	err := s.flush(ex.Context(), canShow(ex, status))
	if status == StatusHijacked && (err == nil || errors.Is(err, ErrTooLate)) {
		return nil
	}
	s.sent = true
	if err != nil {
		s.failed(err)
		ex.ResetResponse()
		s.broken = true // whatever the client is told, nothing more is stored
	}
	s.writeHeader()
	return err
}

// Finish ends the request. Adapters call it when the handler has returned and
// its response was committed. What a streamed template did to the session after
// the header is stored now, as far as that needs no cookie (promise C6).
func (m *Manager) Finish(s *Session) {
	m.finish(s, 0)
}

// Abort is Commit and Finish for a handler that panicked: its changes are
// rolled back, its logout is not. The adapter lets the panic go on.
func (m *Manager) Abort(ex Exchange, s *Session) {
	_ = m.Commit(ex, s, 500) // already told as an event; the panic is the answer
	m.finish(s, 500)
}

// finish ends the request, whose status is another if it is not zero, and tells so.
func (m *Manager) finish(s *Session, status int) {
	if e, first := s.finish(status); first {
		m.observe(s.ctx.Context, &s.request, e) // not queued, for that allocates
	}
}

func (s *Session) finish(status int) (e Event, first bool) {
	s.mu.Lock()
	defer s.unlock()
	if status != 0 {
		s.status = status
	}
	if s.over {
		return e, false
	}
	s.flushLate()
	s.over, s.ex = true, nil
	e = Event{Kind: EventFinished, Status: s.status}
	if s.broken {
		e.Status = 0 // somebody else has answered
	}
	if s.stored {
		e.ID, e.User, e.Expires = s.base.ID, s.base.User, s.base.Expires
	}
	return e, true
}

// HoldBody returns how many bytes of body an adapter should hold back before
// it commits a response with this status, because a template may yet read
// flashes whose removal needs the cookie (promise C6). Zero means: none, commit at the
// first byte. It holds until the handler returns, flushes, or writes more than that.
func (s *Session) HoldBody(status int) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.m.traits.ClientSide || s.sent || s.over || !canShow(s.ex, status) {
		return 0
	}
	if s.base.flashCount() == 0 && len(s.added) == 0 {
		return 0
	}
	hold := 0
	used := s.used
	s.visitFlashes(func(*flash) (taken, more bool) {
		hold = 32 << 10
		return false, false
	})
	s.used = used
	return hold
}

// Commit stores the session now, for handlers that need the answer: after it,
// what Get returns is what was stored. Reading flashes is not part of it; that
// depends on the response. It may be called any number of times. Once the response
// header has gone, changes to a stored server-side session are still saved; what needs a
// cookie returns [ErrTooLate]. If Commit fails, what it would have stored is dropped,
// except a Logout; the error matches [ErrUnavailable], [ErrConflict], [ErrTooLarge],
// [ErrSessionLimit], [ErrEnded] or is a [ValueError].
//
// It is not cut short by ctx being cancelled; Config.CommitTimeout bounds it.
func (s *Session) Commit(ctx context.Context) error {
	s.mu.Lock()
	defer s.unlock()
	if s.over {
		s.tooLate(ReasonAfterwards, "commit")
		return s.late
	}
	wrote := s.pending()
	err := s.flush(withoutSession{ctx}, s.sent && canShow(s.ex, s.status))
	if err == nil && wrote && s.phase == phaseSuperseded {
		err = fmt.Errorf("core: commit session: %w", ErrEnded)
	}
	if err == nil && wrote && s.phase == phaseReadOnly {
		err = fmt.Errorf("core: commit session: %w: %w", ErrReadOnly, ErrUnavailable)
	}
	if err != nil {
		s.failed(err)
		return err
	}
	if !s.sent && s.ex != nil {
		s.writeHeader()
	}
	return nil
}

// failed tells of a commit that failed, and forgets what it would have
// stored: the handler or the client has been told, and nothing is half done.
func (s *Session) failed(err error) {
	s.tell(Event{Kind: EventFailed, Err: err})
	taken := s.taken
	s.undo()
	if !s.sent {
		s.taken = taken // they have been read, and the page may show them yet
	}
}

// flushLate stores what came after the header, as far as possible.
func (s *Session) flushLate() {
	s.rollBackOnError()
	if !s.pending() && !s.touchDue() {
		return
	}
	if err := s.flush(s.ctx.Context, canShow(s.ex, s.status)); err != nil {
		s.failed(err)
	}
}

// rollBackOnError forgets uncommitted changes if the response is a server
// error (promise C4).
func (s *Session) rollBackOnError() {
	if !s.broken && (s.status < 500 || s.m.config.KeepOnServerError) {
		return
	}
	if s.changed() {
		s.tell(Event{Kind: EventRolledBack, Detail: fmt.Sprintf("status %d", s.status)})
	}
	s.undo()
}

// changed reports whether the request wants to change anything but the
// flashes that it has read.
func (s *Session) changed() bool {
	return len(s.changes) > 0 || s.cleared || len(s.added) > 0 || s.login != "" || s.renew ||
		s.remember != unset || s.timeouts != nil || s.refused != nil
}

func (s *Session) pending() bool {
	return s.changed() || len(s.taken) > 0 || len(s.endings) > 0
}

// flush carries out what is pending. The flashes that were read are removed if the response
// shows them.
func (s *Session) flush(ctx context.Context, shows bool) error {
	pending := s.pending()
	if !pending && !s.touchDue() {
		return nil
	}
	// The client may hang up; what was begun is carried through (promise C5).
	ctx, cancel := s.m.deadline(context.WithoutCancel(ctx), s.m.config.CommitTimeout)
	defer cancel()
	if err := s.end(ctx); err != nil {
		return err
	}
	if err := s.failure(); err != nil {
		return err
	}
	if s.phase != phaseLive {
		s.dropChanges()
		return nil
	}
	if s.outside && !s.stored && s.changed() {
		s.drop() // logged out just now; nobody would ever get the token of a new one
		return nil
	}
	return s.save(ctx, shows)
}

// dropChanges drops the writes of a session that cannot take them, and tells.
func (s *Session) dropChanges() {
	if s.changed() {
		reason := ReasonReadOnly
		if s.phase == phaseSuperseded {
			reason = ReasonSuperseded
		}
		s.tell(Event{Kind: EventDropped, Reason: reason})
	}
	s.forget()
}
