package core

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/satchel-go/satchel/core/internal/cookie"
)

// Manager loads a session at the start of each request and commits it before the
// response starts. An application makes one with [New]. A Manager is safe for
// concurrent use; an application may have several, with different cookie names.
type Manager struct {
	config  Config
	backend Backend
	bare    Backend // backend as New was given it, for what else it can do
	traits  Traits
	dir     Registry  // nil if the backend has none
	users   UserIndex // nil if the backend has none
	scope   Scope
	vary    string // the request header that carries tokens
	touchIn string // what carries touches, for messages
	carrier carrier
	former  *cookie.Cookie // the session's cookie, if there are former ones to delete
	copies  *hybrid        // nil if clients carry no copies

	observed  bool      // an observer needs times and requests
	observers observers // besides Config.Observer

	notBefore  atomic.Int64  // Unix milliseconds
	insecure   atomic.Bool   // EventInsecure has been emitted
	large      atomic.Bool   // EventLargeCookie has been emitted, for a cookie
	narrow     atomic.Bool   // EventLargeCookie has been emitted, for the server
	duplicates atomic.Uint64 // requests with two cookies of our name
	watchers   watchers
}

// New returns a Manager for sessions in backend. For an impossible configuration
// it returns an error that says what to change.
func New(backend Backend, c Config) (*Manager, error) {
	if backend == nil {
		return nil, errors.New("core: New: the backend is nil: use ServerSide(memstore.New(memstore.Config{})) or another")
	}
	m := &Manager{observed: c.Observer != nil || c.Development}
	c = c.withDefaults()
	if c.Development {
		c.Observer = m.observers.and(c.Observer)
	}
	if err := c.validate(); err != nil {
		return nil, err
	}
	backend, err := configured(backend, c)
	if err != nil {
		return nil, err
	}
	m.config, m.traits = c, backend.Traits()
	if w := m.traits.Window; w > 0 && c.IdleTimeout != NoTimeout && w > c.IdleTimeout {
		return nil, fmt.Errorf("core: the backend answers with what may be %v old, longer than Config.IdleTimeout (%v): give it a shorter window", w, c.IdleTimeout)
	}
	m.connect(backend)
	if c.SessionLimit > 0 && m.users == nil {
		return nil, unsupported(fmt.Sprintf("Config.SessionLimit is %d: count a user's sessions", c.SessionLimit))
	}
	second := cookie.TouchSuffix
	if h, ok := backend.(*hybrid); ok {
		second = cookie.CopySuffix
		if !c.FreshReads {
			m.copies = h
		}
	}
	m.carrier = c.carrier(second)
	if cookies, ok := m.carrier.(*cookieCarrier); ok && cookies.HasFormer() {
		m.former = cookies.Cookie
	}
	m.scope = Scope{Namespace: c.Namespace, Purpose: purposeSession}
	m.scope.Name, m.vary, m.touchIn = m.carrier.names()
	if !c.NotBefore.IsZero() {
		m.notBefore.Store(c.NotBefore.UnixMilli())
	}
	return m, nil
}

// connect makes backend the Manager's.
func (m *Manager) connect(backend Backend) {
	m.backend, m.bare = backend, backend
	dir, _ := backend.(Registry)
	var f *failFast
	if !m.traits.Local && !m.config.NoFailFast {
		f = &failFast{tell: func(ctx context.Context, e Event) { m.observe(ctx, nil, e) }}
		m.backend = &asked{backend, dir, f}
	}
	if dir != nil {
		m.dir, m.users = dir, scopedUsers(dir.Users(), m.config.Namespace, f)
		if f != nil {
			m.dir = m.backend.(*asked)
		}
	}
}

// Format implements [fmt.Formatter]. With every verb, a Manager prints its
// cookie's name, and no keys.
func (m *Manager) Format(f fmt.State, _ rune) {
	_, _ = fmt.Fprintf(f, "core.Manager(%s)", m.scope.Name)
}

// Traits returns the backend's traits.
func (m *Manager) Traits() Traits { return m.traits }

// loadToken loads the session of what the request has presented.
func (m *Manager) loadToken(c *Slot, presented Tokens) error {
	ctx := c.parent()
	var begun time.Time
	if m.observed {
		begun = time.Now()
	}
	l, from, state, err := m.load(c.ex, presented)
	var took time.Duration
	if m.observed {
		took = time.Since(begun)
	}
	if l.Handle != nil && (l.Superseded || m.lapsed(&l.Record, err)) {
		c.Session().former = &ending{l.Handle, l.Record.ID, l.Record.User, EventLogout, ""}
	}
	if err != nil {
		e := m.claimed(presented.Session, &l.Record)
		e.Took = took
		return m.loadFailed(c, err, e)
	}
	s := c.Session()
	if l.Superseded {
		s.lose()
		e := m.claimed(presented.Session, &Record{ID: l.Record.ID})
		e.Reason, e.Took = ReasonSuperseded, took
		m.rejected(s.visit, e)
		return nil
	}
	s.copyState = state
	s.loaded = loaded{stored: true, base: l.Record, handle: l.Handle, refresh: l.Refresh, token: presented.Session, source: from}
	s.shortened = m.config.shortenIdle(&s.base, m.config.Now())
	e := Event{Kind: EventLoaded, ID: s.base.ID, User: s.base.User, Expires: s.base.Expires, Bytes: s.base.size(), Took: took}
	if s.hasCopy() {
		e.Detail = "from the client's copy"
	}
	s.tell(ctx, e)
	return m.check(s)
}

// mustNotShare panics if ctx has a session of another Manager with the same cookie name
// or header: each would overwrite what the other gives the client, and one session be lost.
func (m *Manager) mustNotShare(ctx context.Context) {
	for {
		s, ok := ctx.Value(sessionKey{}).(*Slot)
		if !ok || s.m == m {
			return
		}
		same, one, other := s.m.scope.Name == m.scope.Name, s.m.config.Carrier, m.config.Carrier
		if same || one.Answers(other.answer) || other.Answers(one.answer) {
			what, setting := "header, "+other.answer, "Carrier"
			switch {
			case other == Carrier{}:
				what, setting = "cookie, "+m.scope.Name, "Cookie.Name"
			case same:
				what = "header, " + m.vary
			}
			panic(fmt.Sprintf("core: two Managers serve this request with the same %s: use one Manager for both, or give one of them another Config.%s", what, setting))
		}
		ctx = s.parent()
	}
}

func nothingToCancel() {}

// deadline returns ctx with a timeout, unless the backend never waits.
func (m *Manager) deadline(ctx context.Context, timeout time.Duration) (context.Context, context.CancelFunc) {
	if m.traits.Local {
		return ctx, nothingToCancel
	}
	return context.WithTimeoutCause(ctx, timeout, errDeadline)
}

// Errors of current, on top of ErrNotFound.
var (
	errExpired   = fmt.Errorf("%w: expired", ErrNotFound)
	errNotBefore = fmt.Errorf("%w: begun before the not-before time", ErrNotFound)
)

// current checks the times of a record that the backend vouches for, by today's
// lifetime.
func (m *Manager) current(r *Record) error {
	m.config.shortenLifetime(r)
	if !r.Deadline.IsZero() && r.Deadline.Before(r.Expires) {
		r.uncut, r.Expires = r.Expires, r.Deadline
	}
	switch {
	case r.expired(m.config.Now()):
		return errExpired
	case r.begun().UnixMilli() < m.notBefore.Load():
		return errNotBefore
	}
	return nil
}

// kept is current for a request that has loaded the session in time: it may still
// save what expired by idleness less than a minute ago (promise T1).
func (m *Manager) kept(r *Record) error {
	m.config.shortenLifetime(r)
	late := *r
	late.Expires = r.KeepUntil()
	return m.current(&late)
}

// lapsed reports whether err says that r has expired, though a request that came before
// may still save it. A logout must win against that.
func (m *Manager) lapsed(r *Record, err error) bool {
	return errors.Is(err, errExpired) && !m.traits.ClientSide && m.kept(r) == nil
}

// loadFailed tells "no session" from "unknown" (promises L1, L3). e holds what
// the token claims.
func (m *Manager) loadFailed(c *Slot, err error, e Event) error {
	ctx := c.parent()
	switch {
	case errors.Is(err, ErrUnavailable):
	case errors.Is(err, errExpired):
		e.Reason = ReasonExpired
		if m.traits.ClientSide && !cookie.HasSecond(c.presented) {
			e.Detail = "no touch came with it, in the " + m.touchIn
		}
	case errors.Is(err, errNotBefore):
		e.Reason = ReasonNotBefore
	case errors.Is(err, ErrNotFound):
		e.Reason = ReasonUnknown
	case errors.Is(err, ErrCorrupt):
		e.Reason, e.Err = ReasonCorrupt, err
	case errors.Is(err, ErrNewerVersion):
		e.Reason, e.Err = ReasonNewer, err
	}
	if e.Reason != "" {
		m.rejected(&c.visit, e)
		return nil
	}
	err = unavailable("load", err)
	kind := EventUnavailable
	if ctx.Err() != nil {
		kind = EventAborted // that says nothing about the backend
	}
	e = Event{Kind: kind, Err: err, Took: e.Took, Answered: kind == EventUnavailable && !m.config.ServeWhenUnavailable}
	c.tell(ctx, e)
	if m.config.ServeWhenUnavailable {
		s := c.Session()
		s.hold(loaded{})
		s.phase = phaseReadOnly
		return nil
	}
	return err
}

// unavailable wraps a backend's error so that it matches ErrUnavailable.
func unavailable(doing string, err error) error {
	if errors.Is(err, ErrUnavailable) {
		return fmt.Errorf("core: %s session: %w", doing, err)
	}
	return fmt.Errorf("core: %s session: %w: %w", doing, ErrUnavailable, err)
}

// check runs Config.Check, which may end the session that was just loaded.
func (m *Manager) check(s *Session) error {
	if m.config.Check == nil {
		return nil
	}
	err := m.config.Check(s.Context(), s)
	s.used = false // reading in Check is not use by the handler
	if err == nil {
		return nil
	}
	if errors.Is(err, ErrUnavailable) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return m.loadFailed(s.slot, unavailable("check", err), Event{}) // which does not mean that the session is bad
	}
	e := Event{Reason: ReasonCheck, Err: err, Claimed: s.base.ID}
	if s.stored { // unless Check has logged it out
		s.endings = append(s.endings, s.ending(EventRevoked, ReasonCheck))
	}
	s.hold(loaded{})
	m.rejected(s.visit, e)
	return nil
}

// NewSession returns a new, empty session that belongs to no request. It is for
// tests of handlers without the middleware. Its Commit stores it, but no client
// ever learns its token.
func (m *Manager) NewSession(ctx context.Context) *Session {
	c := &Slot{visit: visit{m: m, ex: outside{ctx: ctx}}}
	return c.begin()
}

// ErrorResponse is how an error of [Slot.Load] or [Slot.Commit] is told to a client when the
// application does not do so itself: the same in all adapters.
type ErrorResponse struct {
	Status      int
	ContentType string
	Body        string
}

// ErrorResponseFor returns the answer to an error of [Slot.Load] or
// [Slot.Commit]: 503 if the backend is unavailable or changes kept
// conflicting, 409 for [ErrSessionLimit] and [ErrEnded], else 500.
func ErrorResponseFor(err error) ErrorResponse {
	r := ErrorResponse{Status: 500, ContentType: "text/plain; charset=utf-8", Body: "Internal Server Error\n"}
	switch {
	case errors.Is(err, ErrSessionLimit):
		r.Status, r.Body = 409, "Too many sessions\n"
	case errors.Is(err, ErrEnded):
		r.Status, r.Body = 409, "Session ended\n"
	case errors.Is(err, ErrUnavailable), errors.Is(err, ErrConflict):
		r.Status, r.Body = 503, "Service Unavailable\n"
	}
	return r
}
