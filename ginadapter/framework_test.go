package ginadapter

import (
	"context"
	"io"
	"net/http"
	"testing"

	"github.com/gin-gonic/gin"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/internal/testing/adapterunit"
)

type (
	ctx   = *gin.Context
	layer = gin.HandlerFunc
)

func init() { gin.SetMode(gin.ReleaseMode) }

var unit = adapterunit.Framework[ctx, layer]{
	Name:        "ginadapter",
	Session:     Session,
	SessionOf:   SessionOf,
	TrySession:  TrySession,
	WithSession: WithSession,
	Middleware:  func(m *core.Manager) layer { return Middleware(m, OnError(nil), Skip(nil)) },
	OnError: func(m *core.Manager, f func(ctx, error) error) layer {
		return Middleware(m, OnError(func(c ctx, err error) { _ = f(c, err) }))
	},
	Serve:        serve,
	ServeUnknown: serveUnknown,
	Bare:         bare,
	Text:         text,
	Fail:         fail,
	Context:      contextOf,
	SetHeader:    setHeader,
	Writer:       func(c ctx) http.ResponseWriter { return c.Writer },
	Around: func(f func(ctx, func() error) error) layer {
		return func(c ctx) { _ = f(c, func() error { c.Next(); return nil }) }
	},
	Nothing:  nothing,
	Recovery: recovery,
}

func TestAdapter(t *testing.T) { unit.Run(t) }

type reply = adapterunit.Reply

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
	return adapterunit.Request(tb, e, "/", cookie)
}

// serveUnknown answers one request that matches no route.
func serveUnknown(tb testing.TB, around ...layer) reply {
	tb.Helper()
	e := gin.New()
	e.Use(around...)
	e.GET("/", func(ctx) {})
	return adapterunit.Request(tb, e, "/nowhere", "")
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
func recovery() layer                     { return gin.RecoveryWithWriter(io.Discard) }

func nothing(c ctx) { c.Next() }

// bare returns a function that answers one request without a cookie.
func bare(tb testing.TB, handler func(ctx) error, cookie string, around layer) func() {
	tb.Helper()
	e := gin.New()
	e.GET("/", around, ginHandler(handler))
	return adapterunit.Bare(tb, e, cookie)
}
