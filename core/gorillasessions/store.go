package gorillasessions

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/gorilla/sessions"

	"github.com/satchel-go/satchel/core"
)

// Store is a gorilla [sessions.Store] on the sessions of a Manager. Each gorilla
// session is part of the request's Satchel session, whatever its backend. The
// package's documentation says how values are stored.
//
// A Store is safe for concurrent use. As with any gorilla store, a session that it
// returns belongs to one request and one goroutine.
type Store struct {
	// Options are the initial options of gorilla sessions. By default they are nil,
	// and core.Config determines the cookie. Save then only looks for a negative MaxAge.
	//
	// If they are set and Satchel's middleware is absent, the session's options at Save
	// determine the Path and Domain of Satchel's cookie, and its Max-Age and SameSite
	// unless they are zero. They never remove HttpOnly or Secure. The timeouts always
	// come from core.Config.
	//
	// Set them before the first request.
	Options *sessions.Options

	// Exempt, if set, names values that never say who the client is, such as a
	// counter or a time of last use. A Save that only changes such values keeps the
	// token. See "Session fixation" in the package's documentation.
	//
	// Set it before the first request. Many goroutines call it.
	Exempt func(session string, key any) bool

	m *core.Manager
}

var _ sessions.Store = (*Store)(nil)

// NewStore returns a gorilla store on the sessions of m. All stores on one
// Manager share their sessions, which differ only by name.
//
// Behind Satchel's middleware with the same Manager, the store uses the handlers'
// session. Without the middleware, it loads and stores the session itself, and m's
// sessions must travel in a cookie. NewStore panics if m is nil.
func NewStore(m *core.Manager) *Store {
	if m == nil {
		panic("gorillasessions: NewStore: the Manager is nil: give it what core.New returned")
	}
	return &Store{m: m}
}

// Get implements [sessions.Store]. For one name and request, it always returns
// the same session, which is never nil. If the error matches [core.ErrUnavailable],
// the session is empty and cannot be saved. After any other error, it lacks the values
// that could not be decoded, and Save leaves those as they are.
func (s *Store) Get(r *http.Request, name string) (*sessions.Session, error) {
	if !isName(name) {
		return s.New(r, name)
	}
	o := s.on(r)
	session, err := sessions.GetRegistry(r).Get(o, name)
	if o.seen[session] != nil {
		return session, err
	}
	// Another store has a session of this name.
	if o.beside[name] == nil {
		session, err = o.New(r, name)
		o.beside[name] = session
		return session, err
	}
	return o.beside[name], o.seen[o.beside[name]].err
}

// New implements [sessions.Store]. It is like Get, but returns another session each time.
func (s *Store) New(r *http.Request, name string) (*sessions.Session, error) {
	return s.on(r).New(r, name)
}

// Save implements [sessions.Store]. It stores what has changed in session since Get
// or New returned it, together with all other changes to the request's Satchel session.
// If it returns an error, nothing is stored. The error is from gob, or matches one that
// [core.Session.Commit] returns. Call Save before the response begins.
//
// If Options.MaxAge is negative, Save deletes the gorilla session's values, and nothing
// else of the Satchel session. Only sessions from Get and New can be saved.
func (s *Store) Save(r *http.Request, w http.ResponseWriter, session *sessions.Session) error {
	o, ok := session.Store().(*onRequest)
	if !ok { // a store that wraps this one has replaced it
		o = s.on(r)
	}
	return o.Save(r, w, session)
}

// onRequest is the store that a gorilla session has. It carries what must be known
// of the request, so that nothing depends on a particular *http.Request.
type onRequest struct {
	*Store
	*request
}

// request is the state that all gorilla sessions of one request and Manager share.
type request struct {
	session *core.Session // nil until it is needed
	from    origin
	ex      *exchange // nil behind the middleware
	seen    map[*sessions.Session]*part
	beside  map[string]*sessions.Session // sessions that are not in gorilla's registry
}

type requestKey struct{ m *core.Manager }

// on returns s for the request r. Like gorilla's registry, it changes r's context.
func (s *Store) on(r *http.Request) *onRequest {
	ctx := r.Context()
	q, _ := ctx.Value(requestKey{s.m}).(*request)
	session, ok := s.m.FromContext(ctx)
	if q == nil || ok && q.session != session {
		q = &request{session: session, seen: map[*sessions.Session]*part{}, beside: map[string]*sessions.Session{}}
		*r = *r.WithContext(context.WithValue(ctx, requestKey{s.m}, q))
	}
	return &onRequest{s, q}
}

// New implements [sessions.Store].
func (o *onRequest) New(r *http.Request, name string) (*sessions.Session, error) {
	session := sessions.NewSession(o, name)
	session.IsNew = true
	if o.Options != nil {
		*session.Options = *o.Options
	}
	p := &part{name: name}
	o.seen[session] = p
	if p.err = o.load(r, name); p.err != nil {
		p.broken = true
		return session, p.err
	}
	p.err = p.read(o.session, session.Values)
	session.IsNew = len(p.values) == 0 && p.err == nil
	session.ID = publicID(o.session)
	return session, p.err
}

// load loads the Satchel session if that has not been done.
func (o *onRequest) load(r *http.Request, name string) error {
	if !isName(name) {
		return fmt.Errorf("gorillasessions: session %q: the name is not a token: use letters, digits, - and _", name)
	}
	if o.session == nil {
		ex := newExchange(r)
		session, err := ex.load(o.m)
		if err != nil {
			return fmt.Errorf("gorillasessions: session %q: %w", name, err)
		}
		o.session, o.ex = session, ex
	}
	if o.from.id.IsZero() {
		o.from = originOf(o.session)
	}
	return nil
}

// publicID returns the ID in gorilla's terms: "" before anything is stored.
func publicID(s *core.Session) string {
	if id := s.ID(); !id.IsZero() {
		return id.String()
	}
	return ""
}

var (
	errForeign   = errors.New("it does not come from this store's Get or New")
	errLateLogin = fmt.Errorf("%w: it may be a login, which needs a new cookie: save before the first byte of the response", core.ErrTooLate)
)

// Save implements [sessions.Store].
func (o *onRequest) Save(r *http.Request, w http.ResponseWriter, session *sessions.Session) error {
	p := o.seen[session]
	if p == nil {
		return fmt.Errorf("gorillasessions: save session %q: %w", session.Name(), errForeign)
	}
	if err := o.save(r, w, session, p); err != nil {
		return fmt.Errorf("gorillasessions: save session %q: %w", p.name, err)
	}
	if id := publicID(o.session); id != "" || session.ID == "" {
		session.ID = id
	}
	return nil
}

func (o *onRequest) save(r *http.Request, w http.ResponseWriter, session *sessions.Session, p *part) error {
	if p.broken { // it is unknown what is stored, so nothing may be overwritten
		return fmt.Errorf("it could not be loaded: %w", p.err)
	}
	options, remove := o.Options, session.Options != nil && session.Options.MaxAge < 0
	values := session.Values
	if remove {
		values = nil
	} else if options != nil && session.Options != nil {
		options = session.Options
	}
	edits, err := p.edits(values)
	if err != nil {
		return err
	}
	if o.ex != nil {
		o.ex.w, o.ex.options, o.ex.err = w, options, nil
		o.follow()
	}
	own := o.session.IsNew()
	login := o.mayLogIn(r, p, edits)
	if login {
		renewed, err := o.renew()
		if err != nil {
			return err
		}
		own = own || renewed
	}
	if remove {
		p.remove(o.session)
	}
	for i := range edits {
		edits[i].apply(o.session)
	}
	err = o.session.Commit(r.Context())
	if errors.Is(err, core.ErrEnded) && !login {
		if err = o.join(r.Context(), edits, err); err == nil {
			p.done(edits)
			return nil
		}
	}
	if err != nil {
		return err
	}
	p.done(edits)
	o.saved(own)
	if o.ex == nil {
		return nil
	}
	o.m.WriteCookie(o.session)
	return o.ex.err
}

// follow switches to the session whose cookie is already in the response. A copy of
// the request may have created it.
func (o *onRequest) follow() {
	cookies := cookiesOf(o.ex.w)
	if cookies == "" || cookies == o.ex.written {
		return
	}
	ex := newExchange(o.ex.r)
	ex.w, ex.options, ex.cookies, ex.written = o.ex.w, o.ex.options, cookies, cookies
	session, err := ex.load(o.m)
	if err == nil && !session.IsNew() {
		o.session, o.ex = session, ex
		o.from = originOf(session)
		o.from.own = true // the response has just set it
	}
}
