// Package echoadapter adds sessions to Echo v4 handlers. It has the same
// functions as the adapters for net/http, Gin and Fiber.
//
//	e.Use(middleware.Recover(), echoadapter.Middleware(sessions))
//	e.POST("/save", func(c echo.Context) error {
//		s := echoadapter.Session(c)
//		s.Flash("success", "Saved.")
//		return c.Redirect(http.StatusSeeOther, "/")
//	})
//
// The middleware loads the session, and commits it before the first byte of
// the response, however a handler writes: through the context, through
// Response().Writer, or by a flush. The application's HTTPErrorHandler answers
// errors that handlers return inside the middleware, so that the commit sees
// their status; middleware outside gets no error, and asks [HandlerError]. Put
// middleware.Recover outside. Put middleware.Timeout inside: outside, it would
// hide the status that the client sees.
//
// Code that has only a [context.Context] finds the session by calling
// [core.FromContext] with the request's context.
package echoadapter

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/httpadapter"
)

// Option changes what Middleware does. An option with a nil function changes nothing.
type Option func(*options)

type options struct {
	onError func(echo.Context, error) error
	skip    func(echo.Context) bool
}

// OnError makes f answer requests whose session could not be loaded or committed,
// instead of [core.ErrorResponseFor]. f gets the response as it was before the handler ran.
// The application's HTTPErrorHandler handles an error that f returns.
func OnError(f func(c echo.Context, err error) error) Option {
	return func(o *options) {
		if f != nil {
			o.onError = f
		}
	}
}

// Skip makes the middleware leave out the requests for which f returns true, such as
// pictures and scripts. They have no session, need no store, and survive its outage.
func Skip(f func(c echo.Context) bool) Option {
	return func(o *options) {
		if f != nil {
			o.skip = f
		}
	}
}

// Middleware gives every request a session of m. If it is mounted twice for one
// Manager, the inner one does nothing. Two Managers with the same cookie name
// panic at the first request.
func Middleware(m *core.Manager, opts ...Option) echo.MiddlewareFunc {
	if m == nil {
		panic("echoadapter: Middleware: the Manager is nil: make one with core.New, and check its error")
	}
	o := options{onError: refuse, skip: func(echo.Context) bool { return false }}
	for _, opt := range opts {
		opt(&o)
	}
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			if _, ok := m.SlotFromContext(c.Request().Context()); ok || o.skip(c) {
				return next(c)
			}
			x := &exchange{c: c, onError: o.onError}
			if err := x.Load(m, c.Response().Writer, c.Request(), x); err != nil {
				x.Refuse(err)
				return nil
			}
			defer x.close()
			c.Response().Writer = x
			c.SetRequest(c.Request().WithContext(x.SessionContext()))
			if err := next(c); err != nil {
				x.handle(err) // in here, so that the commit sees its status
			}
			x.Finish(http.StatusOK)
			return nil
		}
	}
}

func refuse(c echo.Context, err error) error {
	httpadapter.WriteErrorResponse(c.Response(), err)
	return nil
}

// HandlerError returns the error that handlers inside the middleware have returned,
// or nil. It is for loggers and the like outside, which get no error: the application's
// HTTPErrorHandler has already answered it.
func HandlerError(c echo.Context) error {
	err, _ := c.Get(errorKey).(error)
	return err
}

// Session returns the request's session, or the innermost one of several.
// Without the middleware it panics.
func Session(c echo.Context) *core.Session {
	s, ok := TrySession(c)
	if !ok {
		panic("echoadapter: no session in this request: wrap the handler with echoadapter.Middleware; " +
			"if it is, Skip leaves this request out, or code inside has replaced the request's context: derive the new context from the old")
	}
	return s
}

// TrySession is Session for handlers that also work without the middleware.
func TrySession(c echo.Context) (*core.Session, bool) {
	return core.FromContext(c.Request().Context())
}

// SessionOf returns the request's session of m, for requests with several
// Managers. Without m's middleware it panics.
func SessionOf(c echo.Context, m *core.Manager) *core.Session {
	s, ok := m.FromContext(c.Request().Context())
	if !ok {
		panic("echoadapter: no session of this Manager in this request: wrap the handler with echoadapter.Middleware of the same Manager; " +
			"if it is, Skip leaves this request out, or code inside has replaced the request's context: derive the new context from the old")
	}
	return s
}

// WithSession makes s the session of c, to test handlers without the
// middleware. See [core.Manager.NewSession].
func WithSession(c echo.Context, s *core.Session) {
	c.SetRequest(c.Request().WithContext(core.NewContext(c.Request().Context(), s)))
}
