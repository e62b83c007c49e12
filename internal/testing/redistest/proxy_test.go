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

func (c *client) wantCut() {
	c.t.Helper()
	if raw, err := readRaw(c.r); err == nil {
		c.t.Errorf("answer %q, want the connection cut", raw)
	} else if strings.Contains(err.Error(), "timeout") {
		c.t.Error("no answer, want the connection cut")
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

func TestProxyCuts(t *testing.T) {
	t.Parallel()
	s := Start(t)
	p := StartProxy(t, s.Addr())

	before := p.CutBefore(1, Command("incr"))
	c := dialProxy(t, p)
	c.send("SET n 5", "INCR n", "INCR n")
	c.want("+OK")
	c.wantCut()
	if got := s.MustDo("GET", "n"); got != "5" || before.Fired() != 1 {
		t.Errorf("cut before INCR: n is %v, the rule fired %d times", got, before.Fired())
	}

	p.CutAfter(1, func(args []string) bool { return args[0] == "INCR" && args[1] == "n" })
	c = dialProxy(t, p)
	c.send("INCR other", "INCR n", "INCR n")
	c.want(":1")
	c.wantCut()
	if got := s.MustDo("GET", "n"); got != "6" {
		t.Errorf("cut after INCR: n is %v, want 6", got)
	}

	c = dialProxy(t, p)
	c.send("INCR n")
	c.want(":7")
	p.CutAll()
	c.wantCut()
}

func TestProxyAnswers(t *testing.T) {
	t.Parallel()
	s := Start(t)
	p := StartProxy(t, s.Addr())
	rule := p.Answer(2, Command("INCR"), "LOADING Redis is loading the dataset in memory")
	c := dialProxy(t, p)
	c.send("SET n 1", "INCR n", "GET n", "INCR n", "INCR n")
	c.want("+OK", "-LOADING Redis is loading the dataset in memory", "$1 1",
		"-LOADING Redis is loading the dataset in memory", ":2")
	if rule.Fired() != 2 {
		t.Errorf("the rule fired %d times, want 2", rule.Fired())
	}
	p.Answer(Always, Any, "CLUSTERDOWN The cluster is down")
	c.send("GET n")
	c.want("-CLUSTERDOWN The cluster is down")
	p.Heal()
	c.send("GET n")
	c.want("$1 2")
}

func TestProxyRefusesAndSwallows(t *testing.T) {
	t.Parallel()
	s := Start(t)
	p := StartProxy(t, s.Addr())
	c := dialProxy(t, p)
	c.send("PING")
	c.want("+PONG")
	p.Refuse()
	c.wantCut()
	dialProxy(t, p).wantCut()
	p.Heal()

	c = dialProxy(t, p)
	c.send("PING")
	c.want("+PONG")
	p.Blackhole()
	fresh := dialProxy(t, p)
	for _, mute := range []*client{c, fresh} {
		mute.send("SET k v")
		if err := mute.SetReadDeadline(time.Now().Add(30 * time.Millisecond)); err != nil {
			t.Fatal(err)
		}
		if raw, err := readRaw(mute.r); err == nil {
			t.Errorf("a black hole answers %q", raw)
		} else if !strings.Contains(err.Error(), "timeout") {
			t.Errorf("a black hole cuts: %v", err)
		}
		_ = mute.SetReadDeadline(time.Now().Add(10 * time.Second))
	}
	if got := s.MustDo("GET", "k"); got != nil {
		t.Errorf("a black hole let %v through", got)
	}
	p.Heal()
	c.wantCut()
	fresh.wantCut()
	c = dialProxy(t, p)
	c.send("GET k")
	c.want("$-1")
}

func TestProxyRedirects(t *testing.T) {
	t.Parallel()
	one, two := Start(t), Start(t)
	one.MustDo("SET", "n", "1")
	two.MustDo("SET", "n", "2")
	p := StartProxy(t, one.Addr())
	old := dialProxy(t, p)
	old.send("GET n")
	old.want("$1 1")
	p.Redirect(two.Addr())
	old.send("GET n")
	old.want("$1 1")
	c := dialProxy(t, p)
	c.send("GET n")
	c.want("$1 2")
}

func TestProxyDelays(t *testing.T) {
	t.Parallel()
	s := Start(t)
	p := StartProxy(t, s.Addr())
	p.Delay(50 * time.Millisecond)
	c := dialProxy(t, p)
	start := time.Now()
	c.send("PING", "PING", "PING")
	c.want("+PONG", "+PONG", "+PONG")
	if d := time.Since(start); d < 50*time.Millisecond || d > 5*time.Second {
		t.Errorf("three commands at once took %v, want one delay of 50ms", d)
	}
}

func TestProxyPassesNewProtocolAndPushes(t *testing.T) {
	t.Parallel()
	s := Start(t)
	p := StartProxy(t, s.Addr())
	c := dialProxy(t, p)
	c.send("HELLO 3")
	if raw, err := readRaw(c.r); err != nil || raw[0] != '%' {
		t.Fatalf("HELLO: %q, %v", raw, err)
	}
	c.send("HSET h f v", "HGETALL h", "SUBSCRIBE ch")
	c.want(":1", "%1 $1 f $1 v", ">3 $9 subscribe $2 ch :1")
	s.MustDo("PUBLISH", "ch", "hello")
	c.want(">3 $7 message $2 ch $5 hello")
}
