package fiberv3adapter

import (
	"bufio"
	"context"
	"errors"
	"net"
	"net/http"
	"testing"

	"github.com/gofiber/fiber/v3"
	recoverer "github.com/gofiber/fiber/v3/middleware/recover"
	"github.com/valyala/fasthttp"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/internal/testing/adapterunit"
)

type (
	ctx   = fiber.Ctx
	layer = fiber.Handler
)

var unit = adapterunit.Framework[ctx, layer]{
	Name:        "fiberv3adapter",
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

// versions is what the tests of both of Fiber's versions need.
var versions = adapterunit.Fiber[ctx]{
	Framework:    unit,
	HandlerError: HandlerError,
	HeaderLines:  rawLines,
	Exchange:     func(c ctx) core.Exchange { return &exchange{c: c, response: c.Response()} },
	New:          newApp,
	Ctx:          made,
	AddHeader:    func(c ctx, name, value string) { c.Response().Header.Add(name, value) },
	Stream:       func(c ctx, write func(*bufio.Writer)) { c.RequestCtx().SetBodyStreamWriter(write) },
	Hijack:       func(c ctx, with func(net.Conn)) { c.RequestCtx().Hijack(with) },
	Timeout:      func(c ctx, status int) { c.RequestCtx().TimeoutErrorWithCode("too slow", status) },
	SetCookies:   setCookies,
	Status:       func(c ctx) int { return c.Response().StatusCode() },
	ErrorCode:    errorCode,
}

func TestBothVersions(t *testing.T)               { versions.Run(t) }
func TestF1TimeoutShowsNoFlash(t *testing.T)      { versions.TestF1TimeoutShowsNoFlash(t) }
func TestE2ReadBufferSizeIsCompared(t *testing.T) { versions.TestE2ReadBufferSizeIsCompared(t) }

// in makes an app one of any version.
func in(app *fiber.App) adapterunit.FiberApp {
	return adapterunit.FiberApp{
		Test:     func(r *http.Request) (*http.Response, error) { return app.Test(r, fiber.TestConfig{}) },
		Listener: func(ln net.Listener) error { return app.Listener(ln, fiber.ListenConfig{DisableStartupMessage: true}) },
		Shutdown: app.ShutdownWithTimeout,
	}
}

func newApp(c adapterunit.FiberConfig[ctx], handlers ...layer) adapterunit.FiberApp {
	app := fiber.New(fiber.Config{ErrorHandler: c.ErrorHandler, ReadBufferSize: c.ReadBufferSize})
	var all []any
	for _, h := range handlers {
		all = append(all, h)
	}
	app.Get("/", all[0], all[1:]...)
	return in(app)
}

// made returns the Ctx of a request that nobody has parsed.
func made(t *testing.T, header ...[2]string) ctx {
	t.Helper()
	var request fasthttp.RequestCtx
	for _, line := range header {
		request.Request.Header.Add(line[0], line[1])
	}
	app := fiber.New()
	c := app.AcquireCtx(&request)
	t.Cleanup(func() { app.ReleaseCtx(c) })
	return c
}

func setCookies(c ctx) (lines []string) {
	for _, v := range c.Response().Header.Cookies() {
		lines = append(lines, string(v))
	}
	return lines
}

func errorCode(err error) int {
	var known *fiber.Error
	if !errors.As(err, &known) {
		return 0
	}
	return known.Code
}

func request(tb testing.TB, app *fiber.App, path, cookie string) adapterunit.Reply {
	tb.Helper()
	return in(app).Request(tb, path, cookie)
}

// serve answers one request with handler behind the middleware.
func serve(tb testing.TB, handler func(ctx) error, cookie string, around ...layer) adapterunit.Reply {
	tb.Helper()
	return newApp(adapterunit.FiberConfig[ctx]{}, append(around, handler)...).Request(tb, "/", cookie)
}

// serveUnknown answers one request that matches no route.
func serveUnknown(tb testing.TB, around ...layer) adapterunit.Reply {
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
func contextOf(c ctx) context.Context           { return c.Context() }
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
