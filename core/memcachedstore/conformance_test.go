package memcachedstore_test

import (
	"os"
	"testing"
	"time"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/memcachedstore"
	"github.com/satchel-go/satchel/core/storetest"
	"github.com/satchel-go/satchel/internal/testing/memcachedtest"
)

func TestMain(m *testing.M) { os.Exit(memcachedtest.Main(m)) }

// patience is a timeout that even a busy machine keeps, for tests of other things.
const patience = time.Minute

// newStore returns an empty store on these servers. Fields of c that are zero suit tests.
func newStore(tb testing.TB, c memcachedstore.Config, addresses ...string) *memcachedstore.Store {
	tb.Helper()
	if c.Prefix == "" {
		c.Prefix = memcachedtest.UniquePrefix(tb)
	}
	if c.Timeout == 0 {
		c.Timeout = patience
	}
	store := memcachedstore.New(c, addresses...)
	tb.Cleanup(func() { _ = store.Close() })
	return store
}

func TestStore(t *testing.T) {
	storetest.Run(t, func(t *testing.T) core.Store {
		return newStore(t, memcachedstore.Config{}, memcachedtest.Shared(t).Addr())
	})
}

func TestStoreWithFakeClock(t *testing.T) {
	storetest.RunWithClock(t, func(t *testing.T) (core.Store, storetest.Clock) {
		clock := storetest.NewFakeClock()
		return newStore(t, memcachedstore.Config{Now: clock.Now}, memcachedtest.Shared(t).Addr()), clock
	})
}

// The sessions are divided among servers.
func TestStoreOnServers(t *testing.T) {
	addresses := []string{memcachedtest.Shared(t).Addr(), memcachedtest.Start(t, "-M").Addr(), memcachedtest.Start(t, "-M").Addr()}
	storetest.RunWithClock(t, func(t *testing.T) (core.Store, storetest.Clock) {
		clock := storetest.NewFakeClock()
		return newStore(t, memcachedstore.Config{Now: clock.Now}, addresses...), clock
	})
}

// Two processes see each other's sessions, whatever the order of their servers.
func TestStoreShared(t *testing.T) {
	one, two := memcachedtest.Shared(t).Addr(), memcachedtest.Start(t, "-M").Addr()
	storetest.RunShared(t, func(t *testing.T) (core.Store, core.Store) {
		prefix := memcachedtest.UniquePrefix(t)
		return newStore(t, memcachedstore.Config{Prefix: prefix}, one, two), newStore(t, memcachedstore.Config{Prefix: prefix}, two, one)
	})
}
