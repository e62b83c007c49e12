package adaptertest

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"
)

// cookieName is the session cookie's name unless a case chooses another.
const cookieName = "__Host-session"

// client is a browser with a cookie jar of its own. Secure cookies travel
// over plain HTTP here, for the suite has no TLS.
type client struct {
	*site
	http *http.Client

	mu  sync.Mutex
	jar map[string]string
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
	twin := c.site.client()
	c.mu.Lock()
	defer c.mu.Unlock()
	for name, value := range c.jar {
		twin.jar[name] = value
	}
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

// token returns the session cookie's value, "" if there is none.
func (c *client) token() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.jar[cookieName]
}

// cookieHeader returns the jar as a Cookie header.
func (c *client) cookieHeader() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	pairs := make([]string, 0, len(c.jar))
	for name, value := range c.jar {
		pairs = append(pairs, name+"="+value)
	}
	slices.Sort(pairs)
	return strings.Join(pairs, "; ")
}

// reply is a response as the client saw it.
type reply struct {
	*harness
	status int
	header http.Header
	body   string
	err    error
}

// get and post send a request without a body; header has pairs of name and value.
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

// try is do for any goroutine: a failure to answer is in the reply.
func (c *client) try(method, target string, header ...string) *reply {
	r := &reply{harness: c.harness}
	req, err := http.NewRequestWithContext(c.Context(), method, "http://"+c.addr+target, nil)
	if err != nil {
		r.err = err
		return r
	}
	if cookies := c.cookieHeader(); cookies != "" {
		req.Header.Set("Cookie", cookies)
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := c.http.Do(req)
	if err != nil {
		r.err = err
		return r
	}
	defer resp.Body.Close() //nolint:errcheck // read to its end
	body, err := io.ReadAll(resp.Body)
	r.status, r.header, r.body, r.err = resp.StatusCode, resp.Header, string(body), err
	c.keep(r)
	return r
}

// keep puts the response's cookies into the jar, and checks what holds for
// every response (promise C7).
func (c *client) keep(r *reply) {
	c.mu.Lock()
	defer c.mu.Unlock()
	seen := map[string]bool{}
	for _, line := range r.header.Values("Set-Cookie") {
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
		if strings.Contains(name, "session") && r.header.Get("Cache-Control") != "no-store" {
			c.Errorf("Set-Cookie of the session with Cache-Control %q, want no-store", r.header.Get("Cache-Control"))
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

// async sends a request in the background.
func (c *client) async(method, target string, header ...string) <-chan *reply {
	done := make(chan *reply, 1)
	go func() { done <- c.try(method, target, header...) }()
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

// wants checks status and body.
func (r *reply) wants(status int, body string) *reply {
	r.Helper()
	if r.status != status || r.body != body {
		r.Errorf("answer is %d %.200q, want %d %.200q", r.status, r.body, status, body)
	}
	return r
}

// wantsStatus checks the status alone.
func (r *reply) wantsStatus(status int) *reply {
	r.Helper()
	if r.status != status {
		r.Errorf("status is %d %.100q, want %d", r.status, r.body, status)
	}
	return r
}

// ours returns the Set-Cookie lines of the session, in parts or not.
func (r *reply) ours() []string {
	var lines []string
	for _, line := range r.header.Values("Set-Cookie") {
		if strings.HasPrefix(line, cookieName) {
			lines = append(lines, line)
		}
	}
	return lines
}

// sets checks that the response sets the session cookie, once.
func (r *reply) sets() *reply {
	r.Helper()
	if n := len(r.ours()); n != 1 {
		r.Errorf("%d Set-Cookie lines of the session, want 1: %q", n, r.header.Values("Set-Cookie"))
	}
	return r
}

// setsNothing checks that the response leaves the session cookie alone.
func (r *reply) setsNothing() *reply {
	r.Helper()
	if lines := r.ours(); len(lines) != 0 {
		r.Errorf("Set-Cookie %q, want none", lines)
	}
	return r
}

// query writes a target with parameters, given as pairs.
func query(path string, pairs ...string) string {
	q := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		q.Set(pairs[i], pairs[i+1])
	}
	return path + "?" + q.Encode()
}

// raw sends bytes as they are on a connection of its own, and reads one
// response. A server that hangs up without one gives the status 0.
func (s *site) raw(request string) *reply {
	s.Helper()
	r := &reply{harness: s.harness}
	conn, err := (&net.Dialer{Timeout: patience}).DialContext(s.Context(), "tcp", s.addr)
	if err != nil {
		s.Fatalf("dial: %v", err)
	}
	defer conn.Close() //nolint:errcheck // the response was read
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		s.Fatalf("set deadline: %v", err)
	}
	_, _ = io.WriteString(conn, request) // a server may refuse before it has read all
	method, _, _ := strings.Cut(request, " ")
	resp, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method})
	if err != nil {
		r.err = err
		return r
	}
	defer resp.Body.Close() //nolint:errcheck // read to its end
	body, err := io.ReadAll(resp.Body)
	r.status, r.header, r.body, r.err = resp.StatusCode, resp.Header, string(body), err
	return r
}

// rawGet is raw for a GET with these header lines.
func (s *site) rawGet(target string, lines ...string) *reply {
	s.Helper()
	return s.raw(fmt.Sprintf("GET %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n%s\r\n", target, s.addr,
		strings.Join(append(lines, ""), "\r\n")))
}

// rawUntil sends a request and hangs up when ctx is done.
func (s *site) rawUntil(ctx context.Context, request string) {
	conn, err := (&net.Dialer{Timeout: patience}).DialContext(ctx, "tcp", s.addr)
	if err != nil {
		s.Errorf("dial: %v", err)
		return
	}
	_, _ = io.WriteString(conn, request)
	<-ctx.Done()
	_ = conn.Close()
}

// begin sends a GET and returns when the header is there; the caller closes
// the body.
func (c *client) begin(target string) *http.Response {
	c.Helper()
	req, err := http.NewRequestWithContext(c.Context(), http.MethodGet, "http://"+c.addr+target, nil)
	if err != nil {
		c.Fatalf("GET %s: %v", target, err)
	}
	if cookies := c.cookieHeader(); cookies != "" {
		req.Header.Set("Cookie", cookies)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		c.Fatalf("GET %s: %v", target, err)
	}
	c.keep(&reply{harness: c.harness, header: resp.Header})
	return resp
}
