package sqltests

import (
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/sqlstore"
	"github.com/satchel-go/satchel/internal/testing/sqltest"
)

// TestE2CoreNewSaysWhatIsMissing breaks tables in every way that somebody might.
func TestE2CoreNewSaysWhatIsMissing(t *testing.T) {
	const all = ""
	each(t, func(t *testing.T, d database) {
		for _, test := range []struct {
			name, on, breaks string // breaks in on, or in every dialect; {s} and {m} are the tables
			want             []string
		}{
			{"nothing", all, "", nil},
			{"sessions", all, "DROP TABLE {s}", []string{"{s} is not there", "CreateTables"}},
			{"members", all, "DROP TABLE {m}", []string{"{m} is not there"}},
			{"a column", all, "ALTER TABLE {m} DROP COLUMN lapses", []string{"{m} has no column lapses"}},
			{"index", "postgres sqlite", "DROP INDEX {s}_sweep", []string{"no index on sweep", "CREATE INDEX"}},
			{"index", "mariadb", "DROP INDEX {s}_sweep ON {s}", []string{"no index on sweep"}},
			{"text", "postgres", "ALTER TABLE {s} ALTER COLUMN owner TYPE text USING encode(owner, 'escape')", []string{"column owner", "text", "bytea"}},
			{"narrow", "postgres", "ALTER TABLE {s} ALTER COLUMN expires TYPE integer", []string{"column expires", "integer", "bigint"}},
			{"collation", "mariadb", "ALTER TABLE {s} MODIFY id CHAR(16) NOT NULL", []string{"column id", "collation", "make it binary"}},
			{"small", "mariadb", "ALTER TABLE {s} MODIFY data BLOB NOT NULL", []string{"column data", "blob", "mediumblob"}},
			{"text", "sqlite", "DROP TABLE {s}; CREATE TABLE {s} (id TEXT PRIMARY KEY, version INTEGER, expires INTEGER, sweep INTEGER, owner BLOB, data BLOB)", []string{"column id", "TEXT", "BLOB"}},
			{"primary key", "postgres", "ALTER TABLE {s} DROP CONSTRAINT {s}_pkey", []string{"primary key", "(id)"}},
			{"primary key", "mariadb", "ALTER TABLE {m} DROP PRIMARY KEY", []string{"primary key", "(owner, id)"}},
			{"newer", "postgres", "COMMENT ON TABLE {s} IS 'satchel 2'", []string{"newer release"}},
			{"newer", "mariadb", "ALTER TABLE {s} COMMENT 'satchel 12'", []string{"newer release"}},
		} {
			if test.on != all && !strings.Contains(test.on, d.name) {
				continue
			}
			t.Run(test.name, func(t *testing.T) {
				tables := d.fresh(t)
				named := strings.NewReplacer("{s}", tables.sessions(), "{m}", tables.members())
				for breaks := range strings.SplitSeq(named.Replace(test.breaks), "; ") {
					if breaks != "" {
						tables.exec(t, breaks)
					}
				}
				_, err := core.New(core.ServerSide(tables.store(t, sqlstore.Config{})), core.Config{})
				if (err != nil) != (test.want != nil) {
					t.Fatalf("core.New: %v", err)
				}
				for _, want := range test.want {
					if !strings.Contains(err.Error(), named.Replace(want)) {
						t.Errorf("core.New: %v; want %q in it", err, named.Replace(want))
					}
				}
				if newer := test.name == "newer"; errors.Is(err, core.ErrNewerVersion) != newer {
					t.Errorf("core.New: %v, which matches ErrNewerVersion: %t", err, !newer)
				}
			})
		}
	})
}

// TestE2CoreNewSaysWhichPrivilegeIsMissing takes privileges from a user.
func TestE2CoreNewSaysWhichPrivilegeIsMissing(t *testing.T) {
	t.Parallel()
	for _, d := range databases {
		if d.dialect == sqlstore.SQLite {
			continue
		}
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			tables := d.fresh(t)
			user := tables.prefix + "user"
			driver, srv, make, to := "pgx", sqltest.SharedPostgres, "CREATE ROLE "+user+" LOGIN", user
			if d.dialect == sqlstore.MySQL {
				driver, srv, make, to = "mysql", sqltest.SharedMariaDB, "CREATE USER "+user, user+"@'%'"
			}
			admin := open(t, driver, srv(t).AdminSource())
			run := func(statement string) {
				t.Helper()
				if _, err := admin.Exec(statement); err != nil { //nolint:noctx // a test's
					t.Fatalf("%s: %v", statement, err)
				}
			}
			run(make)
			in := ""
			if d.dialect == sqlstore.MySQL {
				in = "satchel."
			}
			store := func() *sqlstore.Store {
				db := open(t, driver, strings.Replace(srv(t).Source(), "satchel", user, 1))
				return tables.storeOn(t, db, sqlstore.Config{})
			}
			if d.dialect == sqlstore.Postgres {
				t.Cleanup(func() { run("DROP OWNED BY " + user); run("DROP ROLE " + user) })
			} else {
				t.Cleanup(func() { run("DROP USER " + user) })
			}
			run("GRANT SELECT, INSERT, UPDATE, DELETE ON " + in + tables.members() + " TO " + to)
			run("GRANT SELECT, INSERT, UPDATE ON " + in + tables.sessions() + " TO " + to)
			_, err := core.New(core.ServerSide(store()), core.Config{})
			if err == nil || !strings.Contains(err.Error(), "may not DELETE in the table "+tables.sessions()) {
				t.Errorf("core.New without DELETE: %v", err)
			}
			run("GRANT DELETE ON " + in + tables.sessions() + " TO " + to)
			s := store()
			if _, err := core.New(core.ServerSide(s), core.Config{}); err != nil {
				t.Errorf("core.New with the four privileges: %v", err)
			}
			id := newID()
			if _, err := s.Save(t.Context(), id, core.Entry{Expires: time.Now().Add(time.Hour)}, 0); err != nil {
				t.Error(err)
			}
			if _, err := s.Sweep(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestE2CoreNewRefusesWhereNothingCanBeWritten also has a file that is read-only.
func TestE2CoreNewRefusesWhereNothingCanBeWritten(t *testing.T) {
	each(t, func(t *testing.T, d database) {
		tables := d.fresh(t)
		var db *sql.DB
		switch d.dialect {
		case sqlstore.Postgres:
			db = open(t, "pgx", sqltest.SharedPostgres(t).Source()+"&default_transaction_read_only=on")
		case sqlstore.SQLite:
			db = open(t, "sqlite", "file:"+tables.path+"?mode=ro")
		default:
			if testing.Short() {
				t.Skip("starts a server")
			}
			srv := sqltest.StartMariaDB(t, "--read-only")
			admin := open(t, "mysql", srv.AdminSource())
			if err := tables.storeOn(t, admin, sqlstore.Config{}).CreateTables(t.Context()); err != nil {
				t.Fatal(err)
			}
			db = open(t, "mysql", srv.Source())
		}
		_, err := core.New(core.ServerSide(tables.storeOn(t, db, sqlstore.Config{})), core.Config{})
		if err == nil || !strings.Contains(err.Error(), "read") || !strings.Contains(err.Error(), ": ") {
			t.Errorf("core.New: %v", err)
		}
		t.Log(err)
	})
}

func TestE2CoreNewRefusesWhatCannotWork(t *testing.T) {
	file := openSQLite(t, t.TempDir()+"/x.db")
	for _, test := range []struct {
		name  string
		store *sqlstore.Store
		want  string
	}{
		{"nil", sqlstore.New(nil, sqlstore.Config{}), "New(nil)"},
		{"prefix", sqlstore.New(file, sqlstore.Config{Prefix: `x"; DROP TABLE users --`}), "Config.Prefix"},
		{"schema", sqlstore.New(file, sqlstore.Config{Schema: strings.Repeat("s", 41)}), "Config.Schema"},
		{"timeout", sqlstore.New(file, sqlstore.Config{Timeout: -1}), "Config.Timeout"},
		{"dialect", sqlstore.New(file, sqlstore.Config{Dialect: 7}), "Config.Dialect"},
		{"another dialect", sqlstore.New(file, sqlstore.Config{Dialect: sqlstore.Postgres}), "Config.Dialect"},
		{"in memory", sqlstore.New(open(t, "sqlite", ":memory:"), sqlstore.Config{}), "in memory"},
		{"journal", sqlstore.New(open(t, "sqlite", "file:"+t.TempDir()+"/y.db"), sqlstore.Config{}), "PRAGMA journal_mode = WAL"},
		{"no server", sqlstore.New(open(t, "pgx", "postgres://satchel@127.0.0.1:1/satchel"), sqlstore.Config{}), "cannot be reached"},
		{"no server", sqlstore.New(open(t, "mysql", "satchel@tcp(127.0.0.1:1)/satchel"), sqlstore.Config{}), "cannot be reached"},
	} {
		_, err := core.New(core.ServerSide(test.store), core.Config{})
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: core.New: %v, want %q in it", test.name, err, test.want)
		}
	}
	skipped := sqlstore.New(open(t, "pgx", "postgres://satchel@127.0.0.1:1/satchel"), sqlstore.Config{SkipChecks: true})
	if _, err := core.New(core.ServerSide(skipped), core.Config{}); err != nil {
		t.Errorf("core.New with SkipChecks: %v", err)
	}
}

// TestE2TheJournalModesErrorNamesADataSourceThatWorks with a recognised driver.
func TestE2TheJournalModesErrorNamesADataSourceThatWorks(t *testing.T) {
	onFile := func(db *sql.DB) error {
		store := sqlstore.New(db, sqlstore.Config{})
		if err := store.CreateTables(t.Context()); err != nil {
			t.Fatal(err)
		}
		_, err := core.New(core.ServerSide(store), core.Config{})
		return err
	}
	file := "file:" + t.TempDir() + "/satchel.db"
	err := onFile(open(t, "sqlite", file))
	if err == nil {
		t.Fatal("core.New accepts the default journal mode")
	}
	_, source, ok := strings.Cut(err.Error(), "file:satchel.db")
	if !ok || !strings.HasSuffix(source, "&_txlock=immediate") {
		t.Fatalf("core.New: %v", err)
	}
	if err := onFile(open(t, "sqlite", file+source)); err != nil {
		t.Errorf("with the data source of the error: %v", err)
	}
}

// TestDriversAreRecognised checks the drivers that are here.
func TestDriversAreRecognised(t *testing.T) {
	for driver, source := range map[string]string{"pgx": "postgres://", "postgres": "postgres://", "mysql": "/", "sqlite": ":memory:"} {
		s := sqlstore.New(open(t, driver, source), sqlstore.Config{SkipChecks: true})
		if err := s.Validate(); err != nil {
			t.Errorf("%s: %v", driver, err)
		}
	}
}

// TestSchema runs what Schema returns, in a schema of its own and twice, and has
// CreateTables called by several processes at once.
func TestSchema(t *testing.T) {
	each(t, func(t *testing.T, d database) {
		tables := d.fresh(t)
		tables.prefix += "again_"
		tables.dropAfter(t)
		done := make(chan error)
		for range 8 {
			s := tables.store(t, sqlstore.Config{})
			go func() { done <- s.CreateTables(t.Context()) }()
		}
		for range 8 {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
		if d.dialect != sqlstore.Postgres {
			return
		}
		schema := tables.prefix + "schema"
		tables.exec(t, "CREATE SCHEMA "+schema)
		t.Cleanup(func() { tables.exec(t, "DROP SCHEMA "+schema+" CASCADE") })
		text, err := sqlstore.Schema(d.dialect, sqlstore.Config{Schema: schema, Prefix: tables.prefix})
		if err != nil {
			t.Fatal(err)
		}
		tables.exec(t, text)
		tables.exec(t, text)
		s := tables.store(t, sqlstore.Config{Schema: schema})
		if _, err := core.New(core.ServerSide(s), core.Config{}); err != nil {
			t.Error(err)
		}
		e := core.Entry{Expires: time.Now().Add(time.Hour), User: "ann", Data: []byte("x")}
		id := newID()
		if _, err := s.Reserve(t.Context(), "ann", id, 3, core.EndOldest); err != nil {
			t.Error(err)
		}
		if _, err := s.Save(t.Context(), id, e, 0); err != nil {
			t.Error(err)
		}
		if n := tables.number(t, fmt.Sprintf("SELECT count(*) FROM %s.%s", schema, tables.sessions())); n != 1 {
			t.Errorf("%d rows in the schema", n)
		}
	})
}

// TestE2CoreNewRefusesAStandby makes a server one.
func TestE2CoreNewRefusesAStandby(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a server")
	}
	t.Parallel()
	srv := sqltest.StartPostgres(t)
	d := database{t.Name(), sqlstore.Postgres, func(tb testing.TB, _ string) *sql.DB { return open(tb, "pgx", srv.Source()) }}
	tables := d.fresh(shared{t})
	if _, err := core.New(core.ServerSide(tables.store(t, sqlstore.Config{})), core.Config{}); err != nil {
		t.Fatal(err)
	}
	admin := open(t, "pgx", srv.AdminSource())
	var dir string
	err := admin.QueryRowContext(t.Context(), "SHOW data_directory").Scan(&dir)
	if err == nil {
		_, err = admin.ExecContext(t.Context(), "COPY (SELECT 1) TO '"+dir+"/standby.signal'")
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := srv.Restart(); err != nil {
		t.Fatal(err)
	}
	s := tables.storeOn(t, d.open(t, ""), sqlstore.Config{})
	_, err = core.New(core.ServerSide(s), core.Config{})
	if err == nil || !strings.Contains(err.Error(), "standby") || !strings.Contains(err.Error(), "primary") {
		t.Errorf("core.New: %v", err)
	}
	quick := tables.storeOn(t, d.open(t, ""), sqlstore.Config{Timeout: 300 * time.Millisecond})
	if _, err := quick.Save(t.Context(), newID(), core.Entry{Expires: time.Now().Add(time.Hour)}, 0); !errors.Is(err, core.ErrUnavailable) {
		t.Errorf("Save on a standby: %v", err)
	}
}
