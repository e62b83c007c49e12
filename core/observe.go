package core

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
)

// Observe makes o an observer of m besides Config.Observer, from now on and
// for as long as m is used. It is for pages and tools that help developers:
// without [Config.Development] it is an error that matches [ErrUnsupported].
func (m *Manager) Observe(o Observer) error {
	if !m.config.Development {
		return fmt.Errorf("core: observe: %w outside development: set Config.Development in development, and nowhere else; in production, there is Config.Observer", ErrUnsupported)
	}
	m.observers.add(o)
	return nil
}

// observers are those that were added to a Manager that is in use.
type observers struct {
	mu  sync.Mutex // held by those who add
	all atomic.Pointer[[]Observer]
}

func (o *observers) add(one Observer) {
	o.mu.Lock()
	defer o.mu.Unlock()
	var all []Observer
	if old := o.all.Load(); old != nil {
		all = append(all, *old...)
	}
	all = append(all, one)
	o.all.Store(&all)
}

// and returns an Observer that tells first, and then all that were added.
func (o *observers) and(first Observer) Observer {
	return func(ctx context.Context, e Event) {
		first(ctx, e)
		if all := o.all.Load(); all != nil {
			for _, one := range *all {
				one(ctx, e)
			}
		}
	}
}

// observe tells e. r is the request in which it happened, nil if there is none.
func (m *Manager) observe(ctx context.Context, r *Request, e Event) {
	if m.observed {
		e.Time = m.config.Now()
		if r != nil {
			e.Request = *r
		}
	}
	m.config.Observer(ctx, e)
}

// requestIn returns the request whose context a handler has passed on, nil if
// it is none.
func requestIn(ctx context.Context) *Request {
	r, _ := ctx.Value(requestKey{}).(*Request)
	return r
}

// absent tells of a request without a session cookie.
func (m *Manager) absent(s *Session) {
	e := Event{Kind: EventAbsent, Reason: ReasonNoCookie}
	if m.observed && m.keptBack(s.ex) {
		e.Reason = ReasonPlainHTTP
	}
	m.observe(s.ctx.Context, &s.request, e)
}

// rejected tells of a request whose token gave it no session.
func (m *Manager) rejected(s *Session, e Event) {
	e.Kind = EventRejected
	m.observe(s.ctx.Context, &s.request, e)
}

// claimed returns an event with what a token says of itself that was refused,
// and r, which is the zero Record unless that was found and is over.
func (m *Manager) claimed(token string, r *Record) Event {
	e := Event{Claimed: r.ID, Expires: r.Expires}
	if b := asServerSide(m.backend); e.Claimed.IsZero() && b != nil {
		e.Claimed, _, _ = parseToken(token)
	}
	return e
}

// asServerSide returns the backend that has made b's tokens, nil if their form
// is not that of this package: of those nothing is shown.
func asServerSide(b Backend) *serverSide {
	switch b := b.(type) {
	case *serverSide:
		return b
	case *Migration:
		return b.to.native
	}
	return nil
}
