package core

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// Limits on what every copy of a session carries, in bytes.
const (
	maxUser  = 1024
	maxLabel = 256 // longer labels are cut
)

// Login binds the session to user and records the time. User is the application's
// own ID of the user, of at most 1,024 bytes. The session gets a new token and the
// old one stops working at once: an attacker who planted or saw it does not share
// the login (session fixation, ASVS 7.2.4). The absolute lifetime starts again.
// Values are kept, unless the session was bound to another user: then it starts
// empty.
//
// The login takes effect at the commit, which fails with [ErrSessionLimit] if the
// user has too many sessions and Config.LimitPolicy is RefuseLogin. A response of
// 500 or above undoes the login.
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
		s.refuse(fmt.Errorf("core: Login: the user has %d bytes, at most %d are allowed: pass the application's ID of the user", len(user), maxUser))
		return
	case s.background:
		s.refuse(fmt.Errorf("core: Login outside a request has no client to give the token to: %w", ErrUnsupported))
		return
	case s.phase == phaseReadOnly:
		s.refuse(fmt.Errorf("core: Login: %w: %w", ErrReadOnly, ErrUnavailable))
		return
	case s.phase == phaseSuperseded, // where only a login starts afresh (promise L4)
		s.user() != "" && s.user() != user:
		s.startOver()
	}
	s.login, s.renew = strings.Clone(user), true // it may be a view of a buffer that Fiber reuses
}

// Logout ends the session and removes it from the store and from the client. From
// now on s is a new, empty session, so that a flash can say goodbye. The logout
// takes effect at the commit, whatever the response's status. If the backend cannot
// be reached, the commit fails.
//
// A Logout that overlaps a login or renewal in the same browser also ends the
// session, although it comes with the token that was replaced. If a request carries
// two cookies, of which none is used, and [Cookie.Former] is set, Logout deletes both.
func (s *Session) Logout() {
	s.mu.Lock()
	defer s.unlock()
	if !s.writable("logout", "") {
		return
	}
	if s.phase == phaseReadOnly { // which session is unknown, and a rollback must not hide that
		s.endings = append(s.endings, ending{})
		s.hold(loaded{})
		return
	}
	if s.replaced != nil {
		s.endings = append(s.endings, s.replaced.ending(EventLogout, ""))
	}
	switch {
	case s.stored:
		s.endings = append(s.endings, s.ending(EventLogout, ""))
	case s.former != nil:
		s.endings = append(s.endings, *s.former)
		s.former, s.superseded = nil, false
		s.phase, s.ended = phaseLive, false
	case s.phase == phaseSuperseded:
		s.emit(Event{Kind: EventDropped, Reason: ReasonSuperseded, Detail: "logout"})
	case s.twice && s.m.former != nil && !s.sent: // else the end of the lockout would undo it
		s.setCookies, s.handedOut = s.m.carrier.deletions(s.presented), true
	}
	s.hold(loaded{})
}

// Renew gives the session a new token and keeps its data. Call it after a change
// of privileges. The old token stops working at the commit.
func (s *Session) Renew() {
	s.mu.Lock()
	defer s.unlock()
	if !s.writable("renew", "") {
		return
	}
	if s.background {
		s.refuse(fmt.Errorf("core: Renew outside a request has no client to give the token to: %w", ErrUnsupported))
		return
	}
	s.renew = true
}

// Reauthenticate records that the session's user has just proved again who they are,
// for actions that ask for it (sudo mode). As after a Login, the session has a new
// token and a new AuthenticatedAt, and its absolute lifetime starts again. Values,
// Remember and SetTimeouts stay. It fails the commit of an anonymous session. Unlike
// a Login, it never starts a session in place of one that has ended meanwhile.
func (s *Session) Reauthenticate() {
	s.mu.Lock()
	defer s.unlock()
	if !s.writable("reauthenticate", "") {
		return
	}
	switch {
	case s.background:
		s.refuse(fmt.Errorf("core: Reauthenticate outside a request has no client to give the token to: %w", ErrUnsupported))
		return
	case s.phase == phaseReadOnly:
		s.refuse(fmt.Errorf("core: Reauthenticate: %w: %w", ErrReadOnly, ErrUnavailable))
		return
	case s.phase == phaseLive && s.user() == "":
		s.refuse(errors.New("core: Reauthenticate: the session has no user: call Login"))
		return
	}
	s.reauthenticate, s.renew = true, true
}

// Remember makes the session outlive the browser, with the timeouts of
// [Config.Remembered], or undoes that if on is false. It belongs to a login: each
// Login starts as not remembered unless the same request calls Remember(true).
func (s *Session) Remember(on bool) {
	s.mu.Lock()
	defer s.unlock()
	if !s.writable("remember", "") {
		return
	}
	if s.background {
		s.refuse(fmt.Errorf("core: Remember outside a request has no client to give the cookie to: %w", ErrUnsupported))
		return
	}
	s.remember = no
	if on {
		s.remember = yes
	}
}

// SetTimeouts gives this session timeouts of its own, for example shorter ones
// for administrators. Zero means Config's timeout, and [NoTimeout] none. The
// absolute lifetime counts from the last Login or Reauthenticate, or else from creation. It bounds a
// longer idle timeout. If the session outlives the browser, so does its cookie, unless a
// job sets the timeouts: there is no client then, and the cookie keeps its end. A login in a later request starts with Config's timeouts
// again. A timeout below a second fails the commit.
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

// refuse keeps the first error; it fails the commit.
func (s *Session) refuse(err error) {
	if s.refused == nil {
		s.refused = err
	}
}
