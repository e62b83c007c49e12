// Package ginapp makes Gin servers of handlers that are written once for all
// frameworks: for the suite that the adapters prove themselves with, and for the
// probe. It is no example of an application; those are in the folder examples.
package ginapp

import (
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/satchel-go/satchel/core/adaptertest"
	"github.com/satchel-go/satchel/ginadapter"
)

type app struct{ server *http.Server }

// quiet is for what the suite provokes on purpose.
var quiet = log.New(io.Discard, "", 0)

// New makes a Gin server of c's routes. It puts Gin into its release mode.
func New(c adaptertest.Config) adaptertest.App {
	gin.SetMode(gin.ReleaseMode)
	r := gin.New()
	r.HandleMethodNotAllowed = true // as the other frameworks do by default
	r.Use(gin.RecoveryWithWriter(io.Discard), outerHeader(c.OuterHeader))
	var opts []ginadapter.Option
	if c.OnError != nil {
		opts = append(opts, ginadapter.OnError(func(gc *gin.Context, err error) {
			handle(gc, c.OnError(request{gc}, err), c.ErrorStatus)
		}))
	}
	var sessions []gin.HandlerFunc
	for _, m := range c.Managers {
		sessions = append(sessions, ginadapter.Middleware(m, opts...))
	}
	plain, behind := r.Group("/"), r.Group("/", sessions...)
	for _, route := range c.Routes {
		handler := func(gc *gin.Context) { handle(gc, route.Handler(request{gc}), c.ErrorStatus) }
		group := behind
		if route.Plain {
			group = plain
		}
		group.Handle(route.Method, route.Path, handler)
		if route.Method == http.MethodGet {
			group.HEAD(route.Path, handler)
		}
	}
	return &app{&http.Server{Handler: r, ReadHeaderTimeout: 10 * time.Second, ErrorLog: quiet}}
}

// failure is an error with the status to abort with.
type failure int

func (f failure) Error() string { return http.StatusText(int(f)) }

// handle answers the error of a handler. Gin has no error handler; this is
// where an application has its own.
func handle(c *gin.Context, err error, appStatus int) {
	if err == nil {
		return
	}
	status := http.StatusInternalServerError
	var fail failure
	if errors.As(err, &fail) {
		status = int(fail)
	}
	switch {
	case c.Writer.Written():
		_ = c.Error(err) // for middleware that logs
	case appStatus != 0:
		_ = c.Error(err)
		c.String(appStatus, "app error")
	default:
		_ = c.AbortWithError(status, err)
	}
}

func outerHeader(header map[string]string) gin.HandlerFunc {
	return func(c *gin.Context) {
		for name, value := range header {
			c.Header(name, value)
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
