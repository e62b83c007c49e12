// Command gin is the demo application on Gin. The pages are in internal/demo;
// this file shows sessions in Gin.
package main

import (
	"log"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/examples/internal/demo"
	"github.com/satchel-go/satchel/examples/internal/setup"
	"github.com/satchel-go/satchel/ginadapter"
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
	app := demo.New(sessions, "Gin")

	gin.SetMode(gin.ReleaseMode)
	r := gin.New()
	r.SetHTMLTemplate(demo.Templates)
	// Recovery goes outside, so that a panic undoes unsaved changes.
	r.Use(gin.Recovery(), ginadapter.Middleware(sessions))
	r.StaticFS("/static", http.FS(demo.Static))

	r.GET("/", show(app.Home))
	r.GET("/devices", show(app.Devices))
	r.GET("/live", show(app.Live))
	r.GET("/live/events", events(app))
	for path, do := range app.Forms() {
		r.POST(path, submit(do))
	}

	server := &http.Server{
		Handler:           demo.Protect(r), // against forms of other sites
		ReadHeaderTimeout: 10 * time.Second,
	}
	log.Fatal(server.Serve(listener))
}

// show answers with a page. The session is saved before its first byte leaves.
func show(page demo.Show) gin.HandlerFunc {
	return func(c *gin.Context) {
		p := page(ginadapter.Session(c))
		c.HTML(p.Status, "page", p)
	}
}

// submit carries out a form, and redirects to the page that shows its messages.
func submit(do demo.Do) gin.HandlerFunc {
	return func(c *gin.Context) {
		next := do(ginadapter.Session(c), c.PostForm)
		c.Redirect(http.StatusSeeOther, next)
	}
}

// events streams to an open page until its session ends.
func events(app *demo.App) gin.HandlerFunc {
	return func(c *gin.Context) {
		id := ginadapter.Session(c).ID()
		c.Header("Content-Type", "text/event-stream")
		app.Stream(c.Request.Context(), id, c.Writer, http.NewResponseController(c.Writer).Flush)
	}
}
