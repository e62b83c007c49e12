package core

import "context"

// sessionContext carries a session in a request's context. It lives inside
// the Session, so that carrying it costs no allocation.
type sessionContext struct {
	context.Context
	s *Session
}

type sessionKey struct{}

// requestKey finds the *Request of the innermost session in a context.
type requestKey struct{}

// Value implements [context.Context]: the innermost session under sessionKey,
// each Manager's session under the Manager itself.
func (c *sessionContext) Value(key any) any {
	switch k := key.(type) {
	case sessionKey:
		return c.s
	case requestKey:
		return &c.s.request
	case *Manager:
		if k == c.s.m {
			return c.s
		}
	}
	return c.Context.Value(key)
}

// Context returns the request's context with the session in it.
func (s *Session) Context() context.Context { return &s.ctx }

// NewContext returns a context derived from ctx that carries s: for handler
// tests, and for adapters that replace a request's context.
// It panics if s is nil.
func NewContext(ctx context.Context, s *Session) context.Context {
	if s == nil {
		panic("core: NewContext: the session is nil: make one with Manager.NewSession")
	}
	return &sessionContext{Context: ctx, s: s}
}

// FromContext returns the session that ctx carries: the innermost one, if
// several Managers serve the request.
func FromContext(ctx context.Context) (*Session, bool) {
	s, ok := ctx.Value(sessionKey{}).(*Session)
	if ok {
		s.given.Store(true)
	}
	return s, ok
}

// FromContext returns m's session that ctx carries.
func (m *Manager) FromContext(ctx context.Context) (*Session, bool) {
	s, ok := ctx.Value(m).(*Session)
	if ok {
		s.given.Store(true)
	}
	return s, ok
}

// withoutSession hides the session from those who get the context while the
// session is locked.
type withoutSession struct{ context.Context }

// Value implements [context.Context].
func (c withoutSession) Value(key any) any {
	switch key.(type) {
	case sessionKey, *Manager:
		return nil
	}
	return c.Context.Value(key)
}
