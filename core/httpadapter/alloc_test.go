//go:build !race

// The race detector makes pools drop items at random, so allocations vary.

package httpadapter_test

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/httpadapter"
	"github.com/satchel-go/satchel/core/memstore"
	"github.com/satchel-go/satchel/core/sealed"
	"github.com/satchel-go/satchel/internal/testing/alloctest"
)

// sink is a ResponseWriter that allocates nothing.
type sink struct{ h http.Header }

func (s *sink) Header() http.Header         { return s.h }
func (s *sink) Write(b []byte) (int, error) { return len(b), nil }
func (s *sink) WriteHeader(int)             {}

var (
	id   = core.NewKey[int64]("id")
	name = core.NewKey[string]("name")
	role = core.NewKey[string]("role")
	blob = core.NewKey[[]byte]("blob")
)

func fill(s *core.Session) {
	id.Set(s, 1234567)
	name.Set(s, "Ann Example")
	role.Set(s, "editor")
	blob.Set(s, bytes.Repeat([]byte("x"), 200))
}

func read(s *core.Session) {
	_, ok1 := id.Get(s)
	_, ok2 := name.Get(s)
	_, ok3 := role.Get(s)
	_, ok4 := blob.Get(s)
	if !ok1 || !ok2 || !ok3 || !ok4 {
		panic("a value is missing")
	}
}

func managers(tb testing.TB) map[string]*core.Manager {
	keys, err := sealed.ParseKeyring(sealed.GenerateKey())
	if err != nil {
		tb.Fatal(err)
	}
	all := map[string]*core.Manager{}
	for name, b := range map[string]core.Backend{
		"memory": core.ServerSide(memstore.New(memstore.Config{})),
		"cookie": core.ClientSide(sealed.Cookie(keys)),
		"bearer": core.ServerSide(memstore.New(memstore.Config{})),
		"hybrid": core.Hybrid(sealed.Cookie(keys), memstore.New(memstore.Config{}), 15*time.Minute),
	} {
		c := core.Config{}
		if name == "bearer" {
			c.Carrier = core.Bearer
		}
		m, err := core.New(b, c)
		if err != nil {
			tb.Fatal(err)
		}
		all[name] = m
	}
	return all
}

// serve returns a function that serves one request with the cookie of a filled
// session.
func serve(tb testing.TB, m *core.Manager, withCookie bool, handler http.HandlerFunc) (func(), string) {
	h := httpadapter.Middleware(m)(handler)
	r := httptest.NewRequestWithContext(tb.Context(), http.MethodGet, "https://example.com/", nil)
	cookie := ""
	if withCookie {
		w := httptest.NewRecorder()
		httpadapter.Middleware(m)(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			fill(httpadapter.Session(r))
		})).ServeHTTP(w, r)
		var pairs []string
		for _, line := range w.Header().Values("Set-Cookie") {
			pair, _, _ := strings.Cut(line, ";")
			pairs = append(pairs, pair)
		}
		if cookie = strings.Join(pairs, "; "); cookie != "" {
			r.Header.Set("Cookie", cookie)
		} else {
			cookie = "Bearer " + w.Header().Get("Session-Token")
			r.Header.Set("Authorization", cookie)
		}
	}
	w := &sink{h: http.Header{}}
	return func() {
		clear(w.h)
		h.ServeHTTP(w, r)
	}, cookie
}

// cost is what a request allocates.
type cost struct{ allocs, bytes int }

func TestAllocations(t *testing.T) {
	n := int64(0)
	measured := map[string]cost{}
	for backend, m := range managers(t) {
		for _, c := range []struct {
			name    string
			cookie  bool
			most    map[string]cost
			handler http.HandlerFunc
		}{
			{"untouched", false, map[string]cost{"memory": {2, 450}, "cookie": {2, 450}, "bearer": {2, 450}, "hybrid": {2, 450}}, func(http.ResponseWriter, *http.Request) {}},
			{"read", true, map[string]cost{"memory": {9, 1700}, "cookie": {12, 3600}, "bearer": {9, 1700}, "hybrid": {13, 3700}}, func(_ http.ResponseWriter, r *http.Request) {
				read(httpadapter.Session(r))
			}},
			{"write", true, map[string]cost{"memory": {16, 3100}, "cookie": {26, 7300}, "bearer": {16, 3100}, "hybrid": {35, 9600}}, func(_ http.ResponseWriter, r *http.Request) {
				s := httpadapter.Session(r)
				read(s)
				n++
				id.Set(s, n)
			}},
		} {
			f, cookie := serve(t, m, c.cookie, c.handler)
			allocs, bytes := alloctest.PerRun(f)
			got := cost{allocs, bytes}
			measured[backend+" "+c.name] = got
			t.Logf("%s, %s: %d allocations of %d bytes, cookie %d bytes", backend, c.name, allocs, bytes, len(cookie))
			if most := c.most[backend]; allocs > most.allocs || bytes > most.bytes {
				t.Errorf("%s, %s: %d allocations of %d bytes, budget %d of %d", backend, c.name, allocs, bytes, most.allocs, most.bytes)
			}
			budget := 480
			if backend == "hybrid" {
				budget += 64 + len("__Host-session=; ") // for the token
			}
			if len(cookie) > budget {
				t.Errorf("%s: the cookie has %d bytes, budget %d", backend, len(cookie), budget)
			}
		}
	}
	for _, name := range []string{"untouched", "read", "write"} {
		if header, cookie := measured["bearer "+name], measured["memory "+name]; header.allocs > cookie.allocs {
			t.Errorf("%s: %v with the token in a header, %v in a cookie", name, header, cookie)
		}
	}
}

// TestSEC53ForeignTokensAllocateNothing: a header with another issuer's token costs what a
// request without one does.
func TestSEC53ForeignTokensAllocateNothing(t *testing.T) {
	const foreign = "eyJhbGciOiJSUzI1NiIsImtpZCI6ImV4YW1wbGUiLCJ0eXAiOiJKV1QifQ.eyJpc3MiOiJ4In0."
	m := managers(t)["bearer"]
	h := httpadapter.Middleware(m)(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	allocations := func(lines ...string) float64 {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "https://example.com/", nil)
		r.Header["Authorization"] = lines
		w := &sink{h: http.Header{}}
		return testing.AllocsPerRun(200, func() { clear(w.h); h.ServeHTTP(w, r) })
	}
	without := allocations()
	for what, line := range map[string]string{
		"another issuer's": "Bearer " + foreign + strings.Repeat("A", 342), "Basic": "Basic eDp5", "long": "Bearer " + strings.Repeat("A", 100_000), "empty": "Bearer",
	} {
		if got := allocations(line); got > without {
			t.Errorf("%s: %v allocations, %v without a token", what, got, without)
		}
	}
}

func BenchmarkHTTP(b *testing.B) {
	n := int64(0)
	for backend, m := range managers(b) {
		for name, handler := range map[string]http.HandlerFunc{
			"read":  func(_ http.ResponseWriter, r *http.Request) { read(httpadapter.Session(r)) },
			"write": func(_ http.ResponseWriter, r *http.Request) { s := httpadapter.Session(r); read(s); n++; id.Set(s, n) },
		} {
			f, _ := serve(b, m, true, handler)
			b.Run(backend+"/"+name, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					f()
				}
			})
		}
	}
}
