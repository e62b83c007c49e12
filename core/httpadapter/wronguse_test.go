package httpadapter_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/httpadapter"
	"github.com/satchel-go/satchel/core/memstore"
)

// The message for each misuse says what to do.
func TestWrongUse(t *testing.T) {
	m := manager(t, core.ServerSide(memstore.New(memstore.Config{})), core.Config{})
	other := manager(t, core.ServerSide(memstore.New(memstore.Config{})), core.Config{})
	request := func() *http.Request {
		return httptest.NewRequestWithContext(t.Context(), http.MethodGet, "https://x/", nil)
	}
	serve := func(f http.HandlerFunc, around ...*core.Manager) {
		h := http.Handler(f)
		for _, m := range around {
			h = httpadapter.Middleware(m)(h)
		}
		h.ServeHTTP(httptest.NewRecorder(), request())
	}
	nobody := func(http.ResponseWriter, *http.Request) { t.Error("the handler was called") }
	for name, test := range map[string]struct {
		f    func()
		want []string
	}{
		"no middleware": {func() { httpadapter.Session(request()) }, []string{"wrap the handler with httpadapter.Middleware"}},
		"fresh context": {func() {
			serve(func(_ http.ResponseWriter, r *http.Request) { httpadapter.Session(r.WithContext(t.Context())) }, m)
		}, []string{"replaced the request's context", "derive the new context from the old"}},
		"no Manager":   {func() { httpadapter.Middleware(nil) }, []string{"the Manager is nil", "core.New"}},
		"no session":   {func() { httpadapter.WithSession(request(), nil) }, []string{"the session is nil", "Manager.NewSession"}},
		"two Managers": {func() { serve(nobody, m, other) }, []string{"use one Manager", "another Config.Cookie.Name"}},
		"other Manager's": {func() {
			serve(func(_ http.ResponseWriter, r *http.Request) { httpadapter.SessionOf(r, other) }, m)
		}, []string{"no session of this Manager", "httpadapter.Middleware of the same Manager"}},
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				v := fmt.Sprint(recover())
				for _, part := range test.want {
					if !strings.Contains(v, part) {
						t.Errorf("it says %q, want %q in it", v, part)
					}
				}
			}()
			test.f()
		})
	}
}
