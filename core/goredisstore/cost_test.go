package goredisstore_test

import (
	"bytes"
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/goredisstore"
	"github.com/satchel-go/satchel/core/httpadapter"
	"github.com/satchel-go/satchel/internal/testing/redistest"
)

// visitor sends requests to a handler as one browser.
type visitor struct {
	handler http.Handler
	cookie  string
}

func (v *visitor) get(t *testing.T) *http.Response {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "https://example.com/", nil)
	if v.cookie != "" {
		r.Header.Set("Cookie", v.cookie)
	}
	w := httptest.NewRecorder()
	v.handler.ServeHTTP(w, r)
	response := w.Result()
	_ = response.Body.Close()
	if set := response.Header.Get("Set-Cookie"); set != "" {
		v.cookie, _, _ = strings.Cut(set, ";")
	}
	return response
}

// fill stores the values with which other libraries were measured.
func fill(s *core.Session) {
	s.Set("id", int64(1234567))
	s.Set("name", "Ann Example")
	s.Set("role", "editor")
	s.Set("blob", bytes.Repeat([]byte("x"), 200))
}

func read(s *core.Session) { _, _ = core.Get[int64](s, "id") }

// site is an application behind a proxy that counts. Tests change its handler.
type site struct {
	server  *redistest.Server
	proxy   *redistest.Proxy
	prefix  string
	manager *core.Manager
	handle  func(*core.Session)
	visitor *visitor
}

func newSite(t *testing.T, config core.Config) *site {
	t.Helper()
	return newSiteOn(t, redistest.Shared(t), redistest.UniquePrefix(t), config)
}

func newSiteOn(t *testing.T, server *redistest.Server, prefix string, config core.Config) *site {
	t.Helper()
	s := &site{server: server, proxy: redistest.StartProxy(t, server.Addr()), prefix: prefix}
	store := goredisstore.New(newClient(t, s.proxy.Addr()), goredisstore.Config{Prefix: s.prefix, Now: config.Now})
	var err error
	if s.manager, err = core.New(core.ServerSide(store), config); err != nil {
		t.Fatal(err)
	}
	s.visit()
	return s
}

// visit makes the site's first visitor.
func (s *site) visit() {
	s.visitor = &visitor{handler: httpadapter.Middleware(s.manager)(http.HandlerFunc(
		func(_ http.ResponseWriter, r *http.Request) { s.handle(httpadapter.Session(r)) }))}
}

// roundTrips counts the round trips of one request.
func (s *site) roundTrips(t *testing.T, handle func(*core.Session)) int {
	t.Helper()
	s.handle = handle
	s.proxy.Reset()
	if response := s.visitor.get(t); response.StatusCode != http.StatusOK {
		t.Fatalf("status %d", response.StatusCode)
	}
	return s.proxy.RoundTrips()
}

func TestRoundTrips(t *testing.T) {
	now := time.Now()
	s := newSite(t, core.Config{Now: func() time.Time { return now }})
	for _, learn := range []func(*core.Session){fill, read, func(s *core.Session) { s.Login("ann") }, (*core.Session).Logout, fill} {
		s.roundTrips(t, learn) // Redis learns the scripts
		now = now.Add(15 * time.Minute)
	}
	now = now.Add(-15 * time.Minute)
	cookie := s.visitor.cookie
	anonymous := func() { s.visitor.cookie = "" }
	for _, test := range []struct {
		name   string
		before func()
		handle func(*core.Session)
		want   int
	}{
		{"read", nil, func(s *core.Session) { read(s) }, 1},
		{"write", nil, func(s *core.Session) { read(s); s.Set("id", 1) }, 2},
		{"flash, add and show", nil, func(s *core.Session) { s.Flash("info", "x"); s.Flashes() }, 1},
		{"flash, add", nil, func(s *core.Session) { s.Flash("info", "x") }, 2},
		{"flash, show", nil, func(s *core.Session) { s.Flashes() }, 2},
		{"idle timeout half over", func() { now = now.Add(15 * time.Minute) }, func(s *core.Session) { read(s) }, 2},
		{"just touched", nil, func(s *core.Session) { read(s) }, 1},
		{"anonymous, reads", anonymous, func(s *core.Session) { read(s) }, 0},
		{"malformed token", func() { s.visitor.cookie = cookie + "x" }, func(s *core.Session) { read(s) }, 0},
		{"anonymous, writes", anonymous, func(s *core.Session) { s.Set("id", 1) }, 1},
		{"login", nil, func(s *core.Session) { s.Login("ann") }, 4},
		{"logout", nil, func(s *core.Session) { s.Logout() }, 3},
	} {
		if test.before != nil {
			test.before()
		}
		if got := s.roundTrips(t, test.handle); got != test.want {
			t.Errorf("%s: %d round trips (%v), want %d", test.name, got, s.proxy.Commands(), test.want)
		}
	}
}

// keys returns all keys of the site.
func (s *site) keys(t *testing.T) []string {
	t.Helper()
	return s.server.Strings("KEYS", s.prefix+"*")
}

func TestSEC13EveryKeyExpires(t *testing.T) {
	s := newSite(t, core.Config{Lifetime: core.NoTimeout, IdleTimeout: core.NoTimeout})
	for _, handle := range []func(*core.Session){
		fill,
		func(s *core.Session) { s.Login("ann") },
		func(s *core.Session) { s.SetTimeouts(time.Minute, time.Hour) },
		func(s *core.Session) { s.Set("id", 1); s.Renew() },
		func(s *core.Session) { s.Login("bob"); s.Remember(true) },
	} {
		s.roundTrips(t, handle)
		for _, key := range s.keys(t) {
			if left := s.server.MustDo("PTTL", key).(int64); left <= 0 {
				t.Errorf("PTTL of %s is %d", key, left)
			}
		}
	}
	if len(s.keys(t)) == 0 {
		t.Error("nothing was stored")
	}
}

func TestSEC7NothingAtRestIsAToken(t *testing.T) {
	s := newSite(t, core.Config{})
	s.roundTrips(t, fill)
	s.roundTrips(t, func(s *core.Session) { s.Login("ann") })
	_, token, _ := strings.Cut(s.visitor.cookie, "=")
	raw, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil || len(raw) != 48 {
		t.Fatalf("token of %d bytes (%v)", len(raw), err)
	}
	all := ""
	for _, key := range s.keys(t) {
		content := key + s.server.Content(key)
		all += content
		for _, part := range []string{token[22:43], token[43:], string(raw[16:32]), string(raw[32:])} {
			if strings.Contains(content, part) {
				t.Errorf("%s holds the token or its secret", key)
			}
		}
		if strings.Contains(key, "ann") {
			t.Errorf("the name of the key %s shows the user", key)
		}
	}
	if !strings.Contains(all, "Ann Example") {
		t.Error("not even the values were found, so the test shows nothing")
	}
}
