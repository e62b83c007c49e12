package comingfrom_test

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/gofiber/fiber/v2/middleware/adaptor"
	"github.com/gofiber/fiber/v2/middleware/session"
)

// fiberSessionApp is the old application on Fiber's session middleware.
type fiberSessionApp struct {
	store *session.Store
	probe
}

func (a *fiberSessionApp) handler() http.Handler {
	app := fiber.New()
	mount(func(method, path string, h fiber.Handler) { app.Add(method, path, h) },
		a.home, a.setTheme, a.addToCart, a.login, a.logout, a.moved, a.failing, a.slow, a.keys)
	return adaptor.FiberApp(app)
}

func (a *fiberSessionApp) home(c *fiber.Ctx) error {
	s, err := a.store.Get(c)
	if err != nil {
		return err
	}
	user, _ := s.Get("user").(string)
	t, _ := s.Get("theme").(string)
	flash, _ := s.Get("flash").(string)
	s.Delete("flash")
	if err := s.Save(); err != nil { // or it is shown again; s must not be used after it
		return err
	}
	return c.SendString(fmt.Sprintln(user, t, flash))
}

func (a *fiberSessionApp) setTheme(c *fiber.Ctx) error {
	s, err := a.store.Get(c)
	if err != nil {
		return err
	}
	s.Set("theme", c.FormValue("theme"))
	s.Set("flash", "Saved.")
	if err := s.Save(); err != nil {
		return err
	}
	return c.Redirect("/", fiber.StatusSeeOther)
}

func (a *fiberSessionApp) addToCart(c *fiber.Ctx) error {
	s, err := a.store.Get(c)
	if err != nil {
		return err
	}
	items, _ := s.Get("cart").([]Item)
	s.Set("cart", append(items, Item{Name: c.FormValue("item"), N: 1}))
	if err := s.Save(); err != nil { // without store.RegisterType([]Item{})
		return err
	}
	return c.Redirect("/", fiber.StatusSeeOther)
}

func (a *fiberSessionApp) login(c *fiber.Ctx) error {
	s, err := a.store.Get(c)
	if err != nil {
		return err
	}
	if err := s.Regenerate(); err != nil {
		return err
	}
	s.Set("user", c.FormValue("user"))
	if c.FormValue("remember") == "on" {
		s.SetExpiry(30 * 24 * time.Hour) // for this Save; the next one is back to Config.Expiration
	}
	if err := s.Save(); err != nil {
		return err
	}
	return c.Redirect("/", fiber.StatusSeeOther)
}

func (a *fiberSessionApp) logout(c *fiber.Ctx) error {
	s, err := a.store.Get(c)
	if err != nil {
		return err
	}
	if err := s.Destroy(); err != nil {
		return err
	}
	return c.Redirect("/", fiber.StatusSeeOther)
}

func (a *fiberSessionApp) moved(c *fiber.Ctx) error {
	s, err := a.store.Get(c)
	if err != nil {
		return err
	}
	s.Delete("flash")
	if err := s.Save(); err != nil {
		return err
	}
	return c.Redirect("/", fiber.StatusSeeOther)
}

func (a *fiberSessionApp) failing(c *fiber.Ctx) error {
	s, err := a.store.Get(c)
	if err != nil {
		return err
	}
	s.Set("theme", c.FormValue("theme"))
	if err := s.Save(); err != nil {
		return err
	}
	return fiber.ErrInternalServerError
}

func (a *fiberSessionApp) slow(c *fiber.Ctx) error {
	s, err := a.store.Get(c)
	if err != nil {
		return err
	}
	key := c.FormValue("key")
	a.wait()
	s.Set(key, "x")
	if err := s.Save(); err != nil {
		return err
	}
	return c.SendStatus(fiber.StatusNoContent)
}

func (a *fiberSessionApp) keys(c *fiber.Ctx) error {
	s, err := a.store.Get(c)
	if err != nil {
		return err
	}
	keys := slices.DeleteFunc(s.Keys(), func(key string) bool { return len(key) != 1 })
	slices.Sort(keys)
	return c.SendString(fmt.Sprintln(keys))
}

// fiberMemory is a storage of Fiber's that can be down.
type fiberMemory struct {
	entries sync.Map
	down    atomic.Bool
}

// Get implements [fiber.Storage].
func (m *fiberMemory) Get(key string) ([]byte, error) {
	if m.down.Load() {
		return nil, errors.New("down")
	}
	v, _ := m.entries.Load(key)
	data, _ := v.([]byte)
	return data, nil
}

// Set implements [fiber.Storage].
func (m *fiberMemory) Set(key string, val []byte, _ time.Duration) error {
	m.entries.Store(key, val)
	return nil
}

// Delete implements [fiber.Storage].
func (m *fiberMemory) Delete(key string) error { m.entries.Delete(key); return nil }

// Reset implements [fiber.Storage].
func (m *fiberMemory) Reset() error { m.entries.Clear(); return nil }

// Close implements [fiber.Storage].
func (m *fiberMemory) Close() error { return nil }

func fiberSessionInMemory(*testing.T) site {
	storage := new(fiberMemory)
	app := &fiberSessionApp{store: session.New(session.Config{Storage: storage})}
	return site{app.handler(), &app.probe, storage.down.Store}
}

// What docs/coming-from/fiber.md says is different.
func TestFromFiber(t *testing.T) {
	compare(t, fiberSessionInMemory, newFiber, []difference{
		{"failing", failing, "200 dark", "200 light []"},
		{"flash on its way", flashOnItsWay, "200 dark", "200 dark [{success Saved.}]"},
		{"overlapping", overlapping, "200 [a]", "200 [a b]"},
		{"logout meanwhile", logoutMeanwhile, "200 ann", "200 []"},
		{"login", login, "200", "200 []"},
		{"logout", logout, "200", "200 []"},
		{"outage", outage, "500 down, 200 [a]", "503 Service Unavailable, 200 [a]"},
		{"own type", ownType, "500", "303"},
	})
}
