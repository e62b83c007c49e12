package gorillastore

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/gorilla/sessions"

	"github.com/satchel-go/satchel/core"
)

// Store is a gorilla [sessions.Store] on the sessions of a Manager: for
// libraries that ask for one. Each gorilla session is a part of the request's one
// Satchel session, whatever its backend. See the package's documentation for what
// goes where.
//
// A Store is safe for concurrent use. The sessions that it hands out belong to
// one request and one goroutine, as all of gorilla's.
type Store struct {
	// Options are what gorilla sessions start with. Nil, the default, leaves
	// the cookie to core.Config: then only a negative MaxAge has a meaning, at Save.
	//
	// If they are set, and the request is without Satchel's middleware, a
	// gorilla session's options at Save decide on Path and Domain of Satchel's cookie, and on
	// Max-Age and SameSite unless they are zero. What makes the cookie safer is only ever
	// added: HttpOnly and Secure stay. The timeouts are those of core.Config in any case.
	//
	// Set them before the first request.
	Options *sessions.Options

	m *core.Manager
}

var _ sessions.Store = (*Store)(nil)

// NewStore returns a gorilla store on the sessions of m. All stores on one
// Manager are the same store: a session's name decides what is in it.
//
// Behind Satchel's middleware with the same Manager it works on the session that
// the handlers have; without, it loads and stores by itself. It panics if m is nil.
func NewStore(m *core.Manager) *Store {
	if m == nil {
		panic("gorillastore: NewStore: the Manager is nil: give it what core.New returned")
	}
	return &Store{m: m}
}

// Get implements [sessions.Store]: it returns the same session every time that
// it is called with the same name and request. The session is never nil. After
// an error that matches [core.ErrUnavailable] it is empty, and cannot be saved; after another
// error it lacks the values that could not be decoded, and Save leaves them as they are.
func (s *Store) Get(r *http.Request, name string) (*sessions.Session, error) {
	if !isName(name) {
		return s.New(r, name)
	}
	o := s.on(r)
	session, err := sessions.GetRegistry(r).Get(o, name)
	if o.seen[session] != nil {
		return session, err
	}
	// A store of somebody else's has a session of this name.
	if o.beside[name] == nil {
		session, err = o.New(r, name)
		o.beside[name] = session
		return session, err
	}
	return o.beside[name], o.seen[o.beside[name]].err
}

// New implements [sessions.Store]: it is Get, with a session of its own each time.
func (s *Store) New(r *http.Request, name string) (*sessions.Session, error) {
	return s.on(r).New(r, name)
}

// Save implements [sessions.Store]: it stores what has changed in session since
// it was handed out, and with it what else has changed in the request's Satchel
// session. On an error nothing is stored: it matches those of [core.Session.Commit], or is gob's.
// Call it before the response begins.
//
// With a negative Options.MaxAge it deletes the gorilla session's values, and nothing else
// of the Satchel session. Only sessions from Get and New can be saved.
func (s *Store) Save(r *http.Request, w http.ResponseWriter, session *sessions.Session) error {
	o, ok := session.Store().(*onRequest)
	if !ok { // a store around this one has put itself in its place
		o = s.on(r)
	}
	return o.Save(r, w, session)
}

// onRequest is the store that a gorilla session knows: with what there is to
// know of its request, so that nothing depends on a particular *http.Request.
type onRequest struct {
	*Store
	*request
}

// request is what all gorilla sessions of one request and one Manager share.
type request struct {
	session *core.Session // nil until it is needed
	ex      *exchange     // nil behind the middleware
	seen    map[*sessions.Session]*part
	beside  map[string]*sessions.Session // those that are not in gorilla's registry
}

type requestKey struct{ m *core.Manager }

// on returns s on the request r. As gorilla's registry does, it changes r's context.
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

// load makes sure that there is a Satchel session.
func (o *onRequest) load(r *http.Request, name string) error {
	if !isName(name) {
		return fmt.Errorf("gorillastore: session %q: the name is not a token: use letters, digits, - and _", name)
	}
	if o.session != nil {
		return nil
	}
	ex := &exchange{r: r}
	session, err := o.m.Load(ex)
	if err != nil {
		return fmt.Errorf("gorillastore: session %q: %w", name, err)
	}
	o.session, o.ex = session, ex
	return nil
}

// publicID returns the ID in gorilla's terms: "" before anything is stored.
func publicID(s *core.Session) string {
	if id := s.ID(); !id.IsZero() {
		return id.String()
	}
	return ""
}

var errForeign = errors.New("it is not from this store's Get or New")

// Save implements [sessions.Store].
func (o *onRequest) Save(r *http.Request, w http.ResponseWriter, session *sessions.Session) error {
	p := o.seen[session]
	if p == nil {
		return fmt.Errorf("gorillastore: save session %q: %w", session.Name(), errForeign)
	}
	if err := o.save(r, w, session, p); err != nil {
		return fmt.Errorf("gorillastore: save session %q: %w", p.name, err)
	}
	session.ID = publicID(o.session)
	return nil
}

func (o *onRequest) save(r *http.Request, w http.ResponseWriter, session *sessions.Session, p *part) error {
	if p.broken { // what is stored is not known: it must not be overwritten
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
	if remove {
		p.remove(o.session)
	}
	for i := range edits {
		edits[i].apply(o.session)
	}
	if err := o.session.Commit(r.Context()); err != nil {
		return err
	}
	p.done(edits)
	if o.ex != nil {
		return o.ex.err
	}
	return nil
}

// follow goes over to the session in the response, if there is one already:
// the request may have been copied, and its copy have had a session of its own.
func (o *onRequest) follow() {
	cookies := cookiesOf(o.ex.w)
	if cookies == "" || cookies == o.ex.written {
		return
	}
	ex := &exchange{r: o.ex.r, w: o.ex.w, options: o.ex.options, cookies: cookies, written: cookies}
	session, err := o.m.Load(ex)
	if err == nil && !session.IsNew() {
		o.session, o.ex = session, ex
	}
}
