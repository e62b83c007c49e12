package sealed_test

import (
	"maps"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/httpadapter"
	"github.com/satchel-go/satchel/core/memstore"
	"github.com/satchel-go/satchel/core/storetest"
	"github.com/satchel-go/satchel/internal/testing/adapterunit"
)

// world is an application whose time stands still.
type world struct {
	*testing.T
	clock  *storetest.FakeClock
	events adapterunit.Events
	store  *memstore.Store
}

func server(t *testing.T) *world {
	t.Helper()
	w := &world{T: t, clock: storetest.NewFakeClock()}
	w.store = memstore.New(memstore.Config{Now: w.clock.Now})
	t.Cleanup(func() { _ = w.store.Close() })
	return w
}

func (w *world) manager(b core.Backend, edit ...func(*core.Config)) *core.Manager {
	w.Helper()
	c := core.Config{Now: w.clock.Now, Observer: w.events.Observe}
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
