package memcached

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync"
	"time"
)

// Client has connections to one server. It is safe for concurrent use.
type Client struct {
	dial   func(ctx context.Context) (net.Conn, error)
	places chan struct{} // bounds the connections

	mu     sync.Mutex
	idle   []*Conn // the one that was used last at the end
	closed bool
}

// New returns a client that connects with dial when it needs to, at most conns times at
// once.
func New(dial func(ctx context.Context) (net.Conn, error), conns int) *Client {
	return &Client{dial: dial, places: make(chan struct{}, conns)}
}

// attempts is how often Do runs f if the connection breaks. The first connection may be
// one that a server closed when it ended.
const attempts = 3

// Do runs f with a connection of its own, and ends it with ctx. If the connection breaks,
// Do runs f again with another: f must know what it may do twice. The error is f's, or
// matches that of ctx.
func (c *Client) Do(ctx context.Context, f func(*Conn) error) error {
	for attempt := 1; ; attempt++ {
		conn, err := c.take(ctx)
		if err != nil {
			return err
		}
		err = conn.within(ctx, f)
		broken, cut := conn.broken, conn.cut
		c.put(conn) // from here on another call may be using it
		switch {
		case err == nil, !broken:
			return err
		case ctx.Err() != nil:
			return fmt.Errorf("memcached: %w", ctx.Err())
		case !cut || attempt == attempts:
			return err
		}
	}
}

// take returns an idle connection, or a new one.
func (c *Client) take(ctx context.Context) (*Conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("memcached: %w", err)
	}
	select {
	case c.places <- struct{}{}:
	case <-ctx.Done():
		return nil, fmt.Errorf("memcached: all connections are in use: %w", ctx.Err())
	}
	c.mu.Lock()
	closed := c.closed
	if n := len(c.idle); n > 0 {
		conn := c.idle[n-1]
		c.idle = c.idle[:n-1]
		c.mu.Unlock()
		return conn, nil
	}
	c.mu.Unlock()
	if closed {
		<-c.places
		return nil, net.ErrClosed
	}
	conn, err := c.dial(ctx)
	if err != nil {
		<-c.places
		return nil, err
	}
	return &Conn{conn: conn, reader: reader{bufio.NewReaderSize(conn, maxLine)}, used: time.Now()}, nil
}

// put takes conn back. After one that was cut, idle ones are probably as dead.
func (c *Client) put(conn *Conn) {
	var dead []*Conn
	c.mu.Lock()
	if conn.cut {
		dead, c.idle = c.idle, nil
	}
	if conn.broken || c.closed {
		dead = append(dead, conn)
	} else {
		c.idle = append(c.idle, conn)
	}
	c.mu.Unlock()
	for _, d := range dead {
		d.abandon()
	}
	<-c.places
}

// Close closes the idle connections, and the others when their calls end.
func (c *Client) Close() {
	c.mu.Lock()
	idle := c.idle
	c.idle, c.closed = nil, true
	c.mu.Unlock()
	for _, conn := range idle {
		conn.abandon()
	}
}

// Conn is a connection. It belongs to the function that Do runs.
type Conn struct {
	conn   net.Conn
	reader reader
	used   time.Time // when the server last answered
	buf    []byte    // what is sent
	broken bool      // it cannot be used again
	cut    bool      // besides, the network is to blame, or the server's end
}

// Idle returns for how long the connection has not been used. One that has been idle
// may have been closed by the server.
func (c *Conn) Idle() time.Duration { return time.Since(c.used) }

// abandon closes the connection, and drops what has not been sent yet. It does not wait,
// as TLS would.
func (c *Conn) abandon() {
	conn := c.conn
	if t, ok := conn.(interface{ NetConn() net.Conn }); ok {
		conn = t.NetConn()
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}

// within runs f, whose commands end with ctx.
func (c *Conn) within(ctx context.Context, f func(*Conn) error) error {
	deadline, _ := ctx.Deadline()
	if err := c.conn.SetDeadline(deadline); err != nil {
		c.broken, c.cut = true, true
		return err
	}
	stop := context.AfterFunc(ctx, func() { _ = c.conn.SetDeadline(time.Unix(1, 0)) })
	err := f(c)
	if !stop() {
		c.broken = true // its deadline may change at any time
	}
	return err
}

// command sends the line and the value in buf, and reads the answer with read.
func (c *Conn) command(read func() error) error {
	if c.broken {
		return net.ErrClosed
	}
	_, err := c.conn.Write(c.buf)
	if cap(c.buf) > chunk {
		c.buf = nil
	}
	if err == nil {
		err = read()
	}
	if inSync(err) && c.reader.Buffered() > 0 {
		err = fmt.Errorf("%w: more than was asked for", ErrGarbage)
	}
	if inSync(err) {
		c.used = time.Now()
		return err
	}
	var server *ServerError
	c.broken = true
	c.cut = !errors.As(err, &server) && !errors.Is(err, ErrGarbage) && !errors.Is(err, ErrTooLarge)
	return err
}

// Get returns the item with this key, and its CAS value.
func (c *Conn) Get(key string) (value []byte, cas uint64, err error) {
	c.buf = append(append(append(c.buf[:0], "mg "...), key...), " v c k\r\n"...)
	err = c.command(func() (err error) {
		value, cas, err = c.reader.item(key)
		return err
	})
	if err != nil {
		return nil, 0, err
	}
	return value, cas, nil
}

// Add stores an item until exptime if there is none with this key, else the error is
// ErrExists.
func (c *Conn) Add(key string, value []byte, exptime int64) error {
	c.store("add ", key, value, exptime)
	c.buf = append(append(append(c.buf, "\r\n"...), value...), "\r\n"...)
	return c.command(c.reader.stored)
}

// CompareAndSwap stores an item until exptime if the one that is there has this CAS
// value. The error is ErrExists if it has another, ErrMissing if there is none.
func (c *Conn) CompareAndSwap(key string, value []byte, exptime int64, cas uint64) error {
	c.store("cas ", key, value, exptime)
	c.buf = strconv.AppendUint(append(c.buf, ' '), cas, 10)
	c.buf = append(append(append(c.buf, "\r\n"...), value...), "\r\n"...)
	return c.command(c.reader.stored)
}

// store begins a command that stores.
func (c *Conn) store(command, key string, value []byte, exptime int64) {
	c.buf = append(append(c.buf[:0], command...), key...)
	c.buf = strconv.AppendInt(append(c.buf, " 0 "...), exptime, 10)
	c.buf = strconv.AppendInt(append(c.buf, ' '), int64(len(value)), 10)
}

// Delete removes an item. The error is ErrMissing if there is none.
func (c *Conn) Delete(key string) error {
	c.buf = append(append(append(c.buf[:0], "md "...), key...), " k\r\n"...)
	return c.command(func() error { return c.reader.deleted(key) })
}

// DeleteAll removes these items. Absent ones are no error.
func (c *Conn) DeleteAll(keys []string) error {
	c.buf = c.buf[:0]
	for _, key := range keys {
		c.buf = append(append(append(c.buf, "md "...), key...), " k\r\n"...)
	}
	return c.command(func() error {
		for _, key := range keys {
			if err := c.reader.deleted(key); err != nil && !errors.Is(err, ErrMissing) {
				return err
			}
		}
		return nil
	})
}

// Keys calls found with the key of every item that is there all the time, whosever it is.
// It ends with ctx, or if the server pauses for longer than patience.
func (c *Conn) Keys(ctx context.Context, patience time.Duration, found func(key string)) error {
	c.buf = append(c.buf[:0], "lru_crawler metadump hash\r\n"...)
	return c.command(func() error {
		for i := 0; ; i++ {
			if i%1000 == 0 {
				if err := errors.Join(c.conn.SetDeadline(time.Now().Add(patience)), ctx.Err()); err != nil {
					return err
				}
			}
			key, err := c.reader.key()
			if err != nil || key == "" {
				return err
			}
			found(key)
		}
	})
}

// Version returns the server's version.
func (c *Conn) Version() (version string, err error) {
	c.buf = append(c.buf[:0], "version\r\n"...)
	err = c.command(func() (err error) {
		version, err = c.reader.version()
		return err
	})
	return version, err
}

// Settings returns the server's settings.
func (c *Conn) Settings() (settings map[string]string, err error) {
	c.buf = append(c.buf[:0], "stats settings\r\n"...)
	err = c.command(func() (err error) {
		settings, err = c.reader.settings()
		return err
	})
	return settings, err
}
