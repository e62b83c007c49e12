package bench

import (
	"bytes"
	"testing"
	"time"

	scsredis "github.com/alexedwards/scs/goredisstore"
	gincookie "github.com/gin-contrib/sessions/cookie"
	ginmemory "github.com/gin-contrib/sessions/memstore"
	ginredis "github.com/gin-contrib/sessions/redis"
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

// The keys of gorilla's stores.
var hashKey, blockKey = bytes.Repeat([]byte("h7"), 16), bytes.Repeat([]byte("b9"), 16)

const idle = 30 * time.Minute

// peers returns all, grouped by backend.
func peers(tb testing.TB) []peer {
	keys, err := sealed.ParseKeyring(sealed.GenerateKey())
	if err != nil {
		tb.Fatal(err)
	}
	inMemory := func() core.Backend {
		store := memstore.New(memstore.Config{})
		tb.Cleanup(func() { _ = store.Close() })
		return core.ServerSide(store)
	}
	inCookie := func() core.Backend { return core.ClientSide(sealed.Cookie(keys)) }
	var list []peer
	for _, f := range floors(tb) {
		list = append(list, floorOn(f.name, f.store))
	}
	list = append(list,
		satchel(tb, "memory/satchel", inMemory()),
		satchelEcho(tb, "memory/satchel-echo", inMemory()),
		satchelGin(tb, "memory/satchel-gin", inMemory()),
		satchelFiber(tb, "memory/satchel-fiber", inMemory()),
		scsOn("memory/scs", nil, 0),
		scsOn("memory/scs-idle", nil, idle),
		ginContrib("memory/gin-contrib", ginmemory.NewStore(hashKey, blockKey)),
		fiberSessions("memory/fiber", nil, false),
		fiberSessions("memory/fiber-idle", nil, true),
		satchel(tb, "cookie/satchel", inCookie()),
		satchelEcho(tb, "cookie/satchel-echo", inCookie()),
		satchelGin(tb, "cookie/satchel-gin", inCookie()),
		satchelFiber(tb, "cookie/satchel-fiber", inCookie()),
		gorillaOn("cookie/gorilla", sessions.NewCookieStore(hashKey, blockKey)),
		echoContrib("cookie/echo-contrib", sessions.NewCookieStore(hashKey, blockKey)),
		ginContrib("cookie/gin-contrib", gincookie.NewStore(hashKey, blockKey)),
	)
	caches := memcachedstore.New(memcachedstore.Config{}, memcachedtest.Shared(tb).Addr())
	tb.Cleanup(func() { _ = caches.Close() })
	list = append(list, satchel(tb, "memcached/satchel", core.ServerSide(caches)))
	return append(list, redisPeers(tb)...)
}

// redisPeers returns those on Redis. Each has its own client, made as its
// documentation says.
func redisPeers(tb testing.TB) []peer {
	server := redistest.Shared(tb)
	ours := func() redis.UniversalClient { return ourClient(tb, server) }
	theirs := func() *redis.Client {
		client := redis.NewClient(&redis.Options{Addr: server.Addr()})
		tb.Cleanup(func() { _ = client.Close() })
		return client
	}
	gorilla, err := redisstore.NewRedisStore(tb.Context(), theirs())
	if err != nil {
		tb.Fatal(err)
	}
	gin, err := ginredis.NewStore(10, "tcp", server.Addr(), "", "", hashKey, blockKey)
	if err != nil {
		tb.Fatal(err)
	}
	native := func() core.Backend {
		return core.ServerSide(goredisstore.New(ours(), goredisstore.Config{Timeout: patience}))
	}
	fiber := fiberredis.New(fiberredis.Config{URL: server.URL()})
	tb.Cleanup(func() { _ = fiber.Close() })
	return []peer{
		satchel(tb, "redis/satchel", native()),
		satchel(tb, "redis/satchel-redisstore", core.ServerSide(gorillastore.RedisStore(ours(), goredisstore.Config{Timeout: patience}))),
		satchelEcho(tb, "redis/satchel-echo", native()),
		satchelGin(tb, "redis/satchel-gin", native()),
		satchelFiber(tb, "redis/satchel-fiber", native()),
		gorillaOn("redis/redisstore", gorilla),
		ginContrib("redis/gin-contrib", gin),
		scsOn("redis/scs", scsredis.New(theirs()), 0),
		scsOn("redis/scs-idle", scsredis.New(theirs()), idle),
		fiberSessions("redis/fiber", fiber, false),
		fiberSessions("redis/fiber-idle", fiber, true),
	}
}
