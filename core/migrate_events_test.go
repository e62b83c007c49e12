package core_test

import (
	"strings"
	"testing"
	"time"

	"github.com/satchel-go/satchel/core"
)

// last returns the last event of a kind.
func (e *events) last(kind core.EventKind) (last core.Event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, ev := range e.all {
		if ev.Kind == kind {
			last = ev
		}
	}
	return last
}

// A move belongs to the request whose commit it was.
func TestMigratingEventsSayWhenAndWhere(t *testing.T) {
	eachPair(t, func(t *testing.T, v *move) {
		c, _, id := v.fresh(t)
		v.clock.advance(time.Second)
		c.on(v.during).use()
		e, loaded := v.events.last(core.EventMoved), v.events.last(core.EventLoaded)
		if e.ID != id || !e.Time.Equal(v.clock.now()) || e.Request.Number == 0 || e.Request != loaded.Request {
			t.Errorf("moved at %v by %+v, want %v by %+v", e.Time, e.Request, v.clock.now(), loaded.Request)
		}
	})
	v := newMove(t, "memory to memory")
	_, _, id := v.fresh(t)
	if err := v.during.Update(t.Context(), id, func(s *core.Session) error { s.Set("k", "v"); return nil }); err != nil {
		t.Fatal(err)
	}
	if e := v.events.last(core.EventMoved); !e.Time.Equal(v.clock.now()) || e.Request.Number != 0 {
		t.Errorf("moved by a job at %v by %+v, want %v outside of requests", e.Time, e.Request, v.clock.now())
	}
}

// Whoever looks for a session that has ended finds it by what a refused token claims, as
// without a migration.
func TestMigratingRejectionsSayWhoWasClaimed(t *testing.T) {
	refused := func(t *testing.T, v *move, c *client, id core.ID, what string) {
		t.Helper()
		before := v.events.count(core.EventRejected)
		c.use()
		if e := v.events.last(core.EventRejected); v.events.count(core.EventRejected) == before || e.Reason != core.ReasonUnknown || e.Claimed != id {
			t.Errorf("%s: reason %q, claimed %v, want %v", what, e.Reason, e.Claimed, id)
		}
	}
	eachPair(t, func(t *testing.T, v *move) {
		if !strings.HasSuffix(v.pair, "to memory") {
			return
		}
		c := newClient(t, v.during)
		c.do(func(s *core.Session) { s.Login("bob") })
		id, begun := c.id(), c.fork()
		c.do(func(s *core.Session) { s.Logout() })
		refused(t, v, begun, id, "a new session")
	})
	eachPair(t, func(t *testing.T, v *move) {
		if !strings.HasPrefix(v.pair, "memory") && v.pair != "cookie to memory" {
			return // nothing says whose the old token was
		}
		c, old, id := v.fresh(t)
		c.on(v.during).use()
		c.use()
		c.do(func(s *core.Session) { s.Logout() })
		refused(t, v, old.on(v.during), id, "the old token")
	})
}
