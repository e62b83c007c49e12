package main

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/examples/internal/runtest"
)

// TestProcess runs the program itself: it shares sessions with another one, and
// a SIGTERM lets it finish what is in flight.
func TestProcess(t *testing.T) {
	bin := runtest.Build(t)
	t.Setenv("SESSION_KEYS", core.GenerateKey())
	var jar http.CookieJar
	n := 0
	for framework := range frameworks {
		t.Run(framework, func(t *testing.T) {
			p := runtest.Start(t, bin, "-framework", framework, "-store", "cookie:", "-addr", "127.0.0.1:0",
				"-insecure", "-idle", "10m", "-absolute", "1h")
			c := newClient(t, p.URL)
			if jar != nil {
				c.http.Jar = jar
			}
			jar = c.http.Jar
			n++
			c.wants("POST /incr?key=n", 200, fmt.Sprintf(`{"value":%d}`, n))

			first := func() { p.Terminate() } // then the stream is in flight
			data, _ := events(c, "GET /stream?n=5&delay=100", first)
			if len(data) != 5 {
				t.Errorf("in flight when SIGTERM came: got %v, want 5 events", data)
			}
			if err := p.Wait(); err != nil {
				t.Errorf("ends with %v, want exit status 0\n%s", err, p.Stderr())
			}
		})
	}
}

// TestDebug reads what the soak test watches.
func TestDebug(t *testing.T) {
	where, closer, err := serveDebug(t.Context(), "127.0.0.1:0", func() int { return 7 })
	if err != nil {
		t.Fatal(err)
	}
	defer closer() //nolint:errcheck // the test is over
	var v vitals
	newClient(t, where).into("GET /", &v)
	if v.Goroutines < 2 || v.Heap == 0 || v.Sessions != 7 {
		t.Errorf("vitals are %+v", v)
	}
}

// TestSecureByDefault looks at what -insecure changes.
func TestSecureByDefault(t *testing.T) {
	bin := runtest.Build(t)
	for _, test := range []struct{ flag, name, attribute string }{
		{"-insecure=false", "__Host-session", "; Secure"},
		{"-insecure", "session", "; HttpOnly"},
	} {
		p := runtest.Start(t, bin, "-addr", ":0", test.flag)
		res, err := newClient(t, p.URL).begin("POST /set?key=k&value=v", "")
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close() // only the header is of interest
		cookie := res.Header.Get("Set-Cookie")
		if !strings.HasPrefix(cookie, test.name+"=") || !strings.Contains(cookie, test.attribute) {
			t.Errorf("%s: Set-Cookie begins %.20q, want %s and %q in it", test.flag, cookie, test.name, test.attribute)
		}
	}
}

func TestBadCommandLine(t *testing.T) {
	bin := runtest.Build(t)
	for _, test := range []struct{ args, keys, want string }{
		{"-framework rails", "", "known are nethttp, echo, gin and fiber"},
		{"-store mysql://user:hunter2@host:1/0", "", `unknown store "mysql:"; known are cookie:, `},
		{"-store memory", "", "colon"},
		{"-store memory:x", "", "nothing may follow"},
		{"-store cookie:", "hunter2", "keyring: key 1"},
		{"-store memory:?sweep=soon", "", "want a duration"},
		{"-debug :0 -addr 127.0.0.1:0", "", "loopback"},
		{"-debug example.com:80 -addr 127.0.0.1:0", "", "loopback"},
		{"-idle 2h -absolute 1h", "", "longer than"},
		{"-idle soon", "", "invalid value"},
		{"-addr nowhere", "", "missing port"},
		{"extra", "", "no flag"},
	} {
		t.Run(test.args, func(t *testing.T) {
			t.Setenv("SESSION_KEYS", test.keys)
			out := runtest.Fail(t, bin, strings.Fields(test.args)...)
			if !strings.Contains(out, test.want) {
				t.Errorf("says %q, want something with %q", out, test.want)
			}
			if strings.Contains(out, "hunter2") {
				t.Errorf("repeats a secret: %q", out)
			}
		})
	}
}
