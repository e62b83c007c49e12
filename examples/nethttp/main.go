// Command nethttp is the demo application on net/http: sign in, see a flash
// message once, count visits, sign out.
package main

import (
	"log"
	"net/http"
	"strings"
	"time"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/httpadapter"
	"github.com/satchel-go/satchel/examples/internal/page"
	"github.com/satchel-go/satchel/examples/internal/setup"
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

	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", home)
	mux.HandleFunc("POST /sign-in", signIn)
	mux.HandleFunc("POST /sign-out", signOut)

	server := &http.Server{
		Handler:           httpadapter.Middleware(sessions)(mux),
		ReadHeaderTimeout: 10 * time.Second,
	}
	log.Fatal(server.Serve(listener))
}

func home(w http.ResponseWriter, r *http.Request) {
	s := httpadapter.Session(r)
	if s.UserID() != "" {
		// Two pages that load at the same time count as two.
		visits.Update(s, func(n int) int { return n + 1 })
	}
	n, _ := visits.Get(s)
	// The session is saved before the first byte of the page leaves.
	err := page.Template.Execute(w, page.Data{
		Framework: "net/http", User: s.UserID(), Visits: n, Flashes: s.Flashes(),
	})
	if err != nil {
		log.Print(err)
	}
}

func signIn(w http.ResponseWriter, r *http.Request) {
	s := httpadapter.Session(r)
	if name := strings.TrimSpace(r.PostFormValue("name")); name == "" || len(name) > 160 {
		s.Flash("error", "Please enter a short name.")
	} else {
		s.Login(name) // a new cookie, so that nobody knows it from before
		s.Flash("success", "Welcome, "+name+".")
	}
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

func signOut(w http.ResponseWriter, r *http.Request) {
	s := httpadapter.Session(r)
	s.Logout() // ends the session; what follows is in a new one
	s.Flash("info", "You have signed out.")
	http.Redirect(w, r, "/", http.StatusSeeOther)
}
