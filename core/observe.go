package core

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
)

// Observe adds o as an observer of m, besides Config.Observer, for as long as m is
// used. It is for pages and tools that help developers: without
// [Config.Development] it returns an error that matches [ErrUnsupported].
func (m *Manager) Observe(o Observer) error {
	if !m.config.Development {
		return fmt.Errorf("core: observe: %w outside development: set Config.Development in development only; in production, use Config.Observer", ErrUnsupported)
	}
	m.observers.add(o)
	return nil
}

// Misconfigured emits an [EventMisconfigured]. It is for adapters that find a setting
// with which sessions cannot work. detail says which, and what to do.
func (m *Manager) Misconfigured(detail string) {
	m.observe(context.Background(), nil, Event{Kind: EventMisconfigured, Detail: detail})
}

// observers are the observers that Observe has added.
type observers struct {
	mu  sync.Mutex // held while adding
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

// and returns an Observer that calls first, and then all that were added.
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

// observe emits e. r is the request in which it happened, nil if there is none.
func (m *Manager) observe(ctx context.Context, r *Request, e Event) {
	if m.observed {
		e.Time = m.config.Now()
	}
	if r != nil {
		e.Request = *r
	}
	m.config.Observer(ctx, e)
}

// tell emits e while the session is being loaded.
func (v *visit) tell(ctx context.Context, e Event) {
	v.describe(ctx, e)
	v.m.observe(ctx, v.request, e)
}

// describe makes v.request fit for these events. If only the default Observer needs
// it, that is done just for what is logged, because describing a request may allocate.
// Nothing else may use v meanwhile.
func (v *visit) describe(ctx context.Context, events ...Event) {
	if v.m.observed || v.request != nil || v.exchange() == nil {
		return
	}
	for i := range events {
		if slog.Default().Enabled(ctx, events[i].Level()) {
			v.request = &Request{Method: v.ex.Method(), Path: v.ex.RequestPath()}
			return
		}
	}
}

// requestIn returns the request that ctx belongs to, or nil if there is none, or if no
// observer needs it.
func (m *Manager) requestIn(ctx context.Context) *Request {
	if !m.observed { // it may be about to change; see describe
		return nil
	}
	return requestIn(ctx)
}

// requestIn is for backends, which get no request if no observer needs it.
func requestIn(ctx context.Context) *Request {
	r, _ := ctx.Value(requestKey{}).(*Request)
	return r
}

// absent emits the event of a request without a session cookie.
func (m *Manager) absent(v *visit) {
	e := Event{Kind: EventAbsent, Reason: ReasonNoCookie}
	if m.observed && m.config.Carrier == (Carrier{}) && m.keptBack(v.ex) {
		e.Reason = ReasonPlainHTTP
	}
	v.tell(v.parent(), e)
}

// rejected emits the event of a request whose token gave no session.
func (m *Manager) rejected(v *visit, e Event) {
	e.Kind, v.fruitless = EventRejected, true
	v.tell(v.parent(), e)
}

// claimed returns an event with what a refused token claims. r is the record that
// was found, or the zero Record.
func (m *Manager) claimed(token string, r *Record) Event {
	e := Event{Claimed: r.ID, Expires: r.Expires}
	w, moves := m.bare.(way)
	if e.Claimed.IsZero() && (nativeOf(m.bare) != nil || moves && w.named()) { // else nothing of it is shown
		e.Claimed, _, _ = parseToken(token)
	}
	return e
}
