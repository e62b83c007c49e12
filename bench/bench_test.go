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
	"fmt"
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
	}
	if route == flash {
		return &pair{p.app.request(tb, notify, jar), p.app.request(tb, show, jar)}, len(jar)
	}
	return p.app.request(tb, route, jar), len(jar)
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

func BenchmarkSession(b *testing.B) {
	peers := append(peers(b), bares()...)
	// Within a route, the peers take turns, so that they run under the same
	// conditions. Their order changes from run to run, so that none always follows
	// the same one.
	for _, route := range []string{read, write, anonymous, flash} {
		for _, i := range rand.Perm(len(peers)) {
			p := peers[i]
			b.Run(route+"/"+p.name, func(b *testing.B) {
				r, bytes := p.visit(b, route)
				b.ReportAllocs()
				for b.Loop() {
					r.send()
				}
				if bytes > 0 && !p.bare {
					b.ReportMetric(float64(bytes), "cookie-bytes")
				}
			})
		}
	}
}

// BenchmarkInFlight has several requests in flight. Its times are those from one answer
// to the next. Of each library it has one variant only.
func BenchmarkInFlight(b *testing.B) {
	peers := slices.DeleteFunc(peers(b), func(p peer) bool {
		return strings.HasSuffix(p.name, "-idle") || strings.Contains(p.name, "/satchel-")
	})
	for _, route := range []string{read, write} {
		for _, at := range []struct {
			name, backend  string // "" for all backends
			flights, cores int    // 0 for all cores
		}{{"-x4", "", 4, 0}, {"-x16", "", 16, 0}, {"-x16-1core", "redis/", 16, 1}} {
			for _, i := range rand.Perm(len(peers)) {
				if p := peers[i]; strings.HasPrefix(p.name, at.backend) {
					b.Run(route+at.name+"/"+p.name, func(b *testing.B) {
						if at.cores > 0 {
							defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(at.cores))
						}
						inFlight(b, p, route, at.flights)
					})
				}
			}
		}
	}
}

func inFlight(b *testing.B, p peer, route string, flights int) {
	requests := make([]request, flights)
	for i := range requests {
		requests[i], _ = p.visit(b, route)
	}
	var workers sync.WaitGroup
	var left atomic.Int64
	left.Store(int64(b.N))
	b.ReportAllocs()
	b.ResetTimer()
	for _, r := range requests {
		workers.Go(func() {
			for left.Add(-1) >= 0 {
				r.send()
			}
		})
	}
	workers.Wait()
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
