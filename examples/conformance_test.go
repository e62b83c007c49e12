// Package examples_test runs the adapter suite where all modules meet. Every
// framework runs on files, on SQL databases, on Memcached, on Redis in both variants, and on what is shared with
// gorilla/sessions: its cookies, redisstore's keys and any store of its kind.
// Each adapter runs memory and the native cookie itself.
package examples_test

import (
	"crypto/rand"
	"os"
	"slices"
	"testing"
	"time"

	_ "github.com/go-sql-driver/mysql"
	"github.com/gorilla/sessions"
	"github.com/jackc/pgx/v5/pgxpool"
	_ "github.com/jackc/pgx/v5/stdlib"
	"github.com/redis/go-redis/v9"
	_ "modernc.org/sqlite"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/adaptertest"
	"github.com/satchel-go/satchel/core/goredisstore"
	"github.com/satchel-go/satchel/core/gorillastore"
	"github.com/satchel-go/satchel/core/httpadapter/httpapp"
	"github.com/satchel-go/satchel/core/jwtsealer"
	"github.com/satchel-go/satchel/core/nearcache"
	"github.com/satchel-go/satchel/core/pgxstore"
	"github.com/satchel-go/satchel/core/sealed"
	"github.com/satchel-go/satchel/echoadapter/echoapp"
	echo5app "github.com/satchel-go/satchel/echov5adapter/echoapp"
	"github.com/satchel-go/satchel/fiberadapter/fiberapp"
	fiber3app "github.com/satchel-go/satchel/fiberv3adapter/fiberapp"
	"github.com/satchel-go/satchel/ginadapter/ginapp"
	"github.com/satchel-go/satchel/internal/testing/gorillalimits"
	"github.com/satchel-go/satchel/internal/testing/memcachedtest"
	"github.com/satchel-go/satchel/internal/testing/redistest"
	"github.com/satchel-go/satchel/internal/testing/sqltest"
)

func TestMain(m *testing.M) { os.Exit(sqltest.Main(withCaches{m})) }

// withCaches runs tests that use a shared Redis and a shared Memcached.
type withCaches struct{ m *testing.M }

func (w withCaches) Run() int { return redistest.Main(withMemcached(w)) }

type withMemcached struct{ m *testing.M }

func (w withMemcached) Run() int { return memcachedtest.Main(w.m) }

var sqlDatabases = sqltest.Databases()

// frameworks are the frameworks that each backend is run under.
var frameworks = []struct {
	name   string
	newApp adaptertest.NewApp
}{
	{"nethttp", httpapp.New}, {"echo5", echo5app.New}, {"echo", echoapp.New}, {"gin", ginapp.New}, {"fiber3", fiber3app.New}, {"fiber", fiberapp.New},
}

func onRedis(t *testing.T, now func() time.Time) goredisstore.Config {
	return goredisstore.Config{Prefix: redistest.UniquePrefix(t), Now: now, Timeout: 5 * time.Second}
}

func TestConformance(t *testing.T) {
	client := redis.NewClient(&redis.Options{Addr: redistest.Shared(t).Addr()})
	t.Cleanup(func() { _ = client.Close() })
	for _, f := range frameworks {
		adaptertest.Run(t, f.name, f.newApp,
			adaptertest.Backend{
				Name: "gorilla-cookie",
				New: func(*testing.T) core.Backend {
					hashKey, blockKey := make([]byte, 32), make([]byte, 32)
					_, _ = rand.Read(hashKey) // never fails
					_, _ = rand.Read(blockKey)
					return gorillastore.Cookie(sessions.NewCookieStore(hashKey, blockKey), gorillastore.CookieConfig{})
				},
				Limits: adaptertest.ClientSideLimits(),
			},
			adaptertest.Backend{
				Name:  "file",
				Store: func(t *testing.T, now func() time.Time) core.Store { return inFiles(t, now) },
			},
			adaptertest.Backend{
				Name: "redis",
				Store: func(t *testing.T, now func() time.Time) core.Store {
					return goredisstore.New(client, onRedis(t, now))
				},
			},
			adaptertest.Backend{
				Name:   "memcached",
				Store:  func(t *testing.T, now func() time.Time) core.Store { return inMemcached(t, now) },
				Limits: memcachedLimits(),
			},
			adaptertest.Backend{
				Name: "gorilla-redis",
				Store: func(t *testing.T, now func() time.Time) core.Store {
					return gorillastore.RedisStore(client, onRedis(t, now))
				},
			},
		)
	}
}

// memcachedLimits has the promises that sessions in Memcached cannot keep.
func memcachedLimits() map[string]string {
	return map[string]string{
		"I2": "Memcached could forget an index of users, so there is none: sessions cannot be listed, limited, or ended by user",
	}
}

// TestConformanceRedisInHeader runs the suite on Redis with tokens in a header. The
// store does not know of carriers, and each adapter runs memory with them. So one framework
// for each way to write a header is enough: net/http's, which both Echos wrap, Gin's own,
// and fasthttp's.
func TestConformanceRedisInHeader(t *testing.T) {
	client := redis.NewClient(&redis.Options{Addr: redistest.Shared(t).Addr()})
	t.Cleanup(func() { _ = client.Close() })
	backend := adaptertest.Backend{
		Name:    "redis-bearer",
		Carrier: core.Bearer,
		Store: func(t *testing.T, now func() time.Time) core.Store {
			return goredisstore.New(client, onRedis(t, now))
		},
	}
	for _, f := range frameworks {
		switch f.name {
		case "nethttp", "gin", "fiber3":
			adaptertest.Run(t, f.name, f.newApp, backend)
		}
	}
}

// TestConformanceRedisNear runs the suite on Redis with copies in this process, which do not
// know of frameworks: net/http and one on fasthttp are enough.
func TestConformanceRedisNear(t *testing.T) {
	client := redis.NewClient(&redis.Options{Addr: redistest.Shared(t).Addr()})
	t.Cleanup(func() { _ = client.Close() })
	const window = 100 * time.Millisecond
	backend := adaptertest.Backend{
		Name: "redis-near",
		Store: func(t *testing.T, now func() time.Time) core.Store {
			store, err := nearcache.New(goredisstore.New(client, onRedis(t, now)), nearcache.Config{Window: window})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = store.Close() })
			return store
		},
		Window: window,
		Settle: func(*testing.T) { time.Sleep(window) },
	}
	for _, f := range frameworks {
		if f.name == "nethttp" || f.name == "fiber3" && !testing.Short() {
			adaptertest.Run(t, f.name, f.newApp, backend)
		}
	}
}

// TestConformanceHybrid runs the suite on what clients have copies of: on Redis, and with
// copies in JSON Web Tokens, for net/http; in memory, for the other frameworks.
func TestConformanceHybrid(t *testing.T) {
	client := redis.NewClient(&redis.Options{Addr: redistest.Shared(t).Addr()})
	t.Cleanup(func() { _ = client.Close() })
	onRedis := func(t *testing.T, now func() time.Time) core.Store {
		return goredisstore.New(client, onRedis(t, now))
	}
	jwe := func(t *testing.T) core.Sealer {
		keys, err := sealed.ParseKeyring(sealed.GenerateKey())
		if err != nil {
			t.Fatal(err)
		}
		return jwtsealer.Encrypted(keys, jwtsealer.Config{Issuer: "https://app.example"})
	}
	memory := adaptertest.Hybrid()
	backends := []adaptertest.Backend{memory, memory}
	backends[0].Name, backends[0].Store = "hybrid-redis", onRedis
	backends[1].Name, backends[1].Sealer = "hybrid-jwe", jwe
	for i, f := range frameworks {
		switch {
		case i == 0:
			adaptertest.Run(t, f.name, f.newApp, backends...)
		case !testing.Short():
			adaptertest.Run(t, f.name, f.newApp, memory)
		}
	}
}

// TestConformanceJWT runs the suite on JSON Web Tokens; in short mode, for net/http
// alone. What differs between them is inside the sealer.
func TestConformanceJWT(t *testing.T) {
	const issuer = "https://app.example"
	ring := func(t *testing.T) *sealed.Keyring {
		keys, err := sealed.ParseKeyring(sealed.GenerateKey())
		if err != nil {
			t.Fatal(err)
		}
		return keys
	}
	backend := func(name string, sealer func(t *testing.T) core.Sealer) adaptertest.Backend {
		return adaptertest.Backend{Name: name, Sealer: sealer, Limits: adaptertest.ClientSideLimits()}
	}
	backends := []adaptertest.Backend{
		backend("jwt-eddsa", func(t *testing.T) core.Sealer {
			text, err := jwtsealer.GenerateKey(jwtsealer.EdDSA)
			if err != nil {
				t.Fatal(err)
			}
			signing, err := jwtsealer.ParseKeys(text)
			if err != nil {
				t.Fatal(err)
			}
			return jwtsealer.Signed(signing, jwtsealer.Config{Issuer: issuer, Seal: ring(t)})
		}),
		backend("jwt-hs256", func(t *testing.T) core.Sealer {
			return jwtsealer.Signed(jwtsealer.FromKeyring(ring(t)), jwtsealer.Config{Issuer: issuer})
		}),
		backend("jwe", func(t *testing.T) core.Sealer {
			return jwtsealer.Encrypted(ring(t), jwtsealer.Config{Issuer: issuer})
		}),
	}
	inHeader := backends[0]
	inHeader.Name, inHeader.Carrier = "jwt-eddsa-bearer", core.Bearer
	backends = append(backends, inHeader)
	for i, f := range frameworks {
		switch {
		case i == 0:
			adaptertest.Run(t, f.name, f.newApp, backends...)
		case !testing.Short():
			adaptertest.Run(t, f.name, f.newApp, backends[0])
		}
	}
}

// These run the suite on SQL databases; in short mode, for net/http alone.
func TestConformancePostgres(t *testing.T) { onSQL(t, "postgres", onPgx(t)) }
func TestConformanceMariaDB(t *testing.T)  { onSQL(t, "mariadb") }
func TestConformanceSQLite(t *testing.T)   { onSQL(t, "sqlite") }

// onSQL runs the suite on a database, and for net/http on further backends.
func onSQL(t *testing.T, name string, further ...adaptertest.Backend) {
	t.Helper()
	i := slices.IndexFunc(sqlDatabases, func(d *sqltest.Database) bool { return d.Name == name })
	backend := adaptertest.Backend{
		Name:  name,
		Store: func(t *testing.T, now func() time.Time) core.Store { return sqlDatabases[i].Store(t, now) },
	}
	adaptertest.Run(t, frameworks[0].name, frameworks[0].newApp, append(further, backend)...)
	for _, f := range frameworks[1:] {
		if !testing.Short() {
			adaptertest.Run(t, f.name, f.newApp, backend)
		}
	}
}

// onPgx is PostgreSQL through core/pgxstore. It shares all but the driver with
// core/sqlstore, so one framework is enough.
func onPgx(t *testing.T) adaptertest.Backend {
	pool, err := pgxpool.New(t.Context(), sqltest.SharedPostgres(t).Source())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return adaptertest.Backend{Name: "pgx", Store: func(t *testing.T, now func() time.Time) core.Store {
		store := pgxstore.New(pool, pgxstore.Config{Prefix: sqltest.UniquePrefix(t), SweepInterval: -1, Timeout: time.Minute, Now: now})
		if err := store.CreateTables(t.Context()); err != nil {
			t.Fatal(err)
		}
		return store
	}}
}

// TestConformanceShared runs the suite on sessions that are shared with
// gorilla/sessions. For net/http, gorillastore runs it.
func TestConformanceShared(t *testing.T) {
	client := redis.NewClient(&redis.Options{Addr: redistest.Shared(t).Addr()})
	t.Cleanup(func() { _ = client.Close() })
	for _, f := range frameworks[1:] {
		adaptertest.Run(t, f.name, f.newApp,
			adaptertest.Backend{
				Name: "gorilla-redis-compatible",
				New: func(t *testing.T) core.Backend {
					config := gorillastore.CompatibleConfig{KeyPrefix: redistest.UniquePrefix(t), Timeout: 5 * time.Second}
					return gorillastore.RedisCompatible(client, config)
				},
				Limits: gorillalimits.Compatible(),
			},
			adaptertest.Backend{
				Name: "gorilla-files",
				New: func(t *testing.T) core.Backend {
					files := sessions.NewFilesystemStore(t.TempDir(), key("hash"), key("block"))
					files.MaxLength(0) // the core has its own limit
					return gorillastore.From(files, gorillastore.FromConfig{})
				},
				Limits: gorillalimits.From(),
			},
		)
	}
}
