package sessiontest_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/sessiontest"
)

// A check fails if it cannot look at what it should check.
func TestWhatCannotBeComparedFails(t *testing.T) {
	loop := map[string]any{}
	loop["loop"] = loop
	anything, typed := core.NewKey[any]("visits"), core.NewFlashKey[any]("any notice")
	for name, test := range map[string]struct {
		f    func(c *sessiontest.Client)
		want string
	}{
		"absent, of another type":    {func(c *sessiontest.Client) { sessiontest.WantAbsent(c, core.NewKey[string]("visits")) }, `want no value "visits": session value "visits": decode`},
		"value that nobody keeps":    {func(c *sessiontest.Client) { sessiontest.Want(c, anything, any(func() {})) }, `cannot be stored: session value "visits": encode func()`},
		"flash that nobody keeps":    {func(c *sessiontest.Client) { sessiontest.WantTyped(c, typed, any(func() {})) }, "cannot be stored"},
		"value that contains itself": {func(c *sessiontest.Client) { sessiontest.Want(c, anything, any(loop)) }, `cannot be stored: session value "visits": encode map`},
		"absent, contains itself":    {func(c *sessiontest.Client) { sessiontest.Want(c, core.NewKey[any]("absent"), any(loop)) }, `cannot be stored: session value "absent": encode map`},
		"flash that contains itself": {func(c *sessiontest.Client) { sessiontest.WantTyped(c, core.NewFlashKey[any]("absent"), any(loop)) }, "cannot be stored"},
		"another typed flash":        {func(c *sessiontest.Client) { sessiontest.WantTyped(c, typed, any("b")) }, "the typed flash is a, want b"},
		"another flash":              {func(c *sessiontest.Client) { c.WantFlashes(core.Flash{Kind: "info", Text: "Bye."}) }, `waiting: info "Hello.", want info "Bye."`},
		"more than one flash waits":  {func(c *sessiontest.Client) { c.WantFlashes(make([]core.Flash, 2)...) }, `waiting: info "Hello.", want `},
	} {
		t.Run(name, func(t *testing.T) {
			wants(t, failed(t, func(tb testing.TB) {
				test.f(sessiontest.New(tb).Login("alice", sessiontest.With(visits, 3), func(s *core.Session) {
					s.Flash("info", "Hello.")
					typed.Add(s, "a")
				}))
			}), test.want)
		})
	}
}

// The story covers only the last request, and is not too long.
func TestStoryOfAFailure(t *testing.T) {
	for name, next := range map[string]func(c *sessiontest.Client){
		"session": func(c *sessiontest.Client) { c.Session() },
		"request": func(c *sessiontest.Client) { c.Request("GET", "/", nil) },
		"jar":     func(c *sessiontest.Client) { c.Jar().Cookies(nil) },
	} {
		text := failed(t, func(tb testing.TB) {
			st := sessiontest.New(tb)
			alice := st.Login("alice")
			st.Advance(time.Second)
			next(alice)
			alice.WantUser("bob")
		})
		if strings.Contains(text, "time moved") {
			t.Errorf("%s: a story from before: %s", name, text)
		}
	}
	text := failed(t, func(tb testing.TB) {
		st := sessiontest.New(tb)
		alice := st.Login("alice")
		h := app(st, map[string]func(*core.Session, http.ResponseWriter, *http.Request){
			"/": func(s *core.Session, _ http.ResponseWriter, r *http.Request) {
				for i := range 20 {
					visits.Set(s, i)
					_ = s.Commit(r.Context()) // reported by the events
				}
				s.Set("f", func() {})
			},
		})
		for i := range 20 {
			st.Advance(time.Duration(i) * time.Second)
		}
		alice.WantUser("bob")
		alice.Do(h, alice.Request("GET", "/", nil))
		alice.WantUser("bob")
	})
	wants(t, text, "Since the last request began: time moved by 8s; ", "time moved by 19s", "Since the last request began: ", "saved; failed", "encode func()")
	if n := strings.Count(text, "saved"); n != 1 {
		t.Errorf("the same event is reported %d times: %s", n, text)
	}
}

// A mistake is reported with its place, if that is in the application.
func TestPlaceOfAMistake(t *testing.T) {
	text := failed(t, func(tb testing.TB) {
		st := sessiontest.New(tb)
		id := st.Login("alice").Session().ID()
		if err := st.Manager.View(tb.Context(), id, func(s *core.Session) error { visits.Set(s, 1); return nil }); err != nil {
			tb.Error(err)
		}
	})
	wants(t, text, "want_test.go:", "read-only")
	text = failed(t, func(tb testing.TB) {
		st := sessiontest.New(tb)
		h := app(st, map[string]func(*core.Session, http.ResponseWriter, *http.Request){
			"/": func(s *core.Session, w http.ResponseWriter, _ *http.Request) {
				_, _ = fmt.Fprint(w, "hello")
				visits.Set(s, 1) // found when the handler returns
			},
		})
		visitor := st.Visitor()
		visitor.Do(h, visitor.Request("GET", "/", nil))
	})
	wants(t, text, "too late")
	if strings.Contains(text, ".go:") {
		t.Errorf("the message names a place that did nothing wrong: %s", text)
	}
}

func TestMistakesMayBeToldToOthers(t *testing.T) {
	var told error
	wants(t, failed(t, func(tb testing.TB) {
		st := sessiontest.New(tb, func(c *core.Config) { c.OnMistake = func(err error) { told = err } })
		alice := st.Login("alice")
		s := alice.Session()
		alice.End(200)
		visits.Set(s, 1)
	}))
	if !errors.Is(told, core.ErrTooLate) {
		t.Errorf("told %v", told)
	}
}
