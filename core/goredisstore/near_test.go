package goredisstore_test

import (
	"context"
	"encoding/binary"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/goredisstore"
	"github.com/satchel-go/satchel/core/nearcache"
	"github.com/satchel-go/satchel/internal/testing/redistest"
	"github.com/satchel-go/satchel/internal/testing/tcpproxy"
)

// counters are sessions whose numbers grow, written past a cache and read through it.
type counters struct {
	*testing.T
	writer *goredisstore.Store
	reader *nearcache.Store

	mu   sync.Mutex
	done [4][]time.Time // when the writer was told of each number

	reads, failed, late atomic.Int64 // late: older than the newest, though within the window
}

func counterID(i int) core.ID { return core.ID{byte(i), 1, 1, 1} }

// write counts one session up.
func (c *counters) write(ctx context.Context, i int, base core.Version) (core.Version, error) {
	c.mu.Lock()
	n := len(c.done[i])
	c.mu.Unlock()
	e := core.Entry{Data: binary.BigEndian.AppendUint64(nil, uint64(n)), Expires: time.Now().Add(time.Hour)}
	v, err := c.writer.Save(ctx, counterID(i), e, base)
	if err == nil {
		c.mu.Lock()
		c.done[i] = append(c.done[i], time.Now())
		c.mu.Unlock()
	}
	return v, err
}

// read checks that a copy is no older than the window.
func (c *counters) read(ctx context.Context, i int) {
	began := time.Now()
	e, err := c.reader.Load(ctx, counterID(i))
	c.reads.Add(1)
	if err != nil {
		c.failed.Add(1)
		return
	}
	got := int(binary.BigEndian.Uint64(e.Data))
	c.mu.Lock()
	defer c.mu.Unlock()
	if got+1 >= len(c.done[i]) {
		return
	}
	next := c.done[i][got+1] // when the copy became old
	if next.Before(began) {
		c.late.Add(1)
	}
	if age := began.Sub(next); age > c.reader.Window()+5*time.Millisecond {
		c.Errorf("L4: a copy is served that was out of date %v ago", age)
	}
}

// TestL4CopiesUnderFaults: whatever happens to the connection that reports changes, or to
// the server, no copy is older than the window.
func TestL4CopiesUnderFaults(t *testing.T) {
	t.Parallel()
	const window = 200 * time.Millisecond
	for name, fault := range map[string]func(*redistest.Server, *tcpproxy.Proxy){
		"black hole": func(_ *redistest.Server, p *tcpproxy.Proxy) { p.Blackhole() },
		"delay":      func(_ *redistest.Server, p *tcpproxy.Proxy) { p.DelayAnswers(5 * window) },
		"slow PINGs": func(_ *redistest.Server, p *tcpproxy.Proxy) { p.Delay(5 * window) },
		"cut":        func(_ *redistest.Server, p *tcpproxy.Proxy) { p.CutAll() },
		"refuse":     func(_ *redistest.Server, p *tcpproxy.Proxy) { p.Refuse() },
		"pause":      func(s *redistest.Server, _ *tcpproxy.Proxy) { s.MustDo("CLIENT", "PAUSE", "500", "WRITE") },
		"pause all":  func(s *redistest.Server, _ *tcpproxy.Proxy) { s.MustDo("CLIENT", "PAUSE", "500", "ALL") },
		"stop":       func(s *redistest.Server, _ *tcpproxy.Proxy) { s.Stop(); time.AfterFunc(2*window, s.Continue) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := redistest.Start(t)
			proxy := tcpproxy.Start(t, server.Addr())
			var through atomic.Bool // new connections go through the proxy
			client := redis.NewClient(&redis.Options{
				Addr: server.Addr(), PoolSize: 8, ConnMaxIdleTime: -1,
				Dialer: func(ctx context.Context, network, addr string) (net.Conn, error) {
					if through.Load() {
						addr = proxy.Addr()
					}
					return new(net.Dialer).DialContext(ctx, network, addr)
				},
			})
			t.Cleanup(func() { _ = client.Close() })
			together := make(chan struct{})
			var warm sync.WaitGroup
			for range 8 { // these stay
				warm.Go(func() {
					<-together
					_ = client.Do(t.Context(), "BLPOP", "nothing", "0.1").Err()
				})
			}
			close(together)
			warm.Wait()
			through.Store(true)
			c := &counters{T: t, writer: goredisstore.New(newClient(t, server.Addr()), goredisstore.Config{Timeout: patience})}
			var err error
			if c.reader, err = nearcache.New(goredisstore.New(client, goredisstore.Config{Timeout: patience}), nearcache.Config{Window: window}); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = c.reader.Close() })
			ctx, cancel := context.WithCancel(t.Context())
			var all sync.WaitGroup
			for i := range c.done {
				all.Go(func() {
					var v core.Version
					for ctx.Err() == nil {
						if next, err := c.write(ctx, i, v); err == nil {
							v = next
						}
						time.Sleep(3 * time.Millisecond)
					}
				})
				all.Go(func() {
					for ctx.Err() == nil {
						c.read(ctx, i)
						time.Sleep(100 * time.Microsecond)
					}
				})
			}
			time.Sleep(2 * window)
			before := c.reader.Stats()
			fault(server, proxy)
			time.Sleep(6 * window)
			during := c.reader.Stats()
			proxy.Heal()
			until(t, "copies are served again", func() bool { return c.reader.Stats().Hits > during.Hits+1000 })
			cancel()
			all.Wait()
			if before.Hits == 0 || before.Invalidations == 0 {
				t.Errorf("before the fault: %+v", before)
			}
			t.Logf("%d reads, %d failed, %d late, %+v", c.reads.Load(), c.failed.Load(), c.late.Load(), c.reader.Stats())
		})
	}
}

// TestClosingCopiesDoesNotWaitForRedis, which may hang.
func TestClosingCopiesDoesNotWaitForRedis(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	client := redis.NewClient(&redis.Options{Addr: server.Addr()})
	t.Cleanup(func() { _ = client.Close() })
	near, err := nearcache.New(goredisstore.New(client, goredisstore.Config{}), nearcache.Config{Window: 100 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	server.Stop()
	t.Cleanup(server.Continue)
	time.Sleep(200 * time.Millisecond)
	closed := make(chan struct{})
	go func() { defer close(closed); _ = near.Close() }()
	select {
	case <-closed:
	case <-time.After(time.Second): // go-redis waits for three, and tries again
		t.Error("Close waits for a server that hangs")
	}
}

// BenchmarkHitRatio is 10,000 sessions that are used as Zipf says; one request in a hundred
// writes. It reports how many of the others are answered from copies.
func BenchmarkHitRatio(b *testing.B) {
	server := redistest.Shared(b)
	store := goredisstore.New(newClient(b, server.Addr()), goredisstore.Config{Prefix: redistest.UniquePrefix(b), Timeout: patience})
	near, err := nearcache.New(store, nearcache.Config{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = near.Close() })
	ctx, rng := b.Context(), rand.New(rand.NewPCG(1, 2))
	const sessions = 10_000
	zipf := rand.NewZipf(rng, 1.1, 1, sessions-1)
	id := func(n uint64) core.ID { return core.ID{byte(n), byte(n >> 8), 1} }
	e := core.Entry{Data: make([]byte, 300), Expires: time.Now().Add(time.Hour)}
	for i := range uint64(sessions) {
		if _, err := near.Save(ctx, id(i), e, 0); err != nil {
			b.Fatal(err)
		}
	}
	time.Sleep(100 * time.Millisecond) // until all of it is told
	for i := range uint64(sessions) {
		_, _ = near.Load(ctx, id(i))
	}
	before := near.Stats()
	for b.Loop() {
		n := zipf.Uint64()
		if rng.IntN(100) > 0 {
			_, err = near.Load(ctx, id(n))
		} else if at, _ := near.Load(core.Fresh(ctx), id(n)); true {
			_, err = near.Save(ctx, id(n), e, at.Version)
		}
		if err != nil {
			b.Fatal(err)
		}
	}
	st := near.Stats()
	hits, misses := st.Hits-before.Hits, st.Misses-before.Misses
	b.ReportMetric(float64(hits)/float64(hits+misses), "hits/read")
}

// TestL1WrappingLogsNobodyOut, and neither does unwrapping. A page that only reads then takes
// no round trip.
func TestL1WrappingLogsNobodyOut(t *testing.T) {
	s := newSite(t, core.Config{})
	s.roundTrips(t, func(session *core.Session) { session.Login("ann") })
	bare := s.manager
	near, err := nearcache.New(goredisstore.New(newClient(t, s.proxy.Addr()), goredisstore.Config{Prefix: s.prefix, Timeout: patience}), nearcache.Config{Window: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = near.Close() })
	wrapped, err := core.New(core.ServerSide(near), core.Config{})
	if err != nil {
		t.Fatal(err)
	}
	cookie := s.visitor.cookie
	for _, m := range []*core.Manager{wrapped, bare, wrapped} {
		s.manager = m
		s.visit()
		s.visitor.cookie = cookie
		var user string
		read := func(session *core.Session) { user = session.UserID() }
		s.roundTrips(t, read)
		want := 1
		if m == wrapped {
			want = 0
		}
		if n := s.roundTrips(t, read); n != want || user != "ann" || s.visitor.cookie != cookie {
			t.Errorf("L1: wrapped %t: %d round trips, want %d; the user is %q", m == wrapped, n, want, user)
		}
	}
}
