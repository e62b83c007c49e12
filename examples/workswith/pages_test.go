package workswith_test

import (
	"context"
	"fmt"
	"html"
	"io"
	"net/http"
	"testing"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/httpadapter"
)

// component has the method of a templ.Component.
type component func(ctx context.Context, w io.Writer) error

func (c component) Render(ctx context.Context, w io.Writer) error { return c(ctx, w) }

// messages is what templ makes of
//
//	templ messages(flashes []core.Flash) {
//		for _, f := range flashes { <p role="status">{ f.Text }</p> }
//	}
func messages(flashes []core.Flash) component {
	return func(_ context.Context, w io.Writer) error {
		for _, f := range flashes {
			if _, err := fmt.Fprintf(w, `<p role="status">%s</p>`, html.EscapeString(f.Text)); err != nil {
				return err
			}
		}
		return nil
	}
}

func home(w http.ResponseWriter, r *http.Request) {
	_ = messages(httpadapter.Session(r).Flashes()).Render(r.Context(), w) // the client may have gone
}

func save(w http.ResponseWriter, r *http.Request) {
	s := httpadapter.Session(r)
	if r.FormValue("name") == "" {
		w.WriteHeader(http.StatusUnprocessableEntity)
		_, _ = io.WriteString(w, "<p>A name is needed.</p>") // as part of the page, not as a flash
		return
	}
	s.Flash("success", "Saved.")
	if r.Header.Get("HX-Request") != "" {
		w.Header().Set("HX-Redirect", "/") // htmx loads that page, which shows the flash
		return
	}
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

func TestTemplAndHtmx(t *testing.T) {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", home)
	mux.HandleFunc("POST /save", save)
	b := browse(t, httpadapter.Middleware(manager(t))(mux))
	b.post("/save", "name=Ann").wants(303, "")
	b.get("/").wants(200, `<p role="status">Saved.</p>`)
	b.post("/save", "name=Ann", "HX-Request", "true").wants(200, "")
	b.get("/", "HX-Request", "true", "HX-Preloaded", "true").wants(200, "") // may never be shown
	b.post("/save", "name=", "HX-Request", "true").wants(422, "<p>A name is needed.</p>")
	b.get("/").wants(200, `<p role="status">Saved.</p>`)
	b.get("/").wants(200, "")
}
