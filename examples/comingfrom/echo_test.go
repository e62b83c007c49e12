package comingfrom_test

import (
	"errors"
	"fmt"
	"net/http"
	"testing"

	"github.com/labstack/echo/v4"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/echoadapter"
)

// echoApp is the new application in Echo.
type echoApp struct {
	sessions *core.Manager
	probe
}

func (a *echoApp) handler() http.Handler {
	e := echo.New()
	e.Use(echoadapter.Middleware(a.sessions))
	mount(func(method, path string, h echo.HandlerFunc) { e.Add(method, path, h) },
		a.home, a.setTheme, a.addToCart, a.login, a.logout, a.moved, a.failing, a.slow, a.keys)
	return e
}

func (a *echoApp) home(c echo.Context) error {
	s := echoadapter.Session(c)
	t, _ := theme.Get(s) // "" if there is none
	return c.String(http.StatusOK, fmt.Sprintln(s.UserID(), t, s.Flashes()))
}

func (a *echoApp) setTheme(c echo.Context) error {
	s := echoadapter.Session(c)
	theme.Set(s, c.FormValue("theme"))
	s.Flash("success", "Saved.")
	return c.Redirect(http.StatusSeeOther, "/")
}

func (a *echoApp) addToCart(c echo.Context) error {
	item := Item{Name: c.FormValue("item"), N: 1}
	cart.Update(echoadapter.Session(c), func(items []Item) []Item { return append(items, item) })
	return c.Redirect(http.StatusSeeOther, "/")
}

func (a *echoApp) login(c echo.Context) error {
	s := echoadapter.Session(c)
	s.Login(c.FormValue("user")) // a new token; the old one is dead
	s.Remember(c.FormValue("remember") == "on")
	return c.Redirect(http.StatusSeeOther, "/")
}

func (a *echoApp) logout(c echo.Context) error {
	echoadapter.Session(c).Logout()
	return c.Redirect(http.StatusSeeOther, "/")
}

// What follows is not in the docs; it is run beside the old application.

func (a *echoApp) moved(c echo.Context) error {
	echoadapter.Session(c).Flashes()
	return c.Redirect(http.StatusSeeOther, "/")
}

func (a *echoApp) failing(c echo.Context) error {
	theme.Set(echoadapter.Session(c), c.FormValue("theme"))
	return errors.New("failed")
}

func (a *echoApp) slow(c echo.Context) error {
	s := echoadapter.Session(c)
	a.wait()
	s.Set(c.FormValue("key"), "x")
	return c.String(http.StatusOK, s.UserID())
}

func (a *echoApp) keys(c echo.Context) error {
	return c.String(http.StatusOK, fmt.Sprintln(keysOf(echoadapter.Session(c))))
}

func newEcho(t *testing.T) site {
	t.Helper()
	return newSite(t, func(m *core.Manager) (http.Handler, *probe) {
		app := &echoApp{sessions: m}
		return app.handler(), &app.probe
	})
}
