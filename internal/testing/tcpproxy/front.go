package tcpproxy

import (
	"context"
	"net"
	"sync"
	"testing"
	"time"
)

// Front accepts a proxy's connections, and injects the faults that do not depend on the
// protocol. It is safe for concurrent use.
type Front struct {
	listener net.Listener
	serve    func(context.Context, net.Conn)
	wg       sync.WaitGroup

	mu     sync.Mutex
	target string
	mode   mode
	delay  time.Duration
	conns  map[net.Conn]context.CancelFunc
	opened int
	closed bool
}

type mode int

const (
	passing mode = iota
	refusing
	silent
)

// Listen starts to accept connections at addr, port 0 for a free one, for the server at
// target, "host:port". It ends with tb. serve passes on what the client and the server say, until either closes its
// connection. If the connection is cut, the client's is closed and the context is over.
func (f *Front) Listen(tb testing.TB, addr, target string, serve func(ctx context.Context, client net.Conn)) {
	tb.Helper()
	l, err := new(net.ListenConfig).Listen(context.Background(), "tcp", addr)
	if err != nil {
		tb.Fatal(err)
	}
	f.listener, f.serve, f.target, f.conns = l, serve, target, map[net.Conn]context.CancelFunc{}
	f.wg.Go(f.accept)
	tb.Cleanup(func() {
		f.mu.Lock()
		f.closed = true
		f.mu.Unlock()
		_ = l.Close()
		f.CutAll()
		f.wg.Wait()
	})
}

func (f *Front) accept() {
	for {
		client, err := f.listener.Accept()
		if err != nil {
			return
		}
		ctx, cancel := context.WithCancel(context.Background())
		f.mu.Lock()
		f.opened++
		refuse := f.mode == refusing || f.closed
		if !refuse {
			f.conns[client] = cancel
		}
		f.mu.Unlock()
		if refuse {
			cancel()
			_ = client.Close()
			continue
		}
		f.wg.Go(func() {
			f.serve(ctx, client)
			cancel()
			_ = client.Close()
			f.mu.Lock()
			defer f.mu.Unlock()
			delete(f.conns, client)
		})
	}
}

// Addr returns the address to connect to, "host:port".
func (f *Front) Addr() string { return f.listener.Addr().String() }

// Target returns where new connections go.
func (f *Front) Target() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.target
}

// Conns returns how many connections are open, and how many have ever been accepted.
func (f *Front) Conns() (open, ever int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.conns), f.opened
}

// Redirect sends new connections to the server at target, as when a name moves to
// another machine. Open connections stay as they are.
func (f *Front) Redirect(target string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.target = target
}

// Delay holds what clients send for d.
func (f *Front) Delay(d time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.delay = d
}

// Wait waits as long as Delay says. It reports whether the connection is still open.
func (f *Front) Wait(ctx context.Context) bool {
	f.mu.Lock()
	delay := f.delay
	f.mu.Unlock()
	if delay > 0 {
		select {
		case <-time.After(delay):
		case <-ctx.Done():
		}
	}
	return ctx.Err() == nil
}

// Refuse closes open connections, and new ones as soon as they are made, until Heal.
func (f *Front) Refuse() {
	f.setMode(refusing)
	f.CutAll()
}

// Blackhole accepts connections and what they send, but passes nothing on in either
// direction, even on open connections, until Heal.
func (f *Front) Blackhole() { f.setMode(silent) }

// Silent reports whether Blackhole is on.
func (f *Front) Silent() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.mode == silent
}

// Heal ends all faults. It cuts connections that were left without an answer.
func (f *Front) Heal() {
	f.mu.Lock()
	was := f.mode
	f.mode, f.delay = passing, 0
	f.mu.Unlock()
	if was == silent {
		f.CutAll()
	}
}

func (f *Front) setMode(m mode) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.mode = m
}

// CutAll closes all open connections. New ones still work.
func (f *Front) CutAll() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for client, cancel := range f.conns {
		cancel()
		_ = client.Close()
	}
}
