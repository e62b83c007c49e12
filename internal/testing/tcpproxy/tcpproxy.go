// Package tcpproxy passes connections on to a server of any protocol in which client and
// server take turns. It counts the turns, and injects faults.
package tcpproxy

import (
	"bytes"
	"context"
	"io"
	"net"
	"sync"
	"testing"
	"time"
)

// Proxy passes connections on. It is safe for concurrent use.
type Proxy struct {
	Front

	mu     sync.Mutex
	faults []fault // which wait for a turn to begin
	turns  int
	late   time.Duration // of what servers send
	names  [2][]byte     // see Rename
}

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
	ctx            context.Context //nolint:containedctx // of the connection

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
	return StartOn(tb, "127.0.0.1:0", target)
}

// StartOn is [Start] with the address to listen on.
func StartOn(tb testing.TB, addr, target string) *Proxy {
	tb.Helper()
	p := &Proxy{}
	p.Listen(tb, addr, target, p.serve)
	return p
}

// Rename has new connections replace a text in what the server says by another of the same
// length, such as the server's address by the proxy's. All that the server says must end
// with a line.
func (p *Proxy) Rename(from, to string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.names = [2][]byte{[]byte(from), []byte(to)}
}

// Turns returns how many turns clients have begun: what they send after the server has
// answered begins one, those that set a connection up included.
func (p *Proxy) Turns() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.turns
}

// CutBefore cuts the connection of each of the next n turns before the server gets to
// know of it.
func (p *Proxy) CutBefore(n int) { p.add(n, cutBefore) }

// CutAfter cuts the connection of each of the next n turns when the server answers: the
// client does not see the answer.
func (p *Proxy) CutAfter(n int) { p.add(n, cutAfter) }

// Skip lets n turns pass before the next CutBefore or CutAfter.
func (p *Proxy) Skip(n int) { p.add(n, none) }

// DelayAnswers holds what servers send for d, in order.
func (p *Proxy) DelayAnswers(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.late = d
}

// Left returns how many faults and skipped turns still wait for a turn to begin.
func (p *Proxy) Left() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.faults)
}

func (p *Proxy) add(n int, f fault) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for range n {
		p.faults = append(p.faults, f)
	}
}

// Heal ends all faults. It cuts connections that were left without an answer.
func (p *Proxy) Heal() {
	p.mu.Lock()
	p.faults, p.late = nil, 0
	p.mu.Unlock()
	p.Front.Heal()
}

func (p *Proxy) serve(ctx context.Context, client net.Conn) {
	server, err := new(net.Dialer).DialContext(ctx, "tcp", p.Target())
	if err != nil {
		return
	}
	l := &link{client: client, server: server, ctx: ctx}
	defer context.AfterFunc(ctx, l.close)()
	var wg sync.WaitGroup
	wg.Go(func() { p.pass(l, client, server, p.clientSent) })
	p.pass(l, p.renamed(server), client, p.serverSent)
	wg.Wait()
}

func (p *Proxy) renamed(server io.Reader) io.Reader {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.names[0]) == 0 {
		return server
	}
	return renamed{server, p.names}
}

// renamed reads whole lines, lest half a name ends what is read.
type renamed struct {
	from  io.Reader
	names [2][]byte
}

func (r renamed) Read(b []byte) (n int, err error) {
	for err == nil && n < len(b) && (n == 0 || b[n-1] != '\n') {
		var more int
		more, err = r.from.Read(b[n:])
		n += more
	}
	copy(b, bytes.ReplaceAll(b[:n], r.names[0], r.names[1]))
	return n, err
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
		if p.Silent() {
			continue
		}
		if _, err := to.Write(buffer[:n]); err != nil {
			return
		}
	}
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
	cut := l.fault == cutBefore
	p.mu.Unlock()
	return p.Wait(l.ctx) && !cut
}

func (p *Proxy) serverSent(l *link) bool {
	p.mu.Lock()
	l.waiting = false
	late, ok := p.late, l.fault != cutAfter
	p.mu.Unlock()
	if late > 0 {
		select {
		case <-time.After(late):
		case <-l.ctx.Done():
		}
	}
	return ok
}
