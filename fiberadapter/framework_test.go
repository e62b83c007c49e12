package fiberadapter

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/gofiber/fiber/v2"
	recoverer "github.com/gofiber/fiber/v2/middleware/recover"
	"github.com/valyala/fasthttp"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/internal/testing/adapterunit"
)

type (
	ctx   = *fiber.Ctx
	layer = fiber.Handler
)

var unit = adapterunit.Framework[ctx, layer]{
	Name:        "fiberadapter",
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
		return func(c ctx) error { return f(c, c.Next) }
	},
	Nothing:  nothing,
	Recovery: recovery,
}

func TestAdapter(t *testing.T) { unit.Run(t) }

type reply = adapterunit.Reply

func request(tb testing.TB, app *fiber.App, path, cookie string) reply {
	tb.Helper()
	r := httptest.NewRequestWithContext(tb.Context(), http.MethodGet, path, nil)
	if cookie != "" {
		r.Header.Set("Cookie", cookie)
	}
	res, err := app.Test(r, -1)
	if err != nil {
		tb.Fatal(err)
	}
	defer res.Body.Close() //nolint:errcheck // read to its end
	body, err := io.ReadAll(res.Body)
	if err != nil {
		tb.Fatal(err)
	}
	return reply{Status: res.StatusCode, Header: res.Header, Body: string(body)}
}

// serve answers one request with handler behind the middleware.
func serve(tb testing.TB, handler func(ctx) error, cookie string, around ...layer) reply {
	tb.Helper()
	app := fiber.New()
	app.Get("/", append(around, handler)...)
	return request(tb, app, "/", cookie)
}

// serveUnknown answers one request that matches no route.
func serveUnknown(tb testing.TB, around ...layer) reply {
	tb.Helper()
	app := fiber.New()
	for _, m := range around {
		app.Use(m)
	}
	app.Get("/", func(ctx) error { return nil })
	return request(tb, app, "/nowhere", "")
}

func text(c ctx, status int, body string) error { return c.Status(status).SendString(body) }
func fail(_ ctx, status int) error              { return fiber.NewError(status) }
func contextOf(c ctx) context.Context           { return c.UserContext() }
func setHeader(c ctx, name, value string)       { c.Set(name, value) }

func recovery() layer     { return recoverer.New() }
func nothing(c ctx) error { return c.Next() }

// bare returns a function that answers one request without a cookie.
func bare(tb testing.TB, handler func(ctx) error, cookie string, around layer) func() {
	tb.Helper()
	app := fiber.New()
	app.Get("/", around, handler)
	h := app.Handler()
	var c fasthttp.RequestCtx
	c.Request.Header.SetMethod(http.MethodGet)
	c.Request.SetRequestURI("/")
	if cookie != "" {
		c.Request.Header.Set("Cookie", cookie)
	}
	return func() {
		c.Response.Reset()
		c.ResetUserValues()
		h(&c)
	}
}
