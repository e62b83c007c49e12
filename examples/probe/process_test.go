package main

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/satchel-go/satchel/core/sealed"
	"github.com/satchel-go/satchel/examples/internal/runtest"
)

// TestProcess runs the program itself: it shares sessions with another one, and
// after a SIGTERM it finishes what is in flight.
func TestProcess(t *testing.T) {
	bin := runtest.Build(t)
	t.Setenv("SESSION_KEYS", sealed.GenerateKey())
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

			var ended error
			data, _ := events(c, "GET /stream?n=5&delay=100", func() { ended = p.Terminate() }) // now the stream is in flight
			if len(data) != 5 {
				t.Errorf("in flight when SIGTERM came: got %v, want 5 events", data)
			}
			if ended != nil {
				t.Errorf("it ends with %v", ended)
			}
		})
	}
}

// TestCarrier has the program hand out tokens in headers, of sessions on both sides.
func TestCarrier(t *testing.T) {
	bin := runtest.Build(t)
	for _, c := range [][]string{
		{"bearer", "memory:", "Authorization", "Bearer ", "Session-Token"},
		{"header:x-session", "cookie:", "X-Session", "", "X-Session"},
	} {
		p := runtest.Start(t, bin, "-carrier", c[0], "-store", c[1], "-addr", "127.0.0.1:0")
		token := ""
		for n := range 3 {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, p.URL+"/incr?key=n", nil)
			if err != nil {
				t.Fatal(err)
			}
			if token != "" {
				r.Header.Set(c[2], c[3]+token)
			}
			res, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			body, _ := io.ReadAll(res.Body) // what there is of it is looked at
			_ = res.Body.Close()            // it was read
			if want := fmt.Sprintf(`{"value":%d}`, n+1); strings.TrimSpace(string(body)) != want || len(res.Cookies()) != 0 {
				t.Errorf("%s: %s with %q, want %s without a cookie", c[0], body, res.Cookies(), want)
			}
			if fresh := res.Header.Get(c[4]); fresh != "" {
				token = fresh
			}
		}
	}
	if out := runtest.Fail(t, bin, "-carrier", "query"); !strings.Contains(out, "unknown carrier") {
		t.Errorf("a carrier that does not exist: %q", out)
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
		{"-framework rails", "", "known are nethttp, echo5, echo, gin, fiber3 and fiber"},
		{"-store mongodb://user:hunter2@host:1/0", "", `unknown store "mongodb:"; known are cookie:, `},
		{"-store memory", "", "colon"},
		{"-store memory:x", "", "nothing may follow"},
		{"-store cookie:", "hunter2", "keyring: key 1"},
		{"-store memory:?sweep=soon", "", "want a duration"},
		{"-debug :0 -addr 127.0.0.1:0", "", "loopback"},
		{"-debug example.com:80 -addr 127.0.0.1:0", "", "loopback"},
		{"-idle 2h -absolute 1h", "", "longer than"},
		{"-idle soon", "", "invalid value"},
		{"-addr nowhere", "", "missing port"},
		{"extra", "", "not a flag"},
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
