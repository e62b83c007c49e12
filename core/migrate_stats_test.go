package core_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/memstore"
)

// TestMigratingStatsSayWhenItIsOver: who ends the migration while sessions of
// the old backend are in use logs people out, so each request with one counts.
func TestMigratingStatsSayWhenItIsOver(t *testing.T) {
	eachPair(t, func(t *testing.T, v *move) {
		moved, _, id := v.fresh(t)
		waiting, _, _ := v.fresh(t)
		if s := v.stats.Stats(); !s.LastReadOld.IsZero() || !s.LastMoved.IsZero() {
			t.Errorf("before the first request: %+v", s)
		}
		moved.on(v.during).use()
		first := v.clock.now()
		moved.use()
		v.clock.advance(10 * time.Minute)
		moved.use()
		if s := v.stats.Stats(); s.ReadOld != 1 || !s.LastReadOld.Equal(first) || s.Moved != 1 || !s.LastMoved.Equal(first) {
			t.Errorf("one has moved: %+v, want one read and one move at %v", s, first)
		}
		waiting.on(v.during).use()
		if s := v.stats.Stats(); s.ReadOld != 2 || !s.LastReadOld.Equal(v.clock.now()) {
			t.Errorf("the other came later: %+v, want two reads, the last at %v", s, v.clock.now())
		}
		told := slices.ContainsFunc(v.events.all, func(e core.Event) bool {
			return e.Kind == core.EventMoved && e.ID == id && e.User == "ann"
		})
		if !told {
			t.Error("no event tells of the move of ann's session")
		}
	})
}

func TestMigratingStatsCountFailures(t *testing.T) {
	v := newMove(t, "memory to memory")
	c, _, _ := v.fresh(t)
	v.new.hook(func(op string, _ core.ID) error {
		if op == "save" {
			return errDown
		}
		return nil
	})
	r := c.on(v.during).begin()
	r.s.Set("x", "y")
	if err := r.end(200); !errors.Is(err, core.ErrUnavailable) {
		t.Errorf("commit: %v", err)
	}
	if s := v.stats.Stats(); s.Failed == 0 || s.Moved != 0 {
		t.Errorf("stats: %+v", s)
	}
	v.new.hook(nil)
	c.do(func(s *core.Session) { s.Set("x", "y") })
	if s := v.stats.Stats(); s.Moved != 1 {
		t.Errorf("when it could be moved: %+v", s)
	}
}

// A wrong UserKey of gorillastore or scsstore shows in that all are guests.
func TestMigratingStatsCountGuests(t *testing.T) {
	eachPair(t, func(t *testing.T, v *move) {
		c, _, _ := v.fresh(t)
		c.on(v.during).use()
		guest := newClient(t, v.before)
		guest.do(func(s *core.Session) { s.Set("cart", "1") })
		guest.on(v.during).use()
		if s, e := v.stats.Stats(), v.events.last(core.EventMoved); s.Moved != 2 || s.Guests != 1 || e.Detail != "it has no user" {
			t.Errorf("stats %+v, last event %+v", s, e)
		}
	})
}

// plain is a store with no abilities, such as that of being in this process.
type plain struct{ core.Store }

// TestL3MigratingWaitsForNeitherSideForEver: calls have deadlines if one of
// the two sides is elsewhere.
func TestL3MigratingWaitsForNeitherSideForEver(t *testing.T) {
	here := core.ServerSide(newMemory(t))
	elsewhere := core.ServerSide(plain{memstore.New(memstore.Config{})})
	for _, pair := range [][2]core.Backend{{here, elsewhere}, {elsewhere, here}} {
		m, err := core.New(core.Migrating(pair[0], pair[1]), core.Config{})
		if err != nil {
			t.Fatal(err)
		}
		if m.Traits().Local {
			t.Error("taken for in this process")
		}
	}
}
