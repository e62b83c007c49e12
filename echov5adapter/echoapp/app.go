// Package echoapp carries no compatibility promise: it is for tests.
//
// It makes Echo v5 servers from handlers that are written once for
// all frameworks. It serves the suite that checks the adapters, and the
// probe. It is not an example of an application; see the folder examples for those.
package echoapp

import (
	"context"
	"errors"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"time"

	"github.com/labstack/echo/v5"
	"github.com/labstack/echo/v5/middleware"

	"github.com/satchel-go/satchel/core/adaptertest"
	"github.com/satchel-go/satchel/echov5adapter"
)

type app struct{ server *http.Server }

// quiet drops log lines about errors that the suite provokes on purpose.
var quiet = log.New(io.Discard, "", 0)

// New makes an Echo server with c's routes.
func New(c adaptertest.Config) adaptertest.App {
	e := echo.New()
	e.Logger = slog.New(slog.DiscardHandler) // it would report errors that the suite provokes on purpose
	if c.ErrorStatus != 0 {
		e.HTTPErrorHandler = func(ec *echo.Context, _ error) {
			_ = ec.String(c.ErrorStatus, "app error") // the client may have gone
		}
	}
	e.Use(middleware.RecoverWithConfig(middleware.RecoverConfig{DisablePrintStack: true}), outerHeader(c.OuterHeader))
	var opts []echov5adapter.Option
	if c.OnError != nil {
		opts = append(opts, echov5adapter.OnError(func(ec *echo.Context, err error) error { return c.OnError(request{ec}, err) }))
	}
	if c.Skip != nil {
		opts = append(opts, echov5adapter.Skip(func(ec *echo.Context) bool { return c.Skip(request{ec}) }))
	}
	var sessions []echo.MiddlewareFunc
	for _, m := range c.Managers {
		sessions = append(sessions, echov5adapter.Middleware(m, opts...))
	}
	if c.Compress {
		e.Use(sessions...)
		e.Use(middleware.Gzip())
	}
	for _, route := range c.Routes {
		handler := func(ec *echo.Context) error { return route.Handler(request{ec}) }
		around := slices.Clone(sessions)
		if route.Plain {
			around = nil
		}
		if route.Timeout > 0 {
			around = append(around, middleware.ContextTimeout(route.Timeout))
		}
		e.Add(route.Method, route.Path, handler, around...)
		if route.Method == http.MethodGet {
			e.HEAD(route.Path, handler, around...)
		}
	}
	return &app{&http.Server{Handler: e, ReadHeaderTimeout: 10 * time.Second, ErrorLog: quiet}}
}

func outerHeader(header map[string]string) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c *echo.Context) error {
			for name, value := range header {
				c.Response().Header().Set(name, value)
			}
			return next(c)
		}
	}
}

// Serve implements [adaptertest.App].
func (a *app) Serve(l net.Listener) error {
	if err := a.server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// Shutdown implements [adaptertest.App].
func (a *app) Shutdown(ctx context.Context) error { return a.server.Shutdown(ctx) }
