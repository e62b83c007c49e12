package echoadapter

import (
	"context"
	"io"
	"testing"

	"github.com/labstack/echo/v4"
	"github.com/labstack/echo/v4/middleware"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/internal/testing/adapterunit"
)

type (
	ctx   = echo.Context
	layer = echo.MiddlewareFunc
)

var unit = adapterunit.Framework[ctx, layer]{
	Name:        "echoadapter",
	Session:     Session,
	SessionOf:   SessionOf,
	TrySession:  TrySession,
	WithSession: WithSession,
	Middleware:  func(m *core.Manager) layer { return Middleware(m, OnError(nil), Skip(nil)) },
	OnError: func(m *core.Manager, f func(ctx, error) error) layer {
		return Middleware(m, OnError(f))
	},
	Serve:        serve,
	ServeUnknown: serveUnknown,
	Bare:         bare,
	Text:         text,
	Fail:         fail,
	Context:      contextOf,
	SetHeader:    setHeader,
	Around: func(f func(ctx, func() error) error) layer {
		return func(next echo.HandlerFunc) echo.HandlerFunc {
			return func(c ctx) error { return f(c, func() error { return next(c) }) }
		}
	},
	Nothing:  nothing,
	Recovery: recovery,
}

func TestAdapter(t *testing.T) { unit.Run(t) }

type reply = adapterunit.Reply

// serve answers one request with handler behind the middleware.
func serve(tb testing.TB, handler func(ctx) error, cookie string, around ...layer) reply {
	tb.Helper()
	e := echo.New()
	e.Logger.SetOutput(io.Discard)
	e.GET("/", handler, around...)
	return adapterunit.Request(tb, e, "/", cookie)
}

// serveUnknown answers one request that matches no route.
func serveUnknown(tb testing.TB, around ...layer) reply {
	tb.Helper()
	e := echo.New()
	e.Use(around...)
	e.GET("/", func(ctx) error { return nil })
	return adapterunit.Request(tb, e, "/nowhere", "")
}

func text(c ctx, status int, body string) error { return c.String(status, body) }
func fail(_ ctx, status int) error              { return echo.NewHTTPError(status) }
func contextOf(c ctx) context.Context           { return c.Request().Context() }
func setHeader(c ctx, name, value string)       { c.Response().Header().Set(name, value) }

func recovery() layer {
	return middleware.RecoverWithConfig(middleware.RecoverConfig{DisablePrintStack: true})
}

func nothing(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error { return next(c) }
}

// bare returns a function that answers one request without a cookie.
func bare(tb testing.TB, handler func(ctx) error, cookie string, around layer) func() {
	tb.Helper()
	e := echo.New()
	e.GET("/", handler, around)
	return adapterunit.Bare(tb, e, cookie)
}
