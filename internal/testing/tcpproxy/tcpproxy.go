// Package tcpproxy passes connections on to a server of any protocol in which client and
// server take turns. It counts the turns, and injects faults.
package tcpproxy

import (
	"context"
	"io"
	"net"
	"sync"
	"testing"
	"time"
)

// Proxy passes connections on. It is safe for concurrent use.
type Proxy struct {
	listener net.Listener
	wg       sync.WaitGroup

	mu     sync.Mutex
	target string
	mode   mode
	delay  time.Duration
	faults []fault // which wait for a turn to begin
	links  map[*link]struct{}
	opened int
	turns  int
	closed bool
}

type mode int

const (
	passing mode = iota
	refusing
	silent
)

// fault is what happens to a turn.
type fault int

const (
	none fault = iota
	cutBefore
	cutAfter
)

// link is a client's connection and its counterpart to the server.
type link struct {
	client, server net.Conn

	// guarded by Proxy.mu
	waiting bool  // the client has sent something, and the server not yet answered
	fault   fault // of this turn
}

func (l *link) close() {
	_ = l.client.Close()
	_ = l.server.Close()
}

// Start starts a proxy to the server at target, "host:port". It ends with tb.
func Start(tb testing.TB, target string) *Proxy {
	tb.Helper()
	l, err := new(net.ListenConfig).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	p := &Proxy{target: target, listener: l, links: map[*link]struct{}{}}
	p.wg.Go(p.accept)
	tb.Cleanup(func() {
		p.mu.Lock()
		p.closed = true
		p.mu.Unlock()
		_ = l.Close()
		p.CutAll()
		p.wg.Wait()
	})
	return p
}

// Addr returns the address to connect to, "127.0.0.1:port".
func (p *Proxy) Addr() string { return p.listener.Addr().String() }

// Turns returns how many turns clients have begun: what they send after the server has
// answered begins one, those that set a connection up included.
func (p *Proxy) Turns() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.turns
}

// Conns returns how many connections are open, and how many have ever been accepted.
func (p *Proxy) Conns() (open, ever int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.links), p.opened
}

// CutBefore cuts the connection of each of the next n turns before the server gets to
// know of it.
func (p *Proxy) CutBefore(n int) { p.add(n, cutBefore) }

// CutAfter cuts the connection of each of the next n turns when the server answers: the
// client does not see the answer.
func (p *Proxy) CutAfter(n int) { p.add(n, cutAfter) }

// Skip lets n turns pass before the next CutBefore or CutAfter.
func (p *Proxy) Skip(n int) { p.add(n, none) }

func (p *Proxy) add(n int, f fault) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for range n {
		p.faults = append(p.faults, f)
	}
}

// Redirect sends new connections to the server at target, as when a name moves to
// another machine. Open connections stay as they are.
func (p *Proxy) Redirect(target string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.target = target
}

// Delay holds what clients send for d.
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

// Blackhole accepts connections and what they send, but passes nothing on in either
// direction until [Proxy.Heal].
func (p *Proxy) Blackhole() { p.setMode(silent) }

// Heal ends all faults. It cuts connections that were left without an answer.
func (p *Proxy) Heal() {
	p.mu.Lock()
	was := p.mode
	p.mode, p.delay, p.faults = passing, 0, nil
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

// CutAll closes all open connections. New ones still work.
func (p *Proxy) CutAll() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for l := range p.links {
		l.close()
	}
}

func (p *Proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.wg.Go(func() { p.serve(client) })
	}
}

func (p *Proxy) serve(client net.Conn) {
	defer func() { _ = client.Close() }()
	p.mu.Lock()
	p.opened++
	refuse, target := p.mode == refusing || p.closed, p.target
	p.mu.Unlock()
	if refuse {
		return
	}
	server, err := new(net.Dialer).DialContext(context.Background(), "tcp", target)
	if err != nil {
		return
	}
	l := &link{client: client, server: server}
	p.mu.Lock()
	p.links[l] = struct{}{}
	if p.closed || p.mode == refusing { // since the last look
		l.close()
	}
	p.mu.Unlock()
	defer func() {
		p.mu.Lock()
		delete(p.links, l)
		p.mu.Unlock()
	}()
	p.wg.Go(func() { p.pass(l, client, server, p.clientSent) })
	p.pass(l, server, client, p.serverSent)
}

// pass passes on what one side sends, as long as may says so.
func (p *Proxy) pass(l *link, from io.Reader, to io.Writer, may func(*link) bool) {
	defer l.close()
	buffer := make([]byte, 64<<10)
	for {
		n, err := from.Read(buffer)
		if err != nil || !may(l) {
			return
		}
		if p.isSilent() {
			continue
		}
		if _, err := to.Write(buffer[:n]); err != nil {
			return
		}
	}
}

func (p *Proxy) isSilent() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.mode == silent
}

// clientSent begins a turn, and reports whether the connection stays.
func (p *Proxy) clientSent(l *link) bool {
	p.mu.Lock()
	if !l.waiting {
		l.waiting, l.fault = true, none
		p.turns++
		if len(p.faults) > 0 {
			l.fault, p.faults = p.faults[0], p.faults[1:]
		}
	}
	delay, cut := p.delay, l.fault == cutBefore
	p.mu.Unlock()
	time.Sleep(delay)
	return !cut
}

func (p *Proxy) serverSent(l *link) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	l.waiting = false
	return l.fault != cutAfter
}
