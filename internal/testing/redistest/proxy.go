package redistest

import (
	"context"
	"net"
	"slices"
	"sync"
	"testing"
	"time"
)

// Proxy passes connections on to a Redis server, counts what goes through, and
// injects faults. It is safe for concurrent use.
//
// A round trip is a batch of commands that a client sends and then waits for. A
// command, a pipeline or a transaction counts once. Set-up commands (HELLO,
// CLIENT, AUTH, SELECT, PING) do not count and are not in [Proxy.Commands].
type Proxy struct {
	tb       testing.TB
	listener net.Listener
	wg       sync.WaitGroup

	// mu guards the fields below. The log is in the order of the commands'
	// arrival.
	mu       sync.Mutex
	upstream string
	mode     mode
	delay    time.Duration
	rules    []*Rule
	log      [][]string
	trips    int
	conns    map[*proxyConn]struct{}
	opened   int
	closed   bool
}

type mode int

const (
	passing mode = iota
	refusing
	silent
)

// StartProxy starts a proxy to the Redis server at addr, "host:port". It ends
// with tb.
func StartProxy(tb testing.TB, addr string) *Proxy {
	tb.Helper()
	var lc net.ListenConfig
	l, err := lc.Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	p := &Proxy{tb: tb, upstream: addr, listener: l, conns: map[*proxyConn]struct{}{}}
	p.wg.Go(p.accept)
	tb.Cleanup(p.close)
	return p
}

// Addr returns the address to connect to, "127.0.0.1:port".
func (p *Proxy) Addr() string { return p.listener.Addr().String() }

// URL returns the address in the form that clients parse.
func (p *Proxy) URL() string { return "redis://" + p.Addr() + "/0" }

// Commands returns the names of the commands that clients have sent, in upper case
// and in the order of arrival. It includes those that a fault then hit.
func (p *Proxy) Commands() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	names := make([]string, len(p.log))
	for i, args := range p.log {
		names[i] = name(args)
	}
	return names
}

// Log returns the commands that clients have sent with their arguments.
func (p *Proxy) Log() [][]string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.log)
}

// RoundTrips returns how many round trips clients have begun.
func (p *Proxy) RoundTrips() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.trips
}

// Conns returns how many connections are open, and how many have ever been
// accepted.
func (p *Proxy) Conns() (open, ever int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.conns), p.opened
}

// Reset sets the counts back to zero.
func (p *Proxy) Reset() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.log, p.trips, p.opened = nil, 0, 0
}

// Redirect sends new connections to the Redis server at addr, as when a master's
// name moves to another machine. Open connections stay as they are.
func (p *Proxy) Redirect(addr string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.upstream = addr
}

func (p *Proxy) target() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.upstream
}

// Delay holds each batch of commands for d before it reaches the server.
func (p *Proxy) Delay(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.delay = d
}

// Refuse closes open connections, and new ones as soon as they are made, until
// [Proxy.Heal].
func (p *Proxy) Refuse() {
	p.setMode(refusing)
	p.CutAll()
}

// Blackhole accepts connections and what they send, but answers nothing, even on
// open connections, until [Proxy.Heal].
func (p *Proxy) Blackhole() { p.setMode(silent) }

// Heal ends [Proxy.Delay], [Proxy.Refuse], [Proxy.Blackhole] and all rules. It
// cuts connections that were left without an answer.
func (p *Proxy) Heal() {
	p.mu.Lock()
	was := p.mode
	p.mode, p.delay, p.rules = passing, 0, nil
	p.mu.Unlock()
	if was == silent {
		p.CutAll()
	}
}

func (p *Proxy) setMode(m mode) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mode = m
}

func (p *Proxy) currentMode() mode {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.mode
}

// CutAll closes all open connections. New ones still work.
func (p *Proxy) CutAll() {
	p.mu.Lock()
	conns := make([]*proxyConn, 0, len(p.conns))
	for c := range p.conns {
		conns = append(conns, c)
	}
	p.mu.Unlock()
	for _, c := range conns {
		c.close()
	}
}

func (p *Proxy) close() {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	_ = p.listener.Close()
	p.CutAll()
	p.wg.Wait()
}

func (p *Proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.mu.Lock()
		p.opened++
		refuse := p.mode == refusing || p.closed
		var c *proxyConn
		if !refuse {
			c = &proxyConn{proxy: p, client: client, ended: make(chan struct{})}
			p.conns[c] = struct{}{}
		}
		p.mu.Unlock()
		if refuse {
			_ = client.Close()
			continue
		}
		p.wg.Go(c.run)
	}
}
