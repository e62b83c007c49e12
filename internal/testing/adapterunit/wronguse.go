package adapterunit

import (
	"fmt"
	"strings"
	"testing"

	"github.com/satchel-go/satchel/core"
)

// Wrong use says what to do. testWithoutMiddleware covers the missing middleware.

// Names fails the test unless a panic's value, or an error, contains all parts.
func Names(t *testing.T, v any, parts ...string) {
	t.Helper()
	text := fmt.Sprint(v)
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("it says %q, want %q in it", text, part)
		}
	}
}

func (f Framework[C, L]) testMiddlewareWithoutManager(t *testing.T) {
	t.Helper()
	Names(t, PanicOf(func() { f.Middleware(nil) }), f.Name+": Middleware: the Manager is nil", "core.New")
}

func (f Framework[C, L]) testMiddlewareOfTwoManagersWithOneCookie(t *testing.T) {
	t.Helper()
	outer, _ := ServerSide(t, core.Config{})
	inner, _ := ServerSide(t, core.Config{})
	var said any
	r := f.Serve(t, func(c C) error {
		t.Error("the handler was called")
		return f.Text(c, 200, "ok")
	}, "", f.Recovery(), f.catch(&said), f.Middleware(outer), f.Middleware(inner))
	if r.Status != 500 {
		t.Errorf("status %d", r.Status)
	}
	Names(t, said, "two Managers", "__Host-session", "use one Manager", "another Config.Cookie.Name")
}

func (f Framework[C, L]) testSessionOfWrongManager(t *testing.T) {
	t.Helper()
	m, _ := ServerSide(t, core.Config{})
	other, _ := ServerSide(t, core.Config{})
	f.Serve(t, func(c C) error {
		Names(t, PanicOf(func() { f.SessionOf(c, other) }), "no session of this Manager", f.Name+".Middleware of the same Manager")
		return f.Text(c, 200, "ok")
	}, "", f.Middleware(m)).Wants(t, 200, "ok")
}

func (f Framework[C, L]) testWithSessionWithoutSession(t *testing.T) {
	t.Helper()
	f.Serve(t, func(c C) error {
		Names(t, PanicOf(func() { f.WithSession(c, nil) }), "the session is nil", "Manager.NewSession")
		return f.Text(c, 200, "ok")
	}, "").Wants(t, 200, "ok")
}

func (f Framework[C, L]) testUseAfterTheRequest(t *testing.T) {
	t.Helper()
	for _, strict := range []bool{false, true} {
		m, _ := ServerSide(t, core.Config{Strict: strict})
		var s *core.Session
		f.Serve(t, func(c C) error {
			s = f.Session(c)
			s.Set("k", "v")
			return f.Text(c, 200, "ok")
		}, "", f.Middleware(m)).Wants(t, 200, "ok")
		if v, _ := core.Get[string](s, "k"); v != "v" {
			t.Errorf("reads %q after the request", v)
		}
		v := PanicOf(func() { s.Set("k", "late") })
		if strict {
			Names(t, v, "strict mode", `set "k"`, "too late", "before the handler returns", "Manager.Update")
		} else if v != nil {
			t.Errorf("panicked with %v", v)
		}
		Names(t, s.Err(), `set "k"`, "too late", "before the handler returns", "Manager.Update")
	}
}
