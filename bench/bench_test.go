// Package bench runs Satchel beside its peers in one run. Compare the ratios:
// absolute times depend on the machine.
//
//	make bench-peers                    # rounds, medians, and a table
//	make bench-peers BENCH=/read/redis  # a part of it
//	make bench-peers BENCH=SQL          # SQL databases only
//	make bench-charts                   # the charts of docs/benchmarks.md
//
// The session has four values: an int64, two short strings, and 200 bytes.
// "read" reads all four; "write" also changes one; "anonymous" is a request
// without a cookie whose handler leaves the session alone. "flash" is two requests:
// a POST that adds a flash and redirects, and the GET that shows it. "login", on the SQL
// databases only, is two requests of a new visitor: one fills a session, the other
// logs in, with a new token. "read-x16" is sixteen requests in flight, each with
// a session of its own; with "-1core" at the end, on one core. All requests are calls in one process;
// Redis, PostgreSQL and MariaDB are other processes on the loopback interface, and no
// database waits for its disk.
//
// Peers whose name ends in "-idle" have an idle timeout, as Satchel always has;
// the others do not move the expiry when a session is read. "floor" is a session
// written by hand, without guards; see the type floor. "bare" is a framework
// alone, with the same handlers and no session.
package bench

import (
	"bytes"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/satchel-go/satchel/internal/testing/memcachedtest"
	"github.com/satchel-go/satchel/internal/testing/redistest"
	"github.com/satchel-go/satchel/internal/testing/sqltest"
)

func TestMain(m *testing.M) {
	os.Exit(sqltest.Main(runner(func() int { return redistest.Main(runner(func() int { return memcachedtest.Main(m) })) })))
}

type runner func() int

func (r runner) Run() int { return r() }

var payload = bytes.Repeat([]byte("x"), 200)

// Routes of every peer's application. The first two fill a new session; the second
// has a user too.
const (
	fill      = "fill"
	member    = "member"
	read      = "read"
	write     = "write"
	anonymous = "anonymous"
	login     = "login"
	notify    = "notify" // adds a flash, and redirects to
	show      = "show"   // the page that shows it
)

var routes = []string{fill, member, read, write, anonymous, login, notify, show}

// flash is a request to notify, and one to show.
const flash = "flash"

// notice is the flash.
const notice = "Your changes are saved."

// shown checks what a page has to show.
func shown(texts ...string) {
	if len(texts) != 1 || texts[0] != notice {
		panic("the page shows something else than one flash")
	}
}

// counter returns a function that counts. Many goroutines may call it.
func counter() func() int64 {
	var n atomic.Int64
	return func() int64 { return n.Add(1) }
}

// user returns the name of user n; userOf18 one of 18 letters.
func user(n int64) string     { return "user-" + strconv.FormatInt(n, 10) }
func userOf18(n int64) string { return fmt.Sprintf("user-%013d", n) }

func must(err error) {
	if err != nil {
		panic(err)
	}
}

// peer is one library on one backend, in an application that does what the others do.
type peer struct {
	name string
	app  app
	bare bool // has no sessions
}

// app prepares requests to a route, with a cookie unless it is empty.
type app interface {
	request(tb testing.TB, route, cookie string) request
}

// request can be sent many times.
type request interface {
	send()
	setCookie() string   // in the latest response
	carry(cookie string) // in place of the cookie it had
}

// visit returns a request to a route, or a pair of them, of a visitor with a filled
// session.
func (p peer) visit(tb testing.TB, route string) (_ request, cookieBytes int) {
	if route == anonymous {
		return p.app.request(tb, route, ""), 0
	}
	jar := "session=" + strings.Repeat("x", 64)
	if !p.bare {
		first := p.app.request(tb, fill, "")
		first.send()
		if jar = cookie(first); jar == "" {
			tb.Fatalf("%s sets no cookie", p.name)
		}
		cookieBytes = len(jar)
	}
	if route == flash {
		return &pair{p.app.request(tb, notify, jar), p.app.request(tb, show, jar)}, cookieBytes
	}
	return p.app.request(tb, route, jar), cookieBytes
}

// pair is a form that adds a flash, and the page that shows it.
type pair struct{ form, page request }

func (p *pair) send() {
	p.form.send()
	if fresh := cookie(p.form); fresh != "" {
		p.page.carry(fresh)
	}
	p.page.send()
}

func (p *pair) setCookie() string   { return p.page.setCookie() }
func (p *pair) carry(cookie string) { p.form.carry(cookie); p.page.carry(cookie) }

// BenchmarkSession has the peers on a backend take turns; see takeTurns.
func BenchmarkSession(b *testing.B) {
	list := append(peers(b), bares()...)
	for _, route := range []string{read, write, anonymous, flash} {
		inTurns(b, list, route, visits(b, route, 1))
	}
}

// BenchmarkInFlight has several requests in flight. Its times are those from one answer
// to the next. Of each library it has one variant only.
func BenchmarkInFlight(b *testing.B) {
	list := slices.DeleteFunc(peers(b), func(p peer) bool {
		return strings.HasSuffix(p.name, "-idle") || strings.Contains(p.name, "/satchel-")
	})
	for _, route := range []string{read, write} {
		for _, flights := range []int{4, 16} {
			inTurns(b, list, fmt.Sprintf("%s-x%d", route, flights), visits(b, route, flights))
		}
		func() {
			defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
			onRedis := slices.DeleteFunc(slices.Clone(list), func(p peer) bool { return !strings.HasPrefix(p.name, "redis/") })
			inTurns(b, onRedis, route+"-x16-1core", visits(b, route, 16))
		}()
	}
}

// inTurns has the peers on each backend measured together, and reports them under a name.
func inTurns(b *testing.B, list []peer, name string, measure func(group []peer) []sample) {
	groups := map[string][]peer{}
	var order []string
	for _, p := range list {
		backend, _, _ := strings.Cut(p.name, "/")
		if groups[backend] == nil {
			order = append(order, backend)
		}
		groups[backend] = append(groups[backend], p)
	}
	for _, backend := range order {
		group := groups[backend]
		measured := sync.OnceValue(func() []sample { return measure(group) })
		for i, p := range group {
			b.Run(name+"/"+p.name, func(b *testing.B) { measured()[i].report(b) })
		}
	}
}

// visits measures a route with so many requests in flight.
func visits(b *testing.B, route string, flights int) func(group []peer) []sample {
	return func(group []peer) []sample {
		sends := make([]func(int), len(group))
		lengths := make([]int, len(group))
		for i, p := range group {
			requests := make([]request, flights)
			for j := range requests {
				requests[j], lengths[i] = p.visit(b, route)
			}
			sends[i] = func(n int) { inFlight(requests, n) }
		}
		// With more in flight, longer turns, so that starting and ending one takes a small part.
		longer := min(flights, 8)
		samples := takeTurns(sends, max(turnsOf(b)*2/(1+longer), 1), turn*time.Duration(longer))
		for i := range samples {
			samples[i].cookie = lengths[i]
		}
		return samples
	}
}

// inFlight sends each of the requests again and again, at the same time, n times in all.
func inFlight(requests []request, n int) {
	if len(requests) == 1 {
		for range n {
			requests[0].send()
		}
		return
	}
	var workers sync.WaitGroup
	var left atomic.Int64
	left.Store(int64(n))
	for _, r := range requests {
		workers.Go(func() {
			for left.Add(-1) >= 0 {
				r.send()
			}
		})
	}
	workers.Wait()
}

// sample is what was measured of one peer.
type sample struct {
	time          float64 // of a request, in nanoseconds
	allocs, bytes float64
	cookie        int // its length
}

func (s sample) report(b *testing.B) {
	b.ReportMetric(s.time, "ns/op")
	b.ReportAllocs() // shows these:
	b.ReportMetric(s.allocs, "allocs/op")
	b.ReportMetric(s.bytes, "B/op")
	if s.cookie > 0 {
		b.ReportMetric(float64(s.cookie), "cookie-bytes")
	}
}

// turn is how long one of the peers sends requests before it is the next one's turn. It
// is shorter than what a scheduler gives to another process, so most turns are undisturbed
// even on a busy machine.
const turn = 500 * time.Microsecond

// turnsOf returns how many turns fill -benchtime.
func turnsOf(b *testing.B) int {
	text := flag.Lookup("test.benchtime").Value.String()
	if n, err := strconv.Atoi(strings.TrimSuffix(text, "x")); err == nil {
		return n
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		b.Fatal(err)
	}
	return max(int(d/turn), 1)
}

// takeTurns has each of sends, which send n requests, run for some turns of about this
// length, or of one request if that is 0. All run under the same conditions then. Their
// order changes, so that none always follows the same one. A time is the median of a
// peer's turns: now and then a turn is long, because the machine is busy.
func takeTurns(sends []func(n int), turns int, length time.Duration) []sample {
	calls, took := make([]int, len(sends)), make([][]float64, len(sends))
	timed := func(i int) time.Duration {
		start := time.Now()
		sends[i](calls[i])
		return time.Since(start)
	}
	for i := range sends {
		if length > 0 {
			sends[i](100) // clients connect
		}
		for calls[i] = 1; min(timed(i), timed(i)) < length; calls[i] *= 2 {
		}
	}
	for range turns {
		for _, i := range rand.Perm(len(sends)) {
			took[i] = append(took[i], float64(timed(i))/float64(calls[i]))
		}
	}
	samples := make([]sample, len(sends))
	for i := range took {
		slices.Sort(took[i])
		samples[i].time = took[i][turns/2]
		samples[i].allocs, samples[i].bytes = allocated(sends[i])
	}
	return samples
}

// allocated returns how many allocations a request takes, and how many bytes.
func allocated(send func(n int)) (count, bytes float64) {
	const requests = 100
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	send(requests)
	runtime.ReadMemStats(&after)
	return math.Round(float64(after.Mallocs-before.Mallocs) / requests), math.Round(float64(after.TotalAlloc-before.TotalAlloc) / requests)
}

// Every peer does on every route what the benchmarks take it to do; handlers panic where
// a value or a flash is not what it must be.
func TestPeers(t *testing.T) {
	for _, p := range append(peers(t), bares()...) {
		t.Run(p.name, func(t *testing.T) {
			for _, route := range []string{read, write, anonymous, flash} {
				r, _ := p.visit(t, route)
				for range 3 {
					r.send()
				}
			}
		})
	}
}

// cookie returns the cookie that the latest response sets, as requests send it.
func cookie(r request) string {
	c, _, _ := strings.Cut(r.setCookie(), ";")
	return c
}

// method returns the method of requests to a route.
func method(route string) string {
	if route == notify {
		return http.MethodPost
	}
	return http.MethodGet
}

// httpApp has a handler for each route.
type httpApp map[string]http.Handler

func (a httpApp) request(tb testing.TB, route, cookie string) request {
	r := httptest.NewRequestWithContext(tb.Context(), method(route), "https://example.com/"+route, nil)
	if cookie != "" {
		r.Header.Set("Cookie", cookie)
	}
	return &httpRequest{handler: a[route], request: r, w: sink{http.Header{}}}
}

type httpRequest struct {
	handler http.Handler
	request *http.Request
	w       sink
}

func (r *httpRequest) send() {
	clear(r.w.header)
	// A new request each time: gorilla keeps sessions in the request's context.
	r.handler.ServeHTTP(r.w, r.request.WithContext(r.request.Context()))
}

func (r *httpRequest) setCookie() string   { return r.w.header.Get("Set-Cookie") }
func (r *httpRequest) carry(cookie string) { r.request.Header.Set("Cookie", cookie) }

// sink is a ResponseWriter that costs nothing.
type sink struct{ header http.Header }

func (s sink) Header() http.Header         { return s.header }
func (s sink) Write(b []byte) (int, error) { return len(b), nil }
func (s sink) WriteHeader(code int) {
	if code != http.StatusOK && code != http.StatusSeeOther {
		panic(http.StatusText(code))
	}
}

// fastApp is an application on fasthttp, with a path for each route.
type fastApp struct{ handler fasthttp.RequestHandler }

func (a fastApp) request(_ testing.TB, route, cookie string) request {
	r := &fastRequest{handler: a.handler}
	var head fasthttp.Request
	head.SetRequestURI("/" + route)
	head.Header.SetMethod(method(route))
	head.Header.SetHost("example.com")
	head.Header.Set("X-Forwarded-Proto", "https")
	if cookie != "" {
		head.Header.Set("Cookie", cookie)
	}
	r.ctx.Init(&head, nil, nil)
	return r
}

type fastRequest struct {
	handler fasthttp.RequestHandler
	ctx     fasthttp.RequestCtx
}

func (r *fastRequest) send() {
	r.ctx.Response.Reset()
	r.ctx.ResetUserValues()
	r.handler(&r.ctx)
	if code := r.ctx.Response.StatusCode(); code != http.StatusOK && code != http.StatusSeeOther {
		panic(http.StatusText(code))
	}
}

func (r *fastRequest) setCookie() string {
	var set string
	r.ctx.Response.Header.VisitAllCookie(func(_, value []byte) { set = string(value) })
	return set
}

func (r *fastRequest) carry(cookie string) {
	r.ctx.Request.Header.DelAllCookies() // Set would add to them
	r.ctx.Request.Header.Set("Cookie", cookie)
}
