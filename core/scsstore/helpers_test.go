package scsstore

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/httpadapter"
)

// memory is a store of scs with a clock, which can fail, and tells what it was asked.
type memory struct {
	mu    sync.Mutex
	now   func() time.Time
	all   map[string]item
	asked []string
	fail  func(op string) error
}

type item struct {
	data   []byte
	expiry time.Time
}

func newMemory() *memory { return &memory{now: time.Now, all: map[string]item{}} }

func (m *memory) call(op, token string) error {
	m.mu.Lock()
	m.asked = append(m.asked, op+" "+token)
	fail := m.fail
	m.mu.Unlock()
	if fail != nil {
		return fail(op)
	}
	return nil
}

// Find implements [scs.Store].
func (m *memory) Find(token string) ([]byte, bool, error) {
	if err := m.call("find", token); err != nil {
		return nil, false, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	i, ok := m.all[token]
	if !ok || !m.now().Before(i.expiry) {
		return nil, false, nil
	}
	return i.data, true, nil
}

// Commit implements [scs.Store].
func (m *memory) Commit(token string, b []byte, expiry time.Time) error {
	if err := m.call("commit", token); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.all[token] = item{b, expiry}
	return nil
}

// Delete implements [scs.Store].
func (m *memory) Delete(token string) error {
	if err := m.call("delete", token); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.all, token)
	return nil
}

func (m *memory) content() map[string]item {
	m.mu.Lock()
	defer m.mu.Unlock()
	return maps.Clone(m.all)
}

func (m *memory) set(fail func(op string) error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.fail = fail
}

// newOld returns a SessionManager on store, with the defaults of scs.
func newOld(store scs.Store) *scs.SessionManager {
	old := scs.New()
	old.Store = store
	return old
}

var ourKeys = Config{UserKey: "user", Flashes: map[string]string{"flash": "flash", "oops": "error"}}

// site is an application on Satchel and on scs, with one client.
type site struct {
	t       testing.TB
	m       *core.Manager
	old     *scs.SessionManager
	cookies map[string]string
	last    []*http.Cookie // that the last response set

	now    time.Time
	mu     sync.Mutex
	events []core.Event
}

// newSite returns a site on backend. If store is a memory, it has the site's clock.
func newSite(t testing.TB, old *scs.SessionManager, backend core.Backend, edit func(*core.Config)) *site {
	t.Helper()
	s := &site{t: t, old: old, now: time.Now(), cookies: map[string]string{}}
	c := ConfigOf(old)
	c.InsecureAllowHTTP, c.Now = true, func() time.Time { return s.now }
	c.Observer = func(_ context.Context, e core.Event) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.events = append(s.events, e)
	}
	if edit != nil {
		edit(&c)
	}
	m, err := core.New(backend, c)
	if err != nil {
		t.Fatal(err)
	}
	if store, ok := old.Store.(*memory); ok {
		store.now = c.Now
	}
	s.m = m
	return s
}

// request returns a request with the client's cookies.
func (s *site) request() *http.Request {
	r := httptest.NewRequestWithContext(s.t.Context(), http.MethodGet, "http://example.com/", nil)
	for name, value := range s.cookies {
		r.Header.Add("Cookie", name+"="+value)
	}
	return r
}

func (s *site) serve(h http.Handler) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, s.request())
	s.last = w.Result().Cookies()
	for _, c := range s.last {
		if c.MaxAge < 0 {
			delete(s.cookies, c.Name)
		} else {
			s.cookies[c.Name] = c.Value
		}
	}
	return w
}

// do serves one request of Satchel's.
func (s *site) do(handle func(*core.Session)) *httptest.ResponseRecorder {
	s.t.Helper()
	return s.serve(httpadapter.Middleware(s.m)(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		handle(httpadapter.Session(r))
	})))
}

// scs serves one request of scs's.
func (s *site) scs(handle func(ctx context.Context)) {
	s.t.Helper()
	w := s.serve(s.old.LoadAndSave(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { handle(r.Context()) })))
	if w.Code != http.StatusOK {
		s.t.Fatalf("scs: status %d", w.Code)
	}
}

// loginSCS logs user in with scs, and puts k=v.
func (s *site) loginSCS(user any) {
	s.t.Helper()
	s.scs(func(ctx context.Context) {
		if err := s.old.RenewToken(ctx); err != nil {
			s.t.Fatal(err)
		}
		s.old.Put(ctx, "user", user)
		s.old.Put(ctx, "k", "v")
	})
}

// has checks whose session it is, and what it has under k.
func (s *site) has(user, k string) {
	s.t.Helper()
	if w := s.do(func(x *core.Session) {
		if got, _ := core.Get[string](x, "k"); x.UserID() != user || got != k {
			s.t.Errorf("user %q with k %q, want %q with %q", x.UserID(), got, user, k)
		}
	}); w.Code != http.StatusOK {
		s.t.Errorf("status %d: %s", w.Code, s.said())
	}
}

// said returns everything that events say.
func (s *site) said() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var b strings.Builder
	for _, e := range s.events {
		fmt.Fprintf(&b, "%v %+v %#v %v\n", e, e, e, e.Err)
	}
	return b.String()
}

var errDown = errors.New("down")
