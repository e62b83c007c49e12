package core

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/satchel-go/satchel/core/internal/cookie"
)

// Slot is a request's place for its session, for adapters: they keep one in what they
// allocate for each request, and call [Slot.Load] before the handler, [Slot.Commit]
// before the first byte of the response, and then [Slot.Finish]. A Slot is also the
// context that carries the session, to be passed on to the handler.
//
// A request that presents no session has a Session only once somebody asks for it,
// as [FromContext] does. It may be asked for at any time, by any goroutine. The other
// methods are for the goroutine that uses the [Exchange].
//
// A Slot is used for one request. It must not be copied.
type Slot struct {
	visit   // guarded by mu until there is a session, and from then on by the session's
	session atomic.Pointer[Session]
	mu      sync.Mutex // held while the session is made, and for what must not happen meanwhile
}

// visit is what a Slot and its Session share: the request, and how its response stands.
type visit struct {
	m         *Manager
	ex        Exchange
	request   *Request // for events; nil outside a request, or as long as no observer needs it
	presented uint32   // which of our cookies, or headers, the request carried
	status    int32
	audience  audience // of the response
	fruitless bool     // the request presented a token, but not that of a session
	twice     bool     // it carried two cookies of our name
	sent      bool     // the header has been sent, or can no longer be written
	over      bool     // the request is over
}

// outside is the Exchange of a session that belongs to no request.
type outside struct {
	Exchange
	ctx context.Context
}

// Context implements [Exchange].
func (o outside) Context() context.Context { return o.ctx }

// exchange returns the Exchange for as long as it may be used, and else nil.
func (v *visit) exchange() Exchange {
	if _, none := v.ex.(outside); none || v.over {
		return nil
	}
	return v.ex
}

// parent returns the request's context without the session.
func (v *visit) parent() context.Context { return v.ex.Context() }

// Load loads m's session for a request: the one whose token it presents, or a new,
// empty one. Adapters call it once per request, unless [Manager.SlotFromContext] finds
// that the request has one already.
//
// Every error matches [ErrUnavailable]: it is unknown whether the session exists.
// The adapter answers with [ErrorResponseFor] or the application's error handler, and
// changes nothing else.
func (c *Slot) Load(m *Manager, ex Exchange) error {
	m.mustNotShare(ex.Context())
	c.m, c.ex, c.audience = m, ex, audienceOf(ex)
	if m.observed {
		c.request = requestOf(ex)
	}
	found := m.carrier.read(ex)
	c.presented = found.Parts
	switch found.Verdict {
	case cookie.Absent:
		m.absent(&c.visit)
	case cookie.Malformed:
		m.rejected(&c.visit, Event{Reason: ReasonMalformed})
	case cookie.Duplicate:
		m.duplicate(&c.visit)
	case cookie.OK:
		return m.loadToken(c, Tokens{Session: found.Token, Touch: found.Second})
	}
	return nil
}

// begin makes the session. Nothing else may do so meanwhile.
func (c *Slot) begin() *Session {
	s := &Session{visit: &c.visit, slot: c}
	c.session.Store(s)
	return s
}

// Session returns the request's session. Unlike [FromContext] it does not count as
// the handler's use.
func (c *Slot) Session() *Session {
	if s := c.session.Load(); s != nil {
		return s
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if s := c.session.Load(); s != nil {
		return s
	}
	return c.begin()
}

// Exchange returns what Load was given, or nil for a session that belongs to no request.
func (c *Slot) Exchange() Exchange {
	if _, none := c.ex.(outside); none {
		return nil
	}
	return c.ex
}

// Carrier returns how the tokens of the session's Manager travel.
func (c *Slot) Carrier() Carrier { return c.m.config.Carrier }

// pass lets a response begin that has no session to store. It returns the session if
// there is one after all, or if there is something to say in the header or of it.
func (c *Slot) pass(status int) *Session {
	c.mu.Lock()
	defer c.mu.Unlock()
	if s := c.session.Load(); s != nil {
		return s
	}
	if c.sent || c.over {
		return nil
	}
	if status > 0 && (c.twice && c.m.former != nil || c.m.carrier.write(c.ex, nil) > 0) {
		return c.begin()
	}
	c.sent, c.status = true, int32(max(status, -status))
	return nil
}

// end ends a request that has no session. It returns the session if there is one after
// all, and whether this was the first call.
func (c *Slot) end(status int) (_ *Session, first bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if s := c.session.Load(); s != nil {
		return s, false
	}
	if status != 0 {
		c.status = int32(status)
	}
	first = !c.over
	c.over = true
	return nil, first
}

// HoldBody returns how many bytes of the body an adapter should hold back before it
// commits a response with this status. A template may still read flashes, and then the
// client needs a cookie without them (promise C6). The adapter commits when the handler
// returns, flushes, or writes more than that. Zero means to commit at the first byte.
func (c *Slot) HoldBody(status int) int {
	if s := c.session.Load(); s != nil && (c.m.traits.ClientSide || c.m.copies != nil) {
		return s.holdBody(status)
	}
	return 0
}

// CarryIn calls set with each key and value by which [FromContext], the Manager's too,
// finds the session. It is for adapters to frameworks whose own context keeps such
// values, as Fiber's does. With several sessions in one request, call it for the
// innermost last.
func (c *Slot) CarryIn(set func(key, value any)) {
	set(sessionKey{}, c)
	set(c.m, c)
	if c.m.observed && c.request != nil {
		set(requestKey{}, c.request)
	}
}

// Value implements [context.Context]. The innermost session has the key
// sessionKey, and each Manager's session has the Manager itself as its key.
func (c *Slot) Value(key any) any {
	switch k := key.(type) {
	case sessionKey:
		return c
	case requestKey:
		if c.m.observed {
			return c.request
		}
	case *Manager:
		if k == c.m {
			return c
		}
	}
	return c.parent().Value(key)
}

// Deadline implements [context.Context].
func (c *Slot) Deadline() (time.Time, bool) { return c.parent().Deadline() }

// Done implements [context.Context].
func (c *Slot) Done() <-chan struct{} { return c.parent().Done() }

// Err implements [context.Context].
func (c *Slot) Err() error { return c.parent().Err() }
