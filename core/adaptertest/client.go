package adaptertest

import (
	"maps"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"
)

// cookieName is the session cookie's name unless a case chooses another.
const cookieName = "__Host-session"

// touchName is the name of the cookie that holds a client-side session's touch.
const touchName = cookieName + "-touch"

// copySuffix ends the name of the cookie that holds a copy of a session of [core.Hybrid]. It gives
// access to nothing, and comes and goes as it likes: no case sees it in a reply.
const copySuffix = "-copy"

// client is a browser with its own cookie jar, which also has the tokens that travel in
// headers. It sends Secure cookies over plain
// HTTP, because the suite has no TLS.
type client struct {
	*site
	http  *http.Client
	trace *httptrace.ClientTrace // nil for none

	mu   sync.Mutex
	jar  map[string]string
	seen int // changes that it knows of, see reading
}

// client returns a browser without cookies.
func (s *site) client() *client {
	transport := &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 64}
	s.Cleanup(transport.CloseIdleConnections)
	return &client{site: s, jar: map[string]string{}, http: &http.Client{
		Transport:     transport,
		Timeout:       patience,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// twin returns another browser with the same cookies.
func (c *client) twin() *client {
	twin := c.client()
	c.mu.Lock()
	defer c.mu.Unlock()
	maps.Copy(twin.jar, c.jar)
	return twin
}

// with returns a browser on this site that sends token as its session cookie.
func (s *site) with(token string) *client {
	c := s.client()
	if token != "" {
		c.jar[cookieName] = token
	}
	return c
}

// token returns the session cookie's value, or "" if there is none.
func (c *client) token() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.jar[cookieName]
}

// cookieHeader returns the jar as a Cookie header, without what travels in another.
func (c *client) cookieHeader() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	pairs := make([]string, 0, len(c.jar))
	for name, value := range c.jar {
		if c.inHeader() && (name == cookieName || name == touchName) {
			continue
		}
		pairs = append(pairs, name+"="+value)
	}
	slices.Sort(pairs)
	return strings.Join(pairs, "; ")
}

// get and post send a request without a body; header holds pairs of name and value.
func (c *client) get(target string, header ...string) *reply {
	c.Helper()
	return c.do("GET", target, header...)
}

func (c *client) post(target string, header ...string) *reply {
	c.Helper()
	return c.do("POST", target, header...)
}

// do sends a request and fails the case if there is no answer.
func (c *client) do(method, target string, header ...string) *reply {
	c.Helper()
	r := c.try(method, target, header...)
	if r.err != nil {
		c.Fatalf("%s %s: %v", method, target, r.err)
	}
	return r
}

// try is do for any goroutine: if there is no answer, the reply has the error.
func (c *client) try(method, target string, header ...string) *reply {
	r := &reply{harness: c.harness}
	if method == http.MethodGet {
		method = c.reading()
	}
	defer c.request()(r)
	req, err := http.NewRequestWithContext(c.traced(c.Context()), method, "http://"+c.addr+target, nil)
	if err != nil {
		r.err = err
		return r
	}
	for name, value := range c.presented() {
		req.Header.Set(name, value)
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := c.http.Do(req)
	if err != nil {
		r.err = err
		return r
	}
	r.read(resp)
	c.keep(r)
	return r
}

// keep puts the response's cookies into the jar, and checks what holds for
// every response (promise C7).
func (c *client) keep(r *reply) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.inHeader() {
		c.keepHeaders(r.header)
	}
	seen := map[string]bool{}
	for _, line := range append(r.header.Values("Set-Cookie"), r.copies...) {
		name, value, attributes := parseSetCookie(line)
		if seen[name] {
			c.Errorf("two Set-Cookie lines for %s: %q", name, r.header.Values("Set-Cookie"))
		}
		seen[name] = true
		if len(name)+len(value) > 4096 {
			c.Errorf("cookie %s has %d bytes with its name: browsers drop it", name, len(name)+len(value))
		}
		if attributes["max-age"] == "0" {
			delete(c.jar, name)
		} else {
			c.jar[name] = value
		}
		private := strings.HasSuffix(name, copySuffix) && strings.Contains(r.header.Get("Cache-Control"), "private")
		if strings.Contains(name, "session") && r.header.Get("Cache-Control") != "no-store" && !private {
			c.Errorf("Set-Cookie of %s with Cache-Control %q, want no-store", name, r.header.Get("Cache-Control"))
		}
	}
}

func parseSetCookie(line string) (name, value string, attributes map[string]string) {
	pair, rest, _ := strings.Cut(line, ";")
	name, value, _ = strings.Cut(pair, "=")
	attributes = map[string]string{}
	for part := range strings.SplitSeq(rest, ";") {
		key, v, _ := strings.Cut(strings.TrimSpace(part), "=")
		attributes[strings.ToLower(key)] = v
	}
	return name, value, attributes
}

// async sends a POST in the background.
func (c *client) async(target string) <-chan *reply {
	done := make(chan *reply, 1)
	go func() { done <- c.try("POST", target) }()
	return done
}

// result waits for an async request.
func (h *harness) result(done <-chan *reply) *reply {
	h.Helper()
	select {
	case r := <-done:
		if r.err != nil {
			h.Fatalf("request in the background: %v", r.err)
		}
		return r
	case <-time.After(patience):
		h.Fatalf("no answer in %v", patience)
	}
	return nil
}

// during lets do run while a request of c to target waits at g, and returns the
// request's reply.
func (c *client) during(g *gate, target string, do func()) *reply {
	c.Helper()
	done := c.async(target)
	c.await(g)
	do()
	g.open()
	return c.result(done)
}

// query builds a target with parameters, given as pairs.
func query(path string, pairs ...string) string {
	q := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		q.Set(pairs[i], pairs[i+1])
	}
	return path + "?" + q.Encode()
}
