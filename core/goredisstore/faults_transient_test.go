package goredisstore_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/goredisstore"
	"github.com/satchel-go/satchel/internal/testing/redistest"
)

// What Redis answers while it starts, fails over or moves its slots.
var transients = []string{
	"LOADING Redis is loading the dataset in memory",
	"CLUSTERDOWN The cluster is down",
	"TRYAGAIN Multiple keys request during rehashing of slot",
	"MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
	"READONLY You can't write against a read only replica.",
}

// Transient errors are retried for a while, and then answered with 503.
func TestL3TransientErrors(t *testing.T) {
	t.Parallel()
	srv := redistest.Start(t)
	for _, message := range transients {
		word, _, _ := strings.Cut(message, " ")
		t.Run(word, func(t *testing.T) {
			t.Parallel()
			r, proxy := newProxied(t, srv, core.Config{})
			b := r.loggedIn("ann")
			for _, w := range writes() {
				visitor := b.copied()
				if w.fresh {
					visitor = r.browser()
				}
				if w.name == "logout" {
					visitor = r.loggedIn("zoe")
				}
				rule := proxy.Answer(2, script(w.scripts...), message)
				visitor.ok(w.path, w.pairs...)
				if rule.Fired() != 2 {
					t.Errorf("%s: %d of two errors met", w.name, rule.Fired())
				}
				if !w.fresh && w.name != "logout" {
					b = visitor
				}
			}
			if message != transients[4] { // replicas also accept reads
				proxy.Answer(2, redistest.Command("GETEX"), message)
			}
			b.shows("after a retried count", "1", "/visits")
			before := r.keys(srv)
			proxy.Answer(redistest.Always, redistest.Any, message)
			b.refused("/get", "key", "k")
			b.refused("/set", "key", "k", "value", "lost")
			r.browser().refused("/set", "key", "k", "value", "lost")
			b.refused("/logout")
			proxy.Heal()
			b.shows("afterwards", "ann", "/user")
			r.hasKeys(srv, before)
		})
	}
}

// The master's name moves to another machine, and the old master continues as a
// replica. Connections to it are dropped at the first write that it refuses.
func TestL3MasterMovesElsewhere(t *testing.T) {
	t.Parallel()
	atOnce := redistest.Args("--repl-diskless-sync-delay", "0")
	old, next := redistest.Start(t, atOnce), redistest.Start(t, atOnce)
	next.MustDo("REPLICAOF", "127.0.0.1", fmt.Sprint(old.Port()))
	old.AwaitReplica(next)
	r, proxy := newProxied(t, old, core.Config{})
	b := r.loggedIn("ann")
	old.AwaitReplica(next)
	next.MustDo("REPLICAOF", "NO", "ONE")
	old.MustDo("REPLICAOF", "127.0.0.1", fmt.Sprint(next.Port()))
	proxy.Redirect(next.Addr())
	b.ok("/set", "key", "k", "value", "w")
	if got, _ := next.MustDo("GET", r.store.Key(r.sessions("ann")[0])).(string); !strings.Contains(got, "w") {
		t.Error("the new master has not got the change")
	}
	b.ok("/renew")
	b.shows("on the new master", "w", "/get", "key", "k")
}

// Redis before 7 wraps the refusal of a script's first write in an error that
// go-redis does not recognise, so it would keep the connection.
func TestL3MasterMovesElsewhereBeforeRedis7(t *testing.T) {
	t.Parallel()
	srv := redistest.Start(t)
	r, proxy := newProxied(t, srv, core.Config{})
	for _, w := range writes() {
		b := r.browser()
		if !w.fresh {
			b = r.loggedIn("ann")
		}
		_, before := proxy.Conns()
		wrapped := proxy.Answer(1, script(w.scripts...), "ERR Error running script (call to f_"+strings.Repeat("0", 40)+
			"): @user_script:1: @user_script: 1: -READONLY You can't write against a read only replica.")
		proxy.Answer(2, redistest.Command("HDEL"), "READONLY You can't write against a read only replica.")
		b.ok(w.path, w.pairs...)
		if wrapped.Fired() != 1 {
			t.Errorf("%s: met %d errors, want 1", w.name, wrapped.Fired())
		}
		if _, ever := proxy.Conns(); ever == before {
			t.Errorf("%s: no new connection was made", w.name)
		}
	}
}

// Redis comes back empty, so everyone is anonymous. No client is redirected in
// circles, and nothing is written for clients that only read.
func TestL1RestartWithEmptyRedis(t *testing.T) {
	t.Parallel()
	srv := redistest.Start(t)
	r, proxy := newProxied(t, srv, core.Config{})
	var visitors []*browser
	for i := range 20 {
		visitors = append(visitors, r.loggedIn(fmt.Sprint("user-", i)))
	}
	srv.Restart()
	until(t, "Redis serves again", func() bool { return visitors[0].do("/user").status == 200 })
	proxy.Reset()
	for _, b := range visitors {
		for range 3 {
			if a := b.do("/get", "key", "k"); a.status != 200 || a.set || a.body != "" {
				t.Errorf("status %d, cookie set: %v, value %q; want an anonymous page", a.status, a.set, a.body)
			}
		}
	}
	if names := slices.Compact(proxy.Commands()); !slices.Equal(names, []string{"GETEX"}) {
		t.Errorf("reading has sent %v, want only loads", names)
	}
	if keys := r.keys(srv); len(keys) != 0 {
		t.Errorf("reading has stored %q", keys)
	}
	for _, b := range visitors { // the scripts are gone as well
		b.ok("/login", "user", "ann")
		b.shows("after a new login", "ann", "/user")
	}
	if n := len(r.sessions("ann")); n != len(visitors) {
		t.Errorf("%d sessions, want %d", n, len(visitors))
	}
}

// With a full memory, existing sessions can be read, kept alive and ended. New
// writes fail completely.
func TestE2OutOfMemory(t *testing.T) {
	t.Parallel()
	srv := redistest.Start(t, redistest.Args("--maxmemory-policy", "noeviction"))
	clock := &shiftedClock{}
	r := newRig(t, redis.NewClient(&redis.Options{Addr: srv.Addr()}), goredisstore.Config{}, core.Config{Now: clock.now})
	r.teach()
	ann, bob, cyd := r.loggedIn("ann"), r.loggedIn("bob"), r.loggedIn("cyd")
	before := r.keys(srv)
	srv.MustDo("CONFIG", "SET", "maxmemory", "1")

	ann.shows("reading", "v", "/get", "key", "k")
	ann.refused("/set", "key", "k", "value", "lost")
	ann.refused("/renew")
	ann.refused("/login", "user", "ann")
	r.browser().refused("/set", "key", "k", "value", "lost")
	r.browser().refused("/login", "user", "dan")
	r.hasKeys(srv, before)
	ann.shows("after failed writes", "v", "/get", "key", "k")
	for _, user := range []string{"ann", "dan"} {
		if ids := r.sessions(user); len(ids) != map[string]int{"ann": 1, "dan": 0}[user] {
			t.Errorf("after failed writes %s has the sessions %v", user, ids)
		}
	}

	clock.advance(20 * time.Minute)
	for _, b := range []*browser{ann, bob, cyd} {
		b.ok("/get", "key", "k")
	}
	clock.advance(20 * time.Minute)
	for _, b := range []*browser{ann, bob, cyd} {
		b.shows("although the memory is full", "v", "/get", "key", "k")
	}

	stolen := ann.copied()
	ann.ok("/logout")
	stolen.shows("after the logout", "", "/user")
	if _, err := r.manager.RevokeUser(t.Context(), "bob"); err != nil {
		t.Errorf("RevokeUser: %v", err)
	}
	if err := r.manager.RevokeAll(t.Context()); err != nil {
		t.Errorf("RevokeAll: %v", err)
	}
	if keys := r.keys(srv); len(keys) != 0 {
		t.Errorf("left: %q", keys)
	}
}

// shiftedClock is the real clock, set ahead.
type shiftedClock struct {
	mu    sync.Mutex
	shift time.Duration
}

func (c *shiftedClock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Add(c.shift)
}

func (c *shiftedClock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.shift += d
}
