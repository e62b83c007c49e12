package core_test

import (
	"fmt"
	"net/http"
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

	b := newBrowser(httpadapter.Middleware(shop)(httpadapter.Middleware(staff)(mux)))
	b.post("/login")
	fmt.Println(b.get("/"))
	b.post("/admin/login")
	fmt.Println(b.get("/"))
	// Output:
	// customer "ann", staff ""
	// customer "ann", staff "operator"
}
