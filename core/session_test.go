package core_test

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/memstore"
	"github.com/satchel-go/satchel/core/sealed"
)

// clock is a clock that only the test moves.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func newClock() *clock { return &clock{t: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)} }

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

// exchange is a request in memory.
type exchange struct {
	ctx       context.Context
	method    string
	cookies   []string
	header    map[string]string   // of the request
	lines     map[string][]string // of the request, for headers other than Cookie
	response  map[string]string
	setCookie []string
	resets    int
}

func (x *exchange) Context() context.Context             { return x.ctx }
func (x *exchange) Method() string                       { return x.method }
func (x *exchange) Secure() bool                         { return true }
func (x *exchange) RemoteIP() string                     { return "192.0.2.1" }
func (x *exchange) RequestPath() string                  { return "/" }
func (x *exchange) RequestHeader(name string) string     { return x.header[name] }
func (x *exchange) ResponseHeader(name string) string    { return x.response[name] }
func (x *exchange) SetResponseHeader(name, value string) { x.response[name] = value }
func (x *exchange) RequestHeaderLines(name string) []string {
	if name != "Cookie" {
		return x.lines[name]
	}
	return x.cookies
}

func (x *exchange) ResetResponse() {
	x.response = map[string]string{}
	x.setCookie = nil
	x.resets++
}

func (x *exchange) ReplaceSetCookies(lines []string, ours func(string) bool) int {
	before := len(x.setCookie)
	others := slices.DeleteFunc(slices.Clone(x.setCookie), ours)
	if len(lines) > 0 {
		x.setCookie = append(slices.Clone(others), lines...)
	}
	return before - len(others)
}

// client is a browser: it keeps cookies by name.
type client struct {
	t      *testing.T
	m      *core.Manager
	jar    map[string]string
	last   *exchange
	uses   int
	method string
	header map[string]string
}

func newClient(t *testing.T, m *core.Manager) *client {
	return &client{t: t, m: m, jar: map[string]string{}, method: "GET"}
}

// fork is a second browser with the same cookies.
func (c *client) fork() *client {
	f := newClient(c.t, c.m)
	maps.Copy(f.jar, c.jar)
	return f
}

func (c *client) exchange() *exchange {
	var pairs []string
	for k, v := range c.jar {
		pairs = append(pairs, k+"="+v)
	}
	slices.Sort(pairs)
	x := &exchange{ctx: c.t.Context(), method: c.method, header: c.header, response: map[string]string{}}
	if len(pairs) > 0 {
		x.cookies = []string{strings.Join(pairs, "; ")}
	}
	return x
}

// request is one that is under way.
type request struct {
	c *client
	x *exchange
	s *core.Session
}

func (c *client) begin() *request {
	c.t.Helper()
	x := c.exchange()
	s, err := c.m.Load(x)
	if err != nil {
		c.t.Fatalf("load: %v", err)
	}
	return &request{c, x, s}
}

func (r *request) end(status int) error {
	err := r.c.m.Commit(r.x, r.s, status)
	r.c.m.Finish(r.s)
	r.c.take(r.x)
	return err
}

func (c *client) take(x *exchange) {
	c.last = x
	for _, line := range x.setCookie {
		pair, attributes, _ := strings.Cut(line, ";")
		name, value, _ := strings.Cut(pair, "=")
		if strings.Contains(attributes, "Max-Age=0;") {
			delete(c.jar, name)
		} else {
			c.jar[name] = value
		}
	}
}

// do is a whole request with status 200.
func (c *client) do(handler func(*core.Session)) *exchange { return c.status(200, handler) }

func (c *client) status(status int, handler func(*core.Session)) *exchange {
	c.t.Helper()
	r := c.begin()
	if handler != nil {
		handler(r.s)
	}
	if err := r.end(status); err != nil {
		c.t.Fatalf("commit: %v", err)
	}
	return r.x
}

func (c *client) get(key string) string {
	c.t.Helper()
	var v string
	c.do(func(s *core.Session) { v, _ = core.Get[string](s, key) })
	return v
}

// events records the Manager's events.
type events struct {
	mu  sync.Mutex
	all []core.Event
}

func (e *events) observe(_ context.Context, ev core.Event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.all = append(e.all, ev)
}

func (e *events) count(kind core.EventKind) (n int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, ev := range e.all {
		if ev.Kind == kind {
			n++
		}
	}
	return n
}

func newMemory(t testing.TB) *memstore.Store {
	s := memstore.New(memstore.Config{})
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func newMemoryAt(t testing.TB, clock *clock) *memstore.Store {
	s := memstore.New(memstore.Config{Now: clock.now})
	t.Cleanup(func() { _ = s.Close() })
	return s
}

type world struct {
	*testing.T
	m      *core.Manager
	clock  *clock
	events *events
	store  *memstore.Store
	back   core.Backend
}

// sharing returns another Manager on the same backend.
func (w *world) sharing(edit ...func(*core.Config)) *core.Manager { return w.manager(w.back, edit...) }

// server returns a Manager on a memory store; edit changes its Config.
func server(t *testing.T, edit ...func(*core.Config)) *world {
	t.Helper()
	w := &world{T: t, clock: newClock(), events: &events{}}
	w.store = newMemoryAt(t, w.clock)
	w.back = core.ServerSide(w.store)
	w.m = w.sharing(edit...)
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

// inCookies returns a Manager whose sessions are in the cookie.
func inCookies(t *testing.T, edit ...func(*core.Config)) *world {
	t.Helper()
	keys, err := sealed.ParseKeyring(sealed.GenerateKey())
	if err != nil {
		t.Fatal(err)
	}
	w := &world{T: t, clock: newClock(), events: &events{}}
	w.back = core.ClientSide(sealed.Cookie(keys))
	w.m = w.sharing(edit...)
	return w
}

// both runs a test on a server-side and on a client-side Manager.
func both(t *testing.T, test func(t *testing.T, w *world), edit ...func(*core.Config)) {
	t.Run("memory", func(t *testing.T) { test(t, server(t, edit...)) })
	t.Run("cookie", func(t *testing.T) { test(t, inCookies(t, edit...)) })
}

func TestK2LogoutWins(t *testing.T) {
	w := server(t)
	a := newClient(t, w.m)
	a.do(func(s *core.Session) { s.Login("ann") })
	late := a.fork().begin()
	late.s.Set("k", "v")
	a.do(func(s *core.Session) { s.Logout() })
	if len(a.jar) != 0 {
		t.Errorf("SEC15: cookies after logout: %v", a.jar)
	}
	if err := late.end(200); err != nil {
		t.Fatal(err)
	}
	if len(late.x.setCookie) != 0 || w.store.Len() != 0 {
		t.Errorf("K2: a request in flight brought the session back: %q, %d stored", late.x.setCookie, w.store.Len())
	}
	if w.events.count(core.EventDropped) != 1 {
		t.Error("K2: no event told of the dropped write")
	}
}
