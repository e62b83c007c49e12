package recipes

import (
	"compress/gzip"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	chi "github.com/go-chi/chi/v5/middleware"
	"github.com/gofiber/fiber/v3"
	"github.com/gofiber/fiber/v3/middleware/compress"
	"github.com/gofiber/fiber/v3/middleware/cors"
	recoverer "github.com/gofiber/fiber/v3/middleware/recover"
	"github.com/labstack/echo/v5"
	"github.com/labstack/echo/v5/middleware"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/sessiontest"
)

const spa = "https://spa.example"

// allowSPA is CORS for the frameworks that bring none.
func allowSPA(h http.Header) {
	h.Set("Access-Control-Allow-Origin", spa)
	h.Set("Access-Control-Allow-Credentials", "true")
	h.Add("Vary", "Origin")
}

var corsFor = around{
	nethttp: []func(http.Handler) http.Handler{func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { allowSPA(w.Header()); next.ServeHTTP(w, r) })
	}},
	echo:  []echo.MiddlewareFunc{middleware.CORSWithConfig(middleware.CORSConfig{AllowOrigins: []string{spa}, AllowCredentials: true})},
	gin:   []gin.HandlerFunc{func(c *gin.Context) { allowSPA(c.Writer.Header()) }},
	fiber: []fiber.Handler{cors.New(cors.Config{AllowOrigins: []string{spa}, AllowCredentials: true})},
}

// Gin brings no compression.
var gzipFor = around{
	nethttp: []func(http.Handler) http.Handler{chi.Compress(5)},
	echo:    []echo.MiddlewareFunc{middleware.Gzip()},
	fiber:   []fiber.Handler{compress.New()},
}

var recoverFor = around{
	nethttp: []func(http.Handler) http.Handler{func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			defer func() {
				if recover() != nil {
					w.WriteHeader(http.StatusInternalServerError)
				}
			}()
			next.ServeHTTP(w, r)
		})
	}},
	echo:  []echo.MiddlewareFunc{middleware.Recover()},
	gin:   []gin.HandlerFunc{gin.RecoveryWithWriter(io.Discard)},
	fiber: []fiber.Handler{recoverer.New()},
}

var long = strings.Repeat("a page that is worth compressing ", 200)

// orderRoutes have a value, "none" without one.
func orderRoutes() routes {
	return routes{
		"GET /page":   func(c call) (int, string) { return 200, kept(c.s) + long },
		"POST /set":   func(c call) (int, string) { c.s.Set("k", c.form("v")); return 200, long },
		"POST /panic": func(c call) (int, string) { c.s.Set("k", "lost"); panic("a fault") },
		"POST /large": func(c call) (int, string) { c.s.Set("k", strings.Repeat("x", 100_000)); return 200, "stored" },
	}
}

func kept(s *core.Session) string {
	v, ok := core.Get[string](s, "k")
	if !ok {
		return "none "
	}
	return v + " "
}

// TestCompressionAndCORSOnEitherSide: the session works, and its headers join the others'.
func TestCompressionAndCORSOnEitherSide(t *testing.T) {
	both := around{
		slices.Concat(corsFor.nethttp, gzipFor.nethttp), slices.Concat(corsFor.echo, gzipFor.echo),
		slices.Concat(corsFor.gin, gzipFor.gin), slices.Concat(corsFor.fiber, gzipFor.fiber),
	}
	for side, apps := range map[string][]framework{
		"outside": ordered(orderRoutes(), both, around{}),
		"inside":  ordered(orderRoutes(), around{}, both),
	} {
		for _, f := range apps {
			t.Run(f.name+" "+side, func(t *testing.T) {
				t.Parallel()
				b := newBrowser(t, serve(t, f.app(sessiontest.New(t).Manager)), nil)
				ask := func(method, path, body string) (reply, string) {
					res := b.send(method, path, "application/x-www-form-urlencoded", body, "Accept-Encoding", "gzip", "Origin", spa)
					text := res.body
					if zipped := res.header.Get("Content-Encoding") == "gzip"; zipped != (f.name != "gin") {
						t.Errorf("%s: compressed: %v", path, zipped)
					} else if zipped {
						text = unzip(t, text)
					}
					if h := res.header; h.Get("Access-Control-Allow-Origin") != spa || h.Get("Access-Control-Allow-Credentials") != "true" {
						t.Errorf("%s: CORS says %v", path, h)
					}
					return res, text
				}
				if res, _ := ask("POST", "/set", "v=kept"); b.token() == "" || res.header.Get("Cache-Control") != "no-store" {
					t.Errorf("a response that sets the session: token %q, Cache-Control %q", b.token(), res.header.Get("Cache-Control"))
				}
				res, text := ask("GET", "/page", "")
				if vary := strings.Join(res.header.Values("Vary"), ", "); text != "kept "+long || !strings.Contains(vary, "Cookie") || !strings.Contains(vary, "Origin") {
					t.Errorf("a page that reads the session: Vary %q, %.9q", vary, text)
				}
			})
		}
	}
}

func unzip(t *testing.T, text string) string {
	t.Helper()
	r, err := gzip.NewReader(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// TestRecoveryAndLogOutside: a panic rolls back before it is answered, and outside the log
// has the status that the client gets, also when the commit fails.
func TestRecoveryAndLogOutside(t *testing.T) {
	var status atomic.Int64 // in the log
	logFor := around{
		nethttp: []func(http.Handler) http.Handler{func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				ww := chi.NewWrapResponseWriter(w, r.ProtoMajor)
				next.ServeHTTP(ww, r)
				status.Store(int64(ww.Status()))
			})
		}},
		gin: []gin.HandlerFunc{func(c *gin.Context) { c.Next(); status.Store(int64(c.Writer.Status())) }},
		fiber: []fiber.Handler{func(c fiber.Ctx) error {
			err := c.Next()
			status.Store(int64(c.Response().StatusCode()))
			return err
		}},
	}
	logFor.echo = []echo.MiddlewareFunc{echo.WrapMiddleware(logFor.nethttp[0])}
	for _, f := range ordered(orderRoutes(), around{
		slices.Concat(logFor.nethttp, recoverFor.nethttp), slices.Concat(logFor.echo, recoverFor.echo),
		slices.Concat(logFor.gin, recoverFor.gin), slices.Concat(logFor.fiber, recoverFor.fiber),
	}, around{}) {
		t.Run(f.name, func(t *testing.T) { // one after the other: they share what was seen
			b := newBrowser(t, serve(t, f.app(sessiontest.New(t).Manager)), nil)
			b.post("/set", "v", "kept")
			for _, path := range []string{"/panic", "/large"} {
				status.Store(0)
				if res := b.post(path); res.status != http.StatusInternalServerError {
					t.Errorf("%s: the client gets %d", path, res.status)
				}
				if path == "/large" { // Echo answers a panic outside the log
					eventually(t, "the log has the client's status", func() bool { return status.Load() == http.StatusInternalServerError })
				}
				if got := b.get("/page").body; !strings.HasPrefix(got, "kept ") {
					t.Errorf("after %s: %.9q", path, got)
				}
			}
		})
	}
}

// TestTimeoutInsideOnly: whoever answers for the handler must be inside, where the commit
// knows the status that the client gets. The adapters' suite has the frameworks' own (AD7).
func TestTimeoutInsideOnly(t *testing.T) {
	limit := around{nethttp: []func(http.Handler) http.Handler{func(next http.Handler) http.Handler {
		slow := http.TimeoutHandler(next, 300*time.Millisecond, "")
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/slow" {
				slow.ServeHTTP(w, r)
			} else {
				next.ServeHTTP(w, r)
			}
		})
	}}}
	for want, order := range map[string][2]around{"kept ": {{}, limit}, "lost ": {limit, {}}} {
		t.Run(want, func(t *testing.T) {
			t.Parallel()
			ended := make(chan struct{})
			slow := orderRoutes()
			slow["POST /slow"] = func(c call) (int, string) {
				c.s.Set("k", "lost")
				<-c.Done()
				close(ended)
				return 200, ""
			}
			b := newBrowser(t, serve(t, ordered(slow, order[0], order[1])[0].app(sessiontest.New(t).Manager)), nil)
			b.post("/set", "v", "kept")
			if res := b.post("/slow"); res.status != http.StatusServiceUnavailable {
				t.Errorf("the client gets %d", res.status)
			}
			<-ended
			eventually(t, "the page says "+want, func() bool { return b.get("/page").body == want+long })
		})
	}
}
