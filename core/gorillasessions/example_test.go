package gorillasessions_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/gorilla/sessions"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/gorillasessions"
	"github.com/satchel-go/satchel/core/httpadapter"
	"github.com/satchel-go/satchel/core/memstore"
)

// A library that asks for a gorilla store, and a handler that reads what the
// library has stored.
func ExampleNewStore() {
	m, err := core.New(core.ServerSide(memstore.New(memstore.Config{})), core.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	var store sessions.Store = gorillasessions.NewStore(m) // gothic.Store = …

	library := func(w http.ResponseWriter, r *http.Request) error {
		s, err := store.Get(r, "library")
		if err != nil {
			return err
		}
		s.Values["step"] = 2
		s.AddFlash("Half way there.")
		return s.Save(r, w)
	}
	handler := httpadapter.Middleware(m)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := library(w, r); err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		s := httpadapter.Session(r)
		step, _ := core.Get[int](s, gorillasessions.ValueKey("library", "step"))
		flashes, _ := gorillasessions.Value[[]any](s, "library", "_flash")
		fmt.Println(step, flashes)
	}))
	handler.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(context.Background(), http.MethodGet, "/", nil))
	// Output: 2 [Half way there.]
}
