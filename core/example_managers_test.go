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
)

// Several Managers serve one application: customers and staff with cookies,
// timeouts and stores of their own.
func Example_severalManagers() {
	shop, err := core.New(core.ServerSide(memstore.New(memstore.Config{})), core.Config{})
	if err != nil {
		panic(err)
	}
	staff, err := core.New(core.ServerSide(memstore.New(memstore.Config{})), core.Config{
		Cookie:      core.Cookie{Name: "__Host-staff", SameSite: core.SameSiteStrict},
		IdleTimeout: 5 * time.Minute,
	})
	if err != nil {
		panic(err)
	}

	mux := http.NewServeMux()
	mux.HandleFunc("POST /login", func(_ http.ResponseWriter, r *http.Request) {
		httpadapter.SessionOf(r, shop).Login("ann")
	})
	mux.HandleFunc("POST /admin/login", func(_ http.ResponseWriter, r *http.Request) {
		httpadapter.SessionOf(r, staff).Login("operator")
	})
	mux.HandleFunc("GET /", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "customer %q, staff %q",
			httpadapter.SessionOf(r, shop).UserID(), httpadapter.SessionOf(r, staff).UserID())
	})

	app := httpadapter.Middleware(shop)(httpadapter.Middleware(staff)(mux))
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
	fmt.Println(do(http.MethodGet, "/"))
	do(http.MethodPost, "/admin/login")
	fmt.Println(do(http.MethodGet, "/"))
	// Output:
	// customer "ann", staff ""
	// customer "ann", staff "operator"
}
