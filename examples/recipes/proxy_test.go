package recipes

import (
	"context"
	"net"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/memstore"
	"github.com/satchel-go/satchel/internal/testing/adapterunit"
)

// startProxied serves app over plain HTTP, behind a proxy that speaks TLS.
func startProxied(t *testing.T, app any) (proxy, direct string) {
	t.Helper()
	l := listen(t)
	start(t, app, l)
	to := &url.URL{Scheme: "http", Host: l.Addr().String()}
	return serve(t, &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(to)
		r.Out.Host = r.In.Host
		r.Out.Header.Set("X-Forwarded-Proto", "https")
		r.Out.Header.Set("X-Real-IP", "192.0.2.7") // the client, as this proxy sees it
	}}), to.String()
}

func TestTLSProxy(t *testing.T) {
	for _, f := range frameworks(proxiedNetHTTP, proxiedEcho, proxiedGin, proxiedFiber) {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			var events adapterunit.Events
			m, err := newProxied(core.ServerSide(memstore.New(memstore.Config{})), events.Observe)
			if err != nil {
				t.Fatal(err)
			}
			proxy, direct := startProxied(t, f.app(m))
			b := newBrowser(t, proxy, nil)

			spoof := []string{"X-Real-IP", "203.0.113.9", "X-Forwarded-For", "203.0.113.9", "X-Forwarded-Proto", "http"}
			res := b.send("POST", "/login", "application/x-www-form-urlencoded", "name=ann", spoof...)
			res.goes("/")
			if got := res.header.Get("Set-Cookie"); !strings.HasPrefix(got, "__Host-session=") || !strings.Contains(got, "; Secure") {
				t.Errorf("the cookie is %q", got)
			}
			b.send("GET", "/", "", "", spoof...).wants(200, `{"user":"ann","address":"192.0.2.7","labels":["192.0.2.7"],"ok":true}`)
			if n := events.Count(core.EventInsecure); n > 0 {
				t.Errorf("%d complaints about plain HTTP", n)
			}

			// Past the proxy, a browser would not keep the cookie: the log says so.
			newBrowser(t, direct, nil).post("/login", "name", "bob").goes("/")
			if n := events.Count(core.EventInsecure); n != 1 {
				t.Errorf("%d complaints about plain HTTP, want 1", n)
			}
		})
	}
}

// farAway makes every connection look like one from another machine.
type farAway struct{ net.Listener }

type farConn struct{ net.Conn }

func (l farAway) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return farConn{c}, nil
}

func (farConn) RemoteAddr() net.Addr { return &net.TCPAddr{IP: net.IPv4(198, 51, 100, 3), Port: 5} }

// TestTLSProxyTrust shows that the header is trusted only from the proxy.
func TestTLSProxyTrust(t *testing.T) {
	for _, f := range frameworks(proxiedNetHTTP, proxiedEcho, proxiedGin, proxiedFiber) {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			m, err := newProxied(core.ServerSide(memstore.New(memstore.Config{})), func(context.Context, core.Event) {})
			if err != nil {
				t.Fatal(err)
			}
			far, near := listen(t), listen(t)
			start(t, f.app(m), farAway{far})
			b := newBrowser(t, "http://"+far.Addr().String(), nil)
			b.send("GET", "/", "", "", "X-Real-IP", "192.0.2.7", "X-Forwarded-For", "192.0.2.7").
				wants(200, `{"user":"","address":"198.51.100.3","labels":[],"ok":true}`)

			start(t, f.app(m), near)
			b = newBrowser(t, "http://"+near.Addr().String(), nil)
			b.send("GET", "/", "", "", "X-Real-IP", "nonsense").
				wants(200, `{"user":"","address":"127.0.0.1","labels":[],"ok":true}`)
		})
	}
}
