// Package interop_test runs libraries that ask for a gorilla sessions.Store on
// Satchel's backends, as their users do: over HTTP, in each framework.
package interop_test

import (
	"context"
	"io"
	"net/http"
	"net/http/cookiejar"
	"os"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/goredisstore"
	"github.com/satchel-go/satchel/core/gorillastore"
	"github.com/satchel-go/satchel/core/memstore"
	"github.com/satchel-go/satchel/core/sealed"
	"github.com/satchel-go/satchel/internal/testing/redistest"
)

func TestMain(m *testing.M) { os.Exit(redistest.Main(m)) }

// backends hold the sessions of all these libraries.
var backends = []struct {
	name string
	open func(t *testing.T) core.Backend
}{
	{"memory", func(*testing.T) core.Backend { return core.ServerSide(memstore.New(memstore.Config{})) }},
	{"cookie", func(t *testing.T) core.Backend {
		t.Helper()
		keys, err := sealed.ParseKeyring(sealed.GenerateKey())
		if err != nil {
			t.Fatal(err)
		}
		return core.ClientSide(sealed.Cookie(keys))
	}},
	{"redis", func(t *testing.T) core.Backend {
		t.Helper()
		return core.ServerSide(goredisstore.New(client(t), onRedis(t)))
	}},
	{"gorilla-redis", func(t *testing.T) core.Backend {
		t.Helper()
		return core.ServerSide(gorillastore.RedisStore(client(t), onRedis(t)))
	}},
}

func client(t *testing.T) redis.UniversalClient {
	t.Helper()
	c := redis.NewClient(&redis.Options{Addr: redistest.Shared(t).Addr()})
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func onRedis(t *testing.T) goredisstore.Config {
	t.Helper()
	return goredisstore.Config{Prefix: redistest.UniquePrefix(t)}
}

// newManager returns a Manager that allows plain HTTP, in strict mode.
func newManager(t *testing.T, backend core.Backend) *core.Manager {
	t.Helper()
	m, err := core.New(backend, core.Config{
		InsecureAllowHTTP: true,
		Strict:            true,
		Observer:          func(context.Context, core.Event) {},
	})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// browser is a client with cookies that checks each response on its way.
type browser struct {
	*testing.T
	http http.Client
	url  string // of the application
}

func newBrowser(t *testing.T, url string) *browser {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	b := &browser{T: t, url: url}
	transport := new(http.Transport)
	t.Cleanup(transport.CloseIdleConnections)
	b.http = http.Client{Jar: jar, Transport: inspector{b, transport}}
	return b
}

// inspector checks that no response sets a cookie twice.
type inspector struct {
	b  *browser
	to http.RoundTripper
}

func (i inspector) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := i.to.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	lines := res.Header["Set-Cookie"]
	if len(lines) > 1 {
		i.b.Errorf("C7: %s sets %q", r.URL.Path, lines)
	}
	if len(lines) == 1 && res.Header.Get("Cache-Control") != "no-store" {
		i.b.Errorf("C7: %s sets a cookie and may be cached: %v", r.URL.Path, res.Header)
	}
	return res, nil
}

// send returns the response to a GET; the caller closes its body.
func (b *browser) send(path string) *http.Response {
	b.Helper()
	r, err := http.NewRequestWithContext(b.Context(), http.MethodGet, path, nil)
	if err != nil {
		b.Fatal(err)
	}
	res, err := b.http.Do(r)
	if err != nil {
		b.Fatal(err)
	}
	return res
}

// get follows redirects and returns the status and text at the end.
func (b *browser) get(path string) (int, string) {
	b.Helper()
	if !strings.HasPrefix(path, "http") {
		path = b.url + path
	}
	res := b.send(path)
	defer res.Body.Close() //nolint:errcheck // it was read
	text, err := io.ReadAll(res.Body)
	if err != nil {
		b.Fatal(err)
	}
	return res.StatusCode, string(text)
}

// sees fails the test unless the path shows the text, with status 200.
func (b *browser) sees(path, want string) {
	b.Helper()
	if status, text := b.get(path); status != http.StatusOK || text != want {
		b.Errorf("%s: %d %q, want %q", path, status, text, want)
	}
}

// cookie returns the session cookie's value.
func (b *browser) cookie() string {
	b.Helper()
	r, err := http.NewRequestWithContext(b.Context(), http.MethodGet, b.url, nil)
	if err != nil {
		b.Fatal(err)
	}
	for _, c := range b.http.Jar.Cookies(r.URL) {
		if c.Name == "session" {
			return c.Value
		}
	}
	return ""
}

// plant sets the session cookie, as an attacker on a neighbouring host would.
func (b *browser) plant(value string) {
	b.Helper()
	r, err := http.NewRequestWithContext(b.Context(), http.MethodGet, b.url, nil)
	if err != nil {
		b.Fatal(err)
	}
	b.http.Jar.SetCookies(r.URL, []*http.Cookie{{Name: "session", Value: value, Path: "/"}})
}
