package recipes

import (
	"cmp"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/gofiber/fiber/v3"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/examples/internal/stores"
	"github.com/satchel-go/satchel/fiberv3adapter"
	"github.com/satchel-go/satchel/internal/testing/process"
	"github.com/satchel-go/satchel/internal/testing/redistest"
)

// These variables make the test's own program a server with Fiber's Prefork.
const preforkStore, preforkAddr = "RECIPES_PREFORK_STORE", "RECIPES_PREFORK_ADDR"

// preforked serves until its parent is gone: the test, and for a child the first process.
func preforked(store, addr string) error {
	go func() {
		for parent := os.Getppid(); os.Getppid() == parent; {
			time.Sleep(50 * time.Millisecond)
		}
		os.Exit(0)
	}()
	backend, _, err := stores.Open(store, "")
	if err != nil {
		return err
	}
	m, err := core.New(backend, core.Config{InsecureAllowHTTP: true})
	if err != nil {
		return err
	}
	app := fiber.New(fiber.Config{AppName: "prefork"})
	app.Use(fiberv3adapter.Middleware(m))
	app.Get("/", func(c fiber.Ctx) error {
		return c.SendString(fmt.Sprint(os.Getpid(), " ", cmp.Or(fiberv3adapter.Session(c).UserID(), "nobody")))
	})
	app.Post("/login", func(c fiber.Ctx) error {
		fiberv3adapter.Session(c).Login("ann")
		return nil
	})
	return app.Listen(addr, fiber.ListenConfig{EnablePrefork: true, DisableStartupMessage: true})
}

// TestPrefork runs what docs/recipes/processes.md says of Prefork as processes.
func TestPrefork(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("other systems do not spread connections over processes")
	}
	for name, test := range map[string]struct {
		store string
		users string // who two of the processes say is logged in
		log   string
	}{
		"redis":  {store: redistest.Shared(t).URL(), users: "ann ann"},
		"sqlite": {store: "sqlite:" + filepath.Join(t.TempDir(), "sessions.db"), users: "ann ann"},
		"memory": {store: "memory:", users: "ann nobody", log: "use a store that processes share"},
		"files":  {store: "file:" + t.TempDir(), log: "the directory is in use"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := listen(t)
			addr := l.Addr().String()
			_ = l.Close() // the processes listen there
			cmd := exec.CommandContext(t.Context(), os.Args[0])
			cmd.Env = append(os.Environ(), "GOMAXPROCS=3", preforkStore+"="+test.store, preforkAddr+"="+addr)
			p, err := process.Start(cmd)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(p.Kill)
			if test.users != "" {
				if got := whoIsLoggedIn(t, newBrowser(t, "http://"+addr, nil)); got != test.users {
					t.Errorf("two processes say %q, want %q", got, test.users)
				}
			}
			t.Cleanup(func() {
				if t.Failed() {
					t.Log(p.Log())
				}
			})
			eventually(t, "the log has "+test.log, func() bool { return strings.Contains(p.Log(), test.log) })
		})
	}
}

// whoIsLoggedIn logs in, and asks until two processes have answered.
func whoIsLoggedIn(t *testing.T, b *browser) string {
	t.Helper()
	b.Transport = &http.Transport{DisableKeepAlives: true} // each connection may reach another process
	eventually(t, "a process serves", func() bool {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, b.base+"/login", nil)
		if err != nil {
			t.Fatal(err)
		}
		res, err := b.Do(r)
		return err == nil && res.Body.Close() == nil && res.StatusCode == http.StatusOK
	})
	said := map[string]string{}
	eventually(t, "two processes answer", func() bool {
		pid, user, _ := strings.Cut(b.get("/").body, " ")
		said[pid] = user
		return len(said) > 1
	})
	var users []string
	for _, user := range said {
		users = append(users, user)
	}
	return min(users[0], users[1]) + " " + max(users[0], users[1])
}
