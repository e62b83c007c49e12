// Package bench runs Satchel beside its peers in one run. Compare the ratios:
// absolute times depend on the machine.
//
//	make bench-peers                    # rounds, medians, and a table
//	make bench-peers BENCH=/read/redis  # a part of it
//	make bench-peers BENCH=SQL          # SQL databases only
//
// The session has four values: an int64, two short strings, and 200 bytes.
// "read" reads all four; "write" also changes one; "anonymous" is a request
// without a cookie whose handler leaves the session alone. "login", on the SQL
// databases only, is two requests of a new visitor: one fills a session, the other
// logs in, with a new token. All requests are calls in one process; Redis, PostgreSQL
// and MariaDB are other processes on the loopback interface, and no database waits for
// its disk.
//
// Peers whose name ends in "-idle" have an idle timeout, as Satchel always has;
// the others do not move the expiry when a session is read.
package bench

import (
	"bytes"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
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

// Routes of every peer's application. The first fills a new session.
const (
	fill      = "fill"
	read      = "read"
	write     = "write"
	anonymous = "anonymous"
	login     = "login"
)

// peer is one library on one backend, in an application that does what the others do.
type peer struct {
	name string
	app  app
}

// app prepares requests to a route, with a cookie unless it is empty.
type app interface {
	request(tb testing.TB, route, cookie string) request
}

// request can be sent many times.
type request interface {
	send()
	setCookie() string // in the latest response
}

func BenchmarkSession(b *testing.B) {
	peers := peers(b)
	cookies := make([]string, len(peers))
	for i, p := range peers {
		r := p.app.request(b, fill, "")
		r.send()
		if cookies[i] = cookie(r); cookies[i] == "" {
			b.Fatalf("%s sets no cookie", p.name)
		}
	}
	// Within a route, the peers take turns, so that they run under the same
	// conditions. Their order changes from run to run, so that none always follows
	// the same one.
	for _, route := range []string{read, write, anonymous} {
		for _, i := range rand.Perm(len(peers)) {
			p := peers[i]
			b.Run(route+"/"+p.name, func(b *testing.B) {
				cookie := cookies[i]
				if route == anonymous {
					cookie = ""
				}
				r := p.app.request(b, route, cookie)
				b.ReportAllocs()
				for b.Loop() {
					r.send()
				}
				if route != anonymous {
					b.ReportMetric(float64(len(cookie)), "cookie-bytes")
				}
			})
		}
	}
}

// cookie returns the cookie that the latest response sets, as requests send it.
func cookie(r request) string {
	c, _, _ := strings.Cut(r.setCookie(), ";")
	return c
}

// httpApp has a handler for each route.
type httpApp map[string]http.Handler

func (a httpApp) request(tb testing.TB, route, cookie string) request {
	r := httptest.NewRequestWithContext(tb.Context(), http.MethodGet, "https://example.com/", nil)
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

func (r *httpRequest) setCookie() string { return r.w.header.Get("Set-Cookie") }

// sink is a ResponseWriter that costs nothing.
type sink struct{ header http.Header }

func (s sink) Header() http.Header         { return s.header }
func (s sink) Write(b []byte) (int, error) { return len(b), nil }
func (s sink) WriteHeader(code int) {
	if code != http.StatusOK {
		panic(http.StatusText(code))
	}
}

// fastApp is an application on fasthttp, with a path for each route.
type fastApp struct{ handler fasthttp.RequestHandler }

func (a fastApp) request(_ testing.TB, route, cookie string) request {
	r := &fastRequest{handler: a.handler}
	var head fasthttp.Request
	head.SetRequestURI("/" + route)
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
	if code := r.ctx.Response.StatusCode(); code != http.StatusOK {
		panic(http.StatusText(code))
	}
}

func (r *fastRequest) setCookie() string {
	var set string
	r.ctx.Response.Header.VisitAllCookie(func(_, value []byte) { set = string(value) })
	return set
}
