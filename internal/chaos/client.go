package chaos

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"sync"
	"time"
)

const (
	// answerTimeout bounds a request.
	answerTimeout = 8 * time.Second
	// fresh is how long an idle connection is used again: servers close theirs some time.
	fresh = time.Second
)

// client sends each request once. Go's own sends a GET again when a connection that it
// kept breaks, and the referee would not know that it ran twice.
type client struct {
	mu   sync.Mutex
	idle map[string][]*conn // by host, the one used last at the end
}

type conn struct {
	net.Conn
	r    *bufio.Reader
	used time.Time
}

// do returns the answer and its body. If nobody takes the connection, the error is a
// *net.OpError of a dial, and the request was not sent.
func (c *client) do(request *http.Request) (*http.Response, []byte, error) {
	host := request.URL.Host
	on, err := c.take(host)
	if err != nil {
		return nil, nil, err
	}
	response, body, err := on.exchange(request)
	if err != nil {
		_ = on.Close()
		c.forget(host) // the others are probably of the same dead process
		return nil, nil, err
	}
	if response.Close {
		_ = on.Close()
		return response, body, nil
	}
	on.used = time.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.idle[host] = append(c.idle[host], on)
	return response, body, nil
}

func (c *client) take(host string) (*conn, error) {
	c.mu.Lock()
	if idle := c.idle[host]; len(idle) > 0 {
		last := idle[len(idle)-1]
		if time.Since(last.used) < fresh {
			c.idle[host] = idle[:len(idle)-1]
			c.mu.Unlock()
			return last, nil
		}
	}
	c.mu.Unlock()
	c.forget(host)
	on, err := net.DialTimeout("tcp", host, answerTimeout)
	if err != nil {
		return nil, err
	}
	return &conn{Conn: on, r: bufio.NewReader(on)}, nil
}

// forget closes the host's idle connections.
func (c *client) forget(host string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, on := range c.idle[host] {
		_ = on.Close()
	}
	delete(c.idle, host)
}

func (c *conn) exchange(request *http.Request) (*http.Response, []byte, error) {
	if err := c.SetDeadline(time.Now().Add(answerTimeout)); err != nil {
		return nil, nil, err
	}
	if err := request.Write(c); err != nil {
		return nil, nil, err
	}
	response, err := http.ReadResponse(c.r, request)
	if err != nil {
		return nil, nil, err
	}
	body, err := io.ReadAll(response.Body)
	return response, body, err
}
