package gorillastore

import (
	"context"
	"encoding/gob"
	"errors"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"github.com/gorilla/sessions"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/httpadapter"
	"github.com/satchel-go/satchel/core/memstore"
)

// person is a value of an application that uses gorilla/sessions.
type person struct {
	Name  string
	Roles []string
	Seen  map[string]int
}

// keyType is a key of such an application.
type keyType int

func init() {
	gob.Register(&person{})
	gob.Register(keyType(0))
}

// flakyStore can be told to fail.
type flakyStore struct {
	core.Store
	down    atomic.Bool
	saves   atomic.Int64
	loading chan<- context.Context // told of each Load, if not nil
}

func (s *flakyStore) Load(ctx context.Context, id core.ID) (core.Entry, error) {
	if s.loading != nil {
		s.loading <- ctx
	}
	if s.down.Load() {
		return core.Entry{}, errors.New("down")
	}
	return s.Store.Load(ctx, id)
}

func (s *flakyStore) Save(ctx context.Context, id core.ID, e core.Entry, base core.Version) (core.Version, error) {
	s.saves.Add(1)
	if s.down.Load() {
		return 0, errors.New("down")
	}
	return s.Store.Save(ctx, id, e, base)
}

// ways are how requests reach a handler that has a Store.
var ways = []struct {
	name string
	with bool // Satchel's middleware
}{{"behind the middleware", true}, {"bare", false}}

// visitor is a client of a program with a Store.
type visitor struct {
	*site

	store *Store
	with  bool
}

// backends are those that this module can reach by itself.
func backends() map[string]func() core.Backend {
	return map[string]func() core.Backend{
		"memory":         func() core.Backend { return core.ServerSide(memstore.New()) },
		"gorilla-cookie": func() core.Backend { return Cookie(pair("a")...) },
	}
}

// everywhere runs f for each backend and way.
func everywhere(t *testing.T, f func(t *testing.T, v *visitor)) {
	t.Helper()
	for name, backend := range backends() {
		for _, way := range ways {
			t.Run(name+" "+way.name, func(t *testing.T) { f(t, newVisitor(t, backend(), way.with, nil)) })
		}
	}
}

func newVisitor(t *testing.T, backend core.Backend, with bool, edit func(*core.Config)) *visitor {
	t.Helper()
	s := newSite(t, backend, edit)
	return &visitor{s, NewStore(s.m), with}
}

// serve serves one request with h.
func (v *visitor) serve(h http.HandlerFunc) *httptest.ResponseRecorder {
	v.t.Helper()
	w := v.answer(h)
	v.keep(w)
	return w
}

// answer is serve without keeping cookies.
func (v *visitor) answer(h http.HandlerFunc) *httptest.ResponseRecorder {
	r := httptest.NewRequestWithContext(v.t.Context(), http.MethodGet, "https://example.com/", nil)
	for name, value := range v.cookies {
		r.Header.Add("Cookie", name+"="+value)
	}
	w := httptest.NewRecorder()
	var handler http.Handler = h
	if v.with {
		handler = httpadapter.Middleware(v.m)(h)
	}
	handler.ServeHTTP(w, r)
	return w
}

// edit serves a request that gets the session, changes it and saves it.
func (v *visitor) edit(name string, change func(*sessions.Session)) *httptest.ResponseRecorder {
	v.t.Helper()
	return v.serve(func(w http.ResponseWriter, r *http.Request) {
		s := v.get(r, name)
		change(s)
		if err := s.Save(r, w); err != nil {
			v.t.Errorf("save %q: %v", name, err)
		}
	})
}

// look serves a request that gets the session and does not save it.
func (v *visitor) look(name string, see func(*sessions.Session)) {
	v.t.Helper()
	v.serve(func(_ http.ResponseWriter, r *http.Request) { see(v.get(r, name)) })
}

func (v *visitor) get(r *http.Request, name string) *sessions.Session {
	v.t.Helper()
	s, err := v.store.Get(r, name)
	if err != nil || s == nil {
		v.t.Fatalf("get %q: %v, %v", name, s, err)
	}
	return s
}

// want compares the value of a gorilla session, with its type.
func want(t *testing.T, s *sessions.Session, key, value any) {
	t.Helper()
	if !bytesOrDeepEqual(s.Values[key], value) {
		t.Errorf("%s: %v is %#v, want %#v", s.Name(), key, s.Values[key], value)
	}
}
