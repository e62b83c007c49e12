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

// A background job changes a session by its ID, which is safe to keep in a
// queue because it gives no access to the session.
func ExampleManager_Update() {
	sessions, err := core.New(core.ServerSide(memstore.New(memstore.Config{})), core.Config{})
	if err != nil {
		panic(err)
	}
	jobs := make(chan core.ID, 1)
	mux := http.NewServeMux()
	mux.HandleFunc("POST /export", func(_ http.ResponseWriter, r *http.Request) {
		s := httpadapter.Session(r)
		s.Set("export", "running")
		if err := s.Commit(r.Context()); err != nil { // a new session has an ID once it is stored
			panic(err)
		}
		jobs <- s.ID()
	})
	mux.HandleFunc("GET /", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, httpadapter.Session(r).Flashes())
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
	do(http.MethodPost, "/export")

	err = sessions.Update(context.Background(), <-jobs, func(s *core.Session) error {
		s.Delete("export")
		s.Flash("success", "Your export is ready.")
		return nil
	})
	fmt.Println(err)
	fmt.Println(do(http.MethodGet, "/"))
	// Output:
	// <nil>
	// [{success Your export is ready.}]
}
