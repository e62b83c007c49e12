package core

import "context"

// sessionContext carries a session in a context that is not its request's.
type sessionContext struct {
	context.Context
	s *Session
}

type sessionKey struct{}

// requestKey finds the *Request of the innermost session in a context.
type requestKey struct{}

// Value implements [context.Context], as [Slot.Value] does.
func (c *sessionContext) Value(key any) any {
	switch k := key.(type) {
	case sessionKey:
		return c.s.slot
	case requestKey:
		if c.s.m.observed {
			return c.s.request
		}
	case *Manager:
		if k == c.s.m {
			return c.s.slot
		}
	}
	return c.Context.Value(key)
}

// Context returns the request's context with the session in it.
func (s *Session) Context() context.Context { return s.slot }

// CarryIn is [Slot.CarryIn] for a session that was made without its request.
func (s *Session) CarryIn(set func(key, value any)) { s.slot.CarryIn(set) }

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
func FromContext(ctx context.Context) (*Session, bool) { return given(ctx.Value(sessionKey{})) }

// FromContext returns the session of m that ctx carries.
func (m *Manager) FromContext(ctx context.Context) (*Session, bool) { return given(ctx.Value(m)) }

// given returns the session of what a context has under our keys, and notes that the
// handler has asked for it.
func given(value any) (*Session, bool) {
	c, ok := value.(*Slot)
	if !ok {
		return nil, false
	}
	s := c.Session()
	if !s.given.Load() { // writing would take the memory from other cores
		s.given.Store(true)
	}
	return s, true
}

// SlotFromContext returns the place of m's session that ctx carries, without asking for the
// session. It is for adapters, which must not load a request's session twice.
func (m *Manager) SlotFromContext(ctx context.Context) (*Slot, bool) {
	c, ok := ctx.Value(m).(*Slot)
	return c, ok
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
