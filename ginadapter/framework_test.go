package ginadapter

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/gin-gonic/gin"
)

const adapter = "ginadapter"

type (
	ctx   = *gin.Context
	layer = gin.HandlerFunc
)

func init() { gin.SetMode(gin.ReleaseMode) }

type reply struct {
	status int
	header http.Header
	body   string
}

func request(tb testing.TB, e http.Handler, path, cookie string) reply {
	tb.Helper()
	r := httptest.NewRequestWithContext(tb.Context(), http.MethodGet, path, nil)
	if cookie != "" {
		r.Header.Set("Cookie", cookie)
	}
	w := httptest.NewRecorder()
	e.ServeHTTP(w, r)
	return reply{w.Code, w.Result().Header, w.Body.String()}
}

// ginHandler is a handler as Gin wants it.
func ginHandler(handler func(ctx) error) gin.HandlerFunc {
	return func(c *gin.Context) {
		if err := handler(c); err != nil {
			_ = c.AbortWithError(http.StatusInternalServerError, err)
		}
	}
}

// serve answers one request with handler behind the middleware.
func serve(tb testing.TB, handler func(ctx) error, cookie string, around ...layer) reply {
	tb.Helper()
	e := gin.New()
	e.GET("/", append(around, ginHandler(handler))...)
	return request(tb, e, "/", cookie)
}

// serveUnknown answers one request that no route is for.
func serveUnknown(tb testing.TB, around ...layer) reply {
	tb.Helper()
	e := gin.New()
	e.Use(around...)
	e.GET("/", func(ctx) {})
	return request(tb, e, "/nowhere", "")
}

func onError(f func(ctx, error) error) Option {
	return OnError(func(c ctx, err error) { _ = f(c, err) })
}

func text(c ctx, status int, body string) error {
	c.String(status, "%s", body)
	return nil
}

func fail(c ctx, status int) error {
	c.AbortWithStatus(status)
	return nil
}

func contextOf(c ctx) context.Context     { return c.Request.Context() }
func setHeader(c ctx, name, value string) { c.Header(name, value) }
func outerHeader(c ctx)                   { setHeader(c, "X-Outer", "yes") }
func recovery() layer                     { return gin.RecoveryWithWriter(io.Discard) }

// catch tells what is panicked with, and lets it go on.
func catch(said *any) layer {
	return func(c ctx) {
		defer func() { *said = recover(); panic(*said) }()
		c.Next()
	}
}

func nothing(c ctx) { c.Next() }

// sink is a ResponseWriter that costs nothing.
type sink struct{ h http.Header }

func (s *sink) Header() http.Header                  { return s.h }
func (s *sink) Write(b []byte) (int, error)          { return len(b), nil }
func (s *sink) WriteString(text string) (int, error) { return len(text), nil }
func (s *sink) WriteHeader(int)                      {}

// bare returns a function that answers one request without a cookie.
func bare(tb testing.TB, handler func(ctx) error, cookie string, around layer) func() {
	tb.Helper()
	e := gin.New()
	e.GET("/", around, ginHandler(handler))
	r := httptest.NewRequestWithContext(tb.Context(), http.MethodGet, "/", nil)
	if cookie != "" {
		r.Header.Set("Cookie", cookie)
	}
	w := &sink{h: http.Header{}}
	return func() {
		clear(w.h)
		e.ServeHTTP(w, r)
	}
}
