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

// Login binds the session to a user and changes its token. Logout ends it and
// leaves a new, empty session to say goodbye with.
func Example_login() {
	sessions, err := core.New(core.ServerSide(memstore.New(memstore.Config{})), core.Config{})
	if err != nil {
		panic(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /visit", func(_ http.ResponseWriter, r *http.Request) {
		httpadapter.Session(r).Set("theme", "dark")
	})
	mux.HandleFunc("POST /login", func(_ http.ResponseWriter, r *http.Request) {
		httpadapter.Session(r).Login("ann") // the password has been checked
	})
	mux.HandleFunc("POST /logout", func(_ http.ResponseWriter, r *http.Request) {
		s := httpadapter.Session(r)
		s.Logout()
		s.Flash("info", "Signed out.")
	})
	mux.HandleFunc("GET /", func(w http.ResponseWriter, r *http.Request) {
		s := httpadapter.Session(r)
		theme, _ := core.Get[string](s, "theme")
		fmt.Fprintf(w, "user %q, theme %q, flashes %v", s.UserID(), theme, s.Flashes())
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

	do(http.MethodPost, "/visit")
	before := *jar["__Host-session"]
	do(http.MethodPost, "/login")
	stolen := *jar["__Host-session"]
	fmt.Println("same token:", before.Value == stolen.Value)
	fmt.Println(do(http.MethodGet, "/"))

	do(http.MethodPost, "/logout")
	fmt.Println(do(http.MethodGet, "/"))
	jar["__Host-session"] = &stolen
	fmt.Println("stolen cookie:", do(http.MethodGet, "/"))
	// Output:
	// same token: false
	// user "ann", theme "dark", flashes []
	// user "", theme "", flashes [{info Signed out.}]
	// stolen cookie: user "", theme "", flashes []
}
