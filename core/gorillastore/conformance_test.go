package gorillastore

import (
	"os"
	"testing"

	"github.com/gorilla/sessions"
	"github.com/redis/go-redis/v9"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/adaptertest"
	"github.com/satchel-go/satchel/core/httpadapter/httpapp"
	"github.com/satchel-go/satchel/internal/testing/gorillalimits"
	"github.com/satchel-go/satchel/internal/testing/redistest"
)

func TestMain(m *testing.M) { os.Exit(redistest.Main(m)) }

// newClient returns a client of the server at addr, closed after the test.
func newClient(t testing.TB, addr string) *redis.Client {
	t.Helper()
	client := redis.NewClient(&redis.Options{Addr: addr})
	t.Cleanup(func() { _ = client.Close() })
	return client
}

func TestConformanceRedisCompatible(t *testing.T) {
	client := newClient(t, redistest.Shared(t).Addr())
	adaptertest.Run(t, "nethttp", httpapp.New, adaptertest.Backend{
		Name: "gorilla-redis-compatible",
		New: func(t *testing.T) core.Backend {
			return RedisCompatible(client, CompatibleConfig{KeyPrefix: redistest.UniquePrefix(t)})
		},
		Limits: gorillalimits.Compatible(),
	})
}

// newFiles returns a FilesystemStore without a limit on sizes, which is then
// the core's.
func newFiles(t testing.TB, dir string) *sessions.FilesystemStore {
	t.Helper()
	files := sessions.NewFilesystemStore(dir, pair("files")...)
	files.MaxLength(0)
	return files
}

func TestConformanceFrom(t *testing.T) {
	adaptertest.Run(t, "nethttp", httpapp.New, adaptertest.Backend{
		Name:   "gorilla-files",
		New:    func(t *testing.T) core.Backend { return From(newFiles(t, t.TempDir()), FromConfig{}) },
		Limits: gorillalimits.From(),
	})
}

func TestConformance(t *testing.T) {
	adaptertest.Run(t, "nethttp", httpapp.New, adaptertest.Backend{
		Name:   "gorilla-cookie",
		New:    func(*testing.T) core.Backend { return Cookie(cookieStore("suite"), CookieConfig{}) },
		Limits: adaptertest.ClientSideLimits(),
	})
}

func TestConformanceFromFiber(t *testing.T) {
	adaptertest.Run(t, "nethttp", httpapp.New, adaptertest.Backend{
		Name: "gorilla-fiber",
		New: func(t *testing.T) core.Backend {
			return From(FiberV3(FiberConfig{Storage: newFiberMemory(t)}), FromConfig{})
		},
		Limits: gorillalimits.From(),
	})
}
