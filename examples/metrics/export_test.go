package metrics_test

import (
	"context"
	"flag"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/httpadapter"
	"github.com/satchel-go/satchel/core/memstore"
	"github.com/satchel-go/satchel/core/sealed"
)

var update = flag.Bool("update", false, "write testdata/export.txt anew")

// faulty is a store that fails when told to.
type faulty struct {
	core.Store
	down      atomic.Bool
	conflicts atomic.Int64 // how many saves will conflict
}

func (s *faulty) Unwrap() core.Store { return s.Store }

func (s *faulty) Load(ctx context.Context, id core.ID) (core.Entry, error) {
	if s.down.Load() {
		return core.Entry{}, errDown
	}
	return s.Store.Load(ctx, id)
}

func (s *faulty) Save(ctx context.Context, id core.ID, e core.Entry, base core.Version) (core.Version, error) {
	if s.down.Load() {
		return 0, errDown
	}
	if base != 0 && s.conflicts.Add(-1) >= 0 {
		return 0, core.ErrConflict
	}
	return s.Store.Save(ctx, id, e, base)
}

// site is a server whose sessions are measured.
type site struct {
	*exports
	store    *faulty
	sessions *core.Manager
	handler  http.Handler
	now      atomic.Int64 // seconds that have passed
}

func newSite(tb testing.TB, x *exports, edit ...func(*core.Config)) *site {
	tb.Helper()
	s := &site{exports: x}
	clock := func() time.Time { return time.Now().Add(time.Duration(s.now.Load()) * time.Second) }
	memory := memstore.New(memstore.Config{Now: clock})
	tb.Cleanup(func() { _ = memory.Close() })
	s.store = &faulty{Store: memory}
	c := core.Config{Observer: x.observer(), Now: clock, SessionLimit: 2, NoFailFast: true}
	for _, f := range edit {
		f(&c)
	}
	var err error
	if s.sessions, err = core.New(core.ServerSide(x.store(s.store)), c); err != nil {
		tb.Fatal(err)
	}
	s.handler = httpadapter.Middleware(s.sessions)(http.HandlerFunc(serve))
	return s
}

// serve does what the request asks for.
func serve(w http.ResponseWriter, r *http.Request) {
	s := httpadapter.Session(r)
	switch do, arg := r.URL.Query().Get("do"), r.URL.Query().Get("arg"); do {
	case "login":
		s.Login(arg)
	case "logout":
		s.Logout()
	case "renew":
		s.Renew()
	case "set":
		s.Set(arg, arg)
	case "flash":
		s.Flash("info", arg)
	case "read":
		_, _ = core.Get[string](s, arg)
	case "fail":
		s.Set(arg, arg)
		w.WriteHeader(http.StatusInternalServerError)
	case "late":
		w.WriteHeader(http.StatusOK)
		s.Login(arg)
	}
}

// client is a browser.
type client struct {
	site   *site
	cookie string
}

func (c *client) do(do, arg string) {
	r := httptest.NewRequestWithContext(c.site.Context(), "POST", "https://example.com/secretpath?do="+do+"&arg="+arg, nil)
	if c.cookie != "" {
		r.Header.Set("Cookie", c.cookie)
	}
	w := httptest.NewRecorder()
	c.site.handler.ServeHTTP(w, r)
	if line := w.Header().Get("Set-Cookie"); line != "" {
		c.cookie, _, _ = strings.Cut(line, ";")
	}
}

// scenarios is what the golden export is of: login, activity, logout, a revocation, the
// limit, a conflict, an outage, late and refused requests.
func scenarios(s *site) {
	c := &client{site: s}
	c.do("", "")
	c.do("login", "secretuser")
	c.do("set", "secretvalue")
	c.do("read", "secretvalue")
	s.now.Add(600)
	c.do("read", "secretvalue") // touches
	s.store.conflicts.Store(1)
	c.do("set", "othervalue")
	c.do("fail", "secretvalue")
	c.do("late", "seconduser")
	c.do("renew", "")
	c.do("flash", "secretvalue")
	others := []*client{{site: s}, {site: s}}
	for _, o := range others {
		o.do("login", "secretuser") // the second one ends c's
	}
	c.do("read", "")
	others[0].do("logout", "")
	_, _ = s.sessions.RevokeUser(context.Background(), "secretuser")
	others[1].do("set", "secretvalue")
	(&client{s, "__Host-session=secrettoken"}).do("", "")
	(&client{s, "__Host-session=a; __Host-session=b"}).do("", "")
	c.do("set", strings.Repeat("secretvalue", 10_000)) // too large
	c.do("login", "seconduser")
	s.store.down.Store(true)
	c.do("read", "")
	(&client{site: s}).do("set", "secretvalue")
	s.store.down.Store(false)
	s.now.Add(3600)
	c.do("read", "")
}

// TestExport compares what is exported in all scenarios with testdata/export.txt, and
// the two ways with each other: names, labels, types, help, buckets and values.
func TestExport(t *testing.T) {
	s := newSite(t, newExports(t, ""))
	s.byOtel.Migration(core.Migrating(core.ServerSide(s.store), core.ServerSide(s.store)))
	s.byProm.Migration(core.Migrating(core.ServerSide(s.store), core.ServerSide(s.store)))
	scenarios(s)
	otelFamilies, otel := s.series(s.otel)
	promFamilies, prom := s.series(s.prom)
	if !maps.Equal(otelFamilies, promFamilies) {
		t.Errorf("the families differ:\n%v\n%v", otelFamilies, promFamilies)
	}
	both := maps.Clone(otel)
	maps.Copy(both, prom)
	for name := range both {
		if otel[name] != prom[name] {
			t.Errorf("%s is %q by otelsatchel, %q by promsatchel", name, otel[name], prom[name])
		}
	}
	var lines strings.Builder
	for _, name := range slices.Sorted(maps.Keys(prom)) {
		fmt.Fprintln(&lines, name, prom[name])
	}
	if *update {
		if err := os.WriteFile("testdata/export.txt", []byte(lines.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	golden, err := os.ReadFile("testdata/export.txt")
	if err != nil {
		t.Fatal(err)
	}
	if lines.String() != string(golden) {
		t.Errorf("the export differs from testdata/export.txt; -update writes it anew:\n%s", lines.String())
	}
}

// Two Managers on one store, each with its name on all that it exports. Both count the store's sessions.
func TestExportOfTwoManagersOnOneStore(t *testing.T) {
	memory := memstore.New(memstore.Config{})
	t.Cleanup(func() { _ = memory.Close() })
	web, app := newExports(t, "web"), newExports(t, "app")
	if err := web.prom.Register(app.byProm); err != nil {
		t.Fatal(err)
	}
	on := func(x *exports, c core.Config) *site {
		c.Observer = x.observer()
		sessions, err := core.New(core.ServerSide(x.store(memory)), c)
		if err != nil {
			t.Fatal(err)
		}
		return &site{exports: x, sessions: sessions, handler: httpadapter.Middleware(sessions)(http.HandlerFunc(serve))}
	}
	(&client{site: on(web, core.Config{})}).do("login", "ann")
	(&client{site: on(app, core.Config{Carrier: core.Bearer})}).do("read", "")
	_, series := web.series(web.prom)
	for name, want := range map[string]string{
		`satchel_session_events_total{satchel_event="login",satchel_manager="web"}`:                                                 "1",
		`satchel_session_events_total{satchel_event="login",satchel_manager="app"}`:                                                 "",
		`satchel_session_events_total{satchel_event="absent",satchel_manager="app",satchel_reason="no cookie"}`:                     "1",
		`satchel_store_operation_duration_seconds{satchel_manager="web",satchel_store_operation="save",satchel_store_outcome="ok"}`: "1",
		`satchel_sessions{satchel_manager="web"}`:                                                                                   "1",
		`satchel_sessions{satchel_manager="app"}`:                                                                                   "1",
	} {
		if series[name] != want {
			t.Errorf("%s is %q, want %q", name, series[name], want)
		}
	}
	for name := range series {
		if !strings.Contains(name, `satchel_manager="`) {
			t.Errorf("%s has no Manager's name", name)
		}
	}
}

// A store that is measured inside and outside of its encryption, under two names.
func TestExportAroundEncryption(t *testing.T) {
	inside, outside := newExports(t, "inside"), newExports(t, "outside")
	memory := memstore.New(memstore.Config{})
	t.Cleanup(func() { _ = memory.Close() })
	keys, err := sealed.ParseKeyring(sealed.GenerateKey())
	if err != nil {
		t.Fatal(err)
	}
	sessions, err := core.New(core.ServerSide(outside.store(sealed.Store(inside.store(memory), keys))), core.Config{})
	if err != nil {
		t.Fatal(err)
	}
	s := &site{exports: inside, handler: httpadapter.Middleware(sessions)(http.HandlerFunc(serve))}
	(&client{site: s}).do("login", "ann")
	for name, x := range map[string]*exports{"inside": inside, "outside": outside} {
		_, otel := x.series(x.otel)
		_, prom := x.series(x.prom)
		for _, operation := range []string{"reserve", "save", "confirm"} {
			series := fmt.Sprintf(`satchel_store_operation_duration_seconds{satchel_manager=%q,satchel_store_operation=%q,satchel_store_outcome="ok"}`, name, operation)
			if otel[series] != "1" || prom[series] != "1" {
				t.Errorf("%s was measured %q and %q times", series, otel[series], prom[series])
			}
		}
	}
}
