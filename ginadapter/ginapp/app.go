// Package ginapp carries no compatibility promise: it is for tests.
//
// It makes Gin servers from handlers that are written once for all
// frameworks. It serves the suite that checks the adapters, and the
// probe. It is not an example of an application; see the folder examples for those.
package ginapp

import (
	"compress/gzip"
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

// quiet drops log lines about errors that the suite provokes on purpose.
var quiet = log.New(io.Discard, "", 0)

// New makes a Gin server with c's routes. It puts Gin into release mode.
func New(c adaptertest.Config) adaptertest.App {
	gin.SetMode(gin.ReleaseMode)
	r := gin.New()
	r.HandleMethodNotAllowed = true // as the other frameworks do by default
	r.Use(gin.RecoveryWithWriter(io.Discard), outerHeader(c.OuterHeader))
	var opts []ginadapter.Option
	if c.OnError != nil {
		opts = append(opts, ginadapter.OnError(func(gc *gin.Context, err error) {
			if err := c.OnError(request{gc}, err); err != nil {
				gc.Status(http.StatusInternalServerError)
				handle(gc, err, c.ErrorStatus)
			}
		}))
	}
	if c.Skip != nil {
		opts = append(opts, ginadapter.Skip(func(gc *gin.Context) bool { return c.Skip(request{gc}) }))
	}
	var sessions []gin.HandlerFunc
	for _, m := range c.Managers {
		sessions = append(sessions, ginadapter.Middleware(m, opts...))
	}
	if c.Compress {
		r.Use(append(sessions, compress)...)
	}
	plain, behind := r.Group("/"), r.Group("/", sessions...)
	for _, route := range c.Routes {
		handler := func(gc *gin.Context) {
			if route.Timeout > 0 {
				ctx, cancel := context.WithTimeout(gc.Request.Context(), route.Timeout)
				defer cancel()
				gc.Request = gc.Request.WithContext(ctx)
			}
			handle(gc, route.Handler(request{gc}), c.ErrorStatus)
		}
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

// failure is an error that carries the status to abort with.
type failure int

func (f failure) Error() string { return http.StatusText(int(f)) }

// handle answers a handler's error. Gin has no error handler, so applications
// write their own here.
func handle(c *gin.Context, err error, appStatus int) {
	if err == nil {
		return
	}
	_ = c.Error(err)
	var fail failure
	switch {
	case c.Writer.Written():
	case appStatus != 0:
		c.String(appStatus, "app error")
	case errors.As(err, &fail):
		c.AbortWithStatus(int(fail))
	}
}

// compress is what gzip middleware does: errors stay as they are, and its writer stays in place.
func compress(c *gin.Context) {
	if c.GetHeader("Accept-Encoding") != "gzip" {
		return
	}
	c.Header("Content-Encoding", "gzip")
	zip := gzip.NewWriter(c.Writer)
	c.Writer = compressed{c.Writer, zip}
	c.Next()
	if c.Writer.Written() && c.Writer.Status() < http.StatusBadRequest {
		_ = zip.Close() // the client may have gone
	}
}

type compressed struct {
	gin.ResponseWriter
	zip *gzip.Writer
}

// Write implements [http.ResponseWriter].
func (w compressed) Write(b []byte) (int, error) {
	if w.Status() >= http.StatusBadRequest {
		w.Header().Del("Content-Encoding")
		return w.ResponseWriter.Write(b)
	}
	return w.zip.Write(b)
}

// WriteString implements [gin.ResponseWriter].
func (w compressed) WriteString(s string) (int, error) { return w.Write([]byte(s)) }

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
