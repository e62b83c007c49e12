package recipes

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/gofiber/fiber/v3"
	"github.com/labstack/echo/v5"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/internal/testing/redistest"
)

func TestMain(m *testing.M) {
	if store := os.Getenv(preforkStore); store != "" {
		log.Fatal(preforked(store, os.Getenv(preforkAddr)))
	}
	gin.SetMode(gin.ReleaseMode)
	slog.SetDefault(slog.New(slog.NewTextHandler(&logged, &slog.HandlerOptions{Level: slog.LevelDebug})))
	os.Exit(redistest.Main(m))
}

// logged is what all applications have logged, and all events of Managers with the
// default Observer.
var logged journal

type journal struct {
	mu   sync.Mutex
	text []byte
}

func (j *journal) Write(line []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.text = append(j.text, line...)
	return len(line), nil
}

// take returns what was logged since the last time.
func (j *journal) take() []byte {
	j.mu.Lock()
	defer j.mu.Unlock()
	text := j.text
	j.text = nil
	return text
}

// framework is a recipe's application in one framework. It is an
// [http.Handler] or a [fiber.App].
type framework struct {
	name string
	app  func(*core.Manager) any
}

// frameworks is the table over which every recipe is tested.
func frameworks(n func(*core.Manager) http.Handler, e func(*core.Manager) *echo.Echo,
	g func(*core.Manager) *gin.Engine, f func(*core.Manager) *fiber.App,
) []framework {
	return []framework{
		{"nethttp", func(m *core.Manager) any { return n(m) }},
		{"echo", func(m *core.Manager) any { return e(m) }},
		{"gin", func(m *core.Manager) any { return g(m) }},
		{"fiber", func(m *core.Manager) any { return f(m) }},
	}
}

// certificate is the certificate of every test server; clients trust it.
var certificate, trusted = func() (tls.Certificate, *tls.Config) {
	s := httptest.NewTLSServer(http.NotFoundHandler())
	defer s.Close()
	config := s.Client().Transport.(*http.Transport).TLSClientConfig
	return s.TLS.Certificates[0], config
}()

// serve serves app over TLS until the test ends and returns its address.
func serve(t *testing.T, app any) string {
	t.Helper()
	l := listen(t)
	start(t, app, overTLS(l))
	return "https://" + l.Addr().String()
}

func overTLS(l net.Listener) net.Listener {
	return tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12})
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// start serves app on l until the test ends.
func start(t *testing.T, app any, l net.Listener) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan struct{})
	var stop func()
	switch app := app.(type) {
	case *fiber.App:
		go func() { defer close(done); _ = app.Listener(l, fiber.ListenConfig{DisableStartupMessage: true}) }() // ends with Shutdown
		stop = func() { _ = app.ShutdownWithTimeout(time.Second) }
	case http.Handler:
		s := &http.Server{Handler: app, ReadHeaderTimeout: 10 * time.Second, BaseContext: func(net.Listener) context.Context { return ctx }}
		go func() { defer close(done); _ = s.Serve(l) }() // ends with Close
		stop = func() { _ = s.Close() }
	default:
		t.Fatalf("no application: %T", app)
	}
	t.Cleanup(func() {
		cancel()
		stop()
		<-done
	})
}

// browser is a person's client of one application. It does not follow
// redirects.
type browser struct {
	*testing.T
	http.Client
	base string
}

// newBrowser returns a browser; with a nil jar it gets its own.
func newBrowser(t *testing.T, base string, jar http.CookieJar) *browser {
	t.Helper()
	if jar == nil {
		jar, _ = cookiejar.New(nil) // it never fails
	}
	transport := &http.Transport{TLSClientConfig: trusted.Clone()}
	t.Cleanup(transport.CloseIdleConnections)
	return &browser{t, http.Client{
		Jar: jar, Transport: transport, Timeout: 20 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}, base}
}

// reply is a response whose body has been read.
type reply struct {
	b      *browser
	status int
	header http.Header
	body   string
}

func (b *browser) send(method, path, contentType, body string, header ...string) reply {
	b.Helper()
	r, err := http.NewRequestWithContext(b.Context(), method, b.base+path, strings.NewReader(body))
	if err != nil {
		b.Fatal(err)
	}
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	res, err := b.Do(r)
	if err != nil {
		b.Fatal(err)
	}
	defer res.Body.Close() //nolint:errcheck // it was read
	data, err := io.ReadAll(res.Body)
	if err != nil {
		b.Fatal(err)
	}
	return reply{b, res.StatusCode, res.Header, string(data)}
}

// get goes to a page.
func (b *browser) get(path string) reply {
	b.Helper()
	return b.send("GET", path, "", "", "Accept", "text/html,*/*;q=0.8")
}

// post sends a form of name and value pairs.
func (b *browser) post(path string, pairs ...string) reply {
	b.Helper()
	return b.send("POST", path, "application/x-www-form-urlencoded", formOf(pairs...))
}

func formOf(pairs ...string) string {
	form := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		form.Set(pairs[i], pairs[i+1])
	}
	return form.Encode()
}

// token returns the session cookie's value, "" if there is none.
func (b *browser) token() string {
	b.Helper()
	u, err := url.Parse(b.base + "/")
	if err != nil {
		b.Fatal(err)
	}
	for _, c := range b.Jar.Cookies(u) {
		if c.Name == "__Host-session" {
			return c.Value
		}
	}
	return ""
}

// goes fails the test unless the reply is a redirect to there.
func (r reply) goes(to string) {
	r.b.Helper()
	if got := r.header.Get("Location"); r.status != http.StatusSeeOther || got != to {
		r.b.Fatalf("%d to %q, want 303 to %q\n%s", r.status, got, to, r.body)
	}
}

// wants fails the test unless the reply has this status and JSON value.
func (r reply) wants(status int, value string) {
	r.b.Helper()
	if r.status != status || canonical(r.body) != canonical(value) {
		r.b.Fatalf("%d %s\nwant %d %s", r.status, r.body, status, value)
	}
}

// canonical sorts the fields of JSON; other text is left alone.
func canonical(s string) string {
	var v any
	if json.Unmarshal([]byte(s), &v) != nil {
		return s
	}
	out, err := json.Marshal(v)
	if err != nil {
		return s
	}
	return string(bytes.TrimSpace(out))
}

// eventually waits until ok, for what happens in another goroutine without a
// signal.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

func flash(kind, text string) core.Flash { return core.Flash{Kind: kind, Text: text} }
