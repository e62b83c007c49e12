package sqltests

import (
	"context"
	"database/sql"
	"slices"
	"testing"
	"time"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/sqlstore"
	"github.com/satchel-go/satchel/internal/testing/sqltest"
	"github.com/satchel-go/satchel/internal/testing/tcpproxy"
)

// rig is a server of a test's own behind a proxy, with a store's tables.
type rig struct {
	*tables
	srv   *sqltest.Server
	proxy *tcpproxy.Proxy
	admin *sql.DB // reaches the server directly, and may do everything
}

// eachRig runs f for every server, one of the test's own. Short tests start none.
func eachRig(t *testing.T, f func(t *testing.T, r *rig)) {
	t.Helper()
	if testing.Short() {
		t.Skip("starts servers")
	}
	eachServer(t, func(t *testing.T, d database) { f(t, d.rig(t)) })
}

func (d database) rig(tb testing.TB, args ...string) *rig {
	tb.Helper()
	driver, start := "pgx", sqltest.StartPostgres
	if d.dialect != sqlstore.Postgres {
		driver, start = "mysql", sqltest.StartMariaDB
	}
	r := &rig{srv: start(tb, args...)}
	r.proxy = tcpproxy.Start(tb, r.srv.Addr())
	r.admin = open(tb, driver, r.srv.AdminSource())
	r.tables = &tables{database: d, db: open(tb, driver, r.srv.SourceAt(r.proxy.Addr())), prefix: "satchel_"}
	if err := r.store(tb, sqlstore.Config{}).CreateTables(tb.Context()); err != nil {
		tb.Fatal(err)
	}
	return r
}

// behind returns tables of this test alone on the shared server, behind a proxy.
func (d database) behind(tb testing.TB) (*tables, *tcpproxy.Proxy) {
	tb.Helper()
	p := d.proxied(tb)
	t := *d.fresh(tb) // which drops its tables without the proxy
	t.db = d.through(tb, p)
	return &t, p
}

// run runs a statement as the user who may do everything.
func (r *rig) run(tb testing.TB, statement string) {
	tb.Helper()
	if _, err := r.admin.ExecContext(context.Background(), statement); err != nil {
		tb.Fatalf("%s: %v", statement, err)
	}
}

// onPostgres returns PostgreSQL.
func onPostgres() database {
	return databases[slices.IndexFunc(databases, func(d database) bool { return d.dialect == sqlstore.Postgres })]
}

// pick chooses by dialect.
func (d database) pick(postgres, mysql string) string {
	if d.dialect == sqlstore.Postgres {
		return postgres
	}
	return mysql
}

// entry is a session of a user, for an hour.
func entry(user, data string) core.Entry {
	return core.Entry{User: user, Data: []byte(data), Expires: time.Now().Add(time.Hour)}
}

// save stores a session that must be stored.
func save(tb testing.TB, s core.Store, id core.ID, e core.Entry) core.Version {
	tb.Helper()
	v, err := s.Save(tb.Context(), id, e, 0)
	if err != nil {
		tb.Fatal(err)
	}
	return v
}

// operations are what a Manager asks of a store, each with a session of its own.
var operations = []struct {
	name string
	run  func(ctx context.Context, s *sqlstore.Store, id core.ID, base core.Version) error
}{
	{"load", func(ctx context.Context, s *sqlstore.Store, id core.ID, _ core.Version) error {
		_, err := s.Load(ctx, id)
		return err
	}},
	{"save", func(ctx context.Context, s *sqlstore.Store, id core.ID, base core.Version) error {
		_, err := s.Save(ctx, id, entry("ann", "b"), base)
		return err
	}},
	{"create", func(ctx context.Context, s *sqlstore.Store, _ core.ID, _ core.Version) error {
		_, err := s.Save(ctx, newID(), entry("ann", "b"), 0)
		return err
	}},
	{"touch", func(ctx context.Context, s *sqlstore.Store, id core.ID, base core.Version) error {
		return s.Touch(ctx, id, base, time.Now().Add(2*time.Hour))
	}},
	{"reserve", func(ctx context.Context, s *sqlstore.Store, _ core.ID, _ core.Version) error {
		_, err := s.Reserve(ctx, "ann", newID(), 0, core.EndOldest)
		return err
	}},
	{"reserve below a limit", func(ctx context.Context, s *sqlstore.Store, _ core.ID, _ core.Version) error {
		_, err := s.Reserve(ctx, "ben", newID(), 50, core.EndOldest)
		return err
	}},
	{"confirm", func(ctx context.Context, s *sqlstore.Store, id core.ID, _ core.Version) error {
		return s.Confirm(ctx, "ann", id, time.Now().Add(time.Hour))
	}},
	{"list", func(ctx context.Context, s *sqlstore.Store, _ core.ID, _ core.Version) error {
		_, err := s.List(ctx, "ann")
		return err
	}},
	{"release", func(ctx context.Context, s *sqlstore.Store, id core.ID, _ core.Version) error {
		return s.Release(ctx, "ann", id)
	}},
	{"delete", func(ctx context.Context, s *sqlstore.Store, id core.ID, _ core.Version) error {
		return s.Delete(ctx, id)
	}},
}

// prepared returns a session of ann, reserved and stored, for an operation.
func prepared(tb testing.TB, s *sqlstore.Store) (core.ID, core.Version) {
	tb.Helper()
	id := newID()
	if _, err := s.Reserve(tb.Context(), "ann", id, 0, core.EndOldest); err != nil {
		tb.Error(err)
	}
	base, err := s.Save(tb.Context(), id, entry("ann", "a"), 0)
	if err != nil {
		tb.Error(err)
	}
	return id, base
}
