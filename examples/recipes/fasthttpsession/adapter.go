// Package fasthttpsession is an adapter for plain fasthttp, as an example for
// frameworks that are not built on net/http.
package fasthttpsession

import (
	"context"

	"github.com/valyala/fasthttp"

	"github.com/satchel-go/satchel/core"
)

//recipe:middleware

// ErrorHandler answers a request whose session could not be loaded or stored.
type ErrorHandler func(ctx *fasthttp.RequestCtx, err error)

// Middleware gives every request a session of m. A nil onError answers in plain text.
func Middleware(m *core.Manager, onError ErrorHandler) func(fasthttp.RequestHandler) fasthttp.RequestHandler {
	if onError == nil {
		onError = refuse
	}
	return func(next fasthttp.RequestHandler) fasthttp.RequestHandler {
		return func(ctx *fasthttp.RequestCtx) {
			outer := Context(ctx)
			if _, ok := m.SlotFromContext(outer); ok {
				next(ctx) // mounted twice
				return
			}
			x := &exchange{rc: ctx, ctx: outer}
			ctx.Response.Header.CopyTo(&x.outer)
			if err := x.slot.Load(m, x); err != nil {
				onError(ctx, err)
				return
			}
			ctx.SetUserValue(contextKey{}, &x.slot) // the context with the session
			defer x.slot.Abort()                    // does nothing unless next panics
			next(ctx)
			// In time: fasthttp sends nothing before the handler returns.
			if err := x.slot.Commit(x.status()); err != nil {
				onError(ctx, err)
			}
			x.slot.Finish()
		}
	}
}

func refuse(ctx *fasthttp.RequestCtx, err error) {
	r := core.ErrorResponseFor(err)
	ctx.SetContentType(r.ContentType)
	ctx.Response.Header.Set("X-Content-Type-Options", "nosniff")
	ctx.SetStatusCode(r.Status)
	ctx.SetBodyString(r.Body)
}

type contextKey struct{}

// Context returns a context with ctx's session in it. Do not use a RequestCtx
// as a context: fasthttp reuses it for other requests.
func Context(ctx *fasthttp.RequestCtx) context.Context {
	if c, ok := ctx.UserValue(contextKey{}).(context.Context); ok {
		return c
	}
	return context.Background()
}

// Session returns the request's session. Without the middleware it panics.
func Session(ctx *fasthttp.RequestCtx) *core.Session {
	s, ok := core.FromContext(Context(ctx))
	if !ok {
		panic("fasthttpsession: no session in this request: wrap the handler with fasthttpsession.Middleware")
	}
	return s
}

//recipe:end
