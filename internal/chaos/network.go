package chaos

import (
	"net"
	"strconv"
	"testing"
	"time"

	"github.com/satchel-go/satchel/internal/testing/redistest"
	"github.com/satchel-go/satchel/internal/testing/tcpproxy"
)

// Servers that name each other to their clients are all at inside; clients find each at
// outside, on the same port, where its proxy is. Redis can announce one address only, to
// clients, replicas and sentinels alike: a fault would then move a role by itself. Linux has
// both addresses, other systems once the loopback interface is given the second.
const inside, outside = "127.0.0.1", "127.0.0.2"

// behind puts a proxy in front of each of some servers that name each other, and returns
// the proxies' addresses.
func (w *World) behind(tb testing.TB, servers ...*redistest.Server) (addrs []string) {
	tb.Helper()
	for _, srv := range servers {
		p := tcpproxy.StartOn(tb, net.JoinHostPort(outside, strconv.Itoa(srv.Port())), srv.Addr())
		p.Rename(inside, outside)
		w.proxies, addrs = append(w.proxies, p), append(addrs, p.Addr())
	}
	return addrs
}

// cut closes all connections through the proxies.
func (w *World) cut() {
	for _, p := range w.proxies {
		p.CutAll()
	}
}

// network is what befalls the connections between the application and the store.
func (w *World) network() []Fault {
	cut := func(name string, begin func(*tcpproxy.Proxy, int)) Fault {
		return Fault{Name: name, run: func() (bool, error) {
			const turns = 8
			for _, p := range w.proxies {
				begin(p, turns)
			}
			time.Sleep(700 * time.Millisecond)
			hit := false
			for _, p := range w.proxies {
				hit = hit || p.Left() < turns
				p.Heal()
			}
			return hit, nil
		}}
	}
	all := func(name string, long time.Duration, begin func(*tcpproxy.Proxy)) Fault {
		return Fault{Name: name, run: func() (bool, error) {
			return w.felt("", long, func() error {
				for _, p := range w.proxies {
					begin(p)
				}
				time.Sleep(1200 * time.Millisecond)
				for _, p := range w.proxies {
					p.Heal()
				}
				return nil
			})
		}}
	}
	return []Fault{
		cut("cut before", (*tcpproxy.Proxy).CutBefore),
		cut("cut after", (*tcpproxy.Proxy).CutAfter),
		all("delayed", slow, func(p *tcpproxy.Proxy) { p.DelayAnswers(slow) }),
		all("swallowed", 900*time.Millisecond, func(p *tcpproxy.Proxy) { p.Blackhole() }),
		all("refused", 900*time.Millisecond, func(p *tcpproxy.Proxy) { p.Refuse() }),
	}
}
