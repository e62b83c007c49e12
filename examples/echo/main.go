// Command echo is the demo application on Echo v4. The pages are in
// internal/demo; this file shows sessions in Echo.
package main

import (
	"log"
	"net/http"

	"github.com/labstack/echo/v4"
	"github.com/labstack/echo/v4/middleware"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/echoadapter"
	"github.com/satchel-go/satchel/examples/internal/demo"
	"github.com/satchel-go/satchel/examples/internal/setup"
)

func main() {
	// In your program: backend := core.ServerSide(memstore.New(memstore.Config{}))
	backend, listener := setup.FromFlags()
	sessions, err := core.New(backend, core.Config{
		Describe:          demo.Device, // names each session for the list of devices
		InsecureAllowHTTP: true,        // because there is no TLS here; leave this out in production
	})
	if err != nil {
		log.Fatal(err)
	}
	app := demo.New(sessions, "Echo v4")

	e := echo.New()
	e.HideBanner, e.HidePort = true, true
	e.Renderer = &echo.TemplateRenderer{Template: demo.Templates}
	protect := echo.WrapMiddleware(demo.Protect) // against forms of other sites
	// Recover goes outside, so that a panic undoes unsaved changes.
	e.Use(middleware.Recover(), protect, echoadapter.Middleware(sessions))
	e.StaticFS("/static", demo.Static)

	e.GET("/", show(app.Home))
	e.GET("/devices", show(app.Devices))
	e.GET("/live", show(app.Live))
	e.GET("/live/events", events(app))
	for path, do := range app.Forms() {
		e.POST(path, submit(do))
	}

	e.Listener = listener
	log.Fatal(e.Start(""))
}

// show answers with a page. The session is saved before its first byte leaves.
func show(page demo.Show) echo.HandlerFunc {
	return func(c echo.Context) error {
		p := page(echoadapter.Session(c))
		return c.Render(p.Status, "page", p)
	}
}

// submit carries out a form, and redirects to the page that shows its messages.
func submit(do demo.Do) echo.HandlerFunc {
	return func(c echo.Context) error {
		next := do(echoadapter.Session(c), c.FormValue)
		return c.Redirect(http.StatusSeeOther, next)
	}
}

// events streams to an open page until its session ends.
func events(app *demo.App) echo.HandlerFunc {
	return func(c echo.Context) error {
		id := echoadapter.Session(c).ID()
		c.Response().Header().Set("Content-Type", "text/event-stream")
		app.Stream(c.Request().Context(), id, c.Response(), http.NewResponseController(c.Response()).Flush)
		return nil
	}
}
