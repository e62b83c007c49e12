// Package httpadapter adds sessions to net/http handlers. It is the reference
// adapter: those for Echo, Gin and Fiber have the same functions.
//
//	mux.HandleFunc("POST /save", func(w http.ResponseWriter, r *http.Request) {
//		s := httpadapter.Session(r)
//		s.Flash("success", "Saved.")
//		http.Redirect(w, r, "/", http.StatusSeeOther)
//	})
//	http.ListenAndServe(addr, httpadapter.Middleware(sessions)(mux))
//
// The middleware loads the session, and commits it before the first byte of
// the response. Put http.TimeoutHandler inside it, not outside: it hides the
// status that the client sees. Put whatever recovers from panics outside.
//
// [Exchange] is also what adapters for other frameworks on net/http are made of.
package httpadapter

import (
	"context"
	"net/http"

	"github.com/satchel-go/satchel/core"
)

// Option changes what Middleware does.
type Option func(*options)

type options struct {
	onError func(http.ResponseWriter, *http.Request, error)
}

// OnError answers requests whose session could not be loaded or committed,
// instead of [core.Refuse]. The response is as empty as before the handler ran.
func OnError(f func(w http.ResponseWriter, r *http.Request, err error)) Option {
	return func(o *options) { o.onError = f }
}

// Middleware gives every request a session of m. Mounted twice, it works once.
// Two Managers with one cookie name panic at the first request.
func Middleware(m *core.Manager, opts ...Option) func(http.Handler) http.Handler {
	if m == nil {
		panic("httpadapter: Middleware: the Manager is nil: make one with core.New, and check its error")
	}
	o := options{onError: refuse}
	for _, opt := range opts {
		opt(&o)
	}
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if _, ok := m.FromContext(r.Context()); ok {
				next.ServeHTTP(w, r)
				return
			}
			x := &exchange{onError: o.onError}
			if err := x.Load(m, w, r, x); err != nil {
				x.Refuse(err)
				return
			}
			defer x.Close()
			next.ServeHTTP(x, r.WithContext(x.Session().Context()))
			x.Finish(http.StatusOK)
		})
	}
}

func refuse(w http.ResponseWriter, _ *http.Request, err error) { WriteRefusal(w, err) }

// exchange is an Exchange that answers errors as net/http handlers do.
type exchange struct {
	Exchange
	onError func(http.ResponseWriter, *http.Request, error)
}

// AnswerError implements [ErrorAnswerer].
func (x *exchange) AnswerError(err error) {
	x.onError(x.Unwrap(), x.Request().WithContext(x.Session().Context()), err)
}

// Session returns the request's session, the innermost one if there are
// several. Without the middleware it panics.
func Session(r *http.Request) *core.Session {
	s, ok := TrySession(r)
	if !ok {
		panic("httpadapter: no session in this request: wrap the handler with httpadapter.Middleware")
	}
	return s
}

// TrySession is Session for handlers that also work without the middleware.
func TrySession(r *http.Request) (*core.Session, bool) { return core.FromContext(r.Context()) }

// SessionOf returns m's session, where several Managers serve a request.
// Without m's middleware it panics.
func SessionOf(r *http.Request, m *core.Manager) *core.Session {
	s, ok := m.FromContext(r.Context())
	if !ok {
		panic("httpadapter: no session of this Manager in this request: wrap the handler with httpadapter.Middleware of the same Manager")
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
