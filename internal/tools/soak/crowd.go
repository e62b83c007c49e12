package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// accounts is how many users the crowd's logins are of.
const accounts = 5000

// crowd is the traffic of many clients, each with a session of its own, of which most
// never come back. Its workers keep their connections, and do little else than wait:
// the load must not be what is measured.
type crowd struct {
	*load
	sessions int
	duration time.Duration

	next    atomic.Int64 // of the sessions to begin
	created atomic.Int64
	times   []time.Duration // of requests, since they were last taken
}

func newCrowd(url string, workers, sessions int, duration time.Duration) *crowd {
	return &crowd{load: newLoad(strings.TrimPrefix(url, "http://"), workers), sessions: sessions, duration: duration}
}

// run begins all sessions, evenly over the duration. It takes longer if the server does,
// and begins others for the few that a busy one refuses.
func (c *crowd) run(ctx context.Context) {
	defer close(c.done)
	start, most := time.Now(), int64(c.sessions+c.sessions/50)
	var wg sync.WaitGroup
	for i := range c.workers {
		wg.Go(func() {
			v := visitor{crowd: c, random: rand.New(rand.NewPCG(2, uint64(i)))}
			defer v.hangUp()
			for n := c.next.Add(1); n <= most && c.created.Load() < int64(c.sessions) && ctx.Err() == nil; n = c.next.Add(1) {
				due := time.Duration(float64(c.duration) * float64(n-1) / float64(c.sessions))
				time.Sleep(time.Until(start.Add(due)))
				v.visit(ctx)
			}
		})
	}
	wg.Wait()
}

// visitor is one client after another, on one connection.
type visitor struct {
	*crowd
	random *rand.Rand
	conn   net.Conn
	reader *bufio.Reader
	cookie string
}

// returns are what a client does after its first request, each as often in a hundred
// sessions as its weight says.
var returns = []struct {
	weight   int
	requests []string
}{
	{10, []string{"GET /get?key=k"}},
	{10, []string{"POST /incr?key=n"}},
	{10, []string{"POST /flash?kind=info&text=Saved.", "GET /flashes"}},
	{5, []string{"POST /logout"}},
}

// visit begins a session with a login or a value, sometimes goes on with it, and leaves it.
func (v *visitor) visit(ctx context.Context) {
	v.cookie = ""
	if v.random.IntN(100) < 30 {
		v.request(ctx, fmt.Sprintf("POST /login?user=user%d", v.random.IntN(accounts)))
	} else {
		v.request(ctx, "POST /set?key=k&value="+strings.Repeat("x", 20+v.random.IntN(100)))
	}
	if v.cookie == "" {
		return // it was refused
	}
	v.created.Add(1)
	n := v.random.IntN(100)
	for _, r := range returns {
		if n -= r.weight; n < 0 {
			for _, request := range r.requests {
				v.request(ctx, request)
			}
			return
		}
	}
}

func (v *visitor) request(ctx context.Context, request string) {
	begin := time.Now()
	status, err := v.exchange(ctx, request)
	took := time.Since(begin)
	if err != nil {
		v.hangUp()
		if ctx.Err() != nil {
			return
		}
	}
	path, _, _ := strings.Cut(request, "?")
	v.mu.Lock()
	defer v.mu.Unlock()
	v.sent++
	v.times = append(v.times, took)
	switch {
	case err != nil:
		v.complain("%s: %v", path, err)
	default:
		v.statuses[status]++
		if status != http.StatusOK && status != http.StatusNoContent && status != http.StatusServiceUnavailable {
			v.complain("%s: status %d", path, status)
		}
	}
}

// exchange sends a request, and keeps the cookie that comes with the answer.
func (v *visitor) exchange(ctx context.Context, request string) (status int, err error) {
	if v.conn == nil {
		if v.conn, err = new(net.Dialer).DialContext(ctx, "tcp", v.url); err != nil {
			return 0, err
		}
		v.reader = bufio.NewReader(v.conn)
	}
	if err := v.conn.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		return 0, err
	}
	text := request + " HTTP/1.1\r\nHost: " + v.url + "\r\nContent-Length: 0\r\n"
	if v.cookie != "" {
		text += "Cookie: " + v.cookie + "\r\n"
	}
	if _, err := io.WriteString(v.conn, text+"\r\n"); err != nil {
		return 0, err
	}
	response, err := http.ReadResponse(v.reader, nil)
	if err != nil {
		return 0, err
	}
	defer response.Body.Close() //nolint:errcheck // it was read
	if set, _, _ := strings.Cut(response.Header.Get("Set-Cookie"), ";"); strings.HasPrefix(set, "session=") {
		v.cookie = set
	}
	_, err = io.Copy(io.Discard, response.Body)
	return response.StatusCode, err
}

func (v *visitor) hangUp() {
	if v.conn != nil {
		_ = v.conn.Close() // whatever it says, it is not used again
		v.conn = nil
	}
}

// latency adds what requests took since the last call, and how many sessions there were.
func (c *crowd) latency(s *sample) {
	c.mu.Lock()
	times := c.times
	c.times = make([]time.Duration, 0, len(times))
	s.requests = c.sent
	c.mu.Unlock()
	s.created = int(c.created.Load())
	if len(times) == 0 {
		return
	}
	slices.Sort(times)
	at := func(share float64) int { return int(times[int(share*float64(len(times)-1))].Microseconds()) }
	s.p50, s.p99, s.slowest = at(0.5), at(0.99), at(1)
}
