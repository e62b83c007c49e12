package goredisstore_test

import (
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/goredisstore"
	"github.com/satchel-go/satchel/internal/testing/redistest"
)

// While Redis gives no answer, requests are refused at once, and it is served again soon
// after it is back.
func TestL3RedisAwayFailsFast(t *testing.T) {
	for _, o := range outages() {
		t.Run(o.name, func(t *testing.T) {
			t.Parallel()
			srv := redistest.Start(t)
			r, proxy := newProxied(t, srv, core.Config{})
			b := r.loggedIn("ann")
			o.begin(srv, proxy)
			var wg sync.WaitGroup
			for range 4 {
				other := b.copied()
				wg.Go(func() {
					until(t, "requests fail fast", func() bool { other.do("/get", "key", "k"); return r.count(core.EventAway) > 0 })
				})
			}
			wg.Wait()
			var took []time.Duration
			for range 21 {
				a := b.do("/get", "key", "k")
				if a.err != nil || a.status != http.StatusServiceUnavailable {
					t.Errorf("meanwhile: status %d (%v), want 503", a.status, a.err)
				}
				took = append(took, a.took)
			}
			slices.Sort(took)
			if took[10] > 100*time.Millisecond { // but for the trials; a busy machine takes longer than a few milliseconds
				t.Errorf("meanwhile a request takes %v", took[10])
			}
			if o.end != nil {
				o.end(srv, proxy)
			}
			proxy.Heal()
			until(t, "Redis serves again", func() bool { return b.do("/get", "key", "k").status == http.StatusOK })
			for range 20 {
				b.shows("afterwards", "v", "/get", "key", "k")
			}
			if gone, back := r.count(core.EventAway), r.count(core.EventBack); gone != back {
				t.Errorf("%d events away, %d back", gone, back)
			}
		})
	}
}

// A client of Sentinels says in its own words that it reaches none.
func TestL3SentinelsAwayFailFast(t *testing.T) {
	t.Parallel()
	proxy := redistest.StartProxy(t, redistest.Shared(t).Addr())
	proxy.Refuse()
	client := redis.NewFailoverClient(&redis.FailoverOptions{MasterName: "m", SentinelAddrs: []string{proxy.Addr()}, ContextTimeoutEnabled: true})
	r := newRig(t, client, goredisstore.Config{SkipChecks: true}, core.Config{})
	began := time.Now()
	for time.Since(began) < 10*time.Second && r.count(core.EventAway) == 0 {
		_ = r.manager.Revoke(t.Context(), core.ID{1})
	}
	if r.count(core.EventAway) != 1 {
		t.Error("requests do not fail fast")
	}
}

// With one node of a cluster dead, the others are served as ever.
func TestL3DeadShardDoesNotFailFast(t *testing.T) {
	t.Parallel()
	c := redistest.StartCluster(t, 3)
	r, users := onCluster(t, c)
	dead := c.Masters[1]
	dead.Kill()
	var wg sync.WaitGroup
	for node, b := range users {
		for i := range 3 {
			other := b.copied()
			wg.Go(func() {
				for began := time.Now(); time.Since(began) < 3*time.Second; time.Sleep(5 * time.Millisecond) {
					a := other.do("/get", "key", "k")
					if node != dead && (a.err != nil || a.status != http.StatusOK) {
						t.Errorf("browser %d of a live node: status %d (%v)", i, a.status, a.err)
						return
					}
				}
			})
		}
	}
	wg.Wait()
	if n := r.count(core.EventAway); n != 0 {
		t.Errorf("failed fast %d times", n)
	}
	if r.count(core.EventUnavailable) == 0 {
		t.Error("nothing failed on the dead node")
	}
}
