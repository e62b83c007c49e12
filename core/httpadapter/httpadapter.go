// Package httpadapter adds sessions to net/http handlers. It is the reference
// adapter: the adapters for Echo, Gin and Fiber have the same functions.
//
//	mux.HandleFunc("POST /save", func(w http.ResponseWriter, r *http.Request) {
//		s := httpadapter.Session(r)
//		s.Flash("success", "Saved.")
//		http.Redirect(w, r, "/", http.StatusSeeOther)
//	})
//	http.ListenAndServe(addr, httpadapter.Middleware(sessions)(mux))
//
// The middleware loads the session, and commits it before the first byte of
// the response. Put http.TimeoutHandler inside it, not outside, where it would
// hide the status that the client sees. Put middleware that recovers from
// panics outside.
//
// Adapters for other frameworks on net/http are built on [Exchange].
package httpadapter

import (
	"context"
	"net/http"

	"github.com/satchel-go/satchel/core"
)

// Option changes what Middleware does. An option with a nil function changes nothing.
type Option func(*options)

type options struct {
	onError func(http.ResponseWriter, *http.Request, error)
	skip    func(*http.Request) bool
}

// OnError makes f answer requests whose session could not be loaded or committed,
// instead of [core.ErrorResponseFor]. f gets the response as it was before the handler ran.
func OnError(f func(w http.ResponseWriter, r *http.Request, err error)) Option {
	return func(o *options) {
		if f != nil {
			o.onError = f
		}
	}
}

// Skip makes the middleware leave out the requests for which f returns true, such as
// pictures and scripts. They have no session, need no store, and survive its outage.
func Skip(f func(r *http.Request) bool) Option {
	return func(o *options) {
		if f != nil {
			o.skip = f
		}
	}
}

// Middleware gives every request a session of m. If it is mounted twice for one
// Manager, the inner one does nothing. Two Managers with the same cookie name
// panic at the first request.
func Middleware(m *core.Manager, opts ...Option) func(http.Handler) http.Handler {
	if m == nil {
		panic("httpadapter: Middleware: the Manager is nil: make one with core.New, and check its error")
	}
	o := options{onError: refuse, skip: func(*http.Request) bool { return false }}
	for _, opt := range opts {
		opt(&o)
	}
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if _, ok := m.SlotFromContext(r.Context()); ok || o.skip(r) {
				next.ServeHTTP(w, r)
				return
			}
			x := &exchange{onError: o.onError}
			if err := x.Load(m, w, r, x); err != nil {
				x.Refuse(err)
				return
			}
			defer x.Close()
			next.ServeHTTP(x, r.WithContext(x.SessionContext()))
			x.Finish(http.StatusOK)
		})
	}
}

func refuse(w http.ResponseWriter, _ *http.Request, err error) { WriteErrorResponse(w, err) }

// exchange is an Exchange that answers errors as net/http handlers do.
type exchange struct {
	Exchange
	onError func(http.ResponseWriter, *http.Request, error)
}

// AnswerError implements [ErrorAnswerer].
func (x *exchange) AnswerError(err error) {
	x.onError(x.Unwrap(), x.Request().WithContext(x.SessionContext()), err)
}

// Session returns the request's session, or the innermost one of several.
// Without the middleware it panics.
func Session(r *http.Request) *core.Session {
	s, ok := TrySession(r)
	if !ok {
		panic("httpadapter: no session in this request: wrap the handler with httpadapter.Middleware; " +
			"if it is, Skip leaves this request out, or code inside has replaced the request's context: derive the new context from the old")
	}
	return s
}

// TrySession is Session for handlers that also work without the middleware.
func TrySession(r *http.Request) (*core.Session, bool) { return core.FromContext(r.Context()) }

// SessionOf returns the request's session of m, for requests with several
// Managers. Without m's middleware it panics.
func SessionOf(r *http.Request, m *core.Manager) *core.Session {
	s, ok := m.FromContext(r.Context())
	if !ok {
		panic("httpadapter: no session of this Manager in this request: wrap the handler with httpadapter.Middleware of the same Manager; " +
			"if it is, Skip leaves this request out, or code inside has replaced the request's context: derive the new context from the old")
	}
	return s
}

// WithSession returns r with s as its session, to test handlers without the
// middleware. See [core.Manager.NewSession].
func WithSession(r *http.Request, s *core.Session) *http.Request {
	return r.WithContext(core.NewContext(r.Context(), s))
}

var _ core.Exchange = (*Exchange)(nil)

// Context implements [core.Exchange].
func (x *Exchange) Context() context.Context { return x.r.Context() }
