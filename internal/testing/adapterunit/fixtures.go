package adapterunit

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/memstore"
	"github.com/satchel-go/satchel/core/sealed"
)

// CookieName is the default one.
const CookieName = "__Host-session"

// Store is an in-memory store that can be told to fail.
type Store struct {
	core.Store
	Down atomic.Bool
}

// Unwrap exposes optional abilities.
func (s *Store) Unwrap() core.Store { return s.Store }

// Load implements [core.Store].
func (s *Store) Load(ctx context.Context, id core.ID) (core.Entry, error) {
	if s.Down.Load() {
		return core.Entry{}, fmt.Errorf("%w: down", core.ErrUnavailable)
	}
	return s.Store.Load(ctx, id)
}

// Save implements [core.Store].
func (s *Store) Save(ctx context.Context, id core.ID, e core.Entry, base core.Version) (core.Version, error) {
	if s.Down.Load() {
		var none core.Version
		return none, fmt.Errorf("%w: down", core.ErrUnavailable)
	}
	return s.Store.Save(ctx, id, e, base)
}

// Events counts the events that an observer gets.
type Events struct {
	mu sync.Mutex
	n  map[core.EventKind]int
}

// Observe is for Config.Observer.
func (e *Events) Observe(_ context.Context, event core.Event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.n == nil {
		e.n = map[core.EventKind]int{}
	}
	e.n[event.Kind]++
}

// Count returns how many events of kind there were.
func (e *Events) Count(kind core.EventKind) int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.n[kind]
}

// Manager returns a Manager that does not log.
func Manager(tb testing.TB, b core.Backend, c core.Config) *core.Manager {
	tb.Helper()
	if c.Observer == nil {
		c.Observer = core.SlogObserver(slog.New(slog.DiscardHandler))
	}
	m, err := core.New(b, c)
	if err != nil {
		tb.Fatal(err)
	}
	return m
}

// ServerSide returns a Manager on a store in memory, and the store.
func ServerSide(tb testing.TB, c core.Config) (*core.Manager, *Store) {
	tb.Helper()
	s := &Store{Store: memstore.New(memstore.Config{})}
	return Manager(tb, core.ServerSide(s), c), s
}

// ClientSide returns a Manager of sessions in cookies.
func ClientSide(tb testing.TB, c core.Config) *core.Manager {
	tb.Helper()
	keys, err := sealed.ParseKeyring(sealed.GenerateKey())
	if err != nil {
		tb.Fatal(err)
	}
	return Manager(tb, core.ClientSide(sealed.Cookie(keys)), c)
}

// Cookie returns the session cookie that a response sets, as a request sends it.
func (r Reply) Cookie(tb testing.TB) string {
	tb.Helper()
	for _, line := range r.Header.Values("Set-Cookie") {
		if strings.HasPrefix(line, CookieName+"=") {
			pair, _, _ := strings.Cut(line, ";")
			return pair
		}
	}
	tb.Fatalf("no session cookie in %v", r.Header)
	return ""
}

// Wants fails the test unless r has this status and body.
func (r Reply) Wants(tb testing.TB, status int, body string) {
	tb.Helper()
	if r.Status != status || r.Body != body {
		tb.Errorf("answer is %d %q, want %d %q", r.Status, r.Body, status, body)
	}
}

// WantsHeader fails the test unless the header has exactly these values.
func (r Reply) WantsHeader(tb testing.TB, name string, values ...string) {
	tb.Helper()
	if got := r.Header.Values(name); fmt.Sprint(got) != fmt.Sprint(values) {
		tb.Errorf("%s is %q, want %q", name, got, values)
	}
}

// PanicOf returns the value that f panics with.
func PanicOf(f func()) (v any) {
	defer func() { v = recover() }()
	f()
	return nil
}

// Reply is the response that a client gets.
type Reply struct {
	Status int
	Header http.Header
	Body   string
}

// Request answers one request with a framework that is an http.Handler.
func Request(tb testing.TB, h http.Handler, path, cookie string) Reply {
	tb.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, request(tb, path, cookie))
	return Reply{w.Code, w.Result().Header, w.Body.String()}
}

// Bare is Framework.Bare for a framework that is an http.Handler.
func Bare(tb testing.TB, h http.Handler, cookie string) func() {
	tb.Helper()
	r, w := request(tb, "/", cookie), &sink{h: http.Header{}}
	return func() {
		clear(w.h)
		h.ServeHTTP(w, r)
	}
}

func request(tb testing.TB, path, cookie string) *http.Request {
	tb.Helper()
	r := httptest.NewRequestWithContext(tb.Context(), http.MethodGet, path, nil)
	if cookie != "" {
		r.Header.Set("Cookie", cookie)
	}
	return r
}

// sink is a ResponseWriter that costs nothing.
type sink struct{ h http.Header }

func (s *sink) Header() http.Header                  { return s.h }
func (s *sink) Write(b []byte) (int, error)          { return len(b), nil }
func (s *sink) WriteString(text string) (int, error) { return len(text), nil }
func (s *sink) WriteHeader(int)                      {}
