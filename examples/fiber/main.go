// Command fiber is the demo application on Fiber: sign in, see a flash message
// once, count visits, sign out.
package main

import (
	"log"
	"strings"

	"github.com/gofiber/fiber/v2"
	"github.com/gofiber/fiber/v2/middleware/recover"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/examples/internal/page"
	"github.com/satchel-go/satchel/examples/internal/setup"
	"github.com/satchel-go/satchel/fiberadapter"
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

	app := fiber.New(fiber.Config{
		DisableStartupMessage: true,
		// Fiber's own limit of 4 KiB for all headers is too small for
		// sessions that are kept in cookies.
		ReadBufferSize: 16 << 10,
	})
	// Recover goes outside, so that a panic undoes what was not yet saved.
	app.Use(recover.New(), fiberadapter.Middleware(sessions))
	app.Get("/", home)
	app.Post("/sign-in", signIn)
	app.Post("/sign-out", signOut)

	log.Fatal(app.Listener(listener))
}

func home(c *fiber.Ctx) error {
	s := fiberadapter.Session(c)
	if s.UserID() != "" {
		// Two pages that load at the same time count as two.
		visits.Update(s, func(n int) int { return n + 1 })
	}
	n, _ := visits.Get(s)
	// The session is saved before the first byte of the page leaves.
	c.Type("html", "utf-8")
	return page.Template.Execute(c, page.Data{
		Framework: "Fiber", User: s.UserID(), Visits: n, Flashes: s.Flashes(),
	})
}

func signIn(c *fiber.Ctx) error {
	s := fiberadapter.Session(c)
	if name := strings.TrimSpace(c.FormValue("name")); name == "" || len(name) > 160 {
		s.Flash("error", "Please enter a short name.")
	} else {
		s.Login(name) // a new cookie, so that nobody knows it from before
		s.Flash("success", "Welcome, "+name+".")
	}
	return c.Redirect("/", fiber.StatusSeeOther)
}

func signOut(c *fiber.Ctx) error {
	s := fiberadapter.Session(c)
	s.Logout() // ends the session; what follows is in a new one
	s.Flash("info", "You have signed out.")
	return c.Redirect("/", fiber.StatusSeeOther)
}
