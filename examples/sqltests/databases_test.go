// Package sqltests runs core/sqlstore on real databases, through the drivers that
// applications use.
package sqltests

import (
	"crypto/rand"
	"database/sql"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	_ "github.com/go-sql-driver/mysql"
	_ "github.com/jackc/pgx/v5/stdlib"
	_ "github.com/lib/pq"
	_ "modernc.org/sqlite"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/sqlstore"
	"github.com/satchel-go/satchel/internal/testing/sqltest"
)

// patience is a timeout that even a busy machine keeps, for tests of other things.
const patience = time.Minute

// database is a database as an application opens it.
type database struct {
	name    string
	dialect sqlstore.Dialect

	// open returns a pool on the server that all tests share. In SQLite, it is on a file
	// of its own, which other pools on path share.
	open func(tb testing.TB, path string) *sql.DB
}

// pool returns the pool that all tests share; in SQLite, one on a file.
func (d database) pool(tb testing.TB, path string) *sql.DB {
	tb.Helper()
	if d.dialect == sqlstore.SQLite {
		return d.open(tb, path)
	}
	pools.Lock()
	defer pools.Unlock()
	if pools.of[d.name] == nil {
		pools.of[d.name] = d.open(shared{tb}, path)
	}
	return pools.of[d.name]
}

var pools = struct {
	sync.Mutex
	of map[string]*sql.DB
}{of: map[string]*sql.DB{}}

// shared is a test whose clean-up is not for it to do.
type shared struct{ testing.TB }

func (shared) Cleanup(func()) {}

var databases = []database{
	{"sqlite", sqlstore.SQLite, openSQLite},
	{"postgres", sqlstore.Postgres, func(tb testing.TB, _ string) *sql.DB { return open(tb, "pgx", sqltest.SharedPostgres(tb).Source()) }},
	{"mariadb", sqlstore.MySQL, func(tb testing.TB, _ string) *sql.DB { return open(tb, "mysql", sqltest.SharedMariaDB(tb).Source()) }},
}

func openSQLite(tb testing.TB, path string) *sql.DB {
	return open(tb, "sqlite", "file:"+path+"?_pragma=journal_mode(WAL)&_pragma=busy_timeout(400)&_pragma=synchronous(OFF)&_txlock=immediate")
}

func open(tb testing.TB, driver, source string) *sql.DB {
	tb.Helper()
	db, err := sql.Open(driver, source)
	if err != nil {
		tb.Fatal(err)
	}
	db.SetMaxOpenConns(12)
	db.SetMaxIdleConns(12)
	tb.Cleanup(func() { _ = db.Close() })
	return db
}

// tables are a store's tables for one test, on a pool.
type tables struct {
	database
	db     *sql.DB
	path   string
	prefix string
}

var prefixes atomic.Int64

// fresh returns tables of this test alone. They are there until it ends.
func (d database) fresh(tb testing.TB) *tables {
	tb.Helper()
	t := &tables{database: d, path: filepath.Join(tb.TempDir(), "satchel.db"), prefix: fmt.Sprintf("t%d_", prefixes.Add(1))}
	t.db = d.pool(tb, t.path)
	s := sqlstore.New(t.db, sqlstore.Config{Prefix: t.prefix, SweepInterval: -1})
	if err := s.CreateTables(tb.Context()); err != nil {
		tb.Fatal(err)
	}
	t.dropAfter(tb)
	return t
}

// spare are tables that a test has left empty.
var spare = struct {
	sync.Mutex
	of map[string][]*tables
}{of: map[string][]*tables{}}

// clean is fresh for tests that change no table itself: it may return the tables of an
// earlier test, because making tables takes its time.
func (d database) clean(tb testing.TB) *tables {
	tb.Helper()
	if d.dialect == sqlstore.SQLite {
		return d.fresh(tb)
	}
	spare.Lock()
	var t *tables
	if all := spare.of[d.name]; len(all) > 0 {
		t, spare.of[d.name] = all[0], all[1:]
	}
	spare.Unlock()
	if t == nil {
		t = d.fresh(shared{tb})
	}
	tb.Cleanup(func() {
		t.exec(tb, "DELETE FROM "+t.members())
		t.exec(tb, "DELETE FROM "+t.sessions())
		spare.Lock()
		defer spare.Unlock()
		spare.of[d.name] = append(spare.of[d.name], t)
	})
	return t
}

// dropAfter drops the tables after the test. SQLite's go with their file.
func (t *tables) dropAfter(tb testing.TB) {
	if t.dialect != sqlstore.SQLite {
		drop := "DROP TABLE IF EXISTS " + t.sessions() + ", " + t.members()
		tb.Cleanup(func() { t.exec(tb, drop) })
	}
}

func (t *tables) sessions() string { return t.prefix + "sessions" }
func (t *tables) members() string  { return t.prefix + "members" }

// exec runs a statement without arguments.
func (t *tables) exec(tb testing.TB, statement string) {
	tb.Helper()
	if _, err := t.db.Exec(statement); err != nil { //nolint:noctx // tb's context has ended in clean-ups
		tb.Errorf("%s: %v", statement, err)
	}
}

// lose returns a function that empties a user's index.
func (t *tables) lose(tb testing.TB) func(user string) {
	return func(user string) {
		t.exec(tb, fmt.Sprintf("DELETE FROM %s WHERE owner = %s", t.members(), t.bytes(user)))
	}
}

// bytes returns a literal.
func (t *tables) bytes(b string) string {
	if t.dialect == sqlstore.Postgres {
		return fmt.Sprintf(`'\x%x'::bytea`, b)
	}
	return fmt.Sprintf("x'%x'", b)
}

// store returns a store on the tables, closed after the test. Without a SweepInterval,
// nothing sweeps.
func (t *tables) store(tb testing.TB, c sqlstore.Config) *sqlstore.Store {
	tb.Helper()
	return t.storeOn(tb, t.db, c)
}

func (t *tables) storeOn(tb testing.TB, db *sql.DB, c sqlstore.Config) *sqlstore.Store {
	tb.Helper()
	c.Prefix = t.prefix
	if c.SweepInterval == 0 {
		c.SweepInterval = -1
	}
	if c.Timeout == 0 {
		c.Timeout = patience
	}
	s := sqlstore.New(db, c)
	tb.Cleanup(func() { _ = s.Close() })
	return s
}

// each runs f as a subtest for every database, at the same time.
func each(t *testing.T, f func(t *testing.T, d database)) {
	t.Helper()
	t.Parallel()
	for _, d := range databases {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			f(t, d)
		})
	}
}

// number returns the number that a query finds.
func (t *tables) number(tb testing.TB, query string) (n int64) {
	tb.Helper()
	if err := t.db.QueryRowContext(tb.Context(), query).Scan(&n); err != nil {
		tb.Fatalf("%s: %v", query, err)
	}
	return n
}

// newID returns a random ID.
func newID() (id core.ID) {
	_, _ = rand.Read(id[:]) // never fails
	return id
}
