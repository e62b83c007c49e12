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

// Value implements [context.Context]. The innermost session has the key
// sessionKey, and each Manager's session has the Manager itself as its key.
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

// CarryIn calls set with each key and value by which [FromContext], the Manager's too,
// finds s. It is for adapters to frameworks whose own context keeps such values, as
// Fiber's does. With several sessions in one request, call it for the innermost last.
func (s *Session) CarryIn(set func(key, value any)) {
	set(sessionKey{}, s)
	set(requestKey{}, &s.request)
	set(s.m, s)
}

// NewContext returns a context derived from ctx that carries s. It is for handler
// tests, and for adapters that replace a request's context. It panics if s is nil.
func NewContext(ctx context.Context, s *Session) context.Context {
	if s == nil {
		panic("core: NewContext: the session is nil: make one with Manager.NewSession")
	}
	return &sessionContext{Context: ctx, s: s}
}

// FromContext returns the session that ctx carries. If several Managers serve the
// request, it returns the session of the innermost one.
func FromContext(ctx context.Context) (*Session, bool) {
	s, ok := ctx.Value(sessionKey{}).(*Session)
	if ok {
		s.given.Store(true)
	}
	return s, ok
}

// FromContext returns the session of m that ctx carries.
func (m *Manager) FromContext(ctx context.Context) (*Session, bool) {
	s, ok := ctx.Value(m).(*Session)
	if ok {
		s.given.Store(true)
	}
	return s, ok
}

// withoutSession hides the session from code that gets the context while the
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
