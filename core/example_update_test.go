package core_test

import (
	"fmt"
	"net/http"
	"sync"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/httpadapter"
	"github.com/satchel-go/satchel/core/memstore"
)

// Requests of one client overlap. Update loses no count: if another request
// was faster, its function runs again on the newest value.
func ExampleKey_Update() {
	visits := core.NewKey[int]("visits")

	sessions, err := core.New(core.ServerSide(memstore.New(memstore.Config{})), core.Config{})
	if err != nil {
		panic(err)
	}
	b := newBrowser(httpadapter.Middleware(sessions)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s := httpadapter.Session(r)
		visits.Update(s, func(n int) int { return n + 1 })
		n, _ := visits.Get(s)
		fmt.Fprint(w, n)
	})))
	b.get("/")

	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			tab := newBrowser(b.app) // another tab, with the same cookies
			tab.cookies["__Host-session"] = b.cookies["__Host-session"]
			tab.get("/")
		})
	}
	wg.Wait()
	fmt.Println(b.get("/"))
	// Output:
	// 52
}
