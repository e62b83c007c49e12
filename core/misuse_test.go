package core_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/satchel-go/satchel/core"
)

// Strict mode reports every mistake, with its remedy, to OnMistake and continues.
func TestOnMistake(t *testing.T) {
	var mistakes []error
	w := server(t, func(c *core.Config) {
		c.Strict = true
		c.OnMistake = func(err error) { mistakes = append(mistakes, err) }
	})
	r := newClient(t, w.m).begin()
	s := r.s
	s.Set("list", []int{1})
	list, _ := core.Get[[]int](s, "list")
	list[0] = 7
	if err := r.end(200); err != nil {
		t.Fatal(err)
	}
	s.Set("late", 1)
	if len(mistakes) != 2 {
		t.Fatalf("told of %v, want two mistakes", mistakes)
	}
	if text := mistakes[0].Error(); !strings.Contains(text, `"list" was changed in place`) || !strings.Contains(text, "use Update") {
		t.Errorf("a change in place is told as %q", text)
	}
	if err := mistakes[1]; !errors.Is(err, core.ErrTooLate) || !strings.Contains(err.Error(), "Manager.Update") {
		t.Errorf("a late change is told as %q", err)
	}
	if err := s.Err(); !errors.Is(err, core.ErrTooLate) || err.Error() != mistakes[1].Error() {
		t.Errorf("Err: %v", err)
	}
}

// A new visitor's session has no ID: passing it to a job is an error that says why.
func TestZeroIDNamesTheRemedy(t *testing.T) {
	m := server(t).m
	id := m.NewSession(t.Context()).ID()
	nothing := func(*core.Session) error { return nil }
	_, done := m.Done(t.Context(), id)
	for name, err := range map[string]error{
		"Update": m.Update(t.Context(), id, nothing), "View": m.View(t.Context(), id, nothing), "Done": done,
		"Revoke": m.Revoke(t.Context(), id),
	} {
		if !errors.Is(err, core.ErrNotFound) || !strings.Contains(err.Error(), "call Session.Commit") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestReadOnlyMistakeNamesTheRemedy(t *testing.T) {
	m := server(t).m
	s := m.NewSession(t.Context())
	s.Set("k", 1)
	if err := s.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	err := m.View(t.Context(), s.ID(), func(v *core.Session) error {
		v.Set("k", 2)
		return v.Err()
	})
	if !errors.Is(err, core.ErrReadOnly) || !strings.Contains(err.Error(), "use Manager.Update") {
		t.Errorf("a write inside View: %v", err)
	}
}

func TestTwoManagersWithOneCookie(t *testing.T) {
	outer, between, inner := server(t).m, server(t, func(c *core.Config) { c.Cookie.Name = "__Host-other" }).m, server(t).m
	load := func(ctx context.Context, m *core.Manager) context.Context {
		s, err := m.Load(&exchange{ctx: ctx})
		if err != nil {
			t.Fatal(err)
		}
		return s.Context()
	}
	ctx := load(load(t.Context(), outer), between)
	defer func() {
		v := fmt.Sprint(recover())
		if !strings.Contains(v, "the same cookie, __Host-session") || !strings.Contains(v, "Config.Cookie.Name") {
			t.Errorf("panicked with %q", v)
		}
	}()
	load(ctx, inner)
}

func TestNewContextWithoutASession(t *testing.T) {
	defer func() {
		if v := fmt.Sprint(recover()); !strings.Contains(v, "Manager.NewSession") {
			t.Errorf("panicked with %q", v)
		}
	}()
	core.NewContext(t.Context(), nil)
}
