package echov5adapter

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"testing"

	"github.com/labstack/echo/v5"
	"github.com/labstack/echo/v5/middleware"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/internal/testing/adapterunit"
)

type (
	ctx   = *echo.Context
	layer = echo.MiddlewareFunc
)

var unit = adapterunit.Framework[ctx, layer]{
	Name:        "echov5adapter",
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
	Writer:       func(c ctx) http.ResponseWriter { return c.Response() },
	Around: func(f func(ctx, func() error) error) layer {
		return func(next echo.HandlerFunc) echo.HandlerFunc {
			return func(c ctx) error { return f(c, func() error { return next(c) }) }
		}
	},
	Nothing:  nothing,
	Recovery: recovery,
}

func TestAdapter(t *testing.T) { unit.Run(t) }

// versions is what the tests of both of Echo's versions need.
var versions = adapterunit.Echo[ctx, layer]{
	Framework:    unit,
	HandlerError: HandlerError,
	New:          newApp,
	HTTPError:    func(status int, message string) error { return echo.NewHTTPError(status, message) },
	Response:     responseOf,
	SetWriter:    func(c ctx, w http.ResponseWriter) { c.SetResponse(w) },
	Logger: func(handlesErrors bool, log func(ctx, int, error) error) layer {
		return middleware.RequestLoggerWithConfig(middleware.RequestLoggerConfig{
			LogStatus: true, HandleError: handlesErrors,
			LogValuesFunc: func(c ctx, v middleware.RequestLoggerValues) error { return log(c, v.Status, v.Error) },
		})
	},
	Gzip: func() layer { return middleware.Gzip() },
	Ways: ways,
}

func TestBothVersions(t *testing.T) { versions.Run(t) }

func newApp(onError func(ctx, error), handler func(ctx) error, around ...layer) http.Handler {
	e := echo.New()
	e.Logger = slog.New(slog.DiscardHandler)
	if onError != nil {
		e.HTTPErrorHandler = onError
	}
	e.GET("/", handler, around...)
	return e
}

func responseOf(c ctx) adapterunit.EchoResponse {
	res, err := echo.UnwrapResponse(c.Response())
	if err != nil {
		panic(err)
	}
	return adapterunit.EchoResponse{Committed: res.Committed, Status: res.Status, Size: res.Size}
}

var ways = map[string]func(ctx) error{
	"nothing":          func(ctx) error { return nil },
	"writer":           func(c ctx) error { _, err := c.Response().Write([]byte("x")); return err },
	"writer and error": func(c ctx) error { _, _ = io.WriteString(c.Response(), "x"); return errors.New("late") },
	"controller":       func(c ctx) error { return http.NewResponseController(c.Response()).Flush() },
	"no content":       func(c ctx) error { return c.NoContent(204) },
}

// serve answers one request with handler behind the middleware.
func serve(tb testing.TB, handler func(ctx) error, cookie string, around ...layer) adapterunit.Reply {
	tb.Helper()
	return adapterunit.Request(tb, newApp(nil, handler, around...), "/", cookie)
}

// serveUnknown answers one request that matches no route.
func serveUnknown(tb testing.TB, around ...layer) adapterunit.Reply {
	tb.Helper()
	e := echo.New()
	e.Use(around...)
	e.GET("/", func(ctx) error { return nil })
	return adapterunit.Request(tb, e, "/nowhere", "")
}

func text(c ctx, status int, body string) error { return c.String(status, body) }
func fail(_ ctx, status int) error              { return echo.NewHTTPError(status, "") }
func contextOf(c ctx) context.Context           { return c.Request().Context() }
func setHeader(c ctx, name, value string)       { c.Response().Header().Set(name, value) }

func recovery() layer {
	return middleware.RecoverWithConfig(middleware.RecoverConfig{DisablePrintStack: true})
}

func nothing(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c *echo.Context) error { return next(c) }
}

// bare returns a function that answers one request without a cookie.
func bare(tb testing.TB, handler func(ctx) error, cookie string, around layer) func() {
	tb.Helper()
	e := echo.New()
	e.GET("/", handler, around)
	return adapterunit.Bare(tb, e, cookie)
}
