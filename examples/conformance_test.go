// Package examples_test runs the adapter suite where all modules meet: every
// framework on Redis in both makes and on what is shared with gorilla/sessions:
// its cookies, redisstore's keys and any store of its kind. Memory and the
// native cookie are run by each adapter.
package examples_test

import (
	"crypto/rand"
	"os"
	"testing"
	"time"

	"github.com/gorilla/sessions"
	"github.com/redis/go-redis/v9"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/adaptertest"
	"github.com/satchel-go/satchel/core/goredisstore"
	"github.com/satchel-go/satchel/core/gorillastore"
	"github.com/satchel-go/satchel/core/httpadapter/httpapp"
	"github.com/satchel-go/satchel/echoadapter/echoapp"
	"github.com/satchel-go/satchel/fiberadapter/fiberapp"
	"github.com/satchel-go/satchel/ginadapter/ginapp"
	"github.com/satchel-go/satchel/internal/redistest"
)

func TestMain(m *testing.M) { os.Exit(redistest.Main(m)) }

// frameworks are what each backend is run under.
var frameworks = []struct {
	name   string
	newApp adaptertest.NewApp
}{
	{"nethttp", httpapp.New}, {"echo", echoapp.New}, {"gin", ginapp.New}, {"fiber", fiberapp.New},
}

func TestConformance(t *testing.T) {
	client := redis.NewClient(&redis.Options{Addr: redistest.Shared(t).Addr()})
	t.Cleanup(func() { _ = client.Close() })
	onRedis := func(t *testing.T, now func() time.Time) goredisstore.Config {
		return goredisstore.Config{Prefix: redistest.UniquePrefix(t), Now: now, Timeout: 5 * time.Second}
	}
	for _, f := range frameworks {
		adaptertest.Run(t, f.name, f.newApp,
			adaptertest.Backend{
				Name: "gorilla-cookie",
				Sealer: func(*testing.T) core.Sealer {
					hashKey, blockKey := make([]byte, 32), make([]byte, 32)
					_, _ = rand.Read(hashKey) // never fails
					_, _ = rand.Read(blockKey)
					return gorillastore.NewSealer(hashKey, blockKey)
				},
				Limits: gorillastore.Limits(),
			},
			adaptertest.Backend{
				Name: "redis",
				Store: func(t *testing.T, now func() time.Time) core.Store {
					return goredisstore.New(client, onRedis(t, now))
				},
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

// TestConformanceShared runs the suite on sessions that are shared with
// gorilla/sessions. For net/http, gorillastore does.
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
				Limits: gorillastore.CompatibleLimits(),
			},
			adaptertest.Backend{
				Name: "gorilla-files",
				New: func(t *testing.T) core.Backend {
					files := sessions.NewFilesystemStore(t.TempDir(), key("hash"), key("block"))
					files.MaxLength(0) // the core has a limit of its own
					return gorillastore.From(files)
				},
				Limits: gorillastore.FromLimits(),
			},
		)
	}
}
