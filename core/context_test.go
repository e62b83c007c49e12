package core_test

import (
	"context"
	"testing"

	"github.com/satchel-go/satchel/core"
)

// ownContext is a framework's context that keeps values of its own.
type ownContext struct {
	context.Context
	values map[any]any
}

func (c ownContext) Value(key any) any { return c.values[key] }

func (c ownContext) set(key, value any) { c.values[key] = value }

func newOwnContext() ownContext { return ownContext{context.Background(), map[any]any{}} }

func TestCarryInOfSeveralManagers(t *testing.T) {
	a, b := server(t), inCookies(t, func(c *core.Config) { c.Cookie.Name = "__Host-prefs" })
	outer, inner := newClient(t, a.m).begin().s, newClient(t, b.m).begin().s
	own := newOwnContext()
	outer.CarryIn(own.set)
	if _, ok := b.m.FromContext(own); ok {
		t.Error("a Manager finds another's session")
	}
	inner.CarryIn(own.set)
	if got, ok := core.FromContext(own); !ok || got != inner {
		t.Error("FromContext finds another session than the last that was carried in")
	}
	if got, ok := a.m.FromContext(own); !ok || got != outer {
		t.Error("the outer Manager's session was not carried in")
	}
	if got, ok := b.m.FromContext(own); !ok || got != inner {
		t.Error("the inner Manager's session was not carried in")
	}
}

// What a handler does through the framework's context happens in its request.
func TestCarryInTellsTheRequest(t *testing.T) {
	var seen []core.Request
	w := server(t, func(c *core.Config) {
		c.Observer = func(_ context.Context, e core.Event) {
			if e.Kind == core.EventRevoked {
				seen = append(seen, e.Request)
			}
		}
	})
	c := newClient(t, w.m)
	c.do(func(s *core.Session) { s.Login("ann") })
	c.do(func(s *core.Session) {
		own := newOwnContext()
		s.CarryIn(own.set)
		if _, err := w.m.RevokeUser(own, "ann"); err != nil {
			t.Error(err)
		}
	})
	if len(seen) != 1 || seen[0].Method == "" {
		t.Errorf("the events' requests are %+v", seen)
	}
}

func TestCarryInAllocatesNothing(t *testing.T) {
	s := newClient(t, server(t).m).begin().s
	n := 0
	count := func(_, _ any) { n++ }
	if got := testing.AllocsPerRun(100, func() { s.CarryIn(count) }); got != 0 || n == 0 {
		t.Errorf("%v allocations, %d values", got, n)
	}
}
