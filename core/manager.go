package core

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"
)

// Manager is what an application configures once. It loads a session at the
// start of a request and commits it before the response starts. A Manager is safe for
// concurrent use; an application may have several, with different cookie names.
type Manager struct {
	config  Config
	backend Backend
	traits  Traits
	dir     Directory // nil if the backend has none
	users   UserIndex // nil if the backend has none
	scope   Scope
	cookies *cookieWriter
	names   *partNames

	observed  bool      // somebody asked to be told
	observers observers // besides Config.Observer

	notBefore atomic.Int64 // Unix milliseconds
	insecure  atomic.Bool  // EventInsecure has been told
	watchers  watchers
}

// New returns a Manager for sessions in backend. Impossible configurations
// are errors that say what to change.
func New(backend Backend, c Config) (*Manager, error) {
	if backend == nil {
		return nil, errors.New("core: New: the backend is nil: use ServerSide(memstore.New()) or another")
	}
	m := &Manager{observed: c.Observer != nil || c.Development}
	c = c.withDefaults()
	if c.Development {
		c.Observer = m.observers.and(c.Observer)
	}
	if err := c.validate(); err != nil {
		return nil, err
	}
	backend, err := started(backend, &c)
	if err != nil {
		return nil, err
	}
	m.config, m.backend, m.traits = c, backend, backend.Traits()
	if dir, ok := backend.(Directory); ok {
		m.dir, m.users = dir, scopedUsers(dir.Users(), c.Namespace)
	}
	if c.SessionLimit > 0 && m.users == nil {
		return nil, fmt.Errorf("core: Config.SessionLimit is %d, but the backend cannot count a user's sessions: %w", c.SessionLimit, ErrUnsupported)
	}
	m.scope = Scope{Namespace: c.Namespace, Name: c.Cookie.Name, Purpose: "session"}
	m.cookies = newCookieWriter(c.Cookie, !c.InsecureAllowHTTP)
	m.names = m.cookies.names
	if !c.NotBefore.IsZero() {
		m.notBefore.Store(c.NotBefore.UnixMilli())
	}
	return m, nil
}

// Format implements [fmt.Formatter]: whatever the verb, a Manager prints its
// cookie's name, and no keys.
func (m *Manager) Format(f fmt.State, _ rune) {
	_, _ = fmt.Fprintf(f, "core.Manager(%s)", m.scope.Name)
}

// Traits returns what the backend is like.
func (m *Manager) Traits() Traits { return m.traits }

// Load returns the session of a request: the one whose token it presents, or
// a new, empty one. Adapters call it once per request, unless the request's context
// has a session of this Manager already.
//
// An error matches [ErrUnavailable]: nobody knows whether the session exists.
// The adapter answers with [Refuse] or the application's error handler, and
// changes nothing else.
func (m *Manager) Load(ex Exchange) (*Session, error) {
	s := new(Session)
	return s, m.LoadInto(s, ex)
}

// LoadInto is Load for adapters that keep the Session inside a struct of
// their own, to save an allocation. s must be the zero Session.
func (m *Manager) LoadInto(s *Session, ex Exchange) error {
	ctx := ex.Context()
	m.mustNotShare(ctx)
	s.m, s.ex = m, ex
	s.ctx = sessionContext{ctx, s}
	if m.observed {
		s.request = requestOf(ex)
	}
	found := findToken(ex.CookieLines(), m.names)
	s.presented = found.parts
	switch found.verdict {
	case tokenAbsent:
		m.absent(s)
		return nil
	case tokenMalformed:
		m.rejected(s, Event{Reason: ReasonMalformed})
		return nil
	case tokenDuplicate:
		m.rejected(s, Event{Reason: ReasonDuplicate, Detail: "two cookies with the name " + m.scope.Name})
		return nil
	}
	loadCtx, cancel := m.deadline(ctx, m.config.LoadTimeout)
	defer cancel()
	l, err := m.backend.Load(loadCtx, m.scope, found.token)
	if err == nil && !l.Superseded {
		err = m.current(&l.Record)
	}
	if err != nil {
		return m.loadFailed(s, err, m.claimed(found.token, &l.Record))
	}
	if l.Superseded {
		s.phase, s.ended, s.superseded = phaseSuperseded, true, true
		e := m.claimed(found.token, &l.Record)
		e.Reason = ReasonSuperseded
		m.rejected(s, e)
		return nil
	}
	s.base, s.handle, s.stored, s.refresh = l.Record, l.Handle, true, l.Refresh
	m.observe(ctx, &s.request, Event{Kind: EventLoaded, ID: s.base.ID, User: s.base.User, Expires: s.base.Expires})
	return m.check(ctx, s)
}

// mustNotShare panics if ctx has a session of another Manager with the same
// cookie name: each would overwrite the other's cookie, and one be lost.
func (m *Manager) mustNotShare(ctx context.Context) {
	for {
		s, ok := ctx.Value(sessionKey{}).(*Session)
		if !ok || s.m == m {
			return
		}
		if s.m.scope.Name == m.scope.Name {
			panic(fmt.Sprintf("core: two Managers serve this request with the same cookie, %s: use one Manager for both, or give one of them another Config.Cookie.Name", m.scope.Name))
		}
		ctx = s.ctx.Context
	}
}

func nothingToCancel() {}

// deadline returns ctx with a timeout, if the backend may have to wait for
// anything.
func (m *Manager) deadline(ctx context.Context, timeout time.Duration) (context.Context, context.CancelFunc) {
	if m.traits.InProcess {
		return ctx, nothingToCancel
	}
	return context.WithTimeout(ctx, timeout)
}

// Errors of current, on top of ErrNotFound.
var (
	errExpired   = fmt.Errorf("%w: expired", ErrNotFound)
	errNotBefore = fmt.Errorf("%w: begun before the not-before time", ErrNotFound)
)

// current checks the times of a record that the backend vouches for.
func (m *Manager) current(r *Record) error {
	switch {
	case r.expired(m.config.Now()):
		return errExpired
	case r.Begun().UnixMilli() < m.notBefore.Load():
		return errNotBefore
	}
	return nil
}

// loadFailed tells "no session" from "nobody knows" (promises L1, L3). e is
// what the token says of itself.
func (m *Manager) loadFailed(s *Session, err error, e Event) error {
	ctx := s.ctx.Context
	switch {
	case errors.Is(err, ErrUnavailable):
	case errors.Is(err, errExpired):
		e.Reason = ReasonExpired
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
		m.rejected(s, e)
		return nil
	}
	err = unavailable("load", err)
	kind := EventUnavailable
	if ctx.Err() != nil {
		kind = EventAborted // that says nothing about the backend
	}
	m.observe(ctx, &s.request, Event{Kind: kind, Err: err})
	if m.config.ServeWhenUnavailable {
		s.detach()
		s.phase = phaseReadOnly
		return nil
	}
	return err
}

// unavailable wraps whatever a backend said into ErrUnavailable.
func unavailable(doing string, err error) error {
	if errors.Is(err, ErrUnavailable) {
		return fmt.Errorf("core: %s session: %w", doing, err)
	}
	return fmt.Errorf("core: %s session: %w: %w", doing, ErrUnavailable, err)
}

// check runs Config.Check, which may end the session that was just loaded.
func (m *Manager) check(ctx context.Context, s *Session) error {
	if m.config.Check == nil {
		return nil
	}
	err := m.config.Check(s.Context(), s)
	s.used = false // what Check read is no use by the handler
	if err == nil {
		return nil
	}
	if errors.Is(err, ErrUnavailable) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return m.loadFailed(s, unavailable("check", err), Event{}) // nobody said that the session is bad
	}
	e := Event{Kind: EventRejected, Reason: ReasonCheck, Err: err, Claimed: s.base.ID}
	if s.stored { // Check may have logged it out by itself
		s.endings = append(s.endings, ending{s.handle, s.base.ID, s.base.User, EventRevoked, ReasonCheck})
	}
	s.detach()
	m.observe(ctx, &s.request, e)
	return nil
}

// NewSession returns a new, empty session that belongs to no request: for
// tests of handlers without the middleware. Its Commit stores it, and no client
// ever learns its token.
func (m *Manager) NewSession(ctx context.Context) *Session {
	s := &Session{m: m}
	s.ctx = sessionContext{ctx, s}
	return s
}

// Refusal is how an error of Load or Commit is told to a client when the
// application does not do so itself: the same in all adapters.
type Refusal struct {
	Status      int
	ContentType string
	Body        string
}

// Refuse returns the answer to an error of [Manager.Load] or
// [Manager.Commit]: 503 if the backend is unavailable or changes kept
// conflicting, 409 for [ErrSessionLimit], else 500.
func Refuse(err error) Refusal {
	r := Refusal{Status: 500, ContentType: "text/plain; charset=utf-8", Body: "Internal Server Error\n"}
	switch {
	case errors.Is(err, ErrSessionLimit):
		r.Status, r.Body = 409, "Too many sessions\n"
	case errors.Is(err, ErrUnavailable), errors.Is(err, ErrConflict):
		r.Status, r.Body = 503, "Service Unavailable\n"
	}
	return r
}
