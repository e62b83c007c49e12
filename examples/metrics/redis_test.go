package metrics_test

import (
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/goredisstore"
	"github.com/satchel-go/satchel/core/sealed"
	"github.com/satchel-go/satchel/core/storetest"
	"github.com/satchel-go/satchel/internal/testing/redistest"
)

// TestStoreMeasuredOnRedis runs the stores' suite on Redis, measured by both, and inside and
// outside of its encryption.
func TestStoreMeasuredOnRedis(t *testing.T) {
	client := redis.NewClient(&redis.Options{Addr: redistest.Shared(t).Addr()})
	t.Cleanup(func() { _ = client.Close() })
	x, outside := newExports(t, ""), newExports(t, "outside")
	keys, err := sealed.ParseKeyring(sealed.GenerateKey())
	if err != nil {
		t.Fatal(err)
	}
	for name, wrap := range map[string]func(core.Store) core.Store{
		"twice":     x.store,
		"encrypted": func(s core.Store) core.Store { return outside.store(sealed.Store(x.store(s), keys)) },
	} {
		t.Run(name, func(t *testing.T) {
			if testing.Short() && name == "twice" {
				t.Skip("the other one has this one's")
			}
			storetest.RunWithClock(t, func(t *testing.T) (core.Store, storetest.Clock) {
				clock := storetest.NewFakeClock()
				store := goredisstore.New(client, goredisstore.Config{Prefix: redistest.UniquePrefix(t), Now: clock.Now, Timeout: time.Minute})
				return wrap(store), clock
			})
		})
	}
	if _, ok := x.store(goredisstore.New(client, goredisstore.Config{})).(core.TouchMender); !ok {
		t.Error("touches of Redis take two round trips")
	}
}
