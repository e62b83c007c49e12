package comingfrom_test

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/gofiber/fiber/v2"
	"github.com/gofiber/fiber/v2/middleware/adaptor"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/fiberadapter"
)

// fiberApp is the new application in Fiber.
type fiberApp struct {
	sessions *core.Manager
	probe
}

func (a *fiberApp) handler() http.Handler {
	app := fiber.New(fiber.Config{ReadBufferSize: 16 << 10})
	app.Use(fiberadapter.Middleware(a.sessions))
	mount(func(method, path string, h fiber.Handler) { app.Add(method, path, h) },
		a.home, a.setTheme, a.addToCart, a.login, a.logout, a.moved, a.failing, a.slow, a.keys)
	return adaptor.FiberApp(app)
}

func (a *fiberApp) home(c *fiber.Ctx) error {
	s := fiberadapter.Session(c)
	t, _ := theme.Get(s) // "" if there is none
	return c.SendString(fmt.Sprintln(s.UserID(), t, s.Flashes()))
}

func (a *fiberApp) setTheme(c *fiber.Ctx) error {
	s := fiberadapter.Session(c)
	theme.Set(s, c.FormValue("theme"))
	s.Flash("success", "Saved.")
	return c.Redirect("/", fiber.StatusSeeOther)
}

func (a *fiberApp) addToCart(c *fiber.Ctx) error {
	item := Item{Name: c.FormValue("item"), N: 1}
	cart.Update(fiberadapter.Session(c), func(items []Item) []Item { return append(items, item) })
	return c.Redirect("/", fiber.StatusSeeOther)
}

func (a *fiberApp) login(c *fiber.Ctx) error {
	s := fiberadapter.Session(c)
	s.Login(c.FormValue("user")) // a new token; the old one is dead
	s.Remember(c.FormValue("remember") == "on")
	return c.Redirect("/", fiber.StatusSeeOther)
}

func (a *fiberApp) logout(c *fiber.Ctx) error {
	fiberadapter.Session(c).Logout()
	return c.Redirect("/", fiber.StatusSeeOther)
}

// What follows is not in the docs; it is run beside the old application.

func (a *fiberApp) moved(c *fiber.Ctx) error {
	fiberadapter.Session(c).Flashes()
	return c.Redirect("/", fiber.StatusSeeOther)
}

func (a *fiberApp) failing(c *fiber.Ctx) error {
	theme.Set(fiberadapter.Session(c), c.FormValue("theme"))
	return fiber.ErrInternalServerError
}

func (a *fiberApp) slow(c *fiber.Ctx) error {
	s := fiberadapter.Session(c)
	key := c.FormValue("key")
	a.wait()
	s.Set(key, "x")
	return c.SendString(s.UserID())
}

func (a *fiberApp) keys(c *fiber.Ctx) error {
	return c.SendString(fmt.Sprintln(keysOf(fiberadapter.Session(c))))
}

func newFiber(t *testing.T) site {
	t.Helper()
	return newSite(t, func(m *core.Manager) (http.Handler, *probe) {
		app := &fiberApp{sessions: m}
		return app.handler(), &app.probe
	})
}
