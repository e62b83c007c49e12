package core

import "context"

// touchDue reports whether this commit should move the expiry though nothing
// has changed.
func (s *Session) touchDue() bool {
	client := s.m.traits.ClientSide
	if !s.stored || s.phase != phaseLive || s.sent && client || s.touchFailed {
		return false
	}
	if s.refresh {
		return true
	}
	if !s.active() {
		return false
	}
	now := s.m.config.Now()
	if !s.m.config.expiry(&s.base, now).After(s.base.Expires) {
		return false
	}
	// The deadline caps the expiry; what has passed of the idle timeout counts all the same.
	passed := s.m.config.idle(&s.base) - s.base.Expires.Sub(now)
	return passed >= s.m.config.touchAfter(&s.base)
}

// active reports whether this request counts as activity (promise T2).
// Client-side, whoever has asked for the session may use it after the header,
// when it is too late to say so.
func (s *Session) active() bool {
	return !s.noTouch && (s.used || s.m.traits.ClientSide && s.given.Load())
}

// touch moves the expiry, or has the token made anew with the expiry that it
// has. It is no reason to fail a request.
func (s *Session) touch(ctx context.Context) {
	if !s.touchDue() {
		return
	}
	next := s.base
	now := s.m.config.Now()
	if s.active() {
		next.Expires = s.m.config.expiry(&next, now)
	}
	if s.m.traits.ClientSide {
		next.SavedAt = now
	}
	handle, token, err := s.m.backend.Touch(ctx, s.m.scope, &next, s.handle)
	var lines []string
	if err == nil && token != "" {
		lines, err = s.m.tokenLines(token, &next, s.presented, now)
	}
	switch {
	case err == nil:
		s.base, s.handle, s.refresh = next, handle, false
		if token != "" {
			s.setLines(lines)
		}
		s.tell(Event{Kind: EventTouched})
	case isGone(err):
		// Logged out meanwhile: nothing was written, nothing is dropped.
		s.lose()
	default:
		s.touchFailed = true // waiting for it once is enough
		s.tell(Event{Kind: EventUnavailable, Err: unavailable("touch", err)})
	}
}
