package sqltests

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/sqlstore"
	"github.com/satchel-go/satchel/core/storetest"
	"github.com/satchel-go/satchel/internal/testing/sqltest"
)

// eachServer is each for the databases on a network.
func eachServer(t *testing.T, f func(t *testing.T, d database)) {
	t.Helper()
	t.Parallel()
	for _, d := range databases {
		if d.dialect != sqlstore.SQLite {
			t.Run(d.name, func(t *testing.T) {
				t.Parallel()
				f(t, d)
			})
		}
	}
}

func unavailable(err error) bool {
	return errors.Is(err, core.ErrUnavailable) && !errors.Is(err, core.ErrNotFound) && !errors.Is(err, core.ErrConflict)
}

// TestL3ALostAnswerIsNoConflict loses the answers of the server one after the other.
func TestL3ALostAnswerIsNoConflict(t *testing.T) {
	eachServer(t, func(t *testing.T, d database) {
		p := d.proxied(t)
		lose := func(n int) { // the n-th answer from now on, and no other
			p.Heal()
			p.Skip(n - 1)
			p.CutAfter(1)
		}
		s := d.clean(t).storeOn(t, d.through(t, p), sqlstore.Config{})
		id := login(t, s, "ann")
		at, err := s.Load(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		for n := 1; n <= 6; n++ { // making a connection takes several
			lose(n)
			at.Data = fmt.Appendf(nil, "save %d", n)
			if at.Version, err = s.Save(t.Context(), id, at, at.Version); err != nil {
				t.Fatalf("Save, answer %d lost: %v", n, err)
			}
			if got, err := s.Load(t.Context(), id); err != nil || got.Version != at.Version || string(got.Data) != string(at.Data) {
				t.Errorf("answer %d lost: loaded %q at %d, %v", n, got.Data, got.Version, err)
			}
			fresh := newID()
			lose(n)
			if _, err := s.Save(t.Context(), fresh, at, 0); err != nil {
				t.Errorf("Save of a new session, answer %d lost: %v", n, err)
			}
			lose(n)
			if err := s.Touch(t.Context(), id, at.Version, at.Expires.Add(time.Minute)); err != nil {
				t.Errorf("Touch, answer %d lost: %v", n, err)
			}
			lose(n)
			if _, err := s.Reserve(t.Context(), "ann", fresh, 3, core.EndOldest); err != nil {
				t.Errorf("Reserve, answer %d lost: %v", n, err)
			}
			lose(n)
			if err := s.Confirm(t.Context(), "ann", fresh, time.Time{}); err != nil {
				t.Errorf("Confirm, answer %d lost: %v", n, err)
			}
			lose(n)
			if err := s.Delete(t.Context(), fresh); err != nil {
				t.Errorf("Delete, answer %d lost: %v", n, err)
			}
		}
		p.Heal()
		if n := living(t, s, []core.ID{id}); n != 1 {
			t.Error("the session is gone")
		}
	})
}

// TestL3WhatOthersHold has somebody hold a row, and then the last connection.
func TestL3WhatOthersHold(t *testing.T) {
	each(t, func(t *testing.T, d database) {
		tables := d.fresh(t)
		db := d.open(t, tables.path)
		s := tables.storeOn(t, db, sqlstore.Config{Timeout: 300 * time.Millisecond})
		patient := tables.storeOn(t, db, sqlstore.Config{})
		id := login(t, patient, "ann")
		e, err := patient.Load(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		tx, err := tables.db.BeginTx(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := tx.ExecContext(t.Context(), "UPDATE "+tables.sessions()+" SET sweep = sweep + 1"); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Load(t.Context(), id); err != nil && !unavailable(err) || err != nil && d.dialect != sqlstore.SQLite {
			t.Errorf("Load beside a locked row: %v", err)
		}
		begun := time.Now()
		if _, err := s.Save(t.Context(), id, e, e.Version); !unavailable(err) {
			t.Errorf("Save of a locked row: %v", err)
		}
		if took := time.Since(begun); took > 5*time.Second {
			t.Errorf("Save of a locked row took %v", took)
		}
		if err := tx.Rollback(); err != nil {
			t.Fatal(err)
		}
		eventually(t, "it can be saved", func() bool { // the server may still run what was given up
			if e, err = patient.Load(t.Context(), id); err == nil {
				_, err = patient.Save(t.Context(), id, e, e.Version)
			}
			if err != nil && !errors.Is(err, core.ErrConflict) {
				t.Fatal(err)
			}
			return err == nil
		})

		db.SetMaxOpenConns(1)
		held, err := db.Conn(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Load(t.Context(), id); !unavailable(err) {
			t.Errorf("Load with an exhausted pool: %v", err)
		}
		if err := held.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := patient.Load(t.Context(), id); err != nil {
			t.Errorf("Load afterwards: %v", err)
		}
	})
}

// TestL3TablesThatGoWhileRunning takes the tables away.
func TestL3TablesThatGoWhileRunning(t *testing.T) {
	each(t, func(t *testing.T, d database) {
		tables := d.fresh(t)
		s := tables.store(t, sqlstore.Config{})
		id := login(t, s, "ann")
		tables.exec(t, "DROP TABLE "+tables.members())
		tables.exec(t, "DROP TABLE "+tables.sessions())
		if _, err := s.Load(t.Context(), id); !unavailable(err) {
			t.Errorf("Load: %v", err)
		}
		if _, err := s.List(t.Context(), "ann"); !unavailable(err) {
			t.Errorf("List: %v", err)
		}
		if _, err := s.Sweep(t.Context()); !unavailable(err) {
			t.Errorf("Sweep: %v", err)
		}
		if err := s.CreateTables(t.Context()); err != nil {
			t.Fatal(err)
		}
		login(t, s, "ann")
	})
}

// TestStoreUnderStricterIsolation runs the suite where the database aborts statements that
// overlap, by default.
func TestStoreUnderStricterIsolation(t *testing.T) {
	if testing.Short() {
		t.Skip("the suite runs without it too")
	}
	eachServer(t, func(t *testing.T, d database) {
		var db *sql.DB
		if d.dialect == sqlstore.Postgres {
			db = open(t, "pgx", sqltest.SharedPostgres(t).Source()+"&default_transaction_isolation=serializable")
		} else {
			source := sqltest.SharedMariaDB(t).Source()
			join := "?"
			if strings.Contains(source, "?") {
				join = "&"
			}
			db = open(t, "mysql", source+join+"tx_isolation=%27SERIALIZABLE%27")
		}
		storetest.RunWithClock(t, func(t *testing.T) (core.Store, storetest.Clock) {
			clock := storetest.NewFakeClock()
			return d.clean(t).storeOn(t, db, sqlstore.Config{Now: clock.Now}), clock
		})
	})
}

// TestBehindPgBouncer runs the suite behind a pooler that gives each transaction any
// connection.
func TestBehindPgBouncer(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a server")
	}
	t.Parallel()
	bouncer := sqltest.StartPgBouncer(t, sqltest.SharedPostgres(t))
	db := open(t, "pgx", bouncer.Source()+"&default_query_exec_mode=exec")
	storetest.RunWithClock(t, func(t *testing.T) (core.Store, storetest.Clock) {
		clock := storetest.NewFakeClock()
		return onPostgres().clean(t).storeOn(t, db, sqlstore.Config{Now: clock.Now}), clock
	})
}

// TestPgBouncerWithNamedStatementsIsExplained uses pgx as it comes.
func TestPgBouncerWithNamedStatementsIsExplained(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a server")
	}
	t.Parallel()
	bouncer := sqltest.StartPgBouncer(t, sqltest.SharedPostgres(t))
	s := onPostgres().clean(t).storeOn(t, open(t, "pgx", bouncer.Source()), sqlstore.Config{})
	failures := make(chan error, 1000)
	inParallel(200, func(int) error {
		if _, err := s.Save(context.WithoutCancel(t.Context()), newID(), core.Entry{Expires: time.Now().Add(time.Hour)}, 0); err != nil {
			failures <- err
		}
		return nil
	}, t)
	close(failures)
	for err := range failures {
		if !unavailable(err) || !strings.Contains(err.Error(), "default_query_exec_mode=exec") {
			t.Errorf("Save: %v", err)
		}
	}
}

// TestL3SQLiteThatIsBusy has other pools write to the same file without waiting for each other.
func TestL3SQLiteThatIsBusy(t *testing.T) {
	t.Parallel()
	d := databases[0]
	tables := d.fresh(t)
	source := "file:" + tables.path + "?_pragma=busy_timeout(0)&_pragma=synchronous(OFF)"
	stores := []*sqlstore.Store{tables.store(t, sqlstore.Config{})}
	for range 2 {
		stores = append(stores, tables.storeOn(t, open(t, "sqlite", source), sqlstore.Config{}))
	}
	inParallel(300, func(i int) error {
		s := stores[i%len(stores)]
		id := newID()
		if _, err := s.Reserve(t.Context(), "ann", id, 5, core.EndOldest); err != nil {
			return err
		}
		_, err := s.Save(t.Context(), id, core.Entry{User: "ann", Expires: time.Now().Add(time.Hour)}, 0)
		return err
	}, t)
}
