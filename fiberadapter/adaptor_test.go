package fiberadapter

import (
	"io"
	"net/http"
	"testing"

	"github.com/gofiber/fiber/v2"
	"github.com/gofiber/fiber/v2/middleware/adaptor"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/httpadapter"
	"github.com/satchel-go/satchel/internal/testing/adapterunit"
)

// net/http handlers and libraries behind Fiber's adaptor middleware share the
// request's session.
func TestHandlersOfNetHTTP(t *testing.T) {
	m, _ := adapterunit.ServerSide(t, core.Config{})
	app := fiber.New()
	app.Get("/", Middleware(m), func(c *fiber.Ctx) error {
		Session(c).Set("fiber", "1")
		return c.Next()
	}, adaptor.HTTPHandlerFunc(func(w http.ResponseWriter, r *http.Request) {
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
	}))
	r := request(t, app, "/", "")
	r.Wants(t, 200, "1")
	request(t, app, "/", r.Cookie(t)).Wants(t, 200, "12")
	// Fiber reuses its Ctx: the next client must see nothing of this one's session.
	request(t, app, "/", "").Wants(t, 200, "1")
}
