package comingfrom_test

import (
	"errors"
	"fmt"
	"net/http"
	"testing"

	"github.com/gorilla/sessions"
	"github.com/labstack/echo-contrib/session"
	"github.com/labstack/echo/v4"
)

// echoContribApp is the old application on echo-contrib/session.
type echoContribApp struct {
	store sessions.Store
	probe
}

func (a *echoContribApp) handler() http.Handler {
	e := echo.New()
	e.Use(session.Middleware(a.store))
	mount(func(method, path string, h echo.HandlerFunc) { e.Add(method, path, h) },
		a.home, a.setTheme, a.addToCart, a.login, a.logout, a.moved, a.failing, a.slow, a.keys)
	return e
}

func (a *echoContribApp) home(c echo.Context) error {
	s, _ := session.Get("session", c)
	user, _ := s.Values["user"].(string)
	t, _ := s.Values["theme"].(string)
	flashes := s.Flashes()
	if err := s.Save(c.Request(), c.Response()); err != nil { // or they are shown again
		return err
	}
	return c.String(http.StatusOK, fmt.Sprintln(user, t, flashes))
}

func (a *echoContribApp) setTheme(c echo.Context) error {
	s, _ := session.Get("session", c)
	s.Values["theme"] = c.FormValue("theme")
	s.AddFlash("Saved.")
	if err := s.Save(c.Request(), c.Response()); err != nil {
		return err
	}
	return c.Redirect(http.StatusSeeOther, "/")
}

func (a *echoContribApp) addToCart(c echo.Context) error {
	s, _ := session.Get("session", c)
	items, _ := s.Values["cart"].([]Item)
	s.Values["cart"] = append(items, Item{Name: c.FormValue("item"), N: 1})
	if err := s.Save(c.Request(), c.Response()); err != nil { // without gob.Register([]Item{})
		return err
	}
	return c.Redirect(http.StatusSeeOther, "/")
}

func (a *echoContribApp) login(c echo.Context) error {
	s, _ := session.Get("session", c)
	s.Values["user"] = c.FormValue("user") // in a server-side store, this keeps the ID
	if c.FormValue("remember") == "on" {
		s.Options.MaxAge = 86400 * 30
	}
	if err := s.Save(c.Request(), c.Response()); err != nil {
		return err
	}
	return c.Redirect(http.StatusSeeOther, "/")
}

func (a *echoContribApp) logout(c echo.Context) error {
	s, _ := session.Get("session", c)
	s.Options.MaxAge = -1
	if err := s.Save(c.Request(), c.Response()); err != nil {
		return err
	}
	return c.Redirect(http.StatusSeeOther, "/")
}

func (a *echoContribApp) moved(c echo.Context) error {
	s, _ := session.Get("session", c)
	s.Flashes()
	_ = s.Save(c.Request(), c.Response())
	return c.Redirect(http.StatusSeeOther, "/")
}

func (a *echoContribApp) failing(c echo.Context) error {
	s, _ := session.Get("session", c)
	s.Values["theme"] = c.FormValue("theme")
	_ = s.Save(c.Request(), c.Response())
	return errors.New("failed")
}

func (a *echoContribApp) slow(c echo.Context) error {
	s, _ := session.Get("session", c)
	a.wait()
	s.Values[c.FormValue("key")] = "x"
	_ = s.Save(c.Request(), c.Response())
	return c.NoContent(http.StatusNoContent)
}

func (a *echoContribApp) keys(c echo.Context) error {
	s, _ := session.Get("session", c)
	return c.String(http.StatusOK, fmt.Sprintln(keysIn(s.Values)))
}

func echoContribOnFiles(t *testing.T) site {
	t.Helper()
	store, down := gorillaFiles(t)
	app := &echoContribApp{store: store}
	return site{app.handler(), &app.probe, down}
}

func echoContribInCookies(t *testing.T) site {
	t.Helper()
	app := &echoContribApp{store: sessions.NewCookieStore(hashKey, blockKey)}
	return site{app.handler(), &app.probe, nil}
}

// What docs/coming-from/echo-contrib.md says is different.
func TestFromEchoContrib(t *testing.T) {
	compare(t, echoContribOnFiles, newEcho, ofGorilla)
	compare(t, echoContribInCookies, newEcho, []difference{
		{"cookie/logout", logout, "200 ann []", "200 []"},
	})
}
