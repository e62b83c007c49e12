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

// An Observer receives every event of sessions, for metrics, alerts and audit logs.
// Many goroutines call it.
func ExampleObserver() {
	sessions, err := core.New(core.ServerSide(memstore.New(memstore.Config{})), core.Config{
		Observer: func(_ context.Context, e core.Event) {
			fmt.Printf("%v: %s %s %q\n", e.Level(), e.Kind, e.Reason, e.User)
		},
	})
	if err != nil {
		panic(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /login", func(_ http.ResponseWriter, r *http.Request) {
		httpadapter.Session(r).Login("ann")
	})
	mux.HandleFunc("POST /fail", func(w http.ResponseWriter, r *http.Request) {
		httpadapter.Session(r).Set("k", "v")
		w.WriteHeader(http.StatusInternalServerError)
	})

	app := httpadapter.Middleware(sessions)(mux)
	jar := map[string]*http.Cookie{} // a client that keeps cookies
	do := func(method, path string) {
		r := httptest.NewRequestWithContext(context.Background(), method, "https://example.com"+path, nil)
		for _, c := range jar {
			r.AddCookie(c)
		}
		w := httptest.NewRecorder()
		app.ServeHTTP(w, r)
		for _, c := range w.Result().Cookies() {
			jar[c.Name] = c
		}
	}
	do(http.MethodPost, "/login")
	do(http.MethodPost, "/fail")
	jar["__Host-session"].Value = "made up"
	do(http.MethodPost, "/fail")
	// Output:
	// DEBUG: absent no cookie ""
	// DEBUG: login  "ann"
	// DEBUG: finished  "ann"
	// DEBUG: loaded  "ann"
	// DEBUG: rolled back  "ann"
	// DEBUG: finished  "ann"
	// DEBUG: rejected malformed ""
	// DEBUG: rolled back  ""
	// DEBUG: finished  ""
}
