package core_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/httpadapter"
	"github.com/satchel-go/satchel/core/memstore"
)

// A flash waits for the page that shows it. Redirects and server errors in
// between do not use it up, even if they read it.
func Example_flash() {
	sessions, err := core.New(core.ServerSide(memstore.New(memstore.Config{})), core.Config{})
	if err != nil {
		panic(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /save", func(w http.ResponseWriter, r *http.Request) {
		httpadapter.Session(r).Flash("success", "Saved.")
		http.Redirect(w, r, "/old", http.StatusSeeOther)
	})
	mux.HandleFunc("GET /old", func(w http.ResponseWriter, r *http.Request) {
		_ = httpadapter.Session(r).Flashes() // by a layout that all pages share
		http.Redirect(w, r, "/new", http.StatusSeeOther)
	})
	mux.HandleFunc("GET /new", func(w http.ResponseWriter, r *http.Request) {
		for _, f := range httpadapter.Session(r).Flashes() {
			fmt.Fprintf(w, "%s: %s", f.Kind, f.Text)
		}
	})

	app := httpadapter.Middleware(sessions)(mux)
	jar := map[string]*http.Cookie{} // a client that keeps cookies
	do := func(method, path string) string {
		r := httptest.NewRequestWithContext(context.Background(), method, "https://example.com"+path, nil)
		for _, c := range jar {
			r.AddCookie(c)
		}
		w := httptest.NewRecorder()
		app.ServeHTTP(w, r)
		for _, c := range w.Result().Cookies() {
			jar[c.Name] = c
		}
		return w.Body.String()
	}
	do(http.MethodPost, "/save")
	do(http.MethodGet, "/old")
	fmt.Printf("%q\n", do(http.MethodGet, "/new"))
	fmt.Printf("%q\n", do(http.MethodGet, "/new"))
	// Output:
	// "success: Saved."
	// ""
}

// A typed flash carries a value to the next page, such as the errors in a form.
func ExampleFlashKey() {
	type problems map[string]string
	form := core.NewFlashKey[problems]("form")

	sessions, err := core.New(core.ServerSide(memstore.New(memstore.Config{})), core.Config{})
	if err != nil {
		panic(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /signup", func(w http.ResponseWriter, r *http.Request) {
		form.Add(httpadapter.Session(r), problems{"email": "is not an address"})
		http.Redirect(w, r, "/signup", http.StatusSeeOther)
	})
	mux.HandleFunc("GET /signup", func(w http.ResponseWriter, r *http.Request) {
		if p, ok := form.Take(httpadapter.Session(r)); ok {
			fmt.Fprint(w, "email ", p["email"])
		}
	})

	app := httpadapter.Middleware(sessions)(mux)
	jar := map[string]*http.Cookie{} // a client that keeps cookies
	do := func(method, path string) string {
		r := httptest.NewRequestWithContext(context.Background(), method, "https://example.com"+path, nil)
		for _, c := range jar {
			r.AddCookie(c)
		}
		w := httptest.NewRecorder()
		app.ServeHTTP(w, r)
		for _, c := range w.Result().Cookies() {
			jar[c.Name] = c
		}
		return w.Body.String()
	}
	do(http.MethodPost, "/signup")
	fmt.Println(do(http.MethodGet, "/signup"))
	// Output:
	// email is not an address
}
