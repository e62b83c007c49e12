// Package ginadapter adds sessions to Gin handlers. It has the same functions
// as the adapters for net/http, Echo and Fiber.
//
//	r.Use(gin.Recovery(), ginadapter.Middleware(sessions))
//	r.POST("/save", func(c *gin.Context) {
//		s := ginadapter.Session(c)
//		s.Flash("success", "Saved.")
//		c.Redirect(http.StatusSeeOther, "/")
//	})
//
// The middleware loads the session, and commits it before the first byte of
// the response, with the status that Gin has recorded by then. Put gin.Recovery
// outside. Put middleware that renders c.Errors inside: the commit precedes
// anything outside. If an error is not rendered by then, and the status is still 200, the
// middleware records the error's: what [core.ErrorResponseFor] says, mostly 500, which rolls back.
// Like c.AbortWithError, that sends no body; [httpadapter.WriteErrorResponse] to c.Writer does.
//
// Code that has only a [context.Context] finds the session by calling
// [core.FromContext] with c.Request.Context(). Calling it with c itself works
// only if the engine has ContextWithFallback. A copy made by c.Copy has the
// session too: after the request, code can read it there but not write it.
package ginadapter

import (
	"github.com/gin-gonic/gin"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/httpadapter"
)

// Option changes what Middleware does. An option with a nil function changes nothing.
type Option func(*options)

type options struct {
	onError func(*gin.Context, error)
	skip    func(*gin.Context) bool
}

// OnError makes f answer requests whose session could not be loaded or committed,
// instead of [core.ErrorResponseFor]. f gets the response as it was before the handler ran.
func OnError(f func(c *gin.Context, err error)) Option {
	return func(o *options) {
		if f != nil {
			o.onError = f
		}
	}
}

// Skip makes the middleware leave out the requests for which f returns true, such as
// pictures and scripts. They have no session, need no store, and survive its outage.
func Skip(f func(c *gin.Context) bool) Option {
	return func(o *options) {
		if f != nil {
			o.skip = f
		}
	}
}

// Middleware gives every request a session of m. If it is mounted twice for one
// Manager, the inner one does nothing. Two Managers with the same cookie name
// panic at the first request.
func Middleware(m *core.Manager, opts ...Option) gin.HandlerFunc {
	if m == nil {
		panic("ginadapter: Middleware: the Manager is nil: make one with core.New, and check its error")
	}
	o := options{onError: refuse, skip: func(*gin.Context) bool { return false }}
	for _, opt := range opts {
		opt(&o)
	}
	return func(c *gin.Context) {
		if slot, ok := m.SlotFromContext(c.Request.Context()); ok {
			again(c, slot)
			return
		}
		if o.skip(c) {
			return
		}
		w := &writer{c: c, onError: o.onError}
		if err := w.Load(m, c.Writer, c.Request, w); err != nil {
			w.Refuse(err)
			c.Abort()
			return
		}
		defer w.close()
		c.Writer = w
		c.Request = c.Request.WithContext(w.SessionContext())
		c.Next()
		w.Finish(w.final())
	}
}

func refuse(c *gin.Context, err error) { httpadapter.WriteErrorResponse(c.Writer, err) }

// Session returns the request's session, or the innermost one of several.
// Without the middleware it panics.
func Session(c *gin.Context) *core.Session {
	s, ok := TrySession(c)
	if !ok {
		panic("ginadapter: no session in this request: wrap the handler with ginadapter.Middleware; " +
			"if it is, Skip leaves this request out, or code inside has replaced the request's context: derive the new context from the old")
	}
	return s
}

// TrySession is Session for handlers that also work without the middleware.
func TrySession(c *gin.Context) (*core.Session, bool) {
	return core.FromContext(c.Request.Context())
}

// SessionOf returns the request's session of m, for requests with several
// Managers. Without m's middleware it panics.
func SessionOf(c *gin.Context, m *core.Manager) *core.Session {
	s, ok := m.FromContext(c.Request.Context())
	if !ok {
		panic("ginadapter: no session of this Manager in this request: wrap the handler with ginadapter.Middleware of the same Manager; " +
			"if it is, Skip leaves this request out, or code inside has replaced the request's context: derive the new context from the old")
	}
	return s
}

// WithSession makes s the session of c, to test handlers without the
// middleware. See [core.Manager.NewSession].
func WithSession(c *gin.Context, s *core.Session) {
	c.Request = c.Request.WithContext(core.NewContext(c.Request.Context(), s))
}
