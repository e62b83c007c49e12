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
// pgx's stdlib and lib/pq, go-sql-driver/mysql, modernc.org/sqlite, mattn/go-sqlite3 and
// ncruces/go-sqlite3.
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

// known are parts of the import paths of drivers.
var known = []struct {
	path    string
	dialect Dialect
}{
	{"github.com/jackc/pgx/", Postgres},
	{"github.com/lib/pq", Postgres},
	{"github.com/go-sql-driver/mysql", MySQL},
	{"modernc.org/sqlite", SQLite},
	{"github.com/mattn/go-sqlite3", SQLite},
	{"github.com/ncruces/go-sqlite3", SQLite},
	{"github.com/glebarez/go-sqlite", SQLite},
}

// spokenBy recognises a driver without importing it.
func spokenBy(d driver.Driver) Dialect {
	t := reflect.TypeOf(d)
	if t == nil {
		return Auto
	}
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	for _, k := range known {
		if strings.Contains(t.PkgPath()+"/", k.path) {
			return k.dialect
		}
	}
	return Auto
}
