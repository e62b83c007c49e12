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
// the response, whichever way a handler writes: through the context, through
// Response().Writer, or by a flush. Errors that handlers return are answered by the
// application's HTTPErrorHandler inside the middleware, so that the commit sees
// their status; the error is then returned to the middleware outside. Put middleware.Recover
// outside, and middleware.Timeout inside: it hides the status that the client sees.
//
// Code that has only a [context.Context] finds the session with
// [core.FromContext] in the request's.
package echoadapter

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/httpadapter"
)

// Option changes what Middleware does.
type Option func(*options)

type options struct {
	onError func(echo.Context, error) error
}

// OnError answers requests whose session could not be loaded or committed,
// instead of [core.Refuse]. The response is as empty as before the handler ran.
// An error that f returns goes to the application's HTTPErrorHandler.
func OnError(f func(c echo.Context, err error) error) Option {
	return func(o *options) { o.onError = f }
}

// Middleware gives every request a session of m. Mounted twice, it works once.
// Two Managers with one cookie name panic at the first request.
func Middleware(m *core.Manager, opts ...Option) echo.MiddlewareFunc {
	if m == nil {
		panic("echoadapter: Middleware: the Manager is nil: make one with core.New, and check its error")
	}
	o := options{onError: refuse}
	for _, opt := range opts {
		opt(&o)
	}
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			if _, ok := m.FromContext(c.Request().Context()); ok {
				return next(c)
			}
			x := &exchange{c: c, onError: o.onError}
			if err := x.Load(m, c.Response().Writer, c.Request(), x); err != nil {
				x.Refuse(err)
				return nil
			}
			defer x.close()
			c.Response().Writer = x
			c.SetRequest(c.Request().WithContext(x.Session().Context()))
			err := next(c)
			if err != nil && !c.Response().Committed && !x.Started() {
				c.Error(err) // in here, so that the commit sees its status
			}
			x.Finish(http.StatusOK)
			return err
		}
	}
}

func refuse(c echo.Context, err error) error {
	httpadapter.WriteRefusal(c.Response(), err)
	return nil
}

// Session returns the request's session, the innermost one if there are
// several. Without the middleware it panics.
func Session(c echo.Context) *core.Session {
	s, ok := TrySession(c)
	if !ok {
		panic("echoadapter: no session in this request: wrap the handler with echoadapter.Middleware")
	}
	return s
}

// TrySession is Session for handlers that also work without the middleware.
func TrySession(c echo.Context) (*core.Session, bool) {
	return core.FromContext(c.Request().Context())
}

// SessionOf returns m's session, where several Managers serve a request.
// Without m's middleware it panics.
func SessionOf(c echo.Context, m *core.Manager) *core.Session {
	s, ok := m.FromContext(c.Request().Context())
	if !ok {
		panic("echoadapter: no session of this Manager in this request: wrap the handler with echoadapter.Middleware of the same Manager")
	}
	return s
}

// WithSession makes s the session of c, to test handlers without the
// middleware. See [core.Manager.NewSession].
func WithSession(c echo.Context, s *core.Session) {
	c.SetRequest(c.Request().WithContext(core.NewContext(c.Request().Context(), s)))
}
