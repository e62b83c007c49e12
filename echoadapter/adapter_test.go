package echoadapter

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/memstore"
)

// This file is the same in all adapters but for its first line. What differs
// between the frameworks is in framework_test.go.

const cookieName = "__Host-session"

// store is an in-memory store that can be told to fail.
type store struct {
	core.Store
	down atomic.Bool
}

func (s *store) Unwrap() core.Store { return s.Store }

func (s *store) Load(ctx context.Context, id core.ID) (core.Entry, error) {
	if s.down.Load() {
		return core.Entry{}, fmt.Errorf("%w: down", core.ErrUnavailable)
	}
	return s.Store.Load(ctx, id)
}

func (s *store) Save(ctx context.Context, id core.ID, e core.Entry, base core.Version) (core.Version, error) {
	if s.down.Load() {
		var none core.Version
		return none, fmt.Errorf("%w: down", core.ErrUnavailable)
	}
	return s.Store.Save(ctx, id, e, base)
}

// events counts what an observer is told.
type events struct {
	mu sync.Mutex
	n  map[core.EventKind]int
}

func (e *events) observe(_ context.Context, event core.Event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.n == nil {
		e.n = map[core.EventKind]int{}
	}
	e.n[event.Kind]++
}

func (e *events) count(kind core.EventKind) int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.n[kind]
}

func manager(tb testing.TB, b core.Backend, c core.Config) *core.Manager {
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

func serverSide(tb testing.TB, c core.Config) (*core.Manager, *store) {
	tb.Helper()
	s := &store{Store: memstore.New()}
	return manager(tb, core.ServerSide(s), c), s
}

func clientSide(tb testing.TB) *core.Manager {
	tb.Helper()
	keys, err := core.ParseKeyring(core.GenerateKey())
	if err != nil {
		tb.Fatal(err)
	}
	return manager(tb, core.ClientSide(core.NewCookieSealer(keys)), core.Config{})
}

// cookie returns the session cookie that a response sets, as a request sends it.
func (r reply) cookie(tb testing.TB) string {
	tb.Helper()
	for _, line := range r.header.Values("Set-Cookie") {
		if strings.HasPrefix(line, cookieName+"=") {
			pair, _, _ := strings.Cut(line, ";")
			return pair
		}
	}
	tb.Fatalf("no session cookie in %v", r.header)
	return ""
}

// stored returns the cookie of a session that f has filled.
func stored(tb testing.TB, m *core.Manager, f func(*core.Session)) string {
	tb.Helper()
	return serve(tb, func(c ctx) error {
		f(Session(c))
		return text(c, 200, "ok")
	}, "", Middleware(m)).cookie(tb)
}

func (r reply) wants(tb testing.TB, status int, body string) {
	tb.Helper()
	if r.status != status || r.body != body {
		tb.Errorf("answer is %d %q, want %d %q", r.status, r.body, status, body)
	}
}

func (r reply) wantsHeader(tb testing.TB, name string, values ...string) {
	tb.Helper()
	if got := r.header.Values(name); fmt.Sprint(got) != fmt.Sprint(values) {
		tb.Errorf("%s is %q, want %q", name, got, values)
	}
}

// panicOf returns what f panics with.
func panicOf(f func()) (v any) {
	defer func() { v = recover() }()
	f()
	return nil
}

func TestWithoutMiddleware(t *testing.T) {
	m, _ := serverSide(t, core.Config{})
	serve(t, func(c ctx) error {
		if s, ok := TrySession(c); ok || s != nil {
			t.Errorf("TrySession returned %v, %v", s, ok)
		}
		want := adapter + ": no session in this request: wrap the handler with " + adapter + ".Middleware"
		if v := panicOf(func() { Session(c) }); v != want {
			t.Errorf("Session panicked with %v, want %v", v, want)
		}
		want = adapter + ": no session of this Manager in this request: wrap the handler with " + adapter + ".Middleware of the same Manager"
		if v := panicOf(func() { SessionOf(c, m) }); v != want {
			t.Errorf("SessionOf panicked with %v, want %v", v, want)
		}
		return text(c, 200, "ok")
	}, "").wants(t, 200, "ok")
}

func TestWithSession(t *testing.T) {
	m, _ := serverSide(t, core.Config{})
	other, _ := serverSide(t, core.Config{})
	s := m.NewSession(t.Context())
	serve(t, func(c ctx) error {
		WithSession(c, s)
		if got := Session(c); got != s {
			t.Errorf("Session returned %p, want %p", got, s)
		}
		if got := SessionOf(c, m); got != s {
			t.Errorf("SessionOf returned %p, want %p", got, s)
		}
		if panicOf(func() { SessionOf(c, other) }) == nil {
			t.Error("SessionOf returned another Manager's session")
		}
		if got, ok := core.FromContext(contextOf(c)); !ok || got != s {
			t.Errorf("the context has %p, want %p", got, s)
		}
		return text(c, 200, "ok")
	}, "").wants(t, 200, "ok")
}

func TestSessions(t *testing.T) {
	outer := manager(t, core.ServerSide(memstore.New()), core.Config{Cookie: core.Cookie{Name: "__Host-outer"}})
	inner, _ := serverSide(t, core.Config{})
	r := serve(t, func(c ctx) error {
		s, ok := TrySession(c)
		if !ok || s != Session(c) || s != SessionOf(c, inner) || s == SessionOf(c, outer) {
			t.Error("Session, TrySession and SessionOf do not agree")
		}
		if got, ok := core.FromContext(contextOf(c)); !ok || got != s {
			t.Errorf("the context has %p, want %p", got, s)
		}
		SessionOf(c, outer).Set("k", "outer")
		s.Set("k", "inner")
		return text(c, 200, "ok")
	}, "", Middleware(outer), Middleware(inner))
	r.wants(t, 200, "ok")
	if n := len(r.header.Values("Set-Cookie")); n != 2 {
		t.Errorf("%d cookies, want 2: %v", n, r.header)
	}
}

func TestMountedTwice(t *testing.T) {
	var seen events
	m, _ := serverSide(t, core.Config{Observer: seen.observe})
	cookie := stored(t, m, func(s *core.Session) { s.Set("k", "v") })
	before := seen.count(core.EventSaved)
	serve(t, func(c ctx) error {
		Session(c).Set("k", "w")
		return text(c, 200, "ok")
	}, cookie, Middleware(m), Middleware(m)).wants(t, 200, "ok")
	if loads, saves := seen.count(core.EventLoaded), seen.count(core.EventSaved)-before; loads != 1 || saves != 1 {
		t.Errorf("%d loads and %d saves, want one each", loads, saves)
	}
}

func TestLoadRefused(t *testing.T) {
	m, s := serverSide(t, core.Config{})
	cookie := stored(t, m, func(s *core.Session) { s.Set("k", "v") })
	s.down.Store(true)
	r := serve(t, func(ctx) error {
		t.Error("the handler was called")
		return nil
	}, cookie, outerHeader, Middleware(m))
	wantsRefusal(t, r)
}

func TestCommitRefused(t *testing.T) {
	m, s := serverSide(t, core.Config{})
	for name, handler := range map[string]func(ctx) error{
		"text":  func(c ctx) error { return text(c, 201, "handler") },
		"empty": func(ctx) error { return nil },
		"fails": func(c ctx) error { return fail(c, 404) },
	} {
		t.Run(name, func(t *testing.T) {
			s.down.Store(true)
			r := serve(t, func(c ctx) error {
				setHeader(c, "X-Handler", "yes")
				setHeader(c, "Set-Cookie", "mine=1")
				Session(c).Set("k", "v")
				return handler(c)
			}, "", outerHeader, Middleware(m))
			wantsRefusal(t, r)
		})
	}
}

func wantsRefusal(t *testing.T, r reply) {
	t.Helper()
	r.wants(t, 503, "Service Unavailable\n")
	r.wantsHeader(t, "Content-Type", "text/plain; charset=utf-8")
	r.wantsHeader(t, "X-Content-Type-Options", "nosniff")
	r.wantsHeader(t, "X-Outer", "yes")
	r.wantsHeader(t, "X-Handler")
	r.wantsHeader(t, "Set-Cookie")
}

func TestOnError(t *testing.T) {
	m, s := serverSide(t, core.Config{})
	cookie := stored(t, m, func(s *core.Session) { s.Set("k", "v") })
	answer := onError(func(c ctx, err error) error {
		if !errors.Is(err, core.ErrUnavailable) {
			t.Errorf("the error is %v", err)
		}
		return text(c, 418, "mine")
	})
	for _, when := range []string{"load", "commit"} {
		t.Run(when, func(t *testing.T) {
			s.down.Store(when == "load")
			r := serve(t, func(c ctx) error {
				s.down.Store(true)
				setHeader(c, "X-Handler", "yes")
				Session(c).Set("k", "w")
				return text(c, 200, "handler")
			}, cookie, outerHeader, Middleware(m, answer))
			r.wants(t, 418, "mine")
			r.wantsHeader(t, "X-Outer", "yes")
			r.wantsHeader(t, "X-Handler")
			r.wantsHeader(t, "Set-Cookie")
		})
	}
}

// A handler that has written something that is held back, and then panics, is
// answered by whoever recovers as if it had written nothing.
func TestPanicWhileHolding(t *testing.T) {
	m := clientSide(t)
	cookie := stored(t, m, func(s *core.Session) { s.Flash("info", "hello") })
	r := serve(t, func(c ctx) error {
		_ = text(c, 200, "half a page")
		panic("boom")
	}, cookie, recovery(), Middleware(m))
	if r.status != http.StatusInternalServerError || strings.Contains(r.body, "half") {
		t.Errorf("answer is %d %q, want a 500", r.status, r.body)
	}
	r.wantsHeader(t, "Set-Cookie")
}

// A template reads its flashes while it runs.
func TestHeldBody(t *testing.T) {
	m := clientSide(t)
	cookie := stored(t, m, func(s *core.Session) { s.Flash("info", "hello") })
	r := serve(t, func(c ctx) error {
		_ = text(c, 404, "not found")
		Session(c).Flashes()
		return nil
	}, cookie, Middleware(m))
	r.wants(t, 404, "not found")
	if r.cookie(t) == cookie {
		t.Error("the flash was not removed")
	}
}

// The commit sees the status that the framework gives to an unknown path.
func TestNotFound(t *testing.T) {
	m, _ := serverSide(t, core.Config{})
	var seen events
	failing, _ := serverSide(t, core.Config{Observer: seen.observe, Cookie: core.Cookie{Name: "other"}})
	want := serveUnknown(t)
	got := serveUnknown(t, Middleware(m), Middleware(failing))
	got.wants(t, 404, want.body)
	got.wantsHeader(t, "Content-Type", want.header.Values("Content-Type")...)
	if n := seen.count(core.EventRolledBack); n != 0 {
		t.Errorf("%d rollbacks", n)
	}
}
