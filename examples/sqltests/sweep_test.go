package sqltests

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/sqlstore"
	"github.com/satchel-go/satchel/core/storetest"
)

// plant stores n sessions that expired some hours ago, each of a user of its own, by one
// statement.
func (t *tables) plant(tb testing.TB, n int, now time.Time) {
	tb.Helper()
	expires := now.Add(-3 * time.Hour).UnixMilli()
	at := fmt.Sprintf("%d, %d, %d", 1, expires, expires/time.Hour.Milliseconds()+1)
	plant := plants.Add(1)
	users := fmt.Sprintf("a%d_", plant)
	var series, owner, id string
	switch t.dialect {
	case sqlstore.Postgres:
		series, owner, id = fmt.Sprintf("generate_series(1, %d) AS i", n), "('"+users+"' || i)::bytea", "decode(md5('"+users+"' || i), 'hex')"
	case sqlstore.MySQL:
		series, owner, id = fmt.Sprintf("(SELECT seq AS i FROM seq_1_to_%d) AS series", n), "CONCAT('"+users+"', i)", "UNHEX(MD5(CONCAT('"+users+"', i)))"
	default:
		series = fmt.Sprintf("(WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < %d) SELECT i FROM c)", n)
		owner, id = "CAST('"+users+"' || i AS BLOB)", fmt.Sprintf("CAST(printf('%%04d%%012d', %d, i) AS BLOB)", plant)
	}
	t.exec(tb, fmt.Sprintf("INSERT INTO %s (id, version, expires, sweep, owner, data) SELECT %s, %s, %s, %s FROM %s",
		t.sessions(), id, at, owner, owner, series))
	t.exec(tb, fmt.Sprintf("INSERT INTO %s (owner, id, entered, lapses, confirmed) SELECT owner, id, 1, 0, 1 FROM %s WHERE owner LIKE '%s%%'",
		t.members(), t.sessions(), users))
}

var plants atomic.Int64

func (t *tables) left(tb testing.TB) int64 {
	tb.Helper()
	return t.number(tb, "SELECT count(*) FROM "+t.sessions())
}

// TestSEC70TwoSweepersAndOneThatIsKilled sweeps with two stores at once, one of which is
// cut off in the middle again and again, while sessions are touched and saved.
func TestSEC70TwoSweepersAndOneThatIsKilled(t *testing.T) {
	each(t, func(t *testing.T, d database) {
		tables := d.clean(t)
		s, other := tables.store(t, sqlstore.Config{}), tables.storeOn(t, d.open(t, tables.path), sqlstore.Config{})
		var live []core.ID
		for range 20 {
			live = append(live, login(t, s, "ann"))
		}
		tables.plant(t, 3500, time.Now())
		over := make(chan struct{})
		var work sync.WaitGroup
		work.Go(func() {
			for kill := 2 * time.Millisecond; ; kill += time.Millisecond {
				ctx, cancel := context.WithTimeout(t.Context(), kill)
				_, _ = other.Sweep(ctx)
				cancel()
				select {
				case <-over:
					return
				default:
				}
			}
		})
		work.Go(func() {
			for i := 0; ; i++ {
				id := live[i%len(live)]
				e, err := s.Load(t.Context(), id)
				if err == nil && i%2 == 0 {
					err = s.Touch(t.Context(), id, e.Version, time.Now().Add(2*time.Hour))
				} else if err == nil {
					_, err = s.Save(t.Context(), id, e, e.Version)
				}
				if err != nil {
					t.Errorf("beside the sweepers: %v", err)
				}
				select {
				case <-over:
					return
				default:
				}
			}
		})
		if _, err := s.Sweep(t.Context()); err != nil {
			t.Error(err)
		}
		close(over)
		work.Wait()
		if _, err := s.Sweep(t.Context()); err != nil { // what the other one held
			t.Error(err)
		}
		if n := living(t, s, live); n != len(live) {
			t.Errorf("%d of %d living sessions are left", n, len(live))
		}
		if n := tables.left(t); n != int64(len(live)) {
			t.Errorf("%d sessions are left, want %d", n, len(live))
		}
		if ids, err := s.List(t.Context(), "ann"); err != nil || len(ids) != len(live) {
			t.Errorf("List: %d sessions, %v", len(ids), err)
		}
	})
}

// eventually waits until something is true.
func eventually(tb testing.TB, what string, ok func() bool) {
	tb.Helper()
	for end := time.Now().Add(patience / 3); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			tb.Fatalf("not after %v: %s", patience/3, what)
		}
	}
}

// TestSEC70SweepSparesTheLivingOfTheHour has a sweep look at a session that is in the
// same hour as what has expired.
func TestSEC70SweepSparesTheLivingOfTheHour(t *testing.T) {
	each(t, func(t *testing.T, d database) {
		now := time.Now().Truncate(time.Hour).Add(time.Minute)
		s := d.clean(t).store(t, sqlstore.Config{Now: func() time.Time { return now }})
		id := newID()
		if _, err := s.Save(t.Context(), id, core.Entry{Expires: now.Add(time.Minute)}, 0); err != nil {
			t.Fatal(err)
		}
		if n, err := s.Sweep(t.Context()); n != 0 || err != nil || living(t, s, []core.ID{id}) != 1 {
			t.Errorf("of the living a sweep has removed %d, %v", n, err)
		}
		now = now.Add(time.Minute)
		if n, err := s.Sweep(t.Context()); n != 1 || err != nil {
			t.Errorf("a minute later it has removed %d, %v", n, err)
		}
	})
}

// TestSEC70OneInstanceSweeps has two stores with a clean-up in the background on a clock
// that stands: the lease lets in one of them, once.
func TestSEC70OneInstanceSweeps(t *testing.T) {
	each(t, func(t *testing.T, d database) {
		tables := d.clean(t)
		clock := storetest.NewFakeClock()
		config := sqlstore.Config{SweepInterval: 20 * time.Millisecond, Now: clock.Now}
		tables.plant(t, 10, clock.Now())
		a, b := tables.store(t, config), tables.store(t, config)
		if n := tables.left(t); n != 10 {
			t.Errorf("%d sessions before the first write, want 10: New must not sweep", n)
		}
		ids := []core.ID{login(t, a, "ann"), login(t, b, "ann")}
		eventually(t, "expired sessions are removed", func() bool { return tables.left(t) == 2 })
		members := "SELECT count(*) FROM " + tables.members() + " WHERE confirmed = 1"
		eventually(t, "their members too", func() bool { return tables.number(t, members) == 2 })

		tables.plant(t, 10, clock.Now())
		time.Sleep(150 * time.Millisecond)
		if n := tables.left(t); n != 12 {
			t.Errorf("%d sessions are left, want 12: the lease had not ended", n)
		}
		clock.Advance(25 * time.Millisecond)
		eventually(t, "the next sweep", func() bool { return tables.left(t) == 2 })
		if n := living(t, a, ids); n != 2 {
			t.Errorf("%d of 2 living sessions are left", n)
		}

		for _, s := range []*sqlstore.Store{a, b} {
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		}
		tables.plant(t, 10, clock.Now())
		clock.Advance(time.Hour)
		time.Sleep(60 * time.Millisecond)
		if n := tables.left(t); n != 12 {
			t.Errorf("%d sessions are left, want 12: a closed Store must not sweep", n)
		}
	})
}

// TestSweepThatDoesNotKeepUpIsReported gives a sweep too little time.
func TestSweepThatDoesNotKeepUpIsReported(t *testing.T) {
	each(t, func(t *testing.T, d database) {
		tables := d.clean(t)
		tables.plant(t, 6000, time.Now())
		s := tables.store(t, sqlstore.Config{SweepInterval: 10 * time.Millisecond})
		events := make(chan core.Event, 100)
		config := core.Config{Observer: func(_ context.Context, e core.Event) {
			if e.Kind == core.EventSweepLags {
				select {
				case events <- e:
				default:
				}
			}
		}}
		if _, err := core.New(core.ServerSide(s), config); err != nil {
			t.Fatal(err)
		}
		login(t, s, "ann")
		select {
		case e := <-events:
			t.Log(e.Detail)
		case <-time.After(patience / 3):
			t.Error("no event")
		}
		eventually(t, "the next sweeps do the rest", func() bool { return tables.left(t) == 1 })
	})
}

// TestSweepTidiesTheIndex leaves rows behind as processes do that die at the wrong moment.
func TestSweepTidiesTheIndex(t *testing.T) {
	each(t, func(t *testing.T, d database) {
		tables := d.clean(t)
		clock := storetest.NewFakeClock()
		s := tables.store(t, sqlstore.Config{Now: clock.Now})
		for _, user := range []string{"ann", "bob"} {
			if _, err := s.Reserve(t.Context(), user, newID(), 3, core.EndOldest); err != nil { // with a counter, never confirmed
				t.Fatal(err)
			}
		}
		carl := login(t, s, "carl")
		if err := s.Delete(t.Context(), login(t, s, "carl")); err != nil { // without a Release
			t.Fatal(err)
		}
		clock.Advance(25 * time.Hour)
		e, err := s.Load(t.Context(), carl)
		if err == nil {
			t.Errorf("a session after 25 hours: %v", e.Expires)
		}
		ann := newID()
		if _, err := s.Reserve(t.Context(), "ann", ann, 0, core.EndOldest); err != nil {
			t.Fatal(err)
		}
		again := tables.store(t, sqlstore.Config{Now: clock.Now, SweepInterval: 5 * time.Millisecond})
		dave := newID()
		if _, err := again.Save(t.Context(), dave, core.Entry{Data: []byte("x"), Expires: clock.Now().Add(time.Hour)}, 0); err != nil {
			t.Fatal(err)
		}
		// What stays: ann's open reservation and counter, and the two leases.
		eventually(t, "the index is tidy", func() bool {
			return tables.number(t, "SELECT count(*) FROM "+tables.members()) == 4
		})
		if err := s.Confirm(t.Context(), "ann", ann, time.Time{}); err != nil {
			t.Errorf("Confirm of a reservation that stands: %v", err)
		}
	})
}
