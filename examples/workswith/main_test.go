// Package workswith_test has the code of docs/works-with.md.
package workswith_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/memstore"
)

var errTest = errors.New("of the test")

func manager(t *testing.T) *core.Manager {
	t.Helper()
	store := memstore.New(memstore.Config{SweepInterval: -1})
	t.Cleanup(func() { _ = store.Close() }) // it never fails
	m, err := core.New(core.ServerSide(store), core.Config{})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// browser is a client with cookies. It does not follow redirects.
type browser struct {
	*testing.T
	client *http.Client
	base   string
}

// browse serves h over TLS and HTTP/2.
func browse(t *testing.T, h http.Handler) *browser {
	t.Helper()
	s := httptest.NewUnstartedServer(h)
	s.EnableHTTP2 = true
	s.StartTLS()
	t.Cleanup(s.Close)
	client := s.Client()
	client.Jar, _ = cookiejar.New(nil) // it never fails
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &browser{t, client, s.URL}
}

type reply struct {
	*testing.T
	status int
	body   string
}

func (b *browser) send(method, path, form string, header []string) reply {
	b.Helper()
	r, err := http.NewRequestWithContext(b.Context(), method, b.base+path, strings.NewReader(form))
	if err != nil {
		b.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	res, err := b.client.Do(r)
	if err != nil {
		b.Fatal(err)
	}
	defer res.Body.Close() //nolint:errcheck // read to its end
	body, err := io.ReadAll(res.Body)
	if err != nil {
		b.Fatal(err)
	}
	return reply{b.T, res.StatusCode, string(body)}
}

func (b *browser) get(path string, header ...string) reply {
	b.Helper()
	return b.send("GET", path, "", header)
}

func (b *browser) post(path, form string, header ...string) reply {
	b.Helper()
	return b.send("POST", path, form, header)
}

func (r reply) wants(status int, body string) {
	r.Helper()
	if r.status != status || r.body != body {
		r.Errorf("answer is %d %q, want %d %q", r.status, r.body, status, body)
	}
}

// has is wants for a body that has more in it.
func (r reply) has(status int, part string) {
	r.Helper()
	if r.status != status || !strings.Contains(r.body, part) {
		r.Errorf("answer is %d %q, want %d and %q", r.status, r.body, status, part)
	}
}

// The code of the page is code of this package, so what it says is tested.
func TestPageHasThisCode(t *testing.T) {
	var code strings.Builder
	for _, file := range []string{"routers_test.go", "connect_test.go", "pages_test.go", "../../docs/works-with.md"} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasSuffix(file, ".md") {
			code.Write(text)
			continue
		}
		blocks := regexp.MustCompile("(?s)```go\n(.*?)```").FindAllStringSubmatch(string(text), -1)
		if len(blocks) < 4 {
			t.Errorf("%d blocks of code", len(blocks))
		}
		for _, block := range blocks {
			if !strings.Contains(code.String(), "\n"+block[1]) {
				t.Errorf("this is nowhere in examples/workswith:\n%s", block[1])
			}
		}
	}
}
