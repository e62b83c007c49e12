package core_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/httpadapter"
	"github.com/satchel-go/satchel/core/memstore"
	"github.com/satchel-go/satchel/core/sealed"
)

// Pages come from the client's copy, without a call of the store, for half a minute. What
// posts a form always sees the newest state.
func ExampleHybrid() {
	keys, err := sealed.ParseKeyring(sealed.GenerateKey()) // an application has its own, in SESSION_KEYS
	if err != nil {
		panic(err)
	}
	store := memstore.New(memstore.Config{}) // or goredisstore.New(client, goredisstore.Config{})
	sessions, err := core.New(core.Hybrid(sealed.Cookie(keys), store, 30*time.Second), core.Config{})
	if err != nil {
		panic(err)
	}
	mux := http.NewServeMux()
	who := func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "user %q", httpadapter.Session(r).UserID())
	}
	mux.HandleFunc("GET /", who)
	mux.HandleFunc("POST /", who)
	mux.HandleFunc("POST /login", func(_ http.ResponseWriter, r *http.Request) { httpadapter.Session(r).Login("ann") })
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

	do(http.MethodPost, "/login")
	if err := sessions.RevokeAll(context.Background()); err != nil {
		panic(err)
	}
	fmt.Println("a page:", do(http.MethodGet, "/"))
	fmt.Println("a form:", do(http.MethodPost, "/"))
	fmt.Println("a page after that:", do(http.MethodGet, "/"))
	// Output:
	// a page: user "ann"
	// a form: user ""
	// a page after that: user ""
}
