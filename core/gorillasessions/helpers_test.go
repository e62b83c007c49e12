package gorillasessions

import (
	"cmp"
	"context"
	"encoding/gob"
	"errors"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/sessions"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/httpadapter"
	"github.com/satchel-go/satchel/core/memstore"
	"github.com/satchel-go/satchel/core/sealed"
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
	t       *testing.T
	m       *core.Manager
	store   *Store
	with    bool // Satchel's middleware
	now     time.Time
	cookies map[string]string
	method  string // "" for GET
	site    string // Sec-Fetch-Site, if not ""
}

// backends are one of each kind.
func backends() map[string]func() core.Backend {
	return map[string]func() core.Backend{
		"memory": func() core.Backend { return core.ServerSide(memstore.New(memstore.Config{})) },
		"cookie": func() core.Backend {
			keys, err := sealed.ParseKeyring(sealed.GenerateKey())
			if err != nil {
				panic(err) // cannot be: it was made for this
			}
			return core.ClientSide(sealed.Cookie(keys))
		},
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
	v := &visitor{t: t, with: with, now: time.Now(), cookies: map[string]string{}}
	c := core.Config{
		Now:      func() time.Time { return v.now },
		Observer: func(context.Context, core.Event) {},
	}
	c.Cookie.Name = "session"
	if edit != nil {
		edit(&c)
	}
	m, err := core.New(backend, c)
	if err != nil {
		t.Fatal(err)
	}
	v.m, v.store = m, NewStore(m)
	return v
}

// do serves one request of a handler behind the middleware.
func (v *visitor) do(handle func(*core.Session)) {
	v.t.Helper()
	v.serve(func(w http.ResponseWriter, r *http.Request) {
		httpadapter.Middleware(v.m)(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			handle(httpadapter.Session(r))
		})).ServeHTTP(w, r)
	})
}

// serve serves one request with h, for a browser that keeps cookies.
func (v *visitor) serve(h http.HandlerFunc) *httptest.ResponseRecorder {
	v.t.Helper()
	w := v.answer(h)
	v.keep(w)
	return w
}

// keep notes the cookies that a response sets.
func (v *visitor) keep(w *httptest.ResponseRecorder) {
	for _, c := range w.Result().Cookies() {
		if c.MaxAge < 0 {
			delete(v.cookies, c.Name)
		} else {
			v.cookies[c.Name] = c.Value
		}
	}
}

// answer is serve without keeping cookies.
func (v *visitor) answer(h http.HandlerFunc) *httptest.ResponseRecorder {
	r := httptest.NewRequestWithContext(v.t.Context(), cmp.Or(v.method, http.MethodGet), "https://example.com/", nil)
	if v.site != "" {
		r.Header.Set("Sec-Fetch-Site", v.site)
	}
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
