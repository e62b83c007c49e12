package goredisstore_test

import (
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/goredisstore"
	"github.com/satchel-go/satchel/core/storetest"
	"github.com/satchel-go/satchel/internal/testing/redistest"
)

func sentinelClient(s *redistest.Sentinel) *redis.Client {
	return redis.NewFailoverClient(&redis.FailoverOptions{MasterName: s.MasterName(), SentinelAddrs: s.Addrs()})
}

// The whole suite runs through sentinels.
func TestStoreOnSentinel(t *testing.T) {
	t.Parallel()
	s := redistest.StartSentinel(t)
	storetest.Run(t, func(t *testing.T) core.Store {
		client := sentinelClient(s)
		t.Cleanup(func() { _ = client.Close() })
		return goredisstore.New(client, goredisstore.Config{Prefix: redistest.UniquePrefix(t)})
	})
}

// The master dies under load, or hangs and comes back still believing that it is
// the master. Until a replica takes over, requests fail with 503, never as if
// there were no session. Then the sessions that had reached the replica are there.
func TestL3SentinelFailoverUnderLoad(t *testing.T) {
	for name, fail := range map[string]func(*redistest.Sentinel) func(){
		"killed": func(s *redistest.Sentinel) func() {
			s.Failover()
			return func() {}
		},
		"hung, then a replica": func(s *redistest.Sentinel) func() {
			old := s.Master
			old.Stop()
			s.AwaitFailover()
			return old.Continue
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := redistest.StartSentinel(t)
			r := newRig(t, sentinelClient(s), goredisstore.Config{}, core.Config{})
			const visitors = 4
			var browsers []*browser
			for i := range visitors {
				browsers = append(browsers, r.loggedIn(fmt.Sprint("user-", i)))
			}
			s.Master.AwaitReplica(s.Replica)
			load := startLoad(browsers)
			end := fail(s)
			until(t, "all are served again", func() bool { return load.wellSince(500 * time.Millisecond) })
			end()
			time.Sleep(300 * time.Millisecond) // the old master is back, and a client may ask it by mistake
			until(t, "all are served again", func() bool { return load.wellSince(500 * time.Millisecond) })
			load.end()
			if load.failed.Load() == 0 {
				t.Error("the failover went unnoticed, so the test shows nothing")
			}
			for _, wrong := range load.wrongs {
				t.Error(wrong)
			}
			for i, b := range browsers {
				b.shows("after the failover", fmt.Sprint("user-", i), "/user")
				if n := len(r.sessions(fmt.Sprint("user-", i))); n != 1 {
					t.Errorf("after the failover the index has %d sessions", n)
				}
				b.ok("/set", "key", "k", "value", "w")
				b.ok("/renew")
				b.shows("after the failover", "w", "/get", "key", "k")
			}
			fresh := r.loggedIn("fresh")
			fresh.shows("after the failover", "fresh", "/user")
		})
	}
}

// load is a set of browsers that read and write continuously.
type load struct {
	stop   chan struct{}
	wg     sync.WaitGroup
	failed atomic.Int64

	mu     sync.Mutex
	wrongs []string
	last   time.Time // of the last answer that was not 200
}

func startLoad(browsers []*browser) *load {
	l := &load{stop: make(chan struct{}), last: time.Now()}
	for i, b := range browsers {
		user := fmt.Sprint("user-", i)
		for _, path := range []string{"/user", "/incr"} {
			other := b.copied()
			l.wg.Go(func() { l.run(other, user, path) })
		}
	}
	return l
}

func (l *load) run(b *browser, user, path string) {
	for {
		select {
		case <-l.stop:
			return
		default:
		}
		a := b.do(path)
		l.mu.Lock()
		switch {
		case a.err != nil, a.status != http.StatusOK && a.status != http.StatusServiceUnavailable:
			l.wrongs = append(l.wrongs, fmt.Sprintf("%s: status %d, %v", path, a.status, a.err))
		case a.set:
			l.wrongs = append(l.wrongs, fmt.Sprintf("%s: a cookie with status %d", path, a.status))
		case a.took > 2500*time.Millisecond:
			l.wrongs = append(l.wrongs, fmt.Sprintf("%s took %v", path, a.took))
		case a.status == http.StatusOK && path == "/user" && a.body != user:
			l.wrongs = append(l.wrongs, fmt.Sprintf("the user is %q, want %q", a.body, user))
		}
		if a.status != http.StatusOK {
			l.failed.Add(1)
			l.last = time.Now()
		}
		l.mu.Unlock()
		time.Sleep(time.Millisecond)
	}
}

// wellSince reports whether something failed, but nothing for the last d.
func (l *load) wellSince(d time.Duration) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.failed.Load() > 0 && time.Since(l.last) > d
}

func (l *load) end() {
	close(l.stop)
	l.wg.Wait()
}
