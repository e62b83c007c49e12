package sqltest

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/satchel-go/satchel/core/sqlstore"
)

// Database is a database that all tests of a binary share. The test imports its driver.
type Database struct {
	Name   string // in the names of tests
	Driver string // "sqlite", or one of the driver's names

	server func(testing.TB) *Server // nil: SQLite, with a file for each set of tables

	mu   sync.Mutex
	db   *sql.DB
	free []tables
}

// tables are a set of tables that a store uses.
type tables struct {
	db     *sql.DB
	prefix string
}

// Databases returns SQLite, PostgreSQL and MariaDB on the drivers modernc.org/sqlite, pgx
// and go-sql-driver.
func Databases() []*Database {
	return []*Database{
		{Name: "sqlite", Driver: "sqlite"},
		{Name: "postgres", Driver: "pgx", server: SharedPostgres},
		{Name: "mariadb", Driver: "mysql", server: SharedMariaDB},
	}
}

// Store returns a store whose tables are empty, and which nothing sweeps. When tb ends, the
// store is closed and the tables go to another test: making new ones takes longer.
func (d *Database) Store(tb testing.TB, now func() time.Time) *sqlstore.Store {
	tb.Helper()
	t, err := d.lend(tb)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		for _, name := range []string{"sessions", "members"} {
			if _, err := t.db.ExecContext(context.Background(), "DELETE FROM "+t.prefix+name); err != nil {
				tb.Error(err)
				return
			}
		}
		d.mu.Lock()
		defer d.mu.Unlock()
		d.free = append(d.free, t)
	})
	store := sqlstore.New(t.db, sqlstore.Config{Prefix: t.prefix, SweepInterval: -1, Timeout: time.Minute, Now: now})
	tb.Cleanup(func() { _ = store.Close() })
	return store
}

func (d *Database) lend(tb testing.TB) (tables, error) {
	tb.Helper()
	d.mu.Lock()
	defer d.mu.Unlock()
	if n := len(d.free); n > 0 {
		t := d.free[n-1]
		d.free = d.free[:n-1]
		return t, nil
	}
	if d.db == nil || d.server == nil {
		source := ""
		if d.server != nil {
			source = d.server(tb).Source()
		} else {
			dir, err := os.MkdirTemp(files(), "") //nolint:usetesting // other tests use it later
			if err != nil {
				return tables{}, err
			}
			source = SQLiteSource(filepath.Join(dir, "satchel.db"))
		}
		var err error
		if d.db, err = sql.Open(d.Driver, source); err != nil {
			return tables{}, err
		}
		d.db.SetMaxOpenConns(16)
		d.db.SetMaxIdleConns(16)
	}
	t := tables{d.db, UniquePrefix(tb)}
	store := sqlstore.New(t.db, sqlstore.Config{Prefix: t.prefix, SweepInterval: -1, Timeout: time.Minute})
	return t, store.CreateTables(context.Background())
}

// SQLiteSource returns what the driver modernc.org/sqlite takes to open a file for tests:
// a commit survives the process, but does not wait for the disk.
func SQLiteSource(file string) string {
	return fmt.Sprintf("file:%s?_pragma=journal_mode(WAL)&_pragma=busy_timeout(400)&_pragma=synchronous(OFF)&_txlock=immediate", file)
}

// files returns the folder of all files of SQLite.
var files = sync.OnceValue(func() string {
	dir, err := os.MkdirTemp("", "satchel-")
	if err != nil {
		return "" // the next attempt to use it says so
	}
	atEnd(func() { _ = os.RemoveAll(dir) })
	return dir
})
