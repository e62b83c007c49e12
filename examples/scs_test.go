package examples_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	scsgoredis "github.com/alexedwards/scs/goredisstore"
	"github.com/alexedwards/scs/mysqlstore"
	"github.com/alexedwards/scs/postgresstore"
	scsredigo "github.com/alexedwards/scs/redisstore"
	"github.com/alexedwards/scs/sqlite3store"
	"github.com/alexedwards/scs/v2"
	scsmemory "github.com/alexedwards/scs/v2/memstore"
	"github.com/gomodule/redigo/redis"
	goredis "github.com/redis/go-redis/v9"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/scsstore"
	"github.com/satchel-go/satchel/internal/testing/redistest"
	"github.com/satchel-go/satchel/internal/testing/sqltest"
)

// scsStores are stores of scs's own modules, empty. Each is in a database of its own, or
// below a prefix, except in PostgreSQL and MariaDB: these modules know one table.
var scsStores = map[string]func(t *testing.T) scs.Store{
	"memory": func(*testing.T) scs.Store { return scsmemory.NewWithCleanupInterval(0) },
	"sqlite": func(t *testing.T) scs.Store {
		db := scsTable(t, "sqlite", sqltest.SQLiteSource(filepath.Join(t.TempDir(), "scs.db")),
			"CREATE TABLE sessions (token TEXT PRIMARY KEY, data BLOB NOT NULL, expiry REAL NOT NULL)")
		return sqlite3store.NewWithCleanupInterval(db, 0)
	},
	"postgres": func(t *testing.T) scs.Store {
		db := scsTable(t, "pgx", sqltest.SharedPostgres(t).Source(),
			"CREATE TABLE IF NOT EXISTS sessions (token TEXT PRIMARY KEY, data BYTEA NOT NULL, expiry TIMESTAMPTZ NOT NULL)")
		return postgresstore.NewWithCleanupInterval(db, 0)
	},
	"mariadb": func(t *testing.T) scs.Store {
		db := scsTable(t, "mysql", sqltest.SharedMariaDB(t).Source(),
			"CREATE TABLE IF NOT EXISTS sessions (token CHAR(43) PRIMARY KEY, data BLOB NOT NULL, expiry TIMESTAMP(6) NOT NULL)")
		return mysqlstore.NewWithCleanupInterval(db, 0)
	},
	"redis": func(t *testing.T) scs.Store {
		client := goredis.NewClient(&goredis.Options{Addr: redistest.Shared(t).Addr()})
		t.Cleanup(func() { _ = client.Close() })
		return scsgoredis.NewWithPrefix(client, redistest.UniquePrefix(t))
	},
	"redigo": func(t *testing.T) scs.Store {
		addr := redistest.Shared(t).Addr()
		pool := &redis.Pool{MaxIdle: 10, DialContext: func(ctx context.Context) (redis.Conn, error) { return redis.DialContext(ctx, "tcp", addr) }}
		t.Cleanup(func() { _ = pool.Close() })
		return scsredigo.NewWithPrefix(pool, redistest.UniquePrefix(t))
	},
}

// scsTable opens a database and makes scs's table in it, as scs's README says.
func scsTable(t *testing.T, driver, source, table string) *sql.DB {
	t.Helper()
	db, err := sql.Open(driver, source)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	if _, err := db.ExecContext(t.Context(), table); err != nil {
		t.Fatal(err)
	}
	return db
}

func newSCS(store scs.Store) *scs.SessionManager {
	old := scs.New()
	old.Store, old.IdleTimeout = store, time.Hour
	return old
}

var scsKeys = scsstore.Config{UserKey: "user", Flashes: map[string]string{"flash": ""}}

// fromSCS is the migration of an application on scs.
func fromSCS(t *testing.T, store string, to core.Backend) migration {
	t.Helper()
	old := newSCS(scsStores[store](t))
	return migration{
		from: scsstore.From(old, scsKeys), to: to, sharedFrom: true,
		legacy: func(t *testing.T) fleet { return newSCSFleet(t, old) },
	}
}

// newSCSFleet is the application before Satchel: it uses scs directly.
func newSCSFleet(t *testing.T, old *scs.SessionManager) fleet {
	t.Helper()
	handle := func(f func(ctx context.Context, q url.Values, answer *said) error) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			answer := said{User: old.GetString(r.Context(), "user")}
			err := f(r.Context(), r.URL.Query(), &answer)
			if err == nil {
				err = json.NewEncoder(w).Encode(answer)
			}
			if err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
			}
		})
	}
	mux := http.NewServeMux()
	mux.Handle("/login", handle(func(ctx context.Context, q url.Values, _ *said) error {
		if err := old.RenewToken(ctx); err != nil {
			return err
		}
		old.Put(ctx, "user", q.Get("user"))
		return nil
	}))
	mux.Handle("/logout", handle(func(ctx context.Context, _ url.Values, _ *said) error { return old.Destroy(ctx) }))
	mux.Handle("/mark", handle(func(ctx context.Context, q url.Values, _ *said) error {
		old.Put(ctx, q.Get("m"), q.Get("m"))
		old.Put(ctx, "flash", q.Get("m"))
		return nil
	}))
	mux.Handle("/look", handle(func(ctx context.Context, q url.Values, answer *said) error {
		for m := range strings.SplitSeq(q.Get("marks"), ",") {
			if m != "" && old.GetString(ctx, m) != m {
				answer.Missing = append(answer.Missing, m)
			}
		}
		if text := old.PopString(ctx, "flash"); text != "" {
			answer.Flashes = append(answer.Flashes, text)
		}
		return nil
	}))
	server := httptest.NewServer(old.LoadAndSave(mux))
	t.Cleanup(server.Close)
	return fleet{server.URL}
}

// Log in there, go on here, log out here: in each of scs's stores, with and without Migrating.
func TestSCSInAllItsStores(t *testing.T) {
	for name, newStore := range scsStores {
		for _, hash := range []bool{false, true} {
			old := newSCS(newStore(t))
			old.HashTokenInStore = hash
			from := scsstore.From(old, scsKeys)
			there := newSCSFleet(t, old)
			for what, backend := range map[string]core.Backend{"alone": from, "migrating": core.Migrating(from, inMemory(t))} {
				config := scsstore.ConfigOf(old)
				config.InsecureAllowHTTP = true
				m, err := core.New(backend, config)
				if err != nil {
					t.Fatal(err)
				}
				t.Run(name+", "+what, func(t *testing.T) {
					here := newFleet(t, m)
					v, copied := newVisitor(t, "ann"), newVisitor(t, "ann")
					v.ask(there, http.MethodPost, "/login", "user", "ann")
					v.mark(there, "there")
					v.copyTo(copied, there)
					if a := v.ask(here, http.MethodGet, "/look", "marks", "there"); a.User != "ann" || len(a.Missing) != 0 || v.shown["there"] != 1 {
						t.Errorf("here: %+v, shown %v", a, v.shown)
					}
					v.mark(here, "here")
					v.check(here)
					if what == "alone" {
						v.check(there)
					}
					v.ask(here, http.MethodPost, "/logout")
					for _, at := range []fleet{there, here} {
						if a := copied.ask(at, http.MethodGet, "/look", "marks", "there"); a.User != "" || len(a.Missing) != 1 {
							t.Errorf("K2: after the logout the old cookie has %+v", a)
						}
					}
				})
			}
		}
	}
}
