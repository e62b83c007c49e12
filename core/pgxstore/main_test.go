package pgxstore_test

import (
	"os"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/satchel-go/satchel/core/pgxstore"
	"github.com/satchel-go/satchel/internal/testing/sqltest"
)

func TestMain(m *testing.M) { os.Exit(sqltest.Main(m)) }

// patience is a timeout that even a busy machine keeps, for tests of other things.
const patience = time.Minute

// newPool returns a pool with a source's settings, closed after the test.
func newPool(tb testing.TB, source string, change ...func(*pgxpool.Config)) *pgxpool.Pool {
	tb.Helper()
	c, err := pgxpool.ParseConfig(source)
	if err != nil {
		tb.Fatal(err)
	}
	c.MaxConns = 12
	for _, f := range change {
		f(c)
	}
	pool, err := pgxpool.NewWithConfig(tb.Context(), c)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(pool.Close)
	return pool
}

// newStore returns an empty store on pool. Nothing sweeps it.
func newStore(tb testing.TB, pool *pgxpool.Pool, c pgxstore.Config) *pgxstore.Store {
	tb.Helper()
	c.Prefix = sqltest.UniquePrefix(tb)
	s := newStoreOn(tb, pool, c)
	if err := s.CreateTables(tb.Context()); err != nil {
		tb.Fatal(err)
	}
	return s
}

// newStoreOn is newStore on tables that are there.
func newStoreOn(tb testing.TB, pool *pgxpool.Pool, c pgxstore.Config) *pgxstore.Store {
	tb.Helper()
	c.SweepInterval = -1
	if c.Timeout == 0 {
		c.Timeout = patience
	}
	s := pgxstore.New(pool, c)
	tb.Cleanup(func() { _ = s.Close() })
	return s
}
