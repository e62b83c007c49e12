package redistest

import (
	"bufio"
	"context"
	"io"
	"net"
	"sync"
	"time"
)

// proxyConn is one client's connection and its counterpart to the server.
type proxyConn struct {
	proxy  *Proxy
	client net.Conn
	ctx    context.Context //nolint:containedctx // over with the connection
	end    context.CancelFunc
	server net.Conn // of the goroutine that reads from the client
	wg     sync.WaitGroup

	// mu guards the fields below and the order of what is written to the client.
	mu      sync.Mutex
	due     []answerDue // in the order of the commands
	streams bool        // MONITOR or SUBSCRIBE: answers no longer pair with commands
}

// answerDue is a command whose answer has yet to be passed on.
type answerDue struct {
	act    action
	canned string
}

// serve serves a connection until either side closes it.
func (p *Proxy) serve(ctx context.Context, client net.Conn) {
	ctx, end := context.WithCancel(ctx)
	c := &proxyConn{proxy: p, client: client, ctx: ctx, end: end}
	r := bufio.NewReaderSize(client, 1<<20)
	for {
		batch, err := readBatch(r)
		if err != nil || !c.pass(batch) {
			break
		}
	}
	end()
	c.wg.Wait()
}

type command struct {
	args []string
	raw  []byte
}

// readBatch reads the commands that a client sent at once.
func readBatch(r *bufio.Reader) ([]command, error) {
	var batch []command
	for len(batch) == 0 || r.Buffered() > 0 {
		args, raw, err := readCommand(r)
		if err != nil {
			return nil, err
		}
		if len(args) > 0 {
			batch = append(batch, command{args, raw})
		}
	}
	return batch, nil
}

// pass sends a batch on to the server, as far as the rules let it.
func (c *proxyConn) pass(batch []command) bool {
	out, cut := c.enter(batch)
	if c.proxy.Silent() {
		_, _ = io.Copy(io.Discard, c.client) // until the client gives up, or Heal cuts
		return false
	}
	if !c.proxy.Wait(c.ctx) {
		return false
	}
	if len(out) > 0 {
		server, err := c.connect()
		if err != nil {
			return false
		}
		if _, err := server.Write(out); err != nil {
			return false
		}
	}
	if cut {
		c.drain()
		return false
	}
	return c.flushCanned() == nil
}

// enter logs and counts a batch and applies the rules. It returns what to send to
// the server; cut means that the connection ends after that.
func (c *proxyConn) enter(batch []command) (out []byte, cut bool) {
	p := c.proxy
	p.mu.Lock()
	defer p.mu.Unlock()
	c.mu.Lock()
	defer c.mu.Unlock()
	counts := false
	waiting := len(c.due) > 0
	for _, cmd := range batch {
		act, canned := forward, ""
		if !isSetup(cmd.args) {
			counts = true
			p.log = append(p.log, cmd.args)
			act, canned = p.decide(cmd.args)
		}
		if act == cutBefore {
			cut = true
			break
		}
		if startsStream(cmd.args) {
			c.streams, c.due = true, nil
		}
		if !c.streams {
			c.due = append(c.due, answerDue{act, canned})
		}
		if act != answer {
			out = append(out, cmd.raw...)
		}
		if act == cutAfter {
			break // nothing would answer what follows
		}
	}
	if counts && !waiting {
		p.trips++
	}
	return out, cut
}

func startsStream(args []string) bool {
	switch name(args) {
	case "SUBSCRIBE", "PSUBSCRIBE", "SSUBSCRIBE", "MONITOR":
		return true
	}
	return false
}

// connect returns the connection to the server, which the first command opens.
func (c *proxyConn) connect() (net.Conn, error) {
	if c.server != nil {
		return c.server, nil
	}
	ctx, cancel := context.WithTimeout(c.ctx, replyTimeout)
	defer cancel()
	server, err := new(net.Dialer).DialContext(ctx, "tcp", c.proxy.Target())
	if err != nil {
		return nil, err
	}
	c.server = server
	context.AfterFunc(c.ctx, func() {
		_ = server.Close()
		_ = c.client.Close()
	})
	c.wg.Go(func() {
		c.passAnswers(server)
		c.end()
	})
	return server, nil
}

// passAnswers passes on the server's answers until either side closes.
func (c *proxyConn) passAnswers(server net.Conn) {
	r := bufio.NewReader(server)
	for {
		raw, err := readRaw(r)
		if err != nil {
			return
		}
		if !c.answer(raw) {
			return
		}
	}
}

func (c *proxyConn) answer(raw []byte) bool {
	if c.proxy.Silent() {
		return true
	}
	c.mu.Lock()
	if raw[0] != '>' && len(c.due) > 0 {
		head := c.due[0]
		c.due = c.due[1:]
		if head.act == cutAfter {
			c.mu.Unlock()
			return false
		}
	}
	_, err := c.client.Write(raw)
	c.mu.Unlock()
	return err == nil && c.flushCanned() == nil
}

// flushCanned writes the proxy's own answers whose turn it is.
func (c *proxyConn) flushCanned() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(c.due) > 0 && c.due[0].act == answer {
		canned := c.due[0].canned
		c.due = c.due[1:]
		if _, err := c.client.Write([]byte(canned)); err != nil {
			return err
		}
	}
	return nil
}

// drain waits for the answers to the commands before a cut, so that a cut in a
// pipeline happens at a known place.
func (c *proxyConn) drain() {
	for deadline := time.Now().Add(replyTimeout); time.Now().Before(deadline) && c.ctx.Err() == nil; time.Sleep(time.Millisecond) {
		_ = c.flushCanned()
		c.mu.Lock()
		left := len(c.due)
		c.mu.Unlock()
		if left == 0 {
			return
		}
	}
}
