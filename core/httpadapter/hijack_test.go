package httpadapter_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/httpadapter"
	"github.com/satchel-go/satchel/core/memstore"
)

func TestC6FailedHijackIsNotTooLate(t *testing.T) {
	m := manager(t, core.ServerSide(memstore.New(memstore.Config{})), core.Config{})
	var late error
	h := httpadapter.Middleware(m)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s := httpadapter.Session(r)
		s.Set("k", "v")
		if _, _, err := w.(http.Hijacker).Hijack(); err != nil {
			w.WriteHeader(200) // falls back to polling
		}
		late = s.Err()
	}))
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "https://x/", nil))
	if got := rec.Header().Values("Set-Cookie"); len(got) != 1 {
		t.Errorf("an ordinary response, and no cookie: %q, %v", got, late)
	}
}

func TestC4FailedHijackAndServerErrorRollBack(t *testing.T) {
	m := manager(t, core.ServerSide(memstore.New(memstore.Config{})), core.Config{})
	var id core.ID
	step := func(_ http.ResponseWriter, r *http.Request) {
		s := httpadapter.Session(r)
		s.Set("k", "first")
	}
	h := httpadapter.Middleware(m)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { step(w, r) }))
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "https://x/", nil))
	cookie, _, _ := strings.Cut(rec.Header().Get("Set-Cookie"), ";")
	step = func(w http.ResponseWriter, r *http.Request) {
		s := httpadapter.Session(r)
		id = s.ID()
		s.Set("k", "second")
		if _, _, err := w.(http.Hijacker).Hijack(); err != nil {
			http.Error(w, "cannot upgrade", 500) // what gorilla/websocket does
		}
	}
	req := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "https://x/", nil)
	req.Header.Set("Cookie", cookie)
	h.ServeHTTP(httptest.NewRecorder(), req)
	_ = m.View(t.Context(), id, func(s *core.Session) error {
		if v, _ := core.Get[string](s, "k"); v != "first" {
			t.Errorf("C4: the response is a 500 and k is %q", v)
		}
		return nil
	})
}
