package memcachedstore_test

import (
	"bytes"
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/httpadapter"
	"github.com/satchel-go/satchel/core/memcachedstore"
	"github.com/satchel-go/satchel/internal/testing/memcachedtest"
	"github.com/satchel-go/satchel/internal/testing/tcpproxy"
)

// site is an application on a server behind a proxy, with one visitor at a time.
type site struct {
	server  *memcachedtest.Server
	proxy   *tcpproxy.Proxy
	prefix  string
	manager *core.Manager
	cookie  string // the visitor's
}

func newSite(t *testing.T, server *memcachedtest.Server, c core.Config, sc memcachedstore.Config) *site {
	t.Helper()
	s := &site{server: server, proxy: tcpproxy.Start(t, server.Addr()), prefix: memcachedtest.UniquePrefix(t)}
	sc.Prefix, sc.Now = s.prefix, c.Now
	if sc.Timeout == 0 {
		sc.Timeout = 500 * time.Millisecond
	}
	var err error
	if s.manager, err = core.New(core.ServerSide(newStore(t, sc, s.proxy.Addr())), c); err != nil {
		t.Fatal(err)
	}
	return s
}

// visit sends one request of the visitor, and returns the status.
func (s *site) visit(t *testing.T, handle func(*core.Session)) int {
	t.Helper()
	handler := httpadapter.Middleware(s.manager)(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if handle != nil {
			handle(httpadapter.Session(r))
		}
	}))
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "https://example.com/", nil)
	if s.cookie != "" {
		r.Header.Set("Cookie", s.cookie)
	}
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, r)
	response := w.Result()
	_ = response.Body.Close()
	if set := response.Header.Get("Set-Cookie"); set != "" {
		if response.StatusCode >= http.StatusInternalServerError {
			t.Errorf("an answer with the status %d sets a cookie", response.StatusCode)
		}
		s.cookie, _, _ = strings.Cut(set, ";")
	}
	return response.StatusCode
}

// wants is visit for a request that must have this status.
func (s *site) wants(t *testing.T, what string, status int, handle func(*core.Session)) {
	t.Helper()
	if got := s.visit(t, handle); got != status {
		t.Errorf("%s: status %d, want %d", what, got, status)
	}
}

// shows checks that the visitor is logged in as user, "" for nobody.
func (s *site) shows(t *testing.T, what, user string) {
	t.Helper()
	s.wants(t, what, http.StatusOK, func(session *core.Session) {
		if got := session.UserID(); got != user {
			t.Errorf("%s: the user is %q, want %q", what, got, user)
		}
	})
}

// keys returns the names of the site's items.
func (s *site) keys(t *testing.T) []string {
	t.Helper()
	var keys []string
	lines, err := s.server.Lines("lru_crawler metadump all\r\n")
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range lines {
		if key, ok := strings.CutPrefix(line, "key="+strings.ReplaceAll(s.prefix, ":", "%3A")); ok {
			id, _, _ := strings.Cut(key, " ")
			keys = append(keys, s.prefix+id)
		}
	}
	return keys
}

// fill stores the values with which other libraries were measured.
func fill(s *core.Session) {
	s.Set("id", int64(1234567))
	s.Set("name", "Ann Example")
	s.Set("role", "editor")
	s.Set("blob", bytes.Repeat([]byte("x"), 200))
}

func read(s *core.Session) { _, _ = core.Get[int64](s, "id") }

func login(s *core.Session) { s.Login("ann") }

func TestRoundTrips(t *testing.T) {
	now := time.Now()
	s := newSite(t, memcachedtest.Shared(t), core.Config{Now: func() time.Time { return now }}, memcachedstore.Config{})
	s.wants(t, "first", http.StatusOK, fill)
	cookie := ""
	anonymous := func() { s.cookie = "" }
	for _, test := range []struct {
		name   string
		before func()
		handle func(*core.Session)
		want   int
	}{
		{"read", nil, read, 1},
		{"write", nil, func(s *core.Session) { read(s); s.Set("id", 1) }, 3},
		{"flash, add", nil, func(s *core.Session) { s.Flash("info", "x") }, 3},
		{"flash, show", nil, func(s *core.Session) { s.Flashes() }, 3},
		{"idle timeout half over", func() { now = now.Add(15 * time.Minute) }, read, 3},
		{"just touched", nil, read, 1},
		{"login", nil, login, 3},
		{"anonymous, reads", func() { cookie = s.cookie; s.cookie = "" }, read, 0},
		{"malformed token", func() { s.cookie = cookie + "x" }, read, 0},
		{"anonymous, writes", anonymous, func(s *core.Session) { s.Set("id", 1) }, 1},
		{"anonymous, logs in", anonymous, login, 1},
		{"logout", nil, (*core.Session).Logout, 2},
		{"anonymous, writes after a pause", func() { s.cookie = ""; time.Sleep(1100 * time.Millisecond) }, func(s *core.Session) { s.Set("id", 1) }, 2},
	} {
		if test.before != nil {
			test.before()
		}
		turns := s.proxy.Turns()
		s.wants(t, test.name, http.StatusOK, test.handle)
		if got := s.proxy.Turns() - turns; got != test.want {
			t.Errorf("%s: %d round trips, want %d", test.name, got, test.want)
		}
	}
	if _, ever := s.proxy.Conns(); ever != 1 {
		t.Errorf("one visitor at a time has used %d connections", ever)
	}
}

// Every item has an expiry, whatever the timeouts: also beyond 30 days, where Memcached
// takes a number of seconds for a date in 1970, and beyond 2038.
func TestSEC13EveryItemExpires(t *testing.T) {
	s := newSite(t, memcachedtest.Shared(t), core.Config{Lifetime: core.NoTimeout, IdleTimeout: core.NoTimeout}, memcachedstore.Config{})
	for i, handle := range []func(*core.Session){
		fill,
		login,
		func(s *core.Session) { s.SetTimeouts(time.Minute, time.Hour) },
		func(s *core.Session) { s.SetTimeouts(29*24*time.Hour+23*time.Hour, 30*24*time.Hour) },
		func(s *core.Session) { s.SetTimeouts(31*24*time.Hour, 400*24*time.Hour) },
		func(s *core.Session) { s.SetTimeouts(30*365*24*time.Hour, 30*365*24*time.Hour) },
		func(s *core.Session) { s.Login("bob"); s.Remember(true) },
	} {
		s.wants(t, "a change", http.StatusOK, handle)
		keys := s.keys(t)
		if len(keys) == 0 {
			t.Fatalf("step %d: nothing is stored", i)
		}
		for _, key := range keys {
			if line := s.server.Do(t, "mg "+key+" t\r\n"); !strings.HasPrefix(line, "HD t") || line == "HD t-1" {
				t.Errorf("step %d: %s has %q", i, key, line)
			}
		}
	}
}

func TestSEC7NothingAtRestIsAToken(t *testing.T) {
	s := newSite(t, memcachedtest.Shared(t), core.Config{}, memcachedstore.Config{})
	s.wants(t, "values", http.StatusOK, fill)
	s.wants(t, "login", http.StatusOK, login)
	_, token, _ := strings.Cut(s.cookie, "=")
	raw, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil || len(raw) != 48 {
		t.Fatalf("token of %d bytes (%v)", len(raw), err)
	}
	all := ""
	for _, key := range s.keys(t) {
		lines, err := s.server.Lines("get " + key + "\r\n")
		if err != nil {
			t.Fatal(err)
		}
		content := key + strings.Join(lines, "\n")
		all += content
		for _, part := range []string{token[22:43], token[43:], string(raw[16:32]), string(raw[32:])} {
			if strings.Contains(content, part) {
				t.Errorf("%s holds the token or its secret", key)
			}
		}
	}
	if !strings.Contains(all, "Ann Example") {
		t.Error("not even the values were found, so the test shows nothing")
	}
}

func TestMemoryPerSession(t *testing.T) {
	server := memcachedtest.Start(t, "-M")
	s := newSite(t, server, core.Config{}, memcachedstore.Config{})
	const sessions = 1000
	before := server.Stat(t, "bytes")
	for range sessions {
		s.cookie = ""
		s.wants(t, "a login", http.StatusOK, func(s *core.Session) { fill(s); s.Login("ann") })
	}
	each := (server.Stat(t, "bytes") - before) / sessions
	t.Logf("%d bytes of Memcached a session", each)
	if each > 500 {
		t.Errorf("a session takes %d bytes of Memcached, want at most 500", each)
	}
}
