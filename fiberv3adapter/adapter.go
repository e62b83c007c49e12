// Package fiberv3adapter adds sessions to Fiber v3 handlers. It has the same
// functions as the adapters for net/http, Echo and Gin.
//
//	app := fiber.New(fiber.Config{ReadBufferSize: 16 << 10})
//	app.Use(recover.New(), fiberv3adapter.Middleware(sessions))
//	app.Post("/save", func(c fiber.Ctx) error {
//		s := fiberv3adapter.Session(c)
//		s.Flash("success", "Saved.")
//		return c.Redirect().To("/")
//	})
//
// Set ReadBufferSize as above: Fiber answers 431 when the head of a request is
// larger. Its default of 4,096 bytes is too small for a client-side session,
// whose cookie alone may be almost that long.
//
// The middleware loads the session, and commits it when the handlers have
// returned; Fiber sends the response after that. The application's ErrorHandler
// answers errors that handlers return inside the middleware, so that the commit
// sees their status; middleware outside gets no error, and asks [HandlerError].
// Put the recover middleware outside. If the encryptcookie middleware is outside, exclude the
// session's cookie from it.
//
// Body stream writers run beside or after the commit, when the Ctx is already
// gone. Take the session from the Ctx beforehand, and only read it in the
// writer. The same holds for handlers of hijacked connections and WebSockets.
// The response of a hijacked connection has a session cookie only if its status
// is 101.
//
// Code that has only a [context.Context] finds the session by calling
// [core.FromContext] with c.Context(), or with c itself. Handlers of net/http in
// Fiber's routes find it by calling it with their request's context.
//
// Put the timeout middleware inside. It answers while the handler runs on: what the
// handler has changed by then is stored, unless the answer is a 5xx; later changes are
// reported as too late. Ctx.End sends the response before the commit. Write the cookie
// first:
//
//	if err := s.Commit(c.Context()); err != nil {
//		return err
//	}
//	sessions.WriteCookie(s)
//	return c.End()
//
// Ctx.Drop sends nothing: no client gets a new session's cookie. Change nothing in the
// session before it.
package fiberv3adapter

import (
	"errors"
	"strings"
	"sync"

	"github.com/gofiber/fiber/v3"

	"github.com/satchel-go/satchel/core"
)

// Option changes what Middleware does. An option with a nil function changes nothing.
type Option func(*options)

type options struct {
	onError func(fiber.Ctx, error) error
	skip    func(fiber.Ctx) bool
}

// OnError makes f answer requests whose session could not be loaded or committed,
// instead of [core.ErrorResponseFor]. f gets the response as it was before the handler ran.
// The application's ErrorHandler handles an error that f returns.
func OnError(f func(c fiber.Ctx, err error) error) Option {
	return func(o *options) {
		if f != nil {
			o.onError = f
		}
	}
}

// Skip makes the middleware leave out the requests for which f returns true, such as
// pictures and scripts. They have no session, need no store, and survive its outage.
func Skip(f func(c fiber.Ctx) bool) Option {
	return func(o *options) {
		if f != nil {
			o.skip = f
		}
	}
}

// Middleware gives every request a session of m. If it is mounted twice for one
// Manager, the inner one does nothing. Two Managers with the same cookie name
// panic at the first request.
func Middleware(m *core.Manager, opts ...Option) fiber.Handler {
	if m == nil {
		panic("fiberv3adapter: Middleware: the Manager is nil: make one with core.New, and check its error")
	}
	o := options{onError: refuse, skip: func(fiber.Ctx) bool { return false }}
	for _, opt := range opts {
		opt(&o)
	}
	if t := m.Traits(); fiber.IsChild() && t.Local && !t.ClientSide {
		m.Misconfigured("each of Fiber's Prefork processes has sessions of its own, because the store is in memory: " +
			"use a store that processes share, such as Redis, or turn Prefork off")
	}
	var first sync.Once
	return func(c fiber.Ctx) error {
		if _, ok := m.SlotFromContext(c.Context()); ok || o.skip(c) {
			return c.Next()
		}
		first.Do(func() { checkHeadLimit(c, m) })
		x := &exchange{onError: o.onError}
		if err := x.load(m, c); err != nil {
			x.answer(err)
			x.release()
			return nil
		}
		defer x.close()
		// Into both contexts of a request: the user's, and fasthttp's own, which is what
		// c itself and net/http handlers in Fiber's routes look into.
		c.SetContext(&x.slot)
		x.slot.CarryIn(c.RequestCtx().SetUserValue)
		err := c.Next()
		if err != nil && !x.timedOut() {
			c.Locals(errorKey{}, err)
			handle(c, err) // in here, so that the commit sees its status
			err = nil
		}
		x.finish()
		return err // a timeout's, whose answer is on its way
	}
}

// checkHeadLimit reports a session cookie that may be too large for the server.
func checkHeadLimit(c fiber.Ctx, m *core.Manager) {
	m.CheckHeadLimit(c.Context(), c.App().Config().ReadBufferSize, "fiber.Config.ReadBufferSize")
}

// handle answers err as Fiber itself does.
func handle(c fiber.Ctx, err error) {
	if c.App().ErrorHandler(c, withStatus(err)) != nil {
		_ = c.SendStatus(fiber.StatusInternalServerError) // it never fails
	}
}

// withStatus gives an error of the core the status with which the middleware itself
// would answer it. The application's ErrorHandler may decide otherwise.
func withStatus(err error) error {
	r := core.ErrorResponseFor(err)
	if own := (*fiber.Error)(nil); r.Status == fiber.StatusInternalServerError || errors.As(err, &own) {
		return err
	}
	return &statusError{fiber.NewError(r.Status, strings.TrimSpace(r.Body)), err}
}

// statusError is a [fiber.Error] that still is the error of the core. Its text is the
// answer's, because Fiber's own ErrorHandler sends it to the client.
type statusError struct {
	answer *fiber.Error
	err    error
}

// Error implements error.
func (e *statusError) Error() string { return e.answer.Error() }

// Unwrap returns both errors.
func (e *statusError) Unwrap() []error { return []error{e.answer, e.err} }

func refuse(c fiber.Ctx, err error) error {
	r := core.ErrorResponseFor(err)
	c.Set(fiber.HeaderContentType, r.ContentType)
	c.Set(fiber.HeaderXContentTypeOptions, "nosniff")
	return c.Status(r.Status).SendString(r.Body)
}

// errorKey is where HandlerError finds what the handlers have returned.
type errorKey struct{}

// HandlerError returns the error that handlers inside the middleware have returned,
// or nil. It is for loggers and the like outside, which get no error: the application's
// ErrorHandler has already answered it.
func HandlerError(c fiber.Ctx) error {
	inRequest(c)
	err, _ := c.Locals(errorKey{}).(error)
	return err
}

// Session returns the request's session, or the innermost one of several.
// Without the middleware it panics.
func Session(c fiber.Ctx) *core.Session {
	inRequest(c)
	s, ok := TrySession(c)
	if !ok {
		panic("fiberv3adapter: no session in this request: wrap the handler with fiberv3adapter.Middleware; " +
			"if it is, Skip leaves this request out, or code inside has replaced the request's context: derive the new context from the old")
	}
	return s
}

// inRequest panics if Fiber has taken c back.
func inRequest(c fiber.Ctx) {
	if c.RequestCtx() == nil {
		panic("fiberv3adapter: the request is over and its Ctx is gone: call the adapter before the handler returns, and keep what it returns")
	}
}

// TrySession is Session for handlers that also work without the middleware.
func TrySession(c fiber.Ctx) (*core.Session, bool) {
	if c.RequestCtx() == nil {
		return nil, false // released by Fiber
	}
	return core.FromContext(c.Context())
}

// SessionOf returns the request's session of m, for requests with several
// Managers. Without m's middleware it panics.
func SessionOf(c fiber.Ctx, m *core.Manager) *core.Session {
	inRequest(c)
	s, ok := m.FromContext(c.Context())
	if !ok {
		panic("fiberv3adapter: no session of this Manager in this request: wrap the handler with fiberv3adapter.Middleware of the same Manager; " +
			"if it is, Skip leaves this request out, or code inside has replaced the request's context: derive the new context from the old")
	}
	return s
}

// WithSession makes s the session of c, to test handlers without the
// middleware. See [core.Manager.NewSession].
func WithSession(c fiber.Ctx, s *core.Session) {
	inRequest(c)
	c.SetContext(core.NewContext(c.Context(), s))
	s.CarryIn(c.RequestCtx().SetUserValue)
}
