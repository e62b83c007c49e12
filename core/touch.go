package core

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// touchDue reports whether this commit should move the expiry although nothing
// has changed, or replace a token that is being retired.
func (s *Session) touchDue() bool {
	client := s.m.traits.ClientSide
	if !s.stored || s.phase != phaseLive || s.touchFailed || client && (s.sent || s.handedOut) {
		return false
	}
	now := s.m.config.Now()
	if !client && s.base.lost(now) {
		return false // it has expired, unless another request has moved the expiry
	}
	if s.refresh && !client { // a client-side one waits for a write
		return true
	}
	return s.shortened || s.active() && (s.m.config.touchable(&s.base, now) || s.seenDue(now)) || s.cookieDue(now)
}

// seenDue reports whether a touch is due that only tells lists when the session was
// last used, because its deadline caps its expiry.
func (s *Session) seenDue(now time.Time) bool {
	c, r := &s.m.config, &s.base
	return r.capped() && r.User != "" && s.m.users != nil && r.token == "" && now.Sub(c.lastSeen(r, now)) >= max(c.touchAfter(r), seenStep)
}

// cookieDue reports whether this request sends the session's cookie again, because the
// browser would drop it before the session ends. A client-side one waits for a write.
func (s *Session) cookieDue(now time.Time) bool {
	return !s.m.traits.ClientSide && !s.sent && s.token != "" && s.active() && s.m.config.cookieDue(&s.base, now)
}

// active reports whether this request counts as activity (promise T2). A handler
// that has asked for the session may use it after the header, which is too late to
// touch a client-side session; so there, asking counts.
func (s *Session) active() bool {
	return !s.noTouch && (s.used || s.m.traits.ClientSide && s.given.Load())
}

// touch moves the expiry, or has the token replaced and keeps its expiry. Its
// failure does not fail the request.
func (s *Session) touch(ctx context.Context) {
	if !s.touchDue() {
		return
	}
	now := s.m.config.Now()
	if s.hasCopy() {
		if err := s.refetch(ctx); err != nil {
			s.untouched(err)
			return
		}
		now = s.m.config.Now() // the store may have taken its time
		s.copyIs(copyOld)      // even if another request has touched it: the client's copy does not say so
		s.shortened = s.m.config.shortenIdle(&s.base, now)
		if !s.touchDue() {
			return
		}
	}
	next := s.base
	if s.active() {
		next.Expires, next.seen = s.m.config.expiry(&next, now), now
		if !next.uncut.IsZero() {
			next.uncut = now.Add(s.m.config.idle(&next) + idleGrace)
		}
	}
	handle, tokens, err := s.m.storeTouch(ctx, s, &next, now)
	var setCookies []string
	switch {
	case err != nil:
	case tokens.Session != "":
		setCookies, err = s.m.tokenLines(tokens.Session, &next, s.presented, now)
	case tokens.Touch != "":
		setCookies, err = s.m.touchLines(tokens.Touch, &next, now)
	}
	if err == nil {
		s.base, s.handle, s.refresh, s.shortened = next, handle, false, false
		if tokens.Session != "" {
			s.token = tokens.Session
		}
		if setCookies != nil {
			s.setCookies, s.handedOut = setCookies, tokens.Session != ""
		}
		s.copyIs(copyOld)
		s.emit(Event{Kind: EventTouched})
		return
	}
	s.untouched(err)
}

// untouched deals with a touch that failed.
func (s *Session) untouched(err error) {
	switch {
	case isGone(err):
		// Logged out meanwhile: nothing was written, nothing is dropped.
		s.intent = intent{}
		s.lose()
	case errors.Is(err, ErrConflict):
		s.touchFailed = true // the next request sends the cookie
	default:
		s.touchFailed = true // do not wait for the backend again
		s.emit(Event{Kind: EventUnavailable, Err: unavailable("touch", err)})
	}
}

// storeTouch stores next's expiry and returns what the client is to carry. That it is
// sent its cookie again is saved: so the time is known, and the token certainly the
// current one, which a login elsewhere may have replaced.
func (m *Manager) storeTouch(ctx context.Context, s *Session, next *Record, now time.Time) (Handle, Tokens, error) {
	if s.refresh || !s.cookieDue(now) {
		return m.backend.Touch(ctx, m.scope, next, s.handle)
	}
	next.SavedAt = now.Truncate(time.Millisecond)
	next.move.renewed = max(now.UnixMilli(), next.entitled()+1)
	handle, token, err := m.backend.Save(ctx, m.scope, next, s.handle, false)
	if token == "" {
		token = s.token
	}
	return handle, Tokens{Session: token}, err
}

// touchLines returns the line for a touch of r's token.
func (m *Manager) touchLines(touch string, r *Record, now time.Time) ([]string, error) {
	line, ok := m.carrier.secondLine(touch, now, m.cookieUntil(r, now))
	if !ok {
		return nil, fmt.Errorf("core: a touch of %d bytes does not fit", len(touch))
	}
	return []string{line}, nil
}
