package bench

import (
	"database/sql"
	"path/filepath"
	"strings"
	"testing"
	"time"

	scsgorm "github.com/alexedwards/scs/gormstore"
	scsmysql "github.com/alexedwards/scs/mysqlstore"
	scspgx "github.com/alexedwards/scs/pgxstore"
	scspostgres "github.com/alexedwards/scs/postgresstore"
	scssqlite "github.com/alexedwards/scs/sqlite3store"
	"github.com/alexedwards/scs/v2"
	_ "github.com/go-sql-driver/mysql"
	fibermysql "github.com/gofiber/storage/mysql/v2"
	fiberpostgres "github.com/gofiber/storage/postgres/v3"
	"github.com/jackc/pgx/v5/pgxpool"
	_ "github.com/jackc/pgx/v5/stdlib"
	_ "github.com/lib/pq"
	gormpostgres "gorm.io/driver/postgres"
	"gorm.io/gorm"
	_ "modernc.org/sqlite"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/pgxstore"
	"github.com/satchel-go/satchel/core/sqlstore"
	"github.com/satchel-go/satchel/internal/testing/sqltest"
)

const (
	requests = 200              // of each peer to each route, in a round
	conns    = 12               // of each pool
	patience = 10 * time.Second // for a busy machine
	noSweep  = -1               // and scs's 0: it would disturb some of the rounds only
)

// BenchmarkSQL has the peers on a database take turns after each request: they wait for
// other processes, and some of them long if the machine is busy. The number of requests
// does not depend on -benchtime.
func BenchmarkSQL(b *testing.B) {
	list := sqlPeers(b)
	for _, route := range []string{read, write, login} {
		inTurns(b, list, route, func(group []peer) []sample { return takeTurns(sqlRequests(b, route, group), requests, 0) })
	}
}

// sqlRequests returns a function for each peer that sends n requests to a route.
func sqlRequests(tb testing.TB, route string, peers []peer) []func(n int) {
	sends := make([]func(int), len(peers))
	for i, p := range peers {
		visit := p.app.request(tb, fill, "")
		visit.send()
		before := cookie(visit)
		if before == "" {
			tb.Fatalf("%s sets no cookie", p.name)
		}
		send := p.app.request(tb, route, before).send
		if route == login {
			send = func() {
				visit.send()
				before := cookie(visit)
				r := p.app.request(tb, login, before)
				r.send()
				if after := cookie(r); after == "" || after == before {
					tb.Fatalf("%s sets no new token", p.name)
				}
			}
		}
		sends[i] = func(n int) {
			for range n {
				send()
			}
		}
	}
	return sends
}

// tables are those of scs, as its documentation makes them, by driver. lib/pq finds those
// of pgx.
var tables = map[string]string{
	"pgx": `CREATE TABLE sessions (token TEXT PRIMARY KEY, data BYTEA NOT NULL, expiry TIMESTAMPTZ NOT NULL);
		CREATE INDEX sessions_expiry_idx ON sessions (expiry)`,
	"mysql": `CREATE TABLE sessions (token CHAR(43) PRIMARY KEY, data BLOB NOT NULL, expiry TIMESTAMP(6) NOT NULL);
		CREATE INDEX sessions_expiry_idx ON sessions (expiry)`,
	"sqlite": `CREATE TABLE sessions (token TEXT PRIMARY KEY, data BLOB NOT NULL, expiry REAL NOT NULL);
		CREATE INDEX sessions_expiry_idx ON sessions (expiry)`,
}

// sqlPeers returns those on SQL databases. Each has its own pool on the same server or
// file, with the same settings.
func sqlPeers(tb testing.TB) []peer {
	postgres, mariadb := sqltest.SharedPostgres(tb), sqltest.SharedMariaDB(tb)
	var list []peer
	for _, d := range []struct {
		name, driver, source string
		scs                  func(*sql.DB) scs.Store
	}{
		{
			"postgres", "pgx", postgres.Source(),
			func(db *sql.DB) scs.Store { return scspostgres.NewWithCleanupInterval(db, 0) },
		},
		{
			"postgres-pq", "postgres", postgres.Source(),
			func(db *sql.DB) scs.Store { return scspostgres.NewWithCleanupInterval(db, 0) },
		},
		{
			"mariadb", "mysql", mariadb.Source() + "?parseTime=true",
			func(db *sql.DB) scs.Store { return scsmysql.NewWithCleanupInterval(db, 0) },
		},
		{
			"sqlite", "sqlite",
			"file:" + filepath.Join(tb.TempDir(), "sessions.db") + "?_pragma=journal_mode(WAL)&_pragma=busy_timeout(400)&_pragma=synchronous(OFF)&_txlock=immediate",
			func(db *sql.DB) scs.Store { return scssqlite.NewWithCleanupInterval(db, 0) },
		},
	} {
		pool := func() *sql.DB { return open(tb, d.driver, d.source) }
		store := sqlstore.New(pool(), sqlstore.Config{Prefix: sqltest.UniquePrefix(tb), Timeout: patience, SweepInterval: noSweep})
		tb.Cleanup(func() { _ = store.Close() })
		if err := store.CreateTables(tb.Context()); err != nil {
			tb.Fatal(err)
		}
		theirs := pool()
		for statement := range strings.SplitSeq(tables[d.driver], ";") {
			if _, err := theirs.ExecContext(tb.Context(), statement); err != nil {
				tb.Fatal(err)
			}
		}
		list = append(list,
			satchel(tb, d.name+"/satchel", core.ServerSide(store)),
			scsOn(d.name+"/scs", d.scs(theirs), 0),
			scsOn(d.name+"/scs-idle", d.scs(pool()), idle),
		)
		if d.driver == "pgx" {
			list = append(list, scsOn(d.name+"/scs-gorm", gormStore(tb, open(tb, d.driver, d.source+"&search_path=gorm")), 0))
		}
		if d.driver == "mysql" {
			fiber := fibermysql.New(fibermysql.Config{Db: pool(), GCInterval: time.Hour})
			list = append(list, fiberSessions(d.name+"/fiber", fiber, false), fiberSessions(d.name+"/fiber-idle", fiber, true))
		}
	}
	return append(list, pgxPeers(tb, postgres)...)
}

func open(tb testing.TB, driver, source string) *sql.DB {
	db, err := sql.Open(driver, source)
	if err != nil {
		tb.Fatal(err)
	}
	db.SetMaxOpenConns(conns)
	db.SetMaxIdleConns(conns)
	tb.Cleanup(func() { _ = db.Close() })
	return db
}

// gormStore returns scs's store for GORM, which makes its table itself, in a schema of
// its own.
func gormStore(tb testing.TB, db *sql.DB) scs.Store {
	if _, err := db.ExecContext(tb.Context(), "CREATE SCHEMA gorm"); err != nil {
		tb.Fatal(err)
	}
	g, err := gorm.Open(gormpostgres.New(gormpostgres.Config{Conn: db}), &gorm.Config{})
	if err != nil {
		tb.Fatal(err)
	}
	s, err := scsgorm.NewWithCleanupInterval(g, 0)
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

// pgxPeers returns those that use pgx's own pool.
func pgxPeers(tb testing.TB, server *sqltest.Server) []peer {
	pool := func() *pgxpool.Pool {
		c, err := pgxpool.ParseConfig(server.Source())
		if err != nil {
			tb.Fatal(err)
		}
		c.MaxConns = conns
		p, err := pgxpool.NewWithConfig(tb.Context(), c)
		if err != nil {
			tb.Fatal(err)
		}
		tb.Cleanup(p.Close)
		return p
	}
	store := pgxstore.New(pool(), pgxstore.Config{Prefix: sqltest.UniquePrefix(tb), Timeout: patience, SweepInterval: noSweep})
	tb.Cleanup(func() { _ = store.Close() })
	if err := store.CreateTables(tb.Context()); err != nil {
		tb.Fatal(err)
	}
	const name = "postgres-pgxpool"
	fiber := fiberpostgres.New(fiberpostgres.Config{DB: pool(), GCInterval: time.Hour})
	return []peer{
		satchel(tb, name+"/satchel", core.ServerSide(store)),
		scsOn(name+"/scs", scspgx.NewWithCleanupInterval(pool(), 0), 0),
		scsOn(name+"/scs-idle", scspgx.NewWithCleanupInterval(pool(), 0), idle),
		fiberSessions(name+"/fiber", fiber, false),
		fiberSessions(name+"/fiber-idle", fiber, true),
	}
}
