package adaptertest

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

// raw sends bytes as they are on a separate connection, and reads one response. If
// the server hangs up without one, the status is 0.
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
	_, _ = io.WriteString(conn, request) // a server may refuse before it has read everything
	method, _, _ := strings.Cut(request, " ")
	resp, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method})
	if err != nil {
		r.err = err
		return r
	}
	r.read(resp)
	return r
}

// rawGet is raw for a GET with these header lines.
func (s *site) rawGet(target string, lines ...string) *reply {
	s.Helper()
	s.settle()
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

// begin sends a GET and returns once the header has arrived; the caller closes the
// body.
func (c *client) begin(target string) *http.Response {
	c.Helper()
	req, err := http.NewRequestWithContext(c.Context(), http.MethodGet, "http://"+c.addr+target, nil)
	if err != nil {
		c.Fatalf("GET %s: %v", target, err)
	}
	for name, value := range c.presented() {
		req.Header.Set(name, value)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		c.Fatalf("GET %s: %v", target, err)
	}
	r := &reply{harness: c.harness}
	r.readHeader(resp.Header)
	c.keep(r)
	return resp
}
