package core

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// Limits on what comes with every copy of a session, in bytes.
const (
	maxUser  = 1024
	maxLabel = 256 // longer ones are cut
)

// Login binds the session to user, the application's own name for them (at
// most 1,024 bytes), and records the time. The session gets a new token and the old one is dead at
// once, so that nobody who planted or saw it shares the login (session
// fixation, ASVS 7.2.4); the absolute lifetime starts anew. Values are carried
// over, unless the session was bound to another user: then it starts empty.
//
// The login takes effect at the commit, which fails with [ErrSessionLimit] if
// Config says so. A response of 500 or above undoes it.
func (s *Session) Login(user string) {
	s.mu.Lock()
	defer s.unlock()
	if !s.writable("login", "") {
		return
	}
	switch {
	case user == "":
		s.refuse(errors.New("core: Login: the user is empty: pass the application's ID of the user"))
		return
	case len(user) > maxUser:
		s.refuse(fmt.Errorf("core: Login: the user has %d bytes, at most %d fit: pass the application's ID of the user", len(user), maxUser))
		return
	case s.outside:
		s.refuse(fmt.Errorf("core: Login outside a request has no client to give the token to: %w", ErrUnsupported))
		return
	case s.phase == phaseReadOnly:
		s.refuse(fmt.Errorf("core: Login: %w: %w", ErrReadOnly, ErrUnavailable))
		return
	case s.phase == phaseSuperseded:
		// Only a login starts afresh here (promise L4).
		s.startOver()
		s.phase, s.ended = phaseLive, false
	case s.user() != "" && s.user() != user:
		s.leave()
	}
	s.login, s.renew = strings.Clone(user), true // it may be a view of a buffer that Fiber reuses
}

// leave puts another user's session aside; it ends when the login that takes
// its place is stored.
func (s *Session) leave() {
	replaced := s.replaced
	if s.stored {
		replaced = &putAside{ending{s.handle, s.base.ID, s.base.User, EventLogout, ""}, s.base}
	}
	s.startOver()
	s.replaced = replaced
}

// startOver makes the session in hand new and empty, for a login. What was
// said about the login before it stays.
func (s *Session) startOver() {
	remember, timeouts := s.remember, s.timeouts
	s.detach()
	s.remember, s.timeouts = remember, timeouts
}

// Logout ends the session: gone from the store and from the client. What is
// in hand from now on is a new, empty session, so that a flash can say goodbye.
// It takes effect at the commit, whatever the response's status; if the
// backend cannot be reached, the commit fails.
func (s *Session) Logout() {
	s.mu.Lock()
	defer s.unlock()
	if !s.writable("logout", "") {
		return
	}
	if s.phase == phaseReadOnly {
		s.refuse(fmt.Errorf("core: Logout: %w: %w", ErrReadOnly, ErrUnavailable))
		return
	}
	if s.phase == phaseSuperseded {
		s.tell(Event{Kind: EventDropped, Reason: ReasonSuperseded, Detail: "logout"})
	}
	if s.replaced != nil {
		s.endings = append(s.endings, s.replaced.ending)
	}
	if s.stored {
		s.endings = append(s.endings, ending{s.handle, s.base.ID, s.base.User, EventLogout, ""})
	}
	s.detach()
	s.fallBack()
}

// Renew gives the session a new token and keeps its data: after a change of
// privileges. The old token is dead once it is committed.
func (s *Session) Renew() {
	s.mu.Lock()
	defer s.unlock()
	if !s.writable("renew", "") {
		return
	}
	if s.outside {
		s.refuse(fmt.Errorf("core: Renew outside a request has no client to give the token to: %w", ErrUnsupported))
		return
	}
	s.renew = true
}

// Remember makes the session outlive the browser, with the timeouts of
// [Config.Remembered], or takes that back. It goes with a login: each Login
// starts as not remembered unless the same request calls Remember(true).
func (s *Session) Remember(on bool) {
	s.mu.Lock()
	defer s.unlock()
	if !s.writable("remember", "") {
		return
	}
	if s.outside {
		s.refuse(fmt.Errorf("core: Remember outside a request has no client to give the cookie to: %w", ErrUnsupported))
		return
	}
	s.remember = no
	if on {
		s.remember = yes
	}
}

// SetTimeouts gives this session timeouts of its own, for example shorter
// ones for administrators. Zero means what Config says, [NoTimeout] none. The
// absolute lifetime counts from the last login, or else from creation. A later
// login starts with what Config says. A timeout
// below a second fails the commit; the lifetime bounds a longer idle timeout.
func (s *Session) SetTimeouts(idle, lifetime time.Duration) {
	s.mu.Lock()
	defer s.unlock()
	if !s.writable("set timeouts", "") {
		return
	}
	for _, d := range [...]time.Duration{idle, lifetime} {
		if d != 0 && d != NoTimeout && d < time.Second {
			s.refuse(fmt.Errorf("core: SetTimeouts(%v, %v): choose a second or more, zero for the default, or NoTimeout", idle, lifetime))
			return
		}
	}
	s.timeouts = &Timeouts{idle, lifetime}
}

// refuse keeps the first error that fails the commit.
func (s *Session) refuse(err error) {
	if s.refused == nil {
		s.refused = err
	}
}
