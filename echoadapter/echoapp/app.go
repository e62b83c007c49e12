// Package echoapp makes Echo servers of handlers that are written once for
// all frameworks: for the suite that the adapters prove themselves with, and for the
// probe. It is no example of an application; those are in the folder examples.
package echoapp

import (
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/labstack/echo/v4/middleware"

	"github.com/satchel-go/satchel/core/adaptertest"
	"github.com/satchel-go/satchel/echoadapter"
)

type app struct{ server *http.Server }

// quiet is for what the suite provokes on purpose.
var quiet = log.New(io.Discard, "", 0)

// New makes an Echo server of c's routes.
func New(c adaptertest.Config) adaptertest.App {
	e := echo.New()
	e.Logger.SetOutput(io.Discard) // it tells of what the suite provokes on purpose
	if c.ErrorStatus != 0 {
		e.HTTPErrorHandler = func(_ error, ec echo.Context) {
			if !ec.Response().Committed {
				_ = ec.String(c.ErrorStatus, "app error") // the client may be gone
			}
		}
	}
	e.Use(middleware.RecoverWithConfig(middleware.RecoverConfig{DisablePrintStack: true}), outerHeader(c.OuterHeader))
	var opts []echoadapter.Option
	if c.OnError != nil {
		opts = append(opts, echoadapter.OnError(func(ec echo.Context, err error) error { return c.OnError(request{ec}, err) }))
	}
	var sessions []echo.MiddlewareFunc
	for _, m := range c.Managers {
		sessions = append(sessions, echoadapter.Middleware(m, opts...))
	}
	for _, route := range c.Routes {
		handler := func(ec echo.Context) error { return route.Handler(request{ec}) }
		around := sessions
		if route.Plain {
			around = nil
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
		return func(c echo.Context) error {
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
