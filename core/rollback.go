package core

import "fmt"

// Rollback drops what this request has changed and not committed: values, flashes and
// a login, as a response of 500 or above does. Call it where failures are answered
// with status 200: gRPC, GraphQL, streams. A Logout stays. Later changes count again.
func (s *Session) Rollback() {
	s.mu.Lock()
	defer s.unlock()
	if !s.writable("roll back", "") {
		return
	}
	if s.changed() {
		s.emit(Event{Kind: EventRolledBack, Detail: "by Rollback"})
	}
	s.rollBack()
}

// hold gives the request another session, with no changes to it. It is for the
// functions below, for Logout, and for a load that failed.
func (s *Session) hold(l loaded) {
	s.loaded, s.intent = l, intent{}
	if s.superseded && !s.stored {
		// Without the login that would have started a new session, a late
		// request still writes nothing, and reads nothing (promises K2, L4).
		s.loaded, s.phase, s.ended = loaded{}, phaseSuperseded, true
	}
}

// keepFormer remembers the session that this request no longer has. It may have been
// renewed, and then a Logout must still end it.
func (s *Session) keepFormer() {
	if s.stored {
		e := s.ending(EventLogout, "")
		s.former = &e
	}
}

// startOver gives the request a new, empty session, for a Login that must not keep
// the old one. Another user's session ends when the login is stored. Remember and
// SetTimeouts calls before the login stay in effect.
func (s *Session) startOver() {
	remember, timeouts, replaced := s.remember, s.timeouts, s.replaced
	if s.stored {
		s.refresh = false // if the old session comes back, the next request asks again
		old := s.loaded
		replaced = &old
	}
	s.hold(loaded{})
	s.remember, s.timeouts, s.replaced = remember, timeouts, replaced
	s.phase, s.ended = phaseLive, false
}

// rollBack undoes what the request has not stored, because its commit failed or
// must not happen. A session that a login had put aside comes back. Endings stay: a
// logout is never undone.
func (s *Session) rollBack() {
	if s.replaced != nil {
		s.loaded = *s.replaced
	}
	s.hold(s.loaded)
}

// rollBackOnError calls rollBack if the response is a server error (promise C4),
// or if the client was told that a commit failed.
func (s *Session) rollBackOnError() {
	if !s.broken && (s.status < 500 || s.m.config.KeepOnServerError) {
		return
	}
	if s.changed() {
		s.emit(Event{Kind: EventRolledBack, Detail: fmt.Sprintf("status %d", s.status)})
	}
	s.rollBack()
}

// fail rolls back a commit that returns err to the handler or the client, so that
// nothing stays half done.
func (s *Session) fail(err error) {
	s.emit(Event{Kind: EventFailed, Err: err})
	consumed := s.consumed
	s.rollBack()
	if !s.sent {
		s.consumed = consumed // they have been read, and the page may still show them
	}
}

// drop discards changes that the session cannot take, and emits why.
func (s *Session) drop(reason Reason) {
	if s.changed() {
		s.emit(Event{Kind: EventDropped, Reason: reason})
	}
	s.intent = intent{}
}

// lose drops the changes to a session that another request has ended or renewed,
// and the session. It sets no cookie, because the other request has set one.
func (s *Session) lose() { s.loseFor(ReasonEnded) }

// loseFor is lose, or its like for a session that has expired.
func (s *Session) loseFor(reason Reason) {
	s.drop(reason)
	s.copyIs(copyOld)
	s.superseded = true
	s.keepFormer()
	s.hold(loaded{})
}
