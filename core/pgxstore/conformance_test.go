package pgxstore_test

import (
	"context"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/pgxstore"
	"github.com/satchel-go/satchel/core/storetest"
	"github.com/satchel-go/satchel/internal/testing/sqltest"
)

// TestStore runs the suite with a fake clock; for core/sqlstore, it runs in real time too.
func TestStore(t *testing.T) {
	t.Parallel()
	pool := newPool(t, sqltest.SharedPostgres(t).Source())
	storetest.RunWithClock(t, func(t *testing.T) (core.Store, storetest.Clock) {
		clock := storetest.NewFakeClock()
		return newStoreOn(t, pool, pgxstore.Config{Prefix: emptyTables(t, pool), Now: clock.Now}), clock
	})
}

func TestShared(t *testing.T) {
	t.Parallel()
	source := sqltest.SharedPostgres(t).Source()
	pool, other := newPool(t, source), newPool(t, source)
	storetest.RunShared(t, func(t *testing.T) (a, b core.Store) {
		prefix := emptyTables(t, pool)
		return newStoreOn(t, pool, pgxstore.Config{Prefix: prefix}), newStoreOn(t, other, pgxstore.Config{Prefix: prefix})
	})
}

// used are the prefixes of tables that a test has left.
var used struct {
	sync.Mutex
	prefixes []string
}

// emptyTables returns the prefix of empty tables, perhaps those of an earlier test: making
// some takes longer.
func emptyTables(t *testing.T, pool *pgxpool.Pool) (prefix string) {
	t.Helper()
	used.Lock()
	if n := len(used.prefixes); n > 0 {
		prefix, used.prefixes = used.prefixes[n-1], used.prefixes[:n-1]
	}
	used.Unlock()
	if prefix == "" {
		prefix = sqltest.UniquePrefix(t)
		if err := newStoreOn(t, pool, pgxstore.Config{Prefix: prefix}).CreateTables(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		if _, err := pool.Exec(context.Background(), "WITH members AS (DELETE FROM "+prefix+"members) DELETE FROM "+prefix+"sessions"); err != nil {
			t.Error(err)
			return
		}
		used.Lock()
		defer used.Unlock()
		used.prefixes = append(used.prefixes, prefix)
	})
	return prefix
}
