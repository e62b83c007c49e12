package core_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
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
	app := httpadapter.Middleware(sessions)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s := httpadapter.Session(r)
		visits.Update(s, func(n int) int { return n + 1 })
		n, _ := visits.Get(s)
		fmt.Fprint(w, n)
	}))
	visit := func(cookies []*http.Cookie) *httptest.ResponseRecorder {
		r := httptest.NewRequestWithContext(context.Background(), http.MethodGet, "https://example.com/", nil)
		for _, c := range cookies {
			r.AddCookie(c)
		}
		w := httptest.NewRecorder()
		app.ServeHTTP(w, r)
		return w
	}
	cookies := visit(nil).Result().Cookies()

	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() { visit(cookies) }) // from another tab
	}
	wg.Wait()
	fmt.Println(visit(cookies).Body)
	// Output:
	// 52
}
