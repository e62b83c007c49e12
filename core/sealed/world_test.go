package sealed_test

import (
	"context"
	"maps"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/httpadapter"
	"github.com/satchel-go/satchel/core/memstore"
)

// clock is a clock that only the test moves.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

// events counts what the Manager tells.
type events struct {
	mu    sync.Mutex
	kinds map[core.EventKind]int
}

func (e *events) observe(_ context.Context, ev core.Event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.kinds[ev.Kind]++
}

func (e *events) count(kind core.EventKind) int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.kinds[kind]
}

// world is an application whose time stands still.
type world struct {
	*testing.T
	clock  *clock
	events *events
	store  *memstore.Store
}

func server(t *testing.T) *world {
	t.Helper()
	w := &world{T: t, clock: &clock{t: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}, events: &events{kinds: map[core.EventKind]int{}}}
	w.store = memstore.New(memstore.Config{Now: w.clock.now})
	t.Cleanup(func() { _ = w.store.Close() })
	return w
}

func (w *world) manager(b core.Backend, edit ...func(*core.Config)) *core.Manager {
	w.Helper()
	c := core.Config{Now: w.clock.now, Observer: w.events.observe}
	c.LoadTimeout, c.CommitTimeout = time.Minute, time.Minute // a busy machine is no outage
	for _, f := range edit {
		f(&c)
	}
	m, err := core.New(b, c)
	if err != nil {
		w.Fatal(err)
	}
	return m
}

func newMemory(t testing.TB) *memstore.Store {
	s := memstore.New(memstore.Config{})
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// client is a browser: it keeps cookies by name.
type client struct {
	t   *testing.T
	m   *core.Manager
	jar map[string]*http.Cookie
}

func newClient(t *testing.T, m *core.Manager) *client {
	return &client{t: t, m: m, jar: map[string]*http.Cookie{}}
}

// under is a second browser with the same cookies, on another instance.
func (c *client) under(m *core.Manager) *client { return &client{c.t, m, maps.Clone(c.jar)} }

// do is a whole request.
func (c *client) do(handler func(*core.Session)) {
	c.t.Helper()
	w, r := httptest.NewRecorder(), httptest.NewRequestWithContext(c.t.Context(), http.MethodGet, "https://example.com/", nil)
	for _, cookie := range c.jar {
		r.AddCookie(cookie)
	}
	h := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { handler(httpadapter.Session(r)) })
	httpadapter.Middleware(c.m)(h).ServeHTTP(w, r)
	if w.Code != http.StatusOK {
		c.t.Fatalf("status %d: %s", w.Code, w.Body)
	}
	for _, cookie := range w.Result().Cookies() {
		if cookie.MaxAge < 0 {
			delete(c.jar, cookie.Name)
		} else {
			c.jar[cookie.Name] = cookie
		}
	}
}

func (c *client) id() (id core.ID) {
	c.do(func(s *core.Session) { id = s.ID() })
	return id
}

func (c *client) user() (user string) {
	c.do(func(s *core.Session) { user = s.UserID() })
	return user
}

func (c *client) get(key string) (v string) {
	c.do(func(s *core.Session) { v, _ = core.Get[string](s, key) })
	return v
}
