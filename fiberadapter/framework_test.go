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
)

const adapter = "fiberadapter"

type (
	ctx   = *fiber.Ctx
	layer = fiber.Handler
)

type reply struct {
	status int
	header http.Header
	body   string
}

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
	return reply{res.StatusCode, res.Header, string(body)}
}

// serve answers one request with handler behind the middleware.
func serve(tb testing.TB, handler func(ctx) error, cookie string, around ...layer) reply {
	tb.Helper()
	app := fiber.New()
	app.Get("/", append(around, handler)...)
	return request(tb, app, "/", cookie)
}

// serveUnknown answers one request that no route is for.
func serveUnknown(tb testing.TB, around ...layer) reply {
	tb.Helper()
	app := fiber.New()
	for _, m := range around {
		app.Use(m)
	}
	app.Get("/", func(ctx) error { return nil })
	return request(tb, app, "/nowhere", "")
}

func onError(f func(ctx, error) error) Option { return OnError(f) }

func text(c ctx, status int, body string) error { return c.Status(status).SendString(body) }
func fail(_ ctx, status int) error              { return fiber.NewError(status) }
func contextOf(c ctx) context.Context           { return c.UserContext() }
func setHeader(c ctx, name, value string)       { c.Set(name, value) }

func outerHeader(c ctx) error {
	setHeader(c, "X-Outer", "yes")
	return c.Next()
}

func recovery() layer     { return recoverer.New() }
func nothing(c ctx) error { return c.Next() }

// catch tells what is panicked with, and lets it go on.
func catch(said *any) layer {
	return func(c ctx) error {
		defer func() { *said = recover(); panic(*said) }()
		return c.Next()
	}
}

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
