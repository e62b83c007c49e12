package sqltests

import (
	"context"
	"database/sql"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/pgxstore"
	"github.com/satchel-go/satchel/core/sqlstore"
	"github.com/satchel-go/satchel/core/storetest"
	"github.com/satchel-go/satchel/internal/testing/sqltest"
)

// native is PostgreSQL with core/pgxstore.
var native = database{"pgxstore", sqlstore.Postgres, func(tb testing.TB, _ string) *sql.DB {
	return open(tb, "pgx", sqltest.SharedPostgres(tb).Source())
}}

func openPool(tb testing.TB, source string, conns int32) *pgxpool.Pool {
	tb.Helper()
	c, err := pgxpool.ParseConfig(source)
	if err != nil {
		tb.Fatal(err)
	}
	c.MaxConns = conns
	pool, err := pgxpool.NewWithConfig(tb.Context(), c)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(pool.Close)
	return pool
}

// pgxStoreOn is storeOn for core/pgxstore.
func (t *tables) pgxStoreOn(tb testing.TB, pool *pgxpool.Pool, c pgxstore.Config) *pgxstore.Store {
	tb.Helper()
	c.Prefix, c.SweepInterval = t.prefix, -1
	if c.Timeout == 0 {
		c.Timeout = patience
	}
	s := pgxstore.New(pool, c)
	tb.Cleanup(func() { _ = s.Close() })
	return s
}

// abilities are what stores in SQL can do.
type abilities interface {
	core.Store
	core.UserIndex
	core.Mender
	core.TouchMender
	core.AllDeleter
	core.Sweeper
}

// alternating makes every call on another of two stores.
type alternating struct {
	stores [2]abilities
	calls  *atomic.Uint64
}

func (a alternating) next() abilities { return a.stores[a.calls.Add(1)%2] }

func (a alternating) Load(ctx context.Context, id core.ID) (core.Entry, error) {
	return a.next().Load(ctx, id)
}

func (a alternating) Save(ctx context.Context, id core.ID, e core.Entry, base core.Version) (core.Version, error) {
	return a.next().Save(ctx, id, e, base)
}

func (a alternating) Touch(ctx context.Context, id core.ID, base core.Version, expires time.Time) error {
	return a.next().Touch(ctx, id, base, expires)
}

func (a alternating) Delete(ctx context.Context, id core.ID) error { return a.next().Delete(ctx, id) }

func (a alternating) Reserve(ctx context.Context, user string, id core.ID, limit int, policy core.LimitPolicy) ([]core.ID, error) {
	return a.next().Reserve(ctx, user, id, limit, policy)
}

func (a alternating) Confirm(ctx context.Context, user string, id core.ID, until time.Time) error {
	return a.next().Confirm(ctx, user, id, until)
}

func (a alternating) Release(ctx context.Context, user string, id core.ID) error {
	return a.next().Release(ctx, user, id)
}

func (a alternating) List(ctx context.Context, user string) ([]core.ID, error) {
	return a.next().List(ctx, user)
}

func (a alternating) Mend(ctx context.Context, user string, id core.ID, until time.Time) error {
	return a.next().Mend(ctx, user, id, until)
}

func (a alternating) Search(ctx context.Context, users ...string) ([]core.ID, error) {
	return a.next().Search(ctx, users...)
}

func (a alternating) Forgetful() bool { return a.next().Forgetful() }

func (a alternating) TouchAndMend(ctx context.Context, user string, id core.ID, base core.Version, expires time.Time) error {
	return a.next().TouchAndMend(ctx, user, id, base, expires)
}

func (a alternating) DeleteAll(ctx context.Context) error { return a.next().DeleteAll(ctx) }

func (a alternating) Sweep(ctx context.Context) (int, error) { return a.next().Sweep(ctx) }

// TestStoresOfBothPackagesAreOne runs the suite on a store of core/sqlstore and one of
// core/pgxstore on the same tables, as while an application changes from one to the other.
func TestStoresOfBothPackagesAreOne(t *testing.T) {
	t.Parallel()
	pool := openPool(t, sqltest.SharedPostgres(t).Source(), 12)
	storetest.Run(t, func(t *testing.T) core.Store { // in real time: the order of logins in two processes is the clock's
		tables := native.clean(t)
		return alternating{[2]abilities{tables.store(t, sqlstore.Config{}), tables.pgxStoreOn(t, pool, pgxstore.Config{})}, new(atomic.Uint64)}
	})
}

// What core/sqlstore ends, core/pgxstore in another process tells at once.
func TestI2WatchHearsOfTheOtherPackagesEnds(t *testing.T) {
	t.Parallel()
	tables := native.clean(t)
	one := tables.store(t, sqlstore.Config{})
	other := tables.pgxStoreOn(t, openPool(t, sqltest.SharedPostgres(t).Source(), 2), pgxstore.Config{})
	told, over := make(chan core.ID, 10), make(chan error, 1)
	go func() { over <- other.Watch(t.Context(), func(id core.ID) { told <- id }) }()
	await := func(what string, want core.ID) {
		t.Helper()
		select {
		case id := <-told:
			if id != want {
				t.Fatalf("%s: Watch tells %q, want %q", what, id, want)
			}
		case err := <-over:
			t.Fatalf("%s: Watch has ended: %v", what, err)
		case <-time.After(10 * time.Second):
			t.Fatalf("%s: Watch does not tell", what)
		}
	}
	await("at the start", core.ID{})
	id := login(t, one, "ann")
	if _, err := other.Load(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	if err := one.Delete(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	await("a deletion", id)
	if _, err := other.Load(t.Context(), id); !errors.Is(err, core.ErrNotFound) {
		t.Errorf("Load: %v, want ErrNotFound", err)
	}
	oldest := login(t, one, "ben")
	if _, err := one.Reserve(t.Context(), "ben", newID(), 1, core.EndOldest); err != nil {
		t.Fatal(err)
	}
	await("a limit", oldest)
	if err := one.DeleteAll(t.Context()); err != nil {
		t.Fatal(err)
	}
	await("all", core.ID{})
}

// A login that is stored while a transaction revokes its user may live on, but then the
// index names it, so that revoking once more ends it.
func TestSEC17ALoginDuringARevocationStaysInTheIndex(t *testing.T) {
	t.Parallel()
	pool := openPool(t, sqltest.SharedPostgres(t).Source(), 4)
	s := native.clean(t).pgxStoreOn(t, pool, pgxstore.Config{})
	var id core.ID
	err := pgx.BeginFunc(t.Context(), pool, func(tx pgx.Tx) error {
		_, err := s.In(&betweenStatements{Tx: tx, third: func() { id = login(t, s, "ann") }}).RevokeUser(t.Context(), "ann")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	listed, err := s.List(t.Context(), "ann")
	if n := living(t, s, []core.ID{id}); err != nil || n != len(listed) {
		t.Errorf("%d sessions live and %d are listed (%v)", n, len(listed), err)
	}
}

// betweenStatements is a transaction in which something happens before the third Exec.
type betweenStatements struct {
	pgx.Tx
	execs int
	third func()
}

func (b *betweenStatements) Exec(ctx context.Context, statement string, args ...any) (pgconn.CommandTag, error) {
	if b.execs++; b.execs == 3 { // the sessions have ended, the members not yet
		b.third()
	}
	return b.Tx.Exec(ctx, statement, args...)
}
