// Package bench runs Satchel beside its peers, in one run, so that ratios can
// be compared: absolute times depend on the machine.
//
//	cd bench && GOWORK=off go test -bench . -count 6 | tee new.txt
//
// The session has four values: an int64, two short strings, and 200 bytes.
// "read" reads all four; "write" also changes one; "anonymous" is a request
// without a cookie whose handler leaves the session alone.
package bench

import (
	"bytes"
	"encoding/gob"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/gorilla/sessions"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/httpadapter"
	"github.com/satchel-go/satchel/core/memstore"
)

var payload = bytes.Repeat([]byte("x"), 200)

// peer is one library on one backend: handlers that do the same.
type peer struct {
	name              string
	fill, read, write http.Handler
	untouched         http.Handler
}

func satchel(b *testing.B, name string, backend core.Backend) peer {
	m, err := core.New(backend, core.Config{})
	if err != nil {
		b.Fatal(err)
	}
	id, user, role := core.NewKey[int64]("id"), core.NewKey[string]("name"), core.NewKey[string]("role")
	blob := core.NewKey[[]byte]("blob")
	read := func(s *core.Session) {
		_, a := id.Get(s)
		_, b := user.Get(s)
		_, c := role.Get(s)
		_, d := blob.Get(s)
		if !a || !b || !c || !d {
			panic("a value is missing")
		}
	}
	handler := func(f func(*core.Session)) http.Handler {
		return httpadapter.Middleware(m)(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { f(httpadapter.Session(r)) }))
	}
	n := int64(0)
	return peer{
		name: name,
		fill: handler(func(s *core.Session) {
			id.Set(s, 1234567)
			user.Set(s, "Ann Example")
			role.Set(s, "editor")
			blob.Set(s, payload)
		}),
		read:      handler(read),
		write:     handler(func(s *core.Session) { read(s); n++; id.Set(s, n) }),
		untouched: httpadapter.Middleware(m)(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})),
	}
}

func scsMemory() peer {
	m := scs.New()
	m.IdleTimeout = 30 * time.Minute
	gob.Register(int64(0))
	handler := func(f func(*http.Request)) http.Handler {
		return m.LoadAndSave(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { f(r) }))
	}
	read := func(r *http.Request) {
		if m.GetInt64(r.Context(), "id") == 0 || m.GetString(r.Context(), "name") == "" ||
			m.GetString(r.Context(), "role") == "" || m.GetBytes(r.Context(), "blob") == nil {
			panic("a value is missing")
		}
	}
	n := int64(0)
	return peer{
		name: "memory/scs",
		fill: handler(func(r *http.Request) {
			m.Put(r.Context(), "id", int64(1234567))
			m.Put(r.Context(), "name", "Ann Example")
			m.Put(r.Context(), "role", "editor")
			m.Put(r.Context(), "blob", payload)
		}),
		read:      handler(read),
		write:     handler(func(r *http.Request) { read(r); n++; m.Put(r.Context(), "id", n) }),
		untouched: handler(func(*http.Request) {}),
	}
}

func gorillaCookie() peer {
	store := sessions.NewCookieStore(bytes.Repeat([]byte("h7"), 16), bytes.Repeat([]byte("b9"), 16))
	get := func(r *http.Request) *sessions.Session {
		s, err := store.Get(r, "session")
		if err != nil {
			panic(err)
		}
		return s
	}
	read := func(r *http.Request) *sessions.Session {
		s := get(r)
		_, a := s.Values["id"].(int64)
		_, b := s.Values["name"].(string)
		_, c := s.Values["role"].(string)
		_, d := s.Values["blob"].([]byte)
		if !a || !b || !c || !d {
			panic("a value is missing")
		}
		return s
	}
	save := func(w http.ResponseWriter, r *http.Request, s *sessions.Session) {
		if err := s.Save(r, w); err != nil {
			panic(err)
		}
	}
	n := int64(0)
	return peer{
		name: "cookie/gorilla",
		fill: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			s := get(r)
			s.Values["id"], s.Values["name"], s.Values["role"], s.Values["blob"] = int64(1234567), "Ann Example", "editor", payload
			save(w, r, s)
		}),
		read:      http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { read(r) }),
		write:     http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { s := read(r); n++; s.Values["id"] = n; save(w, r, s) }),
		untouched: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}),
	}
}

// sink is a ResponseWriter that costs nothing.
type sink struct{ h http.Header }

func (s *sink) Header() http.Header         { return s.h }
func (s *sink) Write(b []byte) (int, error) { return len(b), nil }
func (s *sink) WriteHeader(int)             {}

func BenchmarkSession(b *testing.B) {
	keys, err := core.ParseKeyring(core.GenerateKey())
	if err != nil {
		b.Fatal(err)
	}
	store := memstore.New()
	defer func() { _ = store.Close() }()
	for _, p := range []peer{
		satchel(b, "memory/satchel", core.ServerSide(store)), scsMemory(),
		satchel(b, "cookie/satchel", core.ClientSide(core.NewCookieSealer(keys))), gorillaCookie(),
	} {
		w := httptest.NewRecorder()
		p.fill.ServeHTTP(w, httptest.NewRequestWithContext(b.Context(), http.MethodGet, "https://example.com/", nil))
		cookie, _, _ := strings.Cut(w.Header().Get("Set-Cookie"), ";")
		for _, c := range []struct {
			name   string
			h      http.Handler
			cookie bool
		}{{"read", p.read, true}, {"write", p.write, true}, {"anonymous", p.untouched, false}} {
			b.Run(p.name+"/"+c.name, func(b *testing.B) {
				r := httptest.NewRequestWithContext(b.Context(), http.MethodGet, "https://example.com/", nil)
				if c.cookie {
					r.Header.Set("Cookie", cookie)
				}
				w := &sink{h: http.Header{}}
				b.ReportAllocs()
				for b.Loop() {
					clear(w.h)
					// A request of its own: gorilla keeps sessions in the request's context.
					c.h.ServeHTTP(w, r.WithContext(r.Context()))
				}
				b.ReportMetric(float64(len(cookie)), "cookie-bytes")
			})
		}
	}
}
