// Command echo is the demo application on Echo: sign in, see a flash message
// once, count visits, sign out.
package main

import (
	"log"
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"
	"github.com/labstack/echo/v4/middleware"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/echoadapter"
	"github.com/satchel-go/satchel/examples/internal/page"
	"github.com/satchel-go/satchel/examples/internal/setup"
)

// visits is a session value with its type. It needs no registration.
var visits = core.NewKey[int]("visits")

func main() {
	// In your program: backend := core.ServerSide(memstore.New())
	backend, listener := setup.FromFlags()

	sessions, err := core.New(backend, core.Config{
		// On this machine there is no TLS, and Safari keeps no Secure cookie
		// without it. Leave this out in production.
		InsecureAllowHTTP: true,
	})
	if err != nil {
		log.Fatal(err)
	}

	e := echo.New()
	e.HideBanner, e.HidePort = true, true
	e.Renderer = &echo.TemplateRenderer{Template: page.Template}
	// Recover goes outside, so that a panic undoes what was not yet saved.
	e.Use(middleware.Recover(), echoadapter.Middleware(sessions))
	e.GET("/", home)
	e.POST("/sign-in", signIn)
	e.POST("/sign-out", signOut)

	e.Listener = listener
	log.Fatal(e.Start(""))
}

func home(c echo.Context) error {
	s := echoadapter.Session(c)
	if s.UserID() != "" {
		// Two pages that load at the same time count as two.
		visits.Update(s, func(n int) int { return n + 1 })
	}
	n, _ := visits.Get(s)
	// The session is saved before the first byte of the page leaves.
	return c.Render(http.StatusOK, "page", page.Data{
		Framework: "Echo", User: s.UserID(), Visits: n, Flashes: s.Flashes(),
	})
}

func signIn(c echo.Context) error {
	s := echoadapter.Session(c)
	if name := strings.TrimSpace(c.FormValue("name")); name == "" || len(name) > 160 {
		s.Flash("error", "Please enter a short name.")
	} else {
		s.Login(name) // a new cookie, so that nobody knows it from before
		s.Flash("success", "Welcome, "+name+".")
	}
	return c.Redirect(http.StatusSeeOther, "/")
}

func signOut(c echo.Context) error {
	s := echoadapter.Session(c)
	s.Logout() // ends the session; what follows is in a new one
	s.Flash("info", "You have signed out.")
	return c.Redirect(http.StatusSeeOther, "/")
}
