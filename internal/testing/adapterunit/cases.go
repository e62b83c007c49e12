package adapterunit

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/memstore"
)

// orElse is what else may be wrong where a session is missing.
const orElse = "if it is, Skip leaves this request out, or code inside has replaced the request's context: derive the new context from the old"

func (f Framework[C, L]) testWithoutMiddleware(t *testing.T) {
	t.Helper()
	m, _ := ServerSide(t, core.Config{})
	f.Serve(t, func(c C) error {
		if s, ok := f.TrySession(c); ok || s != nil {
			t.Errorf("TrySession returned %v, %v", s, ok)
		}
		want := f.Name + ": no session in this request: wrap the handler with " + f.Name + ".Middleware; " + orElse
		if v := PanicOf(func() { f.Session(c) }); v != want {
			t.Errorf("Session panicked with %v, want %v", v, want)
		}
		want = f.Name + ": no session of this Manager in this request: wrap the handler with " + f.Name + ".Middleware of the same Manager; " + orElse
		if v := PanicOf(func() { f.SessionOf(c, m) }); v != want {
			t.Errorf("SessionOf panicked with %v, want %v", v, want)
		}
		return f.Text(c, 200, "ok")
	}, "").Wants(t, 200, "ok")
}

func (f Framework[C, L]) testWithSession(t *testing.T) {
	t.Helper()
	m, _ := ServerSide(t, core.Config{})
	other, _ := ServerSide(t, core.Config{})
	s := m.NewSession(t.Context())
	f.Serve(t, func(c C) error {
		f.WithSession(c, s)
		if got := f.Session(c); got != s {
			t.Errorf("Session returned %p, want %p", got, s)
		}
		if got := f.SessionOf(c, m); got != s {
			t.Errorf("SessionOf returned %p, want %p", got, s)
		}
		if PanicOf(func() { f.SessionOf(c, other) }) == nil {
			t.Error("SessionOf returned another Manager's session")
		}
		if got, ok := core.FromContext(f.Context(c)); !ok || got != s {
			t.Errorf("the context has %p, want %p", got, s)
		}
		return f.Text(c, 200, "ok")
	}, "").Wants(t, 200, "ok")
}

func (f Framework[C, L]) testSessions(t *testing.T) {
	t.Helper()
	outer := Manager(t, core.ServerSide(memstore.New(memstore.Config{})), core.Config{Cookie: core.Cookie{Name: "__Host-outer"}})
	inner, _ := ServerSide(t, core.Config{})
	r := f.Serve(t, func(c C) error {
		s, ok := f.TrySession(c)
		if !ok || s != f.Session(c) || s != f.SessionOf(c, inner) || s == f.SessionOf(c, outer) {
			t.Error("Session, TrySession and SessionOf do not agree")
		}
		if got, ok := core.FromContext(f.Context(c)); !ok || got != s {
			t.Errorf("the context has %p, want %p", got, s)
		}
		f.SessionOf(c, outer).Set("k", "outer")
		s.Set("k", "inner")
		return f.Text(c, 200, "ok")
	}, "", f.Middleware(outer), f.Middleware(inner))
	r.Wants(t, 200, "ok")
	if n := len(r.Header.Values("Set-Cookie")); n != 2 {
		t.Errorf("%d cookies, want 2: %v", n, r.Header)
	}
}

func (f Framework[C, L]) testMountedTwice(t *testing.T) {
	t.Helper()
	var seen Events
	m, _ := ServerSide(t, core.Config{Observer: seen.Observe})
	cookie := f.Stored(t, m, func(s *core.Session) { s.Set("k", "v") })
	before := seen.Count(core.EventSaved)
	f.Serve(t, func(c C) error {
		f.Session(c).Set("k", "w")
		return f.Text(c, 200, "ok")
	}, cookie, f.Middleware(m), f.Middleware(m)).Wants(t, 200, "ok")
	if loads, saves := seen.Count(core.EventLoaded), seen.Count(core.EventSaved)-before; loads != 1 || saves != 1 {
		t.Errorf("%d loads and %d saves, want one each", loads, saves)
	}
}

func (f Framework[C, L]) testLoadRefused(t *testing.T) {
	t.Helper()
	m, s := ServerSide(t, core.Config{})
	cookie := f.Stored(t, m, func(s *core.Session) { s.Set("k", "v") })
	s.Down.Store(true)
	r := f.Serve(t, func(C) error {
		t.Error("the handler was called")
		return nil
	}, cookie, f.outerHeader(), f.Middleware(m))
	wantsRefusal(t, r)
}

func (f Framework[C, L]) testCommitRefused(t *testing.T) {
	t.Helper()
	m, s := ServerSide(t, core.Config{})
	for name, handler := range map[string]func(C) error{
		"text":  func(c C) error { return f.Text(c, 201, "handler") },
		"empty": func(C) error { return nil },
		"fails": func(c C) error { return f.Fail(c, 404) },
	} {
		t.Run(name, func(t *testing.T) {
			s.Down.Store(true)
			r := f.Serve(t, func(c C) error {
				f.SetHeader(c, "X-Handler", "yes")
				f.SetHeader(c, "Set-Cookie", "mine=1")
				f.Session(c).Set("k", "v")
				return handler(c)
			}, "", f.outerHeader(), f.Middleware(m))
			wantsRefusal(t, r)
		})
	}
}

func wantsRefusal(t *testing.T, r Reply) {
	t.Helper()
	r.Wants(t, 503, "Service Unavailable\n")
	r.WantsHeader(t, "Content-Type", "text/plain; charset=utf-8")
	r.WantsHeader(t, "X-Content-Type-Options", "nosniff")
	r.WantsHeader(t, "X-Outer", "yes")
	r.WantsHeader(t, "X-Handler")
	r.WantsHeader(t, "Set-Cookie")
}

func (f Framework[C, L]) testOnError(t *testing.T) {
	t.Helper()
	m, s := ServerSide(t, core.Config{})
	cookie := f.Stored(t, m, func(s *core.Session) { s.Set("k", "v") })
	answer := func(c C, err error) error {
		if !errors.Is(err, core.ErrUnavailable) {
			t.Errorf("the error is %v", err)
		}
		return f.Text(c, 418, "mine")
	}
	for _, when := range []string{"load", "commit"} {
		t.Run(when, func(t *testing.T) {
			s.Down.Store(when == "load")
			r := f.Serve(t, func(c C) error {
				s.Down.Store(true)
				f.SetHeader(c, "X-Handler", "yes")
				f.Session(c).Set("k", "w")
				return f.Text(c, 200, "handler")
			}, cookie, f.outerHeader(), f.OnError(m, answer))
			r.Wants(t, 418, "mine")
			r.WantsHeader(t, "X-Outer", "yes")
			r.WantsHeader(t, "X-Handler")
			r.WantsHeader(t, "Set-Cookie")
		})
	}
}

// If a handler's output is held back and the handler panics, the middleware that
// recovers answers as if the handler had written nothing.
func (f Framework[C, L]) testPanicWhileHolding(t *testing.T) {
	t.Helper()
	m := ClientSide(t, core.Config{})
	cookie := f.Stored(t, m, func(s *core.Session) { s.Flash("info", "hello") })
	r := f.Serve(t, func(c C) error {
		_ = f.Text(c, 200, "half a page")
		panic("boom")
	}, cookie, f.Recovery(), f.Middleware(m))
	if r.Status != http.StatusInternalServerError || strings.Contains(r.Body, "half") {
		t.Errorf("answer is %d %q, want a 500", r.Status, r.Body)
	}
	r.WantsHeader(t, "Set-Cookie")
}

// A template reads its flashes while it runs.
func (f Framework[C, L]) testHeldBody(t *testing.T) {
	t.Helper()
	m := ClientSide(t, core.Config{})
	cookie := f.Stored(t, m, func(s *core.Session) { s.Flash("info", "hello") })
	r := f.Serve(t, func(c C) error {
		_ = f.Text(c, 404, "not found")
		f.Session(c).Flashes()
		return nil
	}, cookie, f.Middleware(m))
	r.Wants(t, 404, "not found")
	if r.Cookie(t) == cookie {
		t.Error("the flash was not removed")
	}
}

// The commit sees the framework's status for an unknown path.
func (f Framework[C, L]) testNotFound(t *testing.T) {
	t.Helper()
	m, _ := ServerSide(t, core.Config{})
	var seen Events
	failing, _ := ServerSide(t, core.Config{Observer: seen.Observe, Cookie: core.Cookie{Name: "other"}})
	want := f.ServeUnknown(t)
	got := f.ServeUnknown(t, f.Middleware(m), f.Middleware(failing))
	got.Wants(t, 404, want.Body)
	got.WantsHeader(t, "Content-Type", want.Header.Values("Content-Type")...)
	if n := seen.Count(core.EventRolledBack); n != 0 {
		t.Errorf("%d rollbacks", n)
	}
}

// The middleware restores the framework's own writer when it returns, even after a panic.
func (f Framework[C, L]) testWriterIsRestored(t *testing.T) {
	t.Helper()
	m, _ := ServerSide(t, core.Config{})
	for name, handler := range map[string]func(C) error{
		"returns": func(c C) error { return f.Text(c, 200, "ok") },
		"panics":  func(C) error { panic("boom") },
	} {
		t.Run(name, func(t *testing.T) {
			f.Serve(t, handler, "", f.Around(func(c C, next func() error) error {
				before := f.Writer(c)
				_ = PanicOf(func() { _ = next() })
				if got := f.Writer(c); got != before {
					t.Errorf("the writer is a %T", got)
				}
				return nil
			}), f.Middleware(m))
		})
	}
}
