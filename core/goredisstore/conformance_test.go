package goredisstore_test

import (
	"os"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/goredisstore"
	"github.com/satchel-go/satchel/core/storetest"
	"github.com/satchel-go/satchel/internal/testing/redistest"
)

func TestMain(m *testing.M) { os.Exit(redistest.Main(m)) }

// patience is a timeout that even a busy machine keeps, for tests of other things.
const patience = time.Minute

// newClient returns a client of the server at addr, closed after the test.
func newClient(tb testing.TB, addr string) *redis.Client {
	tb.Helper()
	client := redis.NewClient(&redis.Options{Addr: addr})
	tb.Cleanup(func() { _ = client.Close() })
	return client
}

// newStore returns an empty store on the shared server. Its clock is now, or the
// real one if that is nil.
func newStore(tb testing.TB, now func() time.Time) *goredisstore.Store {
	tb.Helper()
	client := newClient(tb, redistest.Shared(tb).Addr())
	return goredisstore.New(client, goredisstore.Config{Prefix: redistest.UniquePrefix(tb), Now: now, Timeout: patience})
}

func TestStore(t *testing.T) {
	storetest.Run(t, func(t *testing.T) core.Store { return newStore(t, nil) })
}

func TestStoreThatLosesItsIndex(t *testing.T) {
	storetest.RunLosing(t, func(t *testing.T) (core.Store, func(string)) {
		store := newStore(t, nil)
		return store, func(user string) {
			if err := store.Client().Del(t.Context(), store.UserKey(user)).Err(); err != nil {
				t.Error(err)
			}
		}
	})
}

// TestStoreWithFakeClock also uses a client that obeys its context.
func TestStoreWithFakeClock(t *testing.T) {
	client := redis.NewClient(&redis.Options{Addr: redistest.Shared(t).Addr(), ContextTimeoutEnabled: true})
	t.Cleanup(func() { _ = client.Close() })
	storetest.RunWithClock(t, func(t *testing.T) (core.Store, storetest.Clock) {
		clock := storetest.NewFakeClock()
		return goredisstore.New(client, goredisstore.Config{Prefix: redistest.UniquePrefix(t), Now: clock.Now, Timeout: patience}), clock
	})
}
