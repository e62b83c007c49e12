package sqltests

import (
	"context"
	"database/sql"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/sqlstore"
	"github.com/satchel-go/satchel/internal/testing/sqltest"
)

// mostBytes are how many bytes a session may take, anonymous and logged in, with pages that
// are not full yet. MariaDB's files grow by 4 MiB, so that a few thousand say nothing.
var mostBytes = map[sqlstore.Dialect][2]int64{sqlstore.Postgres: {812, 1062}, sqlstore.SQLite: {650, 800}}

// size returns how many bytes the tables take, with their indexes.
func (t *tables) size(tb testing.TB) int64 {
	tb.Helper()
	switch t.dialect {
	case sqlstore.Postgres:
		return t.number(tb, fmt.Sprintf("SELECT pg_total_relation_size('%s') + pg_total_relation_size('%s')", t.sessions(), t.members()))
	case sqlstore.MySQL: // which tells it to nobody else
		admin := *t
		admin.db = open(tb, "mysql", sqltest.SharedMariaDB(tb).AdminSource())
		return admin.number(tb, fmt.Sprintf("SELECT CAST(SUM(FILE_SIZE) AS SIGNED) FROM information_schema.INNODB_SYS_TABLESPACES WHERE NAME IN ('satchel/%s', 'satchel/%s')",
			t.sessions(), t.members()))
	}
	return t.number(tb, "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()")
}

// TestCapacity stores sessions with entries of 350 bytes, each of a user of its own if
// logged in, then touches and saves each ten times, and measures what they take.
func TestCapacity(t *testing.T) {
	if testing.Short() {
		t.Skip("stores many sessions")
	}
	const n = 6_000
	each(t, func(t *testing.T, d database) {
		if d.dialect == sqlstore.MySQL {
			return
		}
		d = d.undisturbed(t)
		for i, kind := range []string{"anonymous", "logged in"} {
			t.Run(kind, func(t *testing.T) {
				tables := d.fresh(t)
				// On the hour, so that no touch crosses into the next by chance.
				now := time.Now().Truncate(time.Hour).Add(time.Minute)
				s := tables.store(t, sqlstore.Config{Now: func() time.Time { return now }})
				ids := make([]core.ID, n)
				entry := core.Entry{Data: make([]byte, 350), Expires: now.Add(30 * time.Minute)}
				inParallel(n, func(k int) error {
					ids[k] = newID()
					e := entry
					if i == 1 {
						e.User = fmt.Sprintf("user-%013d", k)
						if _, err := s.Reserve(t.Context(), e.User, ids[k], 0, core.EndOldest); err != nil {
							return err
						}
					}
					_, err := s.Save(t.Context(), ids[k], e, 0)
					if err == nil && i == 1 {
						err = s.Confirm(t.Context(), e.User, ids[k], e.Expires)
					}
					return err
				}, t)
				bytes := tables.size(t) / int64(n)
				t.Logf("%d sessions: %d bytes each", n, bytes)
				if most := mostBytes[d.dialect][i]; bytes > most {
					t.Errorf("a session takes %d bytes, want at most %d", bytes, most)
				}
			})
		}
	})
}

// inParallel calls f for 0, 1, …, n-1.
func inParallel(n int, f func(i int) error, tb testing.TB) {
	tb.Helper()
	var next atomic.Int64
	var work sync.WaitGroup
	for range 8 {
		work.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				if err := f(i); err != nil {
					tb.Error(err)
					return
				}
			}
		})
	}
	work.Wait()
}

// undisturbed returns d on a PostgreSQL of its own, where no transactions of other tests
// keep old rows.
func (d database) undisturbed(t *testing.T) database {
	if d.dialect != sqlstore.Postgres {
		return d
	}
	srv := sqltest.StartPostgres(t)
	return database{t.Name(), d.dialect, func(tb testing.TB, _ string) *sql.DB { return open(tb, "pgx", srv.Source()) }}
}

// TestSessionsInUseDoNotGrow touches and saves every session ten times. In PostgreSQL it
// then touches them over an hour, in which the column that the clean-up looks for changes
// once, and reads the server's own count of updates that stayed in their page: they wrote
// to no index and left nothing for the vacuum.
func TestSessionsInUseDoNotGrow(t *testing.T) {
	const sessions, rounds, perHour = 200, 10, 20
	each(t, func(t *testing.T, d database) {
		now := time.Now().Truncate(time.Hour).Add(time.Minute)
		d = d.undisturbed(t)
		tables := d.fresh(t)
		db := d.open(t, tables.path)
		db.SetMaxOpenConns(1) // so that its counts can be told to arrive
		s := tables.storeOn(t, db, sqlstore.Config{Now: func() time.Time { return now }})
		ids := make([]core.ID, sessions)
		e := core.Entry{Data: make([]byte, 350), Expires: now.Add(30 * time.Minute)}
		for i := range ids {
			ids[i] = newID()
			if _, err := s.Save(t.Context(), ids[i], e, 0); err != nil {
				t.Fatal(err)
			}
		}
		use := func(save bool) {
			t.Helper()
			for _, id := range ids {
				old, err := s.Load(t.Context(), id)
				if err == nil {
					err = s.Touch(t.Context(), id, old.Version, now.Add(30*time.Minute))
				}
				if err == nil && save {
					_, err = s.Save(t.Context(), id, old, old.Version)
				}
				if err != nil {
					t.Fatal(err)
				}
			}
		}
		before := tables.size(t)
		for range rounds {
			now = now.Add(time.Second)
			use(true)
		}
		after := tables.size(t)
		t.Logf("%d bytes, before %d", after, before)
		if after > before+before/10 {
			t.Errorf("the tables have grown from %d to %d bytes", before, after)
		}
		if d.dialect != sqlstore.Postgres {
			return
		}
		for range perHour {
			now = now.Add(time.Hour / perHour)
			use(false)
		}
		updates, hot := hotUpdates(t, db, tables.sessions())
		t.Logf("%d of %d updates were HOT", hot, updates)
		if want := int64(sessions * (2*rounds + perHour)); updates != want || hot*100 < updates*95 {
			t.Errorf("%d of %d updates were HOT, want 95 %% of %d", hot, updates, want)
		}
	})
}

func hotUpdates(tb testing.TB, db *sql.DB, table string) (updates, hot int64) {
	tb.Helper()
	ctx := context.Background()
	if _, err := db.ExecContext(ctx, "SELECT pg_stat_force_next_flush()"); err != nil {
		tb.Fatal(err)
	}
	if err := db.QueryRowContext(ctx, "SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables WHERE relname = $1", table).Scan(&updates, &hot); err != nil {
		tb.Fatal(err)
	}
	return updates, hot
}
