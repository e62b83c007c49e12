package gorillastore_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/goredisstore"
	"github.com/satchel-go/satchel/core/gorillastore"
	"github.com/satchel-go/satchel/core/storetest"
	"github.com/satchel-go/satchel/internal/testing/redistest"
)

func redisClient(tb testing.TB, addr string) *redis.Client {
	tb.Helper()
	client := redis.NewClient(&redis.Options{Addr: addr})
	tb.Cleanup(func() { _ = client.Close() })
	return client
}

func TestRedisStore(t *testing.T) {
	client := redisClient(t, redistest.Shared(t).Addr())
	t.Run("alone", func(t *testing.T) {
		storetest.RunWithClock(t, func(t *testing.T) (core.Store, storetest.Clock) {
			clock := storetest.NewFakeClock()
			return gorillastore.RedisStore(client, goredisstore.Config{Prefix: redistest.UniquePrefix(t), Now: clock.Now}), clock
		})
	})
	t.Run("shared", func(t *testing.T) {
		storetest.RunShared(t, func(t *testing.T) (a, b core.Store) {
			c := goredisstore.Config{Prefix: redistest.UniquePrefix(t)}
			return gorillastore.RedisStore(client, c), gorillastore.RedisStore(client, c)
		})
	})
}

// TestRedisIsDrivenThroughRedisstore looks at the keys and commands, which
// are those of redisstore but for the save.
func TestRedisIsDrivenThroughRedisstore(t *testing.T) {
	server := redistest.Start(t)
	proxy := redistest.StartProxy(t, server.Addr())
	if _, err := core.New(core.ServerSide(gorillastore.RedisStore(redisClient(t, proxy.Addr()), goredisstore.Config{})), core.Config{}); err != nil {
		t.Fatal(err)
	}
	store := gorillastore.RedisStore(redisClient(t, proxy.Addr()), goredisstore.Config{})
	id := core.ID{1}
	if _, err := store.Save(t.Context(), id, core.Entry{Data: []byte("x"), Expires: time.Now().Add(time.Hour)}, 0); err != nil {
		t.Fatal(err)
	}
	if keys := server.Strings("KEYS", "*"); len(keys) != 1 || keys[0] != "session:"+id.String() {
		t.Errorf("keys: %q", keys)
	}
	proxy.Reset()
	if e, err := store.Load(t.Context(), id); err != nil || string(e.Data) != "x" {
		t.Errorf("loaded %q, %v", e.Data, err)
	}
	if err := store.Delete(t.Context(), id); err != nil {
		t.Error(err)
	}
	if got := strings.Join(proxy.Commands(), " "); !strings.HasPrefix(strings.ToUpper(got), "GETEX DEL PUBLISH") {
		t.Errorf("commands: %s; want redisstore's load and its DEL", got)
	}
}

func TestL3RedisstoreDown(t *testing.T) {
	proxy := redistest.StartProxy(t, redistest.Shared(t).Addr())
	store := gorillastore.RedisStore(redisClient(t, proxy.Addr()), goredisstore.Config{Prefix: redistest.UniquePrefix(t), Timeout: 100 * time.Millisecond})
	proxy.Blackhole()
	start := time.Now()
	_, errLoad := store.Load(t.Context(), core.ID{1})
	errDelete := store.Delete(t.Context(), core.ID{1})
	for what, err := range map[string]error{"load": errLoad, "delete": errDelete} {
		if !errors.Is(err, core.ErrUnavailable) || errors.Is(err, core.ErrNotFound) {
			t.Errorf("%s: %v, want ErrUnavailable", what, err)
		}
	}
	if d := time.Since(start); d > 3*time.Second { // the client's own timeout for one
		t.Errorf("two calls took %v with a timeout of 100ms", d)
	}
}

func TestRedisNeedsAClient(t *testing.T) {
	for _, client := range []redis.UniversalClient{nil, (*redis.Client)(nil)} {
		if _, err := core.New(core.ServerSide(gorillastore.RedisStore(client, goredisstore.Config{})), core.Config{}); err == nil || !strings.Contains(err.Error(), "nil") {
			t.Errorf("core.New: %v", err)
		}
	}
}
