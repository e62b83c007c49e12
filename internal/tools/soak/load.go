package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/cookiejar"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	users = 6   // how many accounts the workers share
	rate  = 400 // requests a second, of all workers
)

// load is the clients' traffic to a probe.
type load struct {
	url     string
	workers int
	done    chan struct{}

	mu       sync.Mutex
	statuses map[int]int
	broken   map[string]int // what should not have happened, and how often it did
	begun    []time.Time
	sent     int
}

func newLoad(url string, workers int) *load {
	return &load{url: url, workers: workers, done: make(chan struct{}), statuses: map[int]int{}, broken: map[string]int{}}
}

// run sends requests until ctx is done.
func (l *load) run(ctx context.Context) {
	defer close(l.done)
	var wg sync.WaitGroup
	for i := range l.workers {
		wg.Go(func() { l.work(ctx, uint64(i)) })
	}
	wg.Wait()
}

func (l *load) work(ctx context.Context, seed uint64) {
	w := &worker{load: l, random: rand.New(rand.NewPCG(1, seed))}
	w.fresh()
	defer w.transport.CloseIdleConnections()
	ticks := time.NewTicker(time.Duration(l.workers) * time.Second / rate)
	defer ticks.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticks.C:
			w.step(ctx)
		}
	}
}

// worker is one client after another.
type worker struct {
	*load
	random    *rand.Rand
	http      *http.Client
	transport *http.Transport
}

// fresh is another client, on its own connections.
func (w *worker) fresh() {
	if w.transport != nil {
		w.transport.CloseIdleConnections()
	}
	w.transport = &http.Transport{MaxIdleConnsPerHost: 2}
	jar, _ := cookiejar.New(nil) // its error is always nil
	w.http = &http.Client{
		Jar: jar, Transport: w.transport, Timeout: 30 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// steps are what a client does next, each as often as its weight says. A step
// may have any of the statuses.
var steps = []struct {
	weight   int
	request  string
	statuses []int
}{
	{20, "GET /get?key=k", ok},
	{12, "POST /set?key=k&value=v", ok},
	{2, "POST /set?key=K&value=large", ok},
	{10, "POST /incr?key=n", ok},
	{4, "POST /delete?key=k", ok},
	{1, "POST /clear", ok},
	{6, "GET /blank", ok},
	{3, "GET /healthz", ok},
	{1, "GET /nowhere", []int{404}},
	{1, "GET /get", []int{400}},
	{6, "POST /flash?kind=info&text=Saved.", []int{204}},
	{2, "POST /flash?kind=info&text=Saved.&to=/page", []int{303}},
	{6, "GET /flashes", ok},
	{4, "GET /page", ok},
	{1, "GET /flashes?status=500", []int{500}},
	{6, "POST /login?user=U", ok},
	{3, "POST /logout", ok},
	{1, "POST /logout?flash=Bye.", ok},
	{3, "POST /renew", ok},
	{3, "GET /sessions", ok},
	{1, "POST /revoke-others", []int{200, 404, 409}}, // 404: not logged in
	{1, "GET /panic?key=k", []int{500}},
	{2, "GET /late?key=k&value=v", ok},
	{3, "GET /stream?n=3&delay=5&key=k&value=v", ok},
}

// ok are the answers of most routes. 409 means that another client of its user
// has just ended the session.
var ok = []int{200, 409}

func (w *worker) step(ctx context.Context) {
	switch w.random.IntN(40) {
	case 0:
		w.fresh() // the session is abandoned
	case 1:
		w.hangUp(ctx)
	case 2:
		w.send(ctx, "GET /get?key=k", "session="+strings.Repeat("x", w.random.IntN(100)), ok)
	default:
		total := 0
		for _, s := range steps {
			total += s.weight
		}
		n := w.random.IntN(total)
		for _, s := range steps {
			if n -= s.weight; n < 0 {
				w.send(ctx, s.request, "", s.statuses)
				return
			}
		}
	}
}

// send sends a request and reads the answer.
func (w *worker) send(ctx context.Context, request, cookie string, want []int) {
	response, err := w.open(ctx, request, cookie)
	if err == nil {
		_, err = io.Copy(io.Discard, response.Body)
		_ = response.Body.Close() // it was read
	}
	if ctx.Err() != nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.sent++
	switch {
	case err != nil && !strings.Contains(request, "/panic"):
		w.complain("%s: %v", request, err)
	case err == nil:
		w.statuses[response.StatusCode]++
		if response.StatusCode != http.StatusServiceUnavailable && !slices.Contains(want, response.StatusCode) {
			w.complain("%s: status %d", request, response.StatusCode)
		}
	}
}

func (w *worker) open(ctx context.Context, request, cookie string) (*http.Response, error) {
	method, target, _ := strings.Cut(request, " ")
	target = strings.ReplaceAll(target, "=U", fmt.Sprintf("=user%d", w.random.IntN(users)))
	target = strings.ReplaceAll(target, "=large", "="+strings.Repeat("x", w.random.IntN(3000)))
	r, err := http.NewRequestWithContext(ctx, method, w.url+target, nil)
	if err != nil {
		return nil, err
	}
	if cookie != "" {
		r.Header.Set("Cookie", cookie)
	}
	response, err := w.http.Do(r)
	if err == nil && strings.Contains(response.Header.Get("Set-Cookie"), "session=") {
		w.mu.Lock()
		w.begun = append(w.begun, time.Now())
		w.mu.Unlock()
	}
	return response, err
}

// hangUp begins to read a long stream and hangs up.
func (w *worker) hangUp(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	response, err := w.open(ctx, "GET /stream?n=20&delay=20&key=k&value=v", "")
	if err != nil {
		if ctx.Err() == nil {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.complain("a stream: %v", err)
		}
		return
	}
	_, _ = io.ReadFull(response.Body, make([]byte, 10)) // one event, or the end
	cancel()
	_ = response.Body.Close() // the client hung up
}

// complain counts what should not have happened. The caller holds l's lock.
func (l *load) complain(format string, args ...any) {
	if text := fmt.Sprintf(format, args...); len(l.broken) < 20 || l.broken[text] > 0 {
		l.broken[text]++
	}
}

// recentlyBegun returns how many abandoned sessions can be alive: those begun too
// recently to have ended and been removed.
func (l *load) recentlyBegun(now time.Time) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	since := now.Add(-idle - kept - 2*sweep - 2*time.Second)
	l.begun = slices.DeleteFunc(l.begun, func(t time.Time) bool { return t.Before(since) })
	return len(l.begun)
}

func (l *load) summary() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	parts := []string{fmt.Sprintf("%d requests", l.sent)}
	for _, status := range slices.Sorted(maps.Keys(l.statuses)) {
		parts = append(parts, fmt.Sprintf("%d× %d", l.statuses[status], status))
	}
	return strings.Join(parts, ", ")
}

// verdict says what was wrong with the answers. A few may be 503: on a busy
// machine, Redis can miss its deadline.
func (l *load) verdict() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	var failures []error
	for _, text := range slices.Sorted(maps.Keys(l.broken)) {
		failures = append(failures, fmt.Errorf("%s (%d times)", text, l.broken[text]))
	}
	if n := l.statuses[http.StatusServiceUnavailable]; n*50 > l.sent {
		failures = append(failures, fmt.Errorf("%d of %d requests were answered with 503", n, l.sent))
	}
	if l.statuses[http.StatusOK]*2 < l.sent || l.sent < 100 {
		failures = append(failures, fmt.Errorf("%d of %d requests were answered with 200: nothing was tested", l.statuses[http.StatusOK], l.sent))
	}
	return errors.Join(failures...)
}
