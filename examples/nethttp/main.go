// Command nethttp is the demo application on net/http. The pages are in
// internal/demo; this file shows sessions in net/http.
package main

import (
	"log"
	"net/http"
	"time"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/httpadapter"
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
	app := demo.New(sessions, "net/http")

	mux := http.NewServeMux()
	mux.Handle("GET /static/", http.StripPrefix("/static", http.FileServerFS(demo.Static)))
	mux.Handle("GET /{$}", show(app.Home))
	mux.Handle("GET /devices", show(app.Devices))
	mux.Handle("GET /live", show(app.Live))
	mux.Handle("GET /live/events", events(app))
	for path, do := range app.Forms() {
		mux.Handle("POST "+path, submit(do))
	}

	server := &http.Server{
		Handler:           demo.Protect(httpadapter.Middleware(sessions)(mux)), // against forms of other sites
		ReadHeaderTimeout: 10 * time.Second,
	}
	log.Fatal(server.Serve(listener))
}

// show answers with a page. The session is saved before its first byte leaves.
func show(page demo.Show) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		p := page(httpadapter.Session(r))
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.WriteHeader(p.Status)
		if err := demo.Templates.ExecuteTemplate(w, "page", p); err != nil {
			log.Print(err)
		}
	}
}

// submit carries out a form, and redirects to the page that shows its messages.
func submit(do demo.Do) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		next := do(httpadapter.Session(r), r.PostFormValue)
		http.Redirect(w, r, next, http.StatusSeeOther)
	}
}

// events streams to an open page until its session ends.
func events(app *demo.App) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		id := httpadapter.Session(r).ID()
		w.Header().Set("Content-Type", "text/event-stream")
		app.Stream(r.Context(), id, w, http.NewResponseController(w).Flush)
	}
}
