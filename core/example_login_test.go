package core_test

import (
	"fmt"
	"maps"
	"net/http"

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

	b := newBrowser(httpadapter.Middleware(sessions)(mux))
	b.post("/visit")
	before := maps.Clone(b.cookies)
	b.post("/login")
	fmt.Println("same token:", maps.Equal(before, b.cookies))
	fmt.Println(b.get("/"))

	thief := newBrowser(b.app)
	maps.Copy(thief.cookies, b.cookies)
	b.post("/logout")
	fmt.Println(b.get("/"))
	fmt.Println("stolen cookie:", thief.get("/"))
	// Output:
	// same token: false
	// user "ann", theme "dark", flashes []
	// user "", theme "", flashes [{info Signed out.}]
	// stolen cookie: user "", theme "", flashes []
}
