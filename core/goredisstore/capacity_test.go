package goredisstore_test

import (
	"fmt"
	"net/http"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/goredisstore"
	"github.com/satchel-go/satchel/core/httpadapter"
	"github.com/satchel-go/satchel/core/sealed"
	"github.com/satchel-go/satchel/internal/testing/redistest"
)

// capacityEnv names the variable that sets how many sessions TestCapacity stores.
// The figures in the guide on operations come from 100000.
const capacityEnv = "SATCHEL_CAPACITY_SESSIONS"

// TestCapacity measures how much memory a session takes in Redis, and checks that
// it is no more than the guide on operations says. Every session has the four
// values of fill. Each logged-in one has its own user, the most expensive case.
func TestCapacity(t *testing.T) {
	n := 5_000
	if text := os.Getenv(capacityEnv); text != "" {
		var err error
		if n, err = strconv.Atoi(text); err != nil || n < 1000 {
			t.Fatalf("%s=%q: want a number from 1000", capacityEnv, text)
		}
	}
	ring, err := sealed.ParseKeyring(sealed.GenerateKey())
	if err != nil {
		t.Fatal(err)
	}
	plain := func(s core.Store) core.Store { return s }
	encrypted := func(s core.Store) core.Store { return sealed.Store(s, ring) }
	for _, row := range []struct {
		name  string
		wrap  func(core.Store) core.Store
		login bool
	}{
		{"anonymous", plain, false},
		{"logged in", plain, true},
		{"logged in, encrypted", encrypted, true},
	} {
		t.Run(row.name, func(t *testing.T) {
			documented := guideNumbers(t, "| "+row.name+" |")
			server := redistest.Start(t)
			store(t, server, row.wrap, row.login, 10) // Redis learns the scripts
			before, sessionsBefore := usedMemory(t, server), 10
			store(t, server, row.wrap, row.login, n)
			used := float64(usedMemory(t, server)-before) / float64(n)

			keys := float64(server.KeyBytes()) / float64(n+sessionsBefore)
			t.Logf("%d sessions: %.0f bytes of keys and %.0f bytes of used_memory each; resident %s",
				n, keys, used, server.Info("used_memory_rss_human"))
			for i, measured := range []float64{keys, used} {
				if said := float64(documented[i]); measured > said || measured < 0.7*said {
					t.Errorf("measured %.0f bytes where the guide says %.0f at most", measured, said)
				}
			}
		})
	}
}

// store stores n new sessions through requests, and leaves no connection open.
func store(t *testing.T, server *redistest.Server, wrap func(core.Store) core.Store, login bool, n int) {
	t.Helper()
	const patience = 30 * time.Second // the machine may have other things to do
	redisStore, err := goredisstore.Open(server.URL(), goredisstore.Config{Timeout: patience})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = redisStore.Close() }()
	manager, err := core.New(core.ServerSide(wrap(redisStore)), core.Config{CommitTimeout: patience})
	if err != nil {
		t.Fatal(err)
	}
	handler := httpadapter.Middleware(manager)(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		s := httpadapter.Session(r)
		fill(s)
		if login {
			s.Login(fmt.Sprintf("user-%08d-%d", usersSoFar.Add(1), n))
		}
	}))
	var workers sync.WaitGroup
	var left atomic.Int64
	left.Store(int64(n))
	for range 8 {
		workers.Go(func() {
			for left.Add(-1) >= 0 {
				v := visitor{handler: handler}
				if code := v.get(t).StatusCode; code != http.StatusOK || v.cookie == "" {
					t.Errorf("status %d, cookie %q", code, v.cookie)
					return
				}
			}
		})
	}
	workers.Wait()
}

var usersSoFar atomic.Int64

func usedMemory(t *testing.T, server *redistest.Server) int64 {
	t.Helper()
	used, err := strconv.ParseInt(server.Info("used_memory"), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return used
}
