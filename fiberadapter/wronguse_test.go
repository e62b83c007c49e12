package fiberadapter

import (
	"fmt"
	"strings"
	"testing"

	"github.com/satchel-go/satchel/core"
)

// This file is the same in all adapters but for its first line: wrong use says
// what to do. The missing middleware is in TestWithoutMiddleware.

// names fails the test unless what was panicked with, or an error, has all parts.
func names(t *testing.T, v any, parts ...string) {
	t.Helper()
	text := fmt.Sprint(v)
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("it says %q, want %q in it", text, part)
		}
	}
}

func TestMiddlewareWithoutManager(t *testing.T) {
	names(t, panicOf(func() { Middleware(nil) }), adapter+": Middleware: the Manager is nil", "core.New")
}

func TestMiddlewareOfTwoManagersWithOneCookie(t *testing.T) {
	outer, _ := serverSide(t, core.Config{})
	inner, _ := serverSide(t, core.Config{})
	var said any
	r := serve(t, func(c ctx) error {
		t.Error("the handler was called")
		return text(c, 200, "ok")
	}, "", recovery(), catch(&said), Middleware(outer), Middleware(inner))
	if r.status != 500 {
		t.Errorf("status %d", r.status)
	}
	names(t, said, "two Managers", "__Host-session", "use one Manager", "another Config.Cookie.Name")
}

func TestSessionOfWrongManager(t *testing.T) {
	m, _ := serverSide(t, core.Config{})
	other, _ := serverSide(t, core.Config{})
	serve(t, func(c ctx) error {
		names(t, panicOf(func() { SessionOf(c, other) }), "no session of this Manager", adapter+".Middleware of the same Manager")
		return text(c, 200, "ok")
	}, "", Middleware(m)).wants(t, 200, "ok")
}

func TestWithSessionWithoutSession(t *testing.T) {
	serve(t, func(c ctx) error {
		names(t, panicOf(func() { WithSession(c, nil) }), "the session is nil", "Manager.NewSession")
		return text(c, 200, "ok")
	}, "").wants(t, 200, "ok")
}

func TestUseAfterTheRequest(t *testing.T) {
	for _, strict := range []bool{false, true} {
		m, _ := serverSide(t, core.Config{Strict: strict})
		var s *core.Session
		serve(t, func(c ctx) error {
			s = Session(c)
			s.Set("k", "v")
			return text(c, 200, "ok")
		}, "", Middleware(m)).wants(t, 200, "ok")
		if v, _ := core.Get[string](s, "k"); v != "v" {
			t.Errorf("reads %q after the request", v)
		}
		v := panicOf(func() { s.Set("k", "late") })
		if strict {
			names(t, v, "strict mode", `set "k"`, "too late", "before the handler returns", "Manager.Update")
		} else if v != nil {
			t.Errorf("panicked with %v", v)
		}
		names(t, s.Err(), `set "k"`, "too late", "before the handler returns", "Manager.Update")
	}
}
