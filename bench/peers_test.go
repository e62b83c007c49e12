package bench

import (
	"bytes"
	"testing"
	"time"

	scsredis "github.com/alexedwards/scs/goredisstore"
	fiberredis "github.com/gofiber/storage/redis/v3"
	"github.com/gorilla/sessions"
	"github.com/rbcervilla/redisstore/v9"
	"github.com/redis/go-redis/v9"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/goredisstore"
	"github.com/satchel-go/satchel/core/gorillastore"
	"github.com/satchel-go/satchel/core/memcachedstore"
	"github.com/satchel-go/satchel/core/memstore"
	"github.com/satchel-go/satchel/core/sealed"
	"github.com/satchel-go/satchel/internal/testing/memcachedtest"
	"github.com/satchel-go/satchel/internal/testing/redistest"
)

const idle = 30 * time.Minute

// peers returns all, grouped by backend.
func peers(tb testing.TB) []peer {
	keys, err := sealed.ParseKeyring(sealed.GenerateKey())
	if err != nil {
		tb.Fatal(err)
	}
	hashKey, blockKey := bytes.Repeat([]byte("h7"), 16), bytes.Repeat([]byte("b9"), 16)
	memory := memstore.New(memstore.Config{})
	tb.Cleanup(func() { _ = memory.Close() })
	list := []peer{
		satchel(tb, "memory/satchel", core.ServerSide(memory)),
		scsOn("memory/scs-idle", nil, idle),
		satchel(tb, "cookie/satchel", core.ClientSide(sealed.Cookie(keys))),
		gorillaOn("cookie/gorilla", sessions.NewCookieStore(hashKey, blockKey)),
	}
	caches := memcachedstore.New(memcachedstore.Config{}, memcachedtest.Shared(tb).Addr())
	tb.Cleanup(func() { _ = caches.Close() })
	list = append(list, satchel(tb, "memcached/satchel", core.ServerSide(caches)))
	return append(list, redisPeers(tb)...)
}

// redisPeers returns those on Redis. Each has its own client, made as its
// documentation says.
func redisPeers(tb testing.TB) []peer {
	server := redistest.Shared(tb)
	ours := func() redis.UniversalClient {
		client, err := goredisstore.NewClient(server.URL())
		if err != nil {
			tb.Fatal(err)
		}
		tb.Cleanup(func() { _ = client.Close() })
		return client
	}
	theirs := func() *redis.Client {
		client := redis.NewClient(&redis.Options{Addr: server.Addr()})
		tb.Cleanup(func() { _ = client.Close() })
		return client
	}
	gorilla, err := redisstore.NewRedisStore(tb.Context(), theirs())
	if err != nil {
		tb.Fatal(err)
	}
	native := func() core.Backend { return core.ServerSide(goredisstore.New(ours(), goredisstore.Config{})) }
	fiber := fiberredis.New(fiberredis.Config{URL: server.URL()})
	tb.Cleanup(func() { _ = fiber.Close() })
	return []peer{
		satchel(tb, "redis/satchel", native()),
		satchel(tb, "redis/satchel-redisstore", core.ServerSide(gorillastore.RedisStore(ours(), goredisstore.Config{}))),
		satchelFiber(tb, "redis/satchel-fiber", native()),
		gorillaOn("redis/redisstore", gorilla),
		scsOn("redis/scs", scsredis.New(theirs()), 0),
		scsOn("redis/scs-idle", scsredis.New(theirs()), idle),
		fiberOn("redis/fiber", fiber, false),
		fiberOn("redis/fiber-idle", fiber, true),
	}
}
