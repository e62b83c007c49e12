// Package fiberadapter adds sessions to Fiber v2 handlers. It has the same
// functions as the adapters for net/http, Echo and Gin.
//
//	app := fiber.New(fiber.Config{ReadBufferSize: 16 << 10})
//	app.Use(recover.New(), fiberadapter.Middleware(sessions))
//	app.Post("/save", func(c *fiber.Ctx) error {
//		s := fiberadapter.Session(c)
//		s.Flash("success", "Saved.")
//		return c.Redirect("/", fiber.StatusSeeOther)
//	})
//
// Set ReadBufferSize as above: Fiber answers 431 when the head of a request is
// larger, and its default of 4,096 bytes is too small for a client-side session, whose
// cookie may have almost as many by itself.
//
// The middleware loads the session, and commits it when the handlers have
// returned; Fiber sends the response after that. Errors that handlers return are answered by
// the application's ErrorHandler inside the middleware, so that the commit sees their status;
// middleware outside sees no error. Put the recover middleware outside. Where the
// encryptcookie middleware is outside, except the session's cookie from it.
//
// Body stream writers run beside or after the commit, when the Ctx is already
// gone: take the session out of the Ctx before, and only read it in there. The same holds for
// handlers of hijacked connections and WebSockets. A response to a hijack has a
// session cookie only if its status is 101.
//
// Code that has only a [context.Context] finds the session with
// [core.FromContext] in c.UserContext(). Handlers of net/http behind Fiber's
// adaptor middleware find it with m.FromContext in their request's.
package fiberadapter

import (
	"github.com/gofiber/fiber/v2"

	"github.com/satchel-go/satchel/core"
)

// Option changes what Middleware does.
type Option func(*options)

type options struct {
	onError func(*fiber.Ctx, error) error
}

// OnError answers requests whose session could not be loaded or committed,
// instead of [core.Refuse]. The response is as empty as before the handler ran.
// An error that f returns goes to the application's ErrorHandler.
func OnError(f func(c *fiber.Ctx, err error) error) Option {
	return func(o *options) { o.onError = f }
}

// Middleware gives every request a session of m. Mounted twice, it works once.
// Two Managers with one cookie name panic at the first request.
func Middleware(m *core.Manager, opts ...Option) fiber.Handler {
	if m == nil {
		panic("fiberadapter: Middleware: the Manager is nil: make one with core.New, and check its error")
	}
	o := options{onError: refuse}
	for _, opt := range opts {
		opt(&o)
	}
	return func(c *fiber.Ctx) error {
		if _, ok := m.FromContext(c.UserContext()); ok {
			return c.Next()
		}
		x := &exchange{m: m, onError: o.onError}
		if err := x.load(c); err != nil {
			x.answer(err)
			return nil
		}
		defer x.close()
		c.SetUserContext(x.session.Context())
		c.Context().SetUserValue(m, &x.session) // where handlers of net/http look, through Fiber's adaptor
		if err := c.Next(); err != nil {
			handle(c, err) // in here, so that the commit sees its status
		}
		x.finish()
		return nil
	}
}

// handle answers err as Fiber itself does.
func handle(c *fiber.Ctx, err error) {
	if c.App().ErrorHandler(c, err) != nil {
		_ = c.SendStatus(fiber.StatusInternalServerError) // it never fails
	}
}

func refuse(c *fiber.Ctx, err error) error {
	r := core.Refuse(err)
	c.Set(fiber.HeaderContentType, r.ContentType)
	c.Set(fiber.HeaderXContentTypeOptions, "nosniff")
	return c.Status(r.Status).SendString(r.Body)
}

// Session returns the request's session, the innermost one if there are
// several. Without the middleware it panics.
func Session(c *fiber.Ctx) *core.Session {
	s, ok := TrySession(c)
	if !ok && c.Context() == nil {
		panic("fiberadapter: the request is over and its Ctx is gone: call Session before the handler returns, and keep what it returns")
	}
	if !ok {
		panic("fiberadapter: no session in this request: wrap the handler with fiberadapter.Middleware")
	}
	return s
}

// TrySession is Session for handlers that also work without the middleware.
func TrySession(c *fiber.Ctx) (*core.Session, bool) {
	if c.Context() == nil {
		return nil, false // released by Fiber
	}
	return core.FromContext(c.UserContext())
}

// SessionOf returns m's session, where several Managers serve a request.
// Without m's middleware it panics.
func SessionOf(c *fiber.Ctx, m *core.Manager) *core.Session {
	s, ok := m.FromContext(c.UserContext())
	if !ok {
		panic("fiberadapter: no session of this Manager in this request: wrap the handler with fiberadapter.Middleware of the same Manager")
	}
	return s
}

// WithSession makes s the session of c, to test handlers without the
// middleware. See [core.Manager.NewSession].
func WithSession(c *fiber.Ctx, s *core.Session) {
	c.SetUserContext(core.NewContext(c.UserContext(), s))
}
