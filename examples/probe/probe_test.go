package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"strings"
	"testing"
	"time"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/examples/internal/stores"
	"github.com/satchel-go/satchel/internal/testing/redistest"
)

// everywhere runs a test on each framework and each store.
func everywhere(t *testing.T, test func(t *testing.T, framework, store string)) {
	for framework := range frameworks {
		for _, store := range []string{"memory:", "file:", "cookie:", "jwt:", "jwe:", "redis:", "gorilla-cookie:", "gorilla-redis:"} {
			t.Run(framework+" "+store, func(t *testing.T) {
				t.Parallel()
				test(t, framework, storeURL(t, store))
			})
		}
	}
}

// storeURL completes the URL of a store in Redis with its own server, and that of one in
// files with a directory.
func storeURL(t *testing.T, store string) string {
	t.Helper()
	if store == "file:" {
		return store + t.TempDir()
	}
	if before, ok := strings.CutSuffix(store, "redis:"); ok {
		return before + redistest.Start(t).URL()
	}
	return store
}

// onServer reports whether a store keeps sessions on the server.
func onServer(store string) bool { return !stores.NeedsKeys(store) }

// serve starts a probe in this process and returns its address.
func serve(t *testing.T, framework, store, keys string) string {
	t.Helper()
	backend, closeBackend, err := stores.Open(store, keys)
	if err != nil {
		t.Fatal(err)
	}
	m, err := core.New(backend, core.Config{InsecureAllowHTTP: true, Observer: quiet})
	if err != nil {
		t.Fatal(err)
	}
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	app := newProbe(frameworks[framework], m)
	ended := make(chan error, 1)
	go func() { ended <- app.Serve(l) }()
	t.Cleanup(func() {
		if err := app.Shutdown(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
		if err := <-ended; err != nil && !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
		if err := closeBackend(); err != nil {
			t.Error(err)
		}
	})
	return url(l.Addr())
}

// client is a browser. It follows no redirects.
type client struct {
	*testing.T
	http *http.Client
	url  string
}

func newClient(t *testing.T, url string) *client {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{MaxIdleConnsPerHost: 64}
	t.Cleanup(transport.CloseIdleConnections)
	return &client{t, &http.Client{
		Jar:           jar,
		Transport:     transport,
		Timeout:       30 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}, url}
}

// begin sends a request such as "GET /get?key=k"; form is its body, if not "".
func (c *client) begin(request, form string) (*http.Response, error) {
	method, target, _ := strings.Cut(request, " ")
	req, err := http.NewRequestWithContext(c.Context(), method, c.url+target, strings.NewReader(form))
	if err != nil {
		return nil, err
	}
	if form != "" {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	return c.http.Do(req)
}

// reply is a response whose body has been read.
type reply struct {
	status   int
	kind     string // its content type
	location string
	body     string
}

func (c *client) send(request, form string) reply {
	c.Helper()
	res, err := c.begin(request, form)
	if err != nil {
		c.Fatalf("%s: %v", request, err)
	}
	defer res.Body.Close() //nolint:errcheck // it was read
	body, err := io.ReadAll(res.Body)
	if err != nil {
		c.Fatalf("%s: %v", request, err)
	}
	kind, _, _ := strings.Cut(res.Header.Get("Content-Type"), ";")
	return reply{res.StatusCode, kind, res.Header.Get("Location"), string(body)}
}

// wants sends a request and checks the answer: its status, and its JSON if
// want is not "".
func (c *client) wants(request string, status int, want string) reply {
	c.Helper()
	r := c.send(request, "")
	if r.status != status {
		c.Errorf("%s: status %d, want %d\n%s", request, r.status, status, r.body)
	}
	if want != "" && (strings.TrimSpace(r.body) != want || r.kind != "application/json") {
		c.Errorf("%s:\n got %s %s\nwant application/json %s", request, r.kind, r.body, want)
	}
	return r
}

// into sends a request and decodes the JSON that it answers.
func (c *client) into(request string, v any) {
	c.Helper()
	r := c.wants(request, http.StatusOK, "")
	if err := json.Unmarshal([]byte(r.body), v); err != nil {
		c.Errorf("%s: %v\n%s", request, err, r.body)
	}
}

// id sends a request and returns the "id" of its answer.
func (c *client) id(request string) string {
	c.Helper()
	var v struct{ ID *string }
	c.into(request, &v)
	if v.ID == nil {
		c.Fatalf("%s: no id", request)
	}
	return *v.ID
}

// refused sends a request that must be answered with an error in JSON.
func (c *client) refused(request string, status int, says string) {
	c.Helper()
	r := c.wants(request, status, "")
	var v map[string]string
	if err := json.Unmarshal([]byte(r.body), &v); err != nil || len(v) != 1 || !strings.Contains(v["error"], says) {
		c.Errorf("%s: %s %s, want an error with %q (%v)", request, r.kind, r.body, says, err)
	}
}

// events reads the server-sent events of a response and when each arrived. It
// calls first after the first one.
func events(c *client, request string, first func()) (data []string, at []time.Time) {
	c.Helper()
	res, err := c.begin(request, "")
	if err != nil {
		c.Fatal(err)
	}
	defer res.Body.Close() //nolint:errcheck // it was read
	if kind := res.Header.Get("Content-Type"); res.StatusCode != 200 || !strings.HasPrefix(kind, "text/event-stream") {
		c.Errorf("%s: %d %s, want 200 text/event-stream", request, res.StatusCode, kind)
	}
	lines := bufio.NewScanner(res.Body)
	for lines.Scan() {
		if line, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
			data, at = append(data, line), append(at, time.Now())
			if len(data) == 1 {
				first()
			}
		}
	}
	if err := lines.Err(); err != nil {
		c.Fatal(err)
	}
	return data, at
}
