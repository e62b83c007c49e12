package goredisstore_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/goredisstore"
	"github.com/satchel-go/satchel/core/nearcache"
	"github.com/satchel-go/satchel/core/storetest"
	"github.com/satchel-go/satchel/internal/testing/redistest"
	"github.com/satchel-go/satchel/internal/testing/tcpproxy"
)

// foreign changes sessions by Redis's own commands.
func foreign(flush func(t *testing.T)) map[string]func(*testing.T, core.Store, core.ID) {
	do := func(command func(ctx context.Context, c redis.UniversalClient, key string) error) func(*testing.T, core.Store, core.ID) {
		return func(t *testing.T, s core.Store, id core.ID) {
			store := s.(*goredisstore.Store)
			if err := command(t.Context(), store.Client(), store.Key(id)); err != nil {
				t.Fatal(err)
			}
		}
	}
	all := map[string]func(*testing.T, core.Store, core.ID){
		"SET": do(func(ctx context.Context, c redis.UniversalClient, key string) error {
			return c.Set(ctx, key, "x", 0).Err()
		}),
		"DEL": do(func(ctx context.Context, c redis.UniversalClient, key string) error { return c.Del(ctx, key).Err() }),
		"script": do(func(ctx context.Context, c redis.UniversalClient, key string) error {
			return c.Eval(ctx, "return redis.call('APPEND', KEYS[1], 'x')", []string{key}).Err()
		}),
		"expiry": do(func(ctx context.Context, c redis.UniversalClient, key string) error {
			return c.PExpire(ctx, key, 20*time.Millisecond).Err()
		}),
	}
	if flush != nil {
		all["FLUSHALL"] = func(t *testing.T, _ core.Store, _ core.ID) { flush(t) }
	}
	return all
}

// onPair runs the suite with two clients.
func onPair(t *testing.T, newClient func() redis.UniversalClient, flush func(t *testing.T)) {
	t.Helper()
	storetest.RunInvalidator(t, func(t *testing.T) (a, b core.Store) {
		c := goredisstore.Config{Prefix: redistest.UniquePrefix(t), Timeout: patience}
		stores := make([]core.Store, 2)
		for i := range stores {
			client := newClient()
			t.Cleanup(func() { _ = client.Close() })
			stores[i] = goredisstore.New(client, c)
		}
		return stores[0], stores[1]
	}, foreign(flush))
}

func TestInvalidations(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, redistest.Password("secret"))
	onPair(t, func() redis.UniversalClient {
		return redis.NewClient(&redis.Options{Addr: server.Addr(), Password: "secret", DB: 3, ContextTimeoutEnabled: true})
	}, func(*testing.T) { server.MustDo("FLUSHALL") })
}

func TestInvalidationsOnCluster(t *testing.T) {
	t.Parallel()
	cluster := redistest.StartCluster(t, 3)
	onPair(t, func() redis.UniversalClient {
		return redis.NewClusterClient(&redis.ClusterOptions{Addrs: cluster.Addrs()})
	}, func(*testing.T) {
		for _, master := range cluster.Masters {
			master.MustDo("FLUSHALL")
		}
	})
}

func TestInvalidationsOnSentinel(t *testing.T) {
	t.Parallel()
	s := redistest.StartSentinel(t)
	onPair(t, func() redis.UniversalClient { return sentinelClient(s) }, func(*testing.T) { s.Master.MustDo("FLUSHALL") })
}

// hear runs Invalidations until the test ends, and returns what it says.
func hear(t *testing.T, store core.Invalidator, interval time.Duration) *said {
	t.Helper()
	s := &said{told: map[core.ID]int{}, ended: make(chan error, 1)}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.ended <- store.Invalidations(ctx, interval, s.changed, s.alive)
	}()
	t.Cleanup(func() { cancel(); <-done })
	return s
}

type said struct {
	mu      sync.Mutex
	told    map[core.ID]int
	last    time.Time
	onAlive func(time.Time)
	ended   chan error
}

func (s *said) changed(id core.ID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.told[id]++
}

func (s *said) alive(t time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last = t
	if s.onAlive != nil {
		s.onAlive(t)
	}
}

func (s *said) get(id core.ID) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.told[id]
}

func (s *said) since(t time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last.After(t)
}

// TestL4APongOvertakesReports: Redis answers a PING before it reports what it has changed in
// the same turn of its event loop. A change that was sent before a PING, and waits with it, is
// told before alive speaks of a time after the change was sent.
func TestL4APongOvertakesReports(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	store := goredisstore.New(newClient(t, server.Addr()), goredisstore.Config{Prefix: "p:", Timeout: patience})
	s := hear(t, store, 10*time.Millisecond)
	until(t, "it listens", func() bool { return s.get(core.ID{}) > 0 })
	writer := rawConn(t, server.Addr())
	pending := map[core.ID]time.Time{}
	early := 0
	s.mu.Lock()
	s.onAlive = func(at time.Time) {
		for id, sent := range pending {
			switch {
			case s.told[id] > 0:
				delete(pending, id)
			case sent.Before(at):
				early++
				delete(pending, id)
			}
		}
	}
	s.mu.Unlock()
	var sleeping sync.WaitGroup
	done := make(chan struct{})
	for range 2 { // one sleeps when the other wakes, so that either PING of a pair may have to wait
		sleeper := rawConn(t, server.Addr())
		sleeping.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
					if err := sleeper.do("DEBUG", "SLEEP", "0.01"); err != nil {
						t.Errorf("DEBUG SLEEP: %v", err)
						return
					}
				}
			}
		})
	}
	for i := range 100 {
		id := core.ID{1, byte(i)}
		s.mu.Lock()
		pending[id] = time.Now()
		s.mu.Unlock()
		if err := writer.do("SET", store.Key(id), "x"); err != nil {
			t.Errorf("SET: %v", err)
			break
		}
	}
	close(done)
	sleeping.Wait()
	until(t, "all is told", func() bool { return s.get(core.ID{1, 99}) > 0 })
	s.mu.Lock()
	defer s.mu.Unlock()
	if early > 0 {
		t.Errorf("L4: %d of 100 times, alive spoke of a time after a change that was not told", early)
	}
}

// raw is a connection over which nothing goes but what the test sends.
type raw struct{ net.Conn }

func rawConn(t *testing.T, addr string) raw {
	t.Helper()
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return raw{conn}
}

// do sends a command, and waits until it is done.
func (r raw) do(args ...string) error {
	var text strings.Builder
	fmt.Fprintf(&text, "*%d\r\n", len(args))
	for _, a := range args {
		fmt.Fprintf(&text, "$%d\r\n%s\r\n", len(a), a)
	}
	if _, err := r.Write([]byte(text.String())); err != nil {
		return err
	}
	answer := make([]byte, 100)
	n, err := r.Read(answer)
	if err == nil && !strings.HasPrefix(string(answer[:n]), "+OK") {
		err = fmt.Errorf("the answer is %q", answer[:n])
	}
	return err
}

// TestSilentInvalidations: what is no session is not told, and neither are sessions of others.
func TestSilentInvalidations(t *testing.T) {
	t.Parallel()
	store := newStore(t, nil)
	s := hear(t, store, 10*time.Millisecond)
	until(t, "it listens", func() bool { return s.get(core.ID{}) > 0 })
	other := newStore(t, nil)
	if _, err := other.Save(t.Context(), core.ID{1}, core.Entry{Expires: time.Now().Add(time.Hour)}, 0); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Reserve(t.Context(), "ann", core.ID{2}, 0, core.EndOldest); err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	until(t, "all is told", func() bool { return s.since(now) })
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.told) != 1 || s.told[core.ID{}] != 1 {
		t.Errorf("reported: %v", s.told)
	}
}

// TestNearcacheSaysWhatIsMissing: a cache that never answers would go unnoticed.
func TestNearcacheSaysWhatIsMissing(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	acl := func(name string, rules ...string) redis.UniversalClient {
		server.MustDo(append([]string{"ACL", "SETUSER", name, "on", ">pw", "~*", "+@all"}, rules...)...)
		client := redis.NewClient(&redis.Options{Addr: server.Addr(), Username: name, Password: "pw"})
		t.Cleanup(func() { _ = client.Close() })
		return client
	}
	ring := redis.NewRing(&redis.RingOptions{Addrs: map[string]string{"a": server.Addr()}})
	t.Cleanup(func() { _ = ring.Close() })
	noCluster := redis.NewClusterClient(&redis.ClusterOptions{ClusterSlots: func(context.Context) ([]redis.ClusterSlot, error) { // as redis.NewFailoverClusterClient makes it
		return []redis.ClusterSlot{{Start: 0, End: 16383, Nodes: []redis.ClusterNode{{Addr: server.Addr()}}}}, nil
	}})
	t.Cleanup(func() { _ = noCluster.Close() })
	without := redistest.Start(t, redistest.Args("--rename-command", "CLIENT", "")) // as proxies are
	for name, c := range map[string]struct {
		client redis.UniversalClient
		says   string
	}{
		"tracking":  {acl("a", "-client|tracking", "&*"), "+client|tracking"},
		"subscribe": {acl("b", "-subscribe", "&*"), "+subscribe"},
		"PING":      {acl("e", "-ping", "&*"), "+ping"},
		"INFO":      {acl("f", "-info", "&*"), "+info"},
		"channel":   {acl("c", "resetchannels", "&satchel:*"), "&__redis__:invalidate"},
		"ring":      {ring, "redis.Ring"},
		"cluster":   {noCluster, "redis.NewFailoverClient"},
		"wrapped":   {goredisstore.Primary(newClient(t, server.Addr())), "shows no options"},
		"proxy":     {newClient(t, without.Addr()), "a proxy in front of it"},
	} {
		s, err := nearcache.New(goredisstore.New(c.client, goredisstore.Config{}), nearcache.Config{})
		if s != nil || !errors.Is(err, core.ErrUnsupported) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want %q", name, err, c.says)
		}
	}
	s, err := nearcache.New(goredisstore.New(acl("d", "resetchannels", "-@all", "+@read", "+@write", "+@scripting", "+@connection", "+info", "+subscribe", "&__redis__:invalidate"), goredisstore.Config{}), nearcache.Config{})
	if err != nil {
		t.Fatalf("with the rules that the error names: %v", err)
	}
	_ = s.Close()
	server.Kill()
	s, err = nearcache.New(goredisstore.New(newClient(t, server.Addr()), goredisstore.Config{}), nearcache.Config{})
	if err != nil || s.Stats().Err == nil {
		t.Errorf("a server that is away: %v", err)
	}
	_ = s.Close()
}

// TestL4NewMastersAreHeard: a session may be on another server from one moment to the next.
func TestL4NewMastersAreHeard(t *testing.T) {
	t.Run("sentinel", func(t *testing.T) {
		t.Parallel()
		s := redistest.StartSentinel(t)
		heard := hear(t, goredisstore.New(sentinelClient(s), goredisstore.Config{}), 25*time.Millisecond)
		until(t, "it listens", func() bool { return heard.get(core.ID{}) > 0 })
		old := s.Master
		old.Stop()
		s.AwaitFailover()
		old.Continue() // it still answers, and believes for a moment that it is the master
		if err := <-heard.ended; err == nil {
			t.Error("L4: the end of a master goes unnoticed")
		}
		again := hear(t, goredisstore.New(sentinelClient(s), goredisstore.Config{}), 25*time.Millisecond)
		until(t, "it listens to the new one", func() bool { return again.get(core.ID{}) > 0 })
	})
	t.Run("address", func(t *testing.T) { // of a proxy, or a name, that leads to another server
		t.Parallel()
		one, other := redistest.Start(t), redistest.Start(t)
		proxy := tcpproxy.Start(t, one.Addr())
		heard := hear(t, goredisstore.New(newClient(t, proxy.Addr()), goredisstore.Config{}), 25*time.Millisecond)
		until(t, "it listens", func() bool { return heard.get(core.ID{}) > 0 })
		proxy.Redirect(other.Addr()) // a connection that is there stays
		one.MustDo("CLIENT", "KILL", "TYPE", "normal")
		select {
		case err := <-heard.ended:
			if err == nil {
				t.Error("L4: another server at the same address goes unnoticed")
			}
		case <-time.After(5 * time.Second):
			t.Error("L4: another server at the same address goes unnoticed")
		}
	})
	t.Run("cluster", func(t *testing.T) {
		t.Parallel()
		cluster := redistest.StartCluster(t, 3, redistest.Replicas(1))
		client := redis.NewClusterClient(&redis.ClusterOptions{Addrs: cluster.Addrs()})
		t.Cleanup(func() { _ = client.Close() })
		store := goredisstore.New(client, goredisstore.Config{})
		heard := hear(t, store, 25*time.Millisecond)
		until(t, "it listens", func() bool { return heard.get(core.ID{}) > 0 })
		next := cluster.Replicas[0]
		until(t, "the replica takes over", func() bool {
			_, _ = next.Do("CLUSTER", "FAILOVER") // nothing is lost, and no connection breaks
			time.Sleep(time.Second)               // on a busy machine it may need another try
			return next.Info("role") == "master"
		})
		select {
		case err := <-heard.ended:
			if err == nil {
				t.Error("L4: a new master goes unnoticed")
			}
		case <-time.After(10 * time.Second):
			t.Error("L4: a new master goes unnoticed")
		}
		until(t, "it listens again", func() bool {
			again := hear(t, store, 25*time.Millisecond)
			time.Sleep(200 * time.Millisecond)
			return again.get(core.ID{}) > 0
		})
	})
}

// TestL4LostConnectionsAreTold: go-redis would connect again by itself.
func TestL4LostConnectionsAreTold(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	heard := hear(t, goredisstore.New(newClient(t, server.Addr()), goredisstore.Config{}), 25*time.Millisecond)
	until(t, "it listens", func() bool { return heard.get(core.ID{}) > 0 })
	server.MustDo("CLIENT", "KILL", "TYPE", "pubsub")
	select {
	case err := <-heard.ended:
		if err == nil || errors.Is(err, core.ErrUnsupported) {
			t.Errorf("L4: after a lost connection: %v", err)
		}
	case <-time.After(5 * time.Second):
		t.Error("L4: a lost connection goes unnoticed")
	}
}

// TestL4EveryMasterMustAnswer: what one master says is nothing about another's sessions.
func TestL4EveryMasterMustAnswer(t *testing.T) {
	t.Parallel()
	cluster := redistest.StartCluster(t, 3)
	client := redis.NewClusterClient(&redis.ClusterOptions{Addrs: cluster.Addrs()})
	t.Cleanup(func() { _ = client.Close() })
	heard := hear(t, goredisstore.New(client, goredisstore.Config{}), 25*time.Millisecond)
	until(t, "it listens", func() bool { return heard.get(core.ID{}) > 0 })
	cluster.Masters[1].Stop()
	stopped := time.Now()
	time.Sleep(300 * time.Millisecond)
	if heard.since(stopped) {
		t.Error("L4: alive speaks of a time when one master did not answer")
	}
	cluster.Masters[1].Continue()
	until(t, "all masters answer", func() bool { return heard.since(stopped) })
}
