package redistest

import (
	"bufio"
	"net"
	"slices"
	"strings"
	"testing"
	"time"
)

// client is a client's connection that the test writes byte for byte.
type client struct {
	net.Conn

	t *testing.T
	r *bufio.Reader
}

func dialProxy(t *testing.T, p *Proxy) *client {
	t.Helper()
	var d net.Dialer
	conn, err := d.DialContext(t.Context(), "tcp", p.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return &client{Conn: conn, t: t, r: bufio.NewReader(conn)}
}

func (c *client) send(commands ...string) {
	c.t.Helper()
	var b []byte
	for _, line := range commands {
		b = append(b, encodeCommand(strings.Fields(line))...)
	}
	if _, err := c.Write(b); err != nil {
		c.t.Fatal(err)
	}
}

func (c *client) want(replies ...string) {
	c.t.Helper()
	for _, want := range replies {
		raw, err := readRaw(c.r)
		if err != nil {
			c.t.Fatalf("waiting for %q: %v", want, err)
		}
		if got := strings.ReplaceAll(strings.TrimSuffix(string(raw), "\r\n"), "\r\n", " "); got != want {
			c.t.Errorf("answer %q, want %q", got, want)
		}
	}
}

func TestProxyCountsRoundTrips(t *testing.T) {
	t.Parallel()
	s := Start(t)
	p := StartProxy(t, s.Addr())
	c := dialProxy(t, p)
	c.send("PING", "SELECT 0")
	c.want("+PONG", "+OK")
	if n := p.RoundTrips(); n != 0 || len(p.Commands()) != 0 {
		t.Errorf("set-up: %d round trips, commands %v", n, p.Commands())
	}
	c.send("SET a 1")
	c.want("+OK")
	c.send("get a", "GET b", "STRLEN a")
	c.want("$1 1", "$-1", ":1")
	if n := p.RoundTrips(); n != 2 {
		t.Errorf("%d round trips, want 2", n)
	}
	if got, want := p.Commands(), []string{"SET", "GET", "GET", "STRLEN"}; !slices.Equal(got, want) {
		t.Errorf("commands %v, want %v", got, want)
	}
	if got := p.Log()[0]; !slices.Equal(got, []string{"SET", "a", "1"}) {
		t.Errorf("logged %v", got)
	}
	p.Reset()
	if p.RoundTrips() != 0 || len(p.Log()) != 0 {
		t.Error("counts are left after Reset")
	}
}

func TestProxyCountsALongPipelineOnce(t *testing.T) {
	t.Parallel()
	s := Start(t)
	p := StartProxy(t, s.Addr())
	c := dialProxy(t, p)
	// The server holds back its answer to the first part, as when a pipeline
	// arrives in several segments.
	s.Stop()
	c.send("SET a 1")
	until(t, "the first part is there", func() bool { return len(p.Commands()) == 1 })
	c.send("SET b 2", "SET c 3")
	until(t, "the rest is there", func() bool { return len(p.Commands()) == 3 })
	s.Continue()
	c.want("+OK", "+OK", "+OK")
	if n := p.RoundTrips(); n != 1 {
		t.Errorf("%d round trips, want 1", n)
	}
}
