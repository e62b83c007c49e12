package core_test

import (
	"errors"
	"testing"
	"time"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/memstore"
	"github.com/satchel-go/satchel/internal/testing/laxstore"
)

// limit is a Config with a session limit.
func limit(n int, policy core.LimitPolicy) func(*core.Config) {
	return func(c *core.Config) { c.SessionLimit, c.LimitPolicy = n, policy }
}

// login is a login of ann, and what comes of it.
func (v *move) login() (*client, error) {
	v.clock.advance(time.Second)
	c := newClient(v.T, v.during)
	return c, c.logIn()
}

// wantAlive checks that ann is logged in with each of the clients.
func (v *move) wantAlive(clients ...*client) {
	v.Helper()
	for i, c := range clients {
		if c.fork().on(v.during).user() != "ann" {
			v.Errorf("I1: session %d was ended", i)
		}
	}
}

// TestI1MigratingRefusesWhenNoneHasMoved: a limit that sessions of the old
// backend use up leaves nothing, which is not the same as no limit.
func TestI1MigratingRefusesWhenNoneHasMoved(t *testing.T) {
	v := newMove(t, "memory to memory", limit(2, core.RefuseLogin))
	one, _, _ := v.fresh(t)
	two, _, _ := v.fresh(t)
	if _, err := v.login(); !errors.Is(err, core.ErrSessionLimit) {
		t.Errorf("the third login: %v", err)
	}
	v.wantAlive(one, two)
}

// TestI1MigratingLoginAgainEndsNobody: the session that logs in again has its
// place already, wherever it is.
func TestI1MigratingLoginAgainEndsNobody(t *testing.T) {
	for _, policy := range []core.LimitPolicy{core.EndOldest, core.RefuseLogin} {
		for _, moved := range []bool{false, true} {
			v := newMove(t, "memory to memory", limit(2, policy))
			other, _, _ := v.fresh(t)
			v.clock.advance(time.Second)
			again, _, id := v.fresh(t)
			again.on(v.during)
			if moved {
				again.use()
			}
			again.do(func(s *core.Session) { s.Login("ann") })
			again.do(func(s *core.Session) {
				if s.ID() != id {
					t.Error("it has become another session")
				}
			})
			v.wantAlive(other, again)
		}
	}
}

// TestI1MigratingCountsWhatWasLeftBehindOnce has a process die before it
// could make a void of the old entry.
func TestI1MigratingCountsWhatWasLeftBehindOnce(t *testing.T) {
	v := newMove(t, "memory to memory", limit(2, core.RefuseLogin))
	w := &stage{move: v}
	w.client, _, _ = v.fresh(t)
	w.crashAfter(v.during, v.old, 1)
	second, err := v.login()
	if err != nil {
		t.Fatalf("the second login: %v", err)
	}
	v.wantAlive(w.client, second)
	if _, err := v.login(); !errors.Is(err, core.ErrSessionLimit) {
		t.Errorf("the third login: %v", err)
	}
}

// TestE3MigratingUnreadableSessionKeepsNobodyOut: the old backend has an entry
// that cannot be read, which is no session.
func TestE3MigratingUnreadableSessionKeepsNobodyOut(t *testing.T) {
	for name, data := range map[string][]byte{"corrupt": {1}, "newer": append([]byte{99}, make([]byte, 100)...)} {
		v := newMove(t, "memory to memory", limit(1, core.RefuseLogin))
		_, _, id := v.fresh(t)
		e, err := v.old.Store.Load(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		e.Data = data
		if _, err := v.old.Store.Save(t.Context(), id, e, e.Version); err != nil {
			t.Fatal(err)
		}
		c, err := v.login()
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		v.wantAlive(c)
	}
}

// TestL3MigratingLoginWhenNobodyCanCount: what cannot be asked about for a
// moment is not taken for gone, or the limit would not hold.
func TestL3MigratingLoginWhenNobodyCanCount(t *testing.T) {
	for _, op := range []string{"load", "list"} {
		v := newMove(t, "memory to memory", limit(1, core.RefuseLogin))
		v.fresh(t)
		failed := false
		v.old.hook(func(o string, _ core.ID) error {
			if o != op || failed {
				return nil
			}
			failed = true
			return errDown
		})
		if _, err := v.login(); !errors.Is(err, core.ErrUnavailable) {
			t.Errorf("%s failed: %v", op, err)
		}
		if v.new.Len() != 0 {
			t.Errorf("%s failed: a session above the limit", op)
		}
	}
}

// laxMove is a move between two stores whose indexes know names and IDs only.
func laxMove(t *testing.T, edit ...func(*core.Config)) (v *move, old, next *laxstore.Store) {
	t.Helper()
	v = &move{world: &world{T: t, clock: newClock(), events: &events{}}}
	open := func() *laxstore.Store {
		s := memstore.New(memstore.Config{Now: v.clock.now, SweepInterval: -1})
		t.Cleanup(func() { _ = s.Close() })
		return laxstore.New(s)
	}
	old, next = open(), open()
	v.before = v.manager(core.ServerSide(old), edit...)
	v.stats = core.Migrating(core.ServerSide(old), core.ServerSide(next))
	v.during = v.manager(v.stats, edit...)
	return v, old, next
}

// TestI1MigratingDeadSessionKeepsNobodyOut: the old index still names a
// session that has gone.
func TestI1MigratingDeadSessionKeepsNobodyOut(t *testing.T) {
	v, old, _ := laxMove(t, limit(1, core.RefuseLogin))
	_, _, id := v.fresh(t)
	if err := old.Delete(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	c, err := v.login()
	if err != nil {
		t.Fatal(err)
	}
	v.wantAlive(c)
}

// TestI1MigratingReleasesOnTheSideThatItIsOn: a session that is somebody else's
// now must not be ended to make room for the user that it was.
func TestI1MigratingReleasesOnTheSideThatItIsOn(t *testing.T) {
	v, _, next := laxMove(t, limit(1, core.EndOldest))
	c, _, _ := v.fresh(t)
	c.on(v.during).use()
	c.do(func(s *core.Session) { s.Login("bob") })
	if ids, err := next.List(t.Context(), "ann"); err != nil || len(ids) != 0 {
		t.Errorf("in the new index ann still has %v, %v", ids, err)
	}
	ann, err := v.login()
	if err != nil {
		t.Fatal(err)
	}
	v.wantAlive(ann)
	if c.user() != "bob" {
		t.Error("bob's session was ended for ann's")
	}
}
