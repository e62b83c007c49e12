// Command fiber is the demo application on Fiber v2. The pages are in
// internal/demo; this file shows sessions in Fiber.
package main

import (
	"bufio"
	"context"
	"log"
	"net/http"

	"github.com/gofiber/fiber/v2"
	"github.com/gofiber/fiber/v2/middleware/adaptor"
	"github.com/gofiber/fiber/v2/middleware/filesystem"
	"github.com/gofiber/fiber/v2/middleware/recover"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/examples/internal/demo"
	"github.com/satchel-go/satchel/examples/internal/setup"
	"github.com/satchel-go/satchel/fiberadapter"
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
	demoApp := demo.New(sessions, "Fiber v2")

	app := fiber.New(fiber.Config{
		DisableStartupMessage: true,
		ReadBufferSize:        16 << 10, // the default of 4 KiB is too little for sessions in cookies
	})
	// Recover goes outside, so that a panic undoes unsaved changes.
	app.Use(recover.New(), protect, fiberadapter.Middleware(sessions))
	app.Use("/static", filesystem.New(filesystem.Config{Root: http.FS(demo.Static)}))

	app.Get("/", show(demoApp.Home))
	app.Get("/devices", show(demoApp.Devices))
	app.Get("/live", show(demoApp.Live))
	app.Get("/live/events", events(demoApp))
	for path, do := range demoApp.Forms() {
		app.Post(path, submit(do))
	}

	log.Fatal(app.Listener(listener))
}

// show answers with a page. The session is saved before its first byte leaves.
func show(page demo.Show) fiber.Handler {
	return func(c *fiber.Ctx) error {
		p := page(fiberadapter.Session(c))
		c.Status(p.Status).Type("html", "utf-8")
		return demo.Templates.ExecuteTemplate(c, "page", p)
	}
}

// submit carries out a form, and redirects to the page that shows its messages.
func submit(do demo.Do) fiber.Handler {
	return func(c *fiber.Ctx) error {
		next := do(fiberadapter.Session(c), func(field string) string { return c.FormValue(field) })
		return c.Redirect(next, fiber.StatusSeeOther)
	}
}

// events streams to an open page until its session ends.
func events(app *demo.App) fiber.Handler {
	return func(c *fiber.Ctx) error {
		id := fiberadapter.Session(c).ID()
		c.Set("Content-Type", "text/event-stream")
		c.Context().SetBodyStreamWriter(func(w *bufio.Writer) { // runs after the request
			app.Stream(context.Background(), id, w, w.Flush)
		})
		return nil
	}
}

// protect is demo.Protect for Fiber: it refuses forms that other sites submit.
func protect(c *fiber.Ctx) error {
	for name, value := range demo.Headers {
		c.Set(name, value)
	}
	r, err := adaptor.ConvertRequest(c, false)
	if err != nil || http.NewCrossOriginProtection().Check(r) != nil {
		return fiber.ErrForbidden
	}
	return c.Next()
}
