package redistest

import (
	"slices"
	"sync"
	"testing"

	"github.com/satchel-go/satchel/internal/testing/tcpproxy"
)

// Proxy passes connections on to a Redis server, counts what goes through, and
// injects faults. It is safe for concurrent use.
//
// A round trip is a batch of commands that a client sends and then waits for. A
// command, a pipeline or a transaction counts once. Set-up commands (HELLO,
// CLIENT, AUTH, SELECT, PING) do not count and are not in [Proxy.Commands].
type Proxy struct {
	tcpproxy.Front
	tb testing.TB

	// mu guards the fields below. The log is in the order of the commands'
	// arrival.
	mu    sync.Mutex
	rules []*Rule
	log   [][]string
	trips int
}

// StartProxy starts a proxy to the Redis server at addr, "host:port". It ends
// with tb.
func StartProxy(tb testing.TB, addr string) *Proxy {
	tb.Helper()
	p := &Proxy{tb: tb}
	p.Listen(tb, "127.0.0.1:0", addr, p.serve)
	return p
}

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

// Reset forgets the commands and the round trips.
func (p *Proxy) Reset() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.log, p.trips = nil, 0
}

// Heal ends all faults and all rules. It cuts connections that were left without an
// answer.
func (p *Proxy) Heal() {
	p.mu.Lock()
	p.rules = nil
	p.mu.Unlock()
	p.Front.Heal()
}
