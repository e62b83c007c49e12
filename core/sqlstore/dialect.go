package sqlstore

import (
	"database/sql/driver"
	"reflect"
	"strings"

	"github.com/satchel-go/satchel/core/internal/sqlsessions"
)

// Dialect is a family of databases.
type Dialect int

// The dialects. Auto recognises these drivers by their type, not wrapped in another:
// pgx's stdlib and lib/pq, go-sql-driver/mysql, modernc.org/sqlite, mattn/go-sqlite3,
// ncruces/go-sqlite3 and glebarez/go-sqlite.
const (
	Auto     Dialect = iota
	Postgres         // PostgreSQL
	MySQL            // MySQL and MariaDB
	SQLite           // SQLite 3.35 or later
)

// String returns the name of the database.
func (d Dialect) String() string {
	if d == Auto {
		return "auto"
	}
	return sqlsessions.Dialect(d).String()
}

// Data sources with all that SQLite needs, in the words of its drivers.
const (
	pragmas = "file:satchel.db?_pragma=journal_mode(WAL)&_pragma=busy_timeout(400)&_txlock=immediate"
	mattns  = "file:satchel.db?_journal_mode=WAL&_busy_timeout=400&_txlock=immediate"
)

// known is a driver, by a part of its import path.
type known struct {
	path    string
	dialect Dialect
	source  string // for SQLite
}

var drivers = []known{
	{"github.com/jackc/pgx/", Postgres, ""},
	{"github.com/lib/pq", Postgres, ""},
	{"github.com/go-sql-driver/mysql", MySQL, ""},
	{"modernc.org/sqlite", SQLite, pragmas},
	{"github.com/mattn/go-sqlite3", SQLite, mattns},
	{"github.com/ncruces/go-sqlite3", SQLite, pragmas},
	{"github.com/glebarez/go-sqlite", SQLite, pragmas},
}

// recognised returns what is known of a driver, without importing it.
func recognised(d driver.Driver) known {
	t := reflect.TypeOf(d)
	if t == nil {
		return known{}
	}
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	for _, k := range drivers {
		if strings.Contains(t.PkgPath()+"/", k.path) {
			return k
		}
	}
	return known{}
}
