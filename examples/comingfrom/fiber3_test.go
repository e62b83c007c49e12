package comingfrom_test

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/gofiber/fiber/v3"
	"github.com/gofiber/fiber/v3/middleware/adaptor"
	"github.com/gofiber/fiber/v3/middleware/session"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/fiberv3adapter"
)

// fiberSession3App is what the tests need of the old application on Fiber v3's middleware.
type fiberSession3App struct{ store *session.Store }

func (a *fiberSession3App) handler() http.Handler {
	app := fiber.New()
	app.Use(session.New(session.Config{Store: a.store}))
	app.Get("/", func(c fiber.Ctx) error {
		s := session.FromContext(c)
		user, _ := s.Get("user").(string)
		t, _ := s.Get("theme").(string)
		return c.SendString(fmt.Sprintln(user, t))
	})
	app.Post("/theme", func(c fiber.Ctx) error {
		session.FromContext(c).Set("theme", c.FormValue("theme"))
		return nil
	})
	app.Post("/login", func(c fiber.Ctx) error {
		s := session.FromContext(c)
		if err := s.Regenerate(); err != nil {
			return err
		}
		s.Set("user", c.FormValue("user"))
		return nil
	})
	app.Post("/logout", func(c fiber.Ctx) error { return session.FromContext(c).Destroy() })
	return adaptor.FiberApp(app)
}

// fiber3App is what the tests need of the new application on Fiber v3.
type fiber3App struct {
	sessions *core.Manager
	probe
}

func (a *fiber3App) handler() http.Handler {
	app := fiber.New(fiber.Config{ReadBufferSize: 16 << 10})
	app.Use(fiberv3adapter.Middleware(a.sessions))
	app.Get("/", func(c fiber.Ctx) error {
		s := fiberv3adapter.Session(c)
		t, _ := theme.Get(s)
		return c.SendString(fmt.Sprintln(s.UserID(), t, s.Flashes()))
	})
	app.Post("/slow", func(c fiber.Ctx) error {
		s, key := fiberv3adapter.Session(c), c.FormValue("key")
		a.wait()
		s.Set(key, "x")
		return c.SendString(s.UserID())
	})
	app.Get("/keys", func(c fiber.Ctx) error {
		return c.SendString(fmt.Sprintln(keysOf(fiberv3adapter.Session(c))))
	})
	app.Post("/logout", func(c fiber.Ctx) error {
		fiberv3adapter.Session(c).Logout()
		return nil
	})
	return adaptor.FiberApp(app)
}

// fiberMemory3 is fiberMemory as Fiber v3 wants it.
type fiberMemory3 struct{ fiberMemory }

// GetWithContext implements [fiber.Storage].
func (m *fiberMemory3) GetWithContext(_ context.Context, key string) ([]byte, error) {
	return m.Get(key)
}

// SetWithContext implements [fiber.Storage].
func (m *fiberMemory3) SetWithContext(_ context.Context, key string, val []byte, exp time.Duration) error {
	return m.Set(key, val, exp)
}

// DeleteWithContext implements [fiber.Storage].
func (m *fiberMemory3) DeleteWithContext(_ context.Context, key string) error { return m.Delete(key) }

// ResetWithContext implements [fiber.Storage].
func (m *fiberMemory3) ResetWithContext(context.Context) error { return m.Reset() }
