package goredisstore_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/goredisstore"
	"github.com/satchel-go/satchel/internal/testing/redistest"
)

// outage makes a server unable to answer, and undoes that.
type outage struct {
	name  string
	begin func(*redistest.Server, *redistest.Proxy)
	end   func(*redistest.Server, *redistest.Proxy)
}

func outages() []outage {
	return []outage{
		{"connections refused", func(_ *redistest.Server, p *redistest.Proxy) { p.Refuse() }, nil},
		{"black hole", func(_ *redistest.Server, p *redistest.Proxy) { p.Blackhole() }, nil},
		{"black hole for new connections", func(_ *redistest.Server, p *redistest.Proxy) { p.CutAll(); p.Blackhole() }, nil},
		{"slow", func(_ *redistest.Server, p *redistest.Proxy) { p.Delay(5 * time.Second) }, nil},
		{
			"process stopped",
			func(s *redistest.Server, _ *redistest.Proxy) { s.Stop() },
			func(s *redistest.Server, _ *redistest.Proxy) { s.Continue() },
		},
	}
}

// It is unknown whether the session exists. No request is served as if it did
// not, nothing is deleted, and the session is there when Redis is back.
func TestL3RedisDownAtLoad(t *testing.T) {
	for _, o := range outages() {
		t.Run(o.name, func(t *testing.T) {
			t.Parallel()
			srv := redistest.Start(t)
			r, proxy := newProxied(t, srv, core.Config{})
			testDownAtLoad(t, o, srv, r, proxy)
		})
		t.Run(o.name+", client without ContextTimeoutEnabled", func(t *testing.T) {
			t.Parallel()
			srv := redistest.Start(t)
			proxy := redistest.StartProxy(t, srv.Addr())
			r := newTaught(t, proxy, redis.NewClient(&redis.Options{Addr: proxy.Addr()}), core.Config{})
			testDownAtLoad(t, o, srv, r, proxy)
		})
	}
}

func testDownAtLoad(t *testing.T, o outage, srv *redistest.Server, r *rig, proxy *redistest.Proxy) {
	t.Helper()
	b := r.loggedIn("ann")
	before := r.keys(srv)
	o.begin(srv, proxy)
	b.refused("/get", "key", "k")
	b.refused("/blank")
	b.refused("/set", "key", "k", "value", "lost")
	b.refused("/logout")
	if a := b.do("/outside"); a.status != http.StatusOK || a.took > time.Second {
		t.Errorf("outside the middleware: status %d after %v", a.status, a.took)
	}
	if a := r.browser().do("/get", "key", "k"); a.status != http.StatusOK || a.set {
		t.Errorf("without a cookie: status %d, want 200 without Redis", a.status)
	}
	if r.count(core.EventUnavailable) == 0 || r.count(core.EventRejected) != 0 {
		t.Errorf("%d events of Redis being down, %d of rejections", r.count(core.EventUnavailable), r.count(core.EventRejected))
	}
	if o.end != nil {
		o.end(srv, proxy)
	}
	proxy.Heal()
	until(t, "Redis serves again", func() bool { return b.do("/get", "key", "k").status == http.StatusOK })
	b.shows("afterwards", "v", "/get", "key", "k")
	b.shows("afterwards", "ann", "/user")
	r.hasKeys(srv, before)
}

// failWrites makes the proxy fail all scripts, which do all the writing.
func failWrites(p *redistest.Proxy) {
	p.CutBefore(redistest.Always, redistest.Command("EVALSHA", "EVAL"))
}

// A logout or revocation that could not be carried out says so. Another try ends
// the session once Redis is back.
func TestL3LogoutAndRevokeReportFailure(t *testing.T) {
	t.Parallel()
	srv := redistest.Start(t)
	r, proxy := newProxied(t, srv, core.Config{})
	b := r.loggedIn("ann")
	stolen := b.copied()
	id := r.sessions("ann")[0]
	failWrites(proxy)
	b.refused("/logout")
	for name, revoke := range map[string]func(context.Context) error{
		"Revoke":     func(ctx context.Context) error { return r.manager.Revoke(ctx, id) },
		"RevokeUser": func(ctx context.Context) error { _, err := r.manager.RevokeUser(ctx, "ann"); return err },
		"Mend":       func(ctx context.Context) error { return r.store.Mend(ctx, "ann", id, time.Now()) },
	} {
		if err := revoke(t.Context()); !errors.Is(err, core.ErrUnavailable) {
			t.Errorf("%s: %v, want it to match ErrUnavailable", name, err)
		}
	}
	proxy.Heal()
	proxy.CutBefore(redistest.Always, redistest.Any)
	if err := r.manager.RevokeAll(t.Context()); !errors.Is(err, core.ErrUnavailable) {
		t.Errorf("RevokeAll: %v, want it to match ErrUnavailable", err)
	}
	proxy.Heal()
	b.shows("after failed logouts", "ann", "/user")
	if ids := r.sessions("ann"); len(ids) != 1 {
		t.Errorf("after failed logouts the index has %v", ids)
	}
	b.ok("/logout")
	stolen.shows("after the logout", "", "/user")
	if keys := r.keys(srv); len(keys) != 0 {
		t.Errorf("after the logout there is %q", keys)
	}
}

// Either command of a logout may be cut off. The next logout finishes whatever is
// left.
func TestL3LogoutThatHalfFails(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"release", "delete"} {
		for _, cut := range []string{"before", "after"} {
			t.Run(cut+" "+name, func(t *testing.T) {
				t.Parallel()
				srv := redistest.Start(t)
				r, proxy := newProxied(t, srv, core.Config{})
				b := r.loggedIn("ann")
				stolen := b.copied()
				if cut == "before" {
					proxy.CutBefore(redistest.Always, script(name))
				} else {
					proxy.CutAfter(redistest.Always, script(name))
				}
				if name == "release" {
					b.ok("/logout") // it has ended; the index still names it, and heals later
					stolen.shows("after the logout", "", "/user")
					return
				}
				b.refused("/logout")
				proxy.Heal()
				if stolen.ok("/user") == "ann" && len(r.sessions("ann")) != 1 {
					t.Error("the session lives, and the user's index does not name it")
				}
				b.ok("/logout")
				stolen.shows("after the second logout", "", "/user")
				if ids := r.sessions("ann"); len(ids) != 0 {
					t.Errorf("after the second logout the index has %v", ids)
				}
			})
		}
	}
}

// With more requests than connections, those that get none are refused at once
// and do not pile up.
func TestL3PoolExhausted(t *testing.T) { // not parallel: it counts goroutines
	for _, obedient := range []bool{true, false} {
		t.Run(fmt.Sprint("ContextTimeoutEnabled ", obedient), func(t *testing.T) {
			srv := redistest.Start(t)
			proxy := redistest.StartProxy(t, srv.Addr())
			client := redis.NewClient(&redis.Options{Addr: proxy.Addr(), PoolSize: 2, ContextTimeoutEnabled: obedient})
			r := newRig(t, client, goredisstore.Config{}, core.Config{})
			b := r.loggedIn("ann")
			proxy.Blackhole()
			const requests = 60
			before := runtime.NumGoroutine()
			var wg sync.WaitGroup
			for range requests {
				other := b.copied()
				wg.Go(func() {
					a := other.do("/get", "key", "k")
					other.client.CloseIdleConnections()
					if a.status != http.StatusServiceUnavailable || a.set {
						t.Errorf("status %d (%v), want 503", a.status, a.err)
					}
					r.soon(a.took, "a request without a connection")
				})
			}
			wg.Wait()
			if stats := client.PoolStats(); stats.TotalConns > 2 {
				t.Errorf("%d connections, want at most 2", stats.TotalConns)
			}
			if obedient {
				start := time.Now()
				until(t, "the goroutines have ended", func() bool { return runtime.NumGoroutine() <= before+requests/4 })
				r.soon(time.Since(start), "the end of the goroutines")
			}
			proxy.Heal()
			until(t, "Redis serves again", func() bool { return b.do("/get", "key", "k").status == http.StatusOK })
		})
	}
}

// A replica may lack what its master has, so the store never asks one. A session
// that is missing there logs no user out, and no revocation relies on its index.
func TestL3ReplicaIsNotAsked(t *testing.T) {
	t.Parallel()
	master, replica := redistest.Start(t, redistest.Args("--repl-diskless-sync-delay", "0")), redistest.Start(t)
	replica.MustDo("REPLICAOF", "127.0.0.1", fmt.Sprint(master.Port()))
	master.AwaitReplica(replica)
	store := goredisstore.New(newClient(t, replica.Addr()), goredisstore.Config{})
	for name, f := range map[string]func() error{
		"Load":   func() error { _, err := store.Load(t.Context(), core.ID{1}); return err },
		"List":   func() error { _, err := store.List(t.Context(), "ann"); return err },
		"Delete": func() error { return store.Delete(t.Context(), core.ID{1}) },
	} {
		if err := f(); !errors.Is(err, core.ErrUnavailable) {
			t.Errorf("%s: %v, want ErrUnavailable", name, err)
		}
	}
}

// A call ends with the store's timeout, even if its caller would wait longer.
func TestC5EveryCallEndsWithTheTimeout(t *testing.T) {
	t.Parallel()
	for _, obedient := range []bool{true, false} {
		proxy := redistest.StartProxy(t, redistest.Shared(t).Addr())
		proxy.Blackhole()
		client := redis.NewClient(&redis.Options{Addr: proxy.Addr(), ContextTimeoutEnabled: obedient})
		t.Cleanup(func() { _ = client.Close() })
		store := goredisstore.New(client, goredisstore.Config{})
		ctx, cancel := context.WithTimeout(t.Context(), 4*time.Second)
		defer cancel()
		began := time.Now()
		_, err := store.Load(ctx, core.ID{1})
		if took := time.Since(began); !errors.Is(err, core.ErrUnavailable) || took > 2*time.Second {
			t.Errorf("ContextTimeoutEnabled %v: %v after %v, want ErrUnavailable after half a second", obedient, err, took)
		}
	}
}
