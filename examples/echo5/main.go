// Command echo5 is the demo application on Echo v5. The pages are in
// internal/demo; this file shows sessions in Echo.
package main

import (
	"context"
	"log"
	"net/http"

	"github.com/labstack/echo/v5"
	"github.com/labstack/echo/v5/middleware"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/echov5adapter"
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
	app := demo.New(sessions, "Echo")

	e := echo.New()
	e.Renderer = &echo.TemplateRenderer{Template: demo.Templates}
	protect := echo.WrapMiddleware(demo.Protect) // against forms of other sites
	// Recover goes outside, so that a panic undoes unsaved changes.
	e.Use(middleware.Recover(), protect, echov5adapter.Middleware(sessions))
	e.StaticFS("/static", demo.Static)

	e.GET("/", show(app.Home))
	e.GET("/devices", show(app.Devices))
	e.GET("/live", show(app.Live))
	e.GET("/live/events", events(app))
	for path, do := range app.Forms() {
		e.POST(path, submit(do))
	}

	start := echo.StartConfig{Listener: listener, HideBanner: true, HidePort: true}
	log.Fatal(start.Start(context.Background(), e))
}

// show answers with a page. The session is saved before its first byte leaves.
func show(page demo.Show) echo.HandlerFunc {
	return func(c *echo.Context) error {
		p := page(echov5adapter.Session(c))
		return c.Render(p.Status, "page", p)
	}
}

// submit carries out a form, and redirects to the page that shows its messages.
func submit(do demo.Do) echo.HandlerFunc {
	return func(c *echo.Context) error {
		next := do(echov5adapter.Session(c), c.FormValue)
		return c.Redirect(http.StatusSeeOther, next)
	}
}

// events streams to an open page until its session ends.
func events(app *demo.App) echo.HandlerFunc {
	return func(c *echo.Context) error {
		id := echov5adapter.Session(c).ID()
		c.Response().Header().Set("Content-Type", "text/event-stream")
		app.Stream(c.Request().Context(), id, c.Response(), http.NewResponseController(c.Response()).Flush)
		return nil
	}
}
