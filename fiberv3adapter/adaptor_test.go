package fiberv3adapter

import (
	"context"
	"io"
	"net/http"
	"testing"

	"github.com/gofiber/fiber/v3"
	"github.com/gofiber/fiber/v3/middleware/adaptor"
	"github.com/valyala/fasthttp"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/httpadapter"
	"github.com/satchel-go/satchel/internal/testing/adapterunit"
)

// net/http handlers and libraries in Fiber's routes share the request's session.
func TestHandlersOfNetHTTP(t *testing.T) {
	m, _ := adapterunit.ServerSide(t, core.Config{})
	handler := func(w http.ResponseWriter, r *http.Request) {
		s := httpadapter.SessionOf(r, m)
		if s != httpadapter.Session(r) {
			t.Error("Session and SessionOf do not agree")
		}
		fromFiber, _ := core.Get[string](s, "fiber")
		before, _ := core.Get[string](s, "http")
		s.Set("http", "2")
		if err := s.Commit(r.Context()); err != nil {
			t.Error(err)
		}
		_, _ = io.WriteString(w, fromFiber+before)
	}
	for name, mounted := range map[string]any{
		"as it is": handler, "by the adaptor": adaptor.HTTPHandlerFunc(handler),
		"with the user's context": adaptor.HTTPHandlerWithContext(http.HandlerFunc(handler)),
	} {
		t.Run(name, func(t *testing.T) {
			app := fiber.New()
			app.Get("/", Middleware(m), func(c fiber.Ctx) error {
				Session(c).Set("fiber", "1")
				return c.Next()
			}, mounted)
			r := request(t, app, "/", "")
			r.Wants(t, 200, "1")
			request(t, app, "/", r.Cookie(t)).Wants(t, 200, "12")
			// Fiber reuses its Ctx: the next client must see nothing of this one's session.
			request(t, app, "/", "").Wants(t, 200, "1")
		})
	}
}

// Fiber tells its users to pass c where a context.Context is wanted.
func TestEveryContext(t *testing.T) {
	outer, _ := adapterunit.ServerSide(t, core.Config{Cookie: core.Cookie{Name: "__Host-outer"}})
	inner, _ := adapterunit.ServerSide(t, core.Config{})
	serve(t, func(c ctx) error {
		for name, ctx := range map[string]context.Context{"Ctx": c, "Context": c.Context(), "RequestCtx": c.RequestCtx()} {
			if s, ok := core.FromContext(ctx); !ok || s != Session(c) || s != SessionOf(c, inner) {
				t.Errorf("%s: FromContext finds %p", name, s)
			}
			if s, ok := outer.FromContext(ctx); !ok || s != SessionOf(c, outer) {
				t.Errorf("%s: the outer Manager's FromContext finds %p", name, s)
			}
		}
		return nil
	}, "", Middleware(outer), Middleware(inner)).Wants(t, 200, "")

	app := fiber.New()
	c := app.AcquireCtx(&fasthttp.RequestCtx{})
	defer app.ReleaseCtx(c)
	s := inner.NewSession(t.Context())
	WithSession(c, s)
	if got, ok := core.FromContext(c); !ok || got != s {
		t.Errorf("FromContext finds %p after WithSession, want %p", got, s)
	}
}

type customCtx struct {
	fiber.DefaultCtx
	sessions *core.Manager
}

// user is what an application adds to its own Ctx.
func (c *customCtx) user() string { return SessionOf(c, c.sessions).UserID() }

func TestCustomCtx(t *testing.T) {
	m, _ := adapterunit.ServerSide(t, core.Config{})
	app := fiber.NewWithCustomCtx(func(app *fiber.App) fiber.CustomCtx {
		return &customCtx{DefaultCtx: *fiber.NewDefaultCtx(app), sessions: m}
	})
	app.Use(Middleware(m))
	app.Get("/login", func(c fiber.Ctx) error {
		Session(c).Login("ann")
		return nil
	})
	app.Get("/", func(c fiber.Ctx) error {
		return c.SendString(c.(*customCtx).user()) //nolint:forcetypeassert // the app makes no other
	})
	request(t, app, "/", request(t, app, "/login", "").Cookie(t)).Wants(t, 200, "ann")
}
