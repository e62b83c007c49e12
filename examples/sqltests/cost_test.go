package sqltests

import (
	"bytes"
	"database/sql"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/httpadapter"
	"github.com/satchel-go/satchel/core/pgxstore"
	"github.com/satchel-go/satchel/core/sqlstore"
	"github.com/satchel-go/satchel/internal/testing/sqltest"
	"github.com/satchel-go/satchel/internal/testing/tcpproxy"
)

// site is an application with one visitor, whose store is behind a proxy.
type site struct {
	proxy   *tcpproxy.Proxy
	manager *core.Manager
	handle  func(*core.Session)
	cookie  string
}

// through opens a pool that reaches the shared server through p.
func (d database) through(tb testing.TB, p *tcpproxy.Proxy) *sql.DB {
	tb.Helper()
	if d.dialect == sqlstore.Postgres {
		return open(tb, "pgx", sqltest.SharedPostgres(tb).SourceAt(p.Addr()))
	}
	return open(tb, "mysql", sqltest.SharedMariaDB(tb).SourceAt(p.Addr()))
}

// proxied starts a proxy before the shared server.
func (d database) proxied(tb testing.TB) *tcpproxy.Proxy {
	tb.Helper()
	if d.dialect == sqlstore.Postgres {
		return tcpproxy.Start(tb, sqltest.SharedPostgres(tb).Addr())
	}
	return tcpproxy.Start(tb, sqltest.SharedMariaDB(tb).Addr())
}

func newSite(t *testing.T, d database, config core.Config) *site {
	t.Helper()
	s := &site{proxy: d.proxied(t)}
	tables := d.clean(t)
	var store core.Store
	if d.name == native.name {
		pool := openPool(t, sqltest.SharedPostgres(t).SourceAt(s.proxy.Addr()), 1)
		store = tables.pgxStoreOn(t, pool, pgxstore.Config{Now: config.Now})
	} else {
		db := d.through(t, s.proxy)
		db.SetMaxOpenConns(1) // whose statements are all prepared after the first visits
		store = tables.storeOn(t, db, sqlstore.Config{Now: config.Now})
	}
	var err error
	if s.manager, err = core.New(core.ServerSide(store), config); err != nil {
		t.Fatal(err)
	}
	return s
}

// roundTrips counts the round trips of one request.
func (s *site) roundTrips(t *testing.T, handle func(*core.Session)) int {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "https://example.com/", nil)
	if s.cookie != "" {
		r.Header.Set("Cookie", s.cookie)
	}
	w := httptest.NewRecorder()
	before := s.proxy.Turns()
	httpadapter.Middleware(s.manager)(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		handle(httpadapter.Session(r))
	})).ServeHTTP(w, r)
	if w.Code != http.StatusOK {
		t.Fatalf("status %d", w.Code)
	}
	if set := w.Header().Get("Set-Cookie"); set != "" {
		s.cookie, _, _ = strings.Cut(set, ";")
	}
	return s.proxy.Turns() - before
}

func fill(s *core.Session) {
	s.Set("id", int64(1234567))
	s.Set("name", "Ann Example")
	s.Set("role", "editor")
	s.Set("blob", bytes.Repeat([]byte("x"), 200))
}

func read(s *core.Session) { _, _ = core.Get[int64](s, "id") }

// TestRoundTrips fails on one more than the package's documentation says.
func TestRoundTrips(t *testing.T) {
	t.Parallel()
	for _, d := range append(slices.Clip(databases), native) {
		if d.dialect == sqlstore.SQLite {
			continue // there is no way to go
		}
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			mariadb := d.dialect == sqlstore.MySQL
			for _, limit := range []int{0, 3} {
				now := time.Now()
				s := newSite(t, d, core.Config{Now: func() time.Time { return now }, SessionLimit: limit})
				anonymous := func() { s.cookie = "" }
				later := func() { now = now.Add(15 * time.Minute) }
				login := func(s *core.Session) { s.Login("ann") }
				logins := []int{4, 4}
				if limit > 0 {
					logins = []int{5, 9}
				}
				for round := range 2 { // in the first, statements are prepared
					anonymous()
					for _, test := range []struct {
						name   string
						before func()
						handle func(*core.Session)
						want   [2]int // in PostgreSQL, in MariaDB
					}{
						{"anonymous, reads", nil, read, [2]int{0, 0}},
						{"anonymous, writes", nil, fill, [2]int{1, 1}},
						{"read", nil, read, [2]int{1, 1}},
						{"write", nil, func(s *core.Session) { read(s); s.Set("id", 1) }, [2]int{2, 2}},
						{"flash, add and show", nil, func(s *core.Session) { s.Flash("info", "x"); s.Flashes() }, [2]int{1, 1}},
						{"idle timeout half over", later, read, [2]int{2, 2}},
						{"just touched", nil, read, [2]int{1, 1}},
						{"login", nil, login, [2]int(logins)},
						{"logged in, idle timeout half over", later, read, [2]int{2, 3}},
						{"logout", nil, (*core.Session).Logout, [2]int{3, 3}},
						{"login without a session before", anonymous, login, [2]int{logins[0] - 1, logins[1] - 1}},
						{"logout", nil, (*core.Session).Logout, [2]int{3, 3}},
					} {
						if test.before != nil {
							test.before()
						}
						got, want := s.roundTrips(t, test.handle), test.want[0]
						if mariadb {
							want = test.want[1]
						}
						switch {
						case round == 0:
						case got > want:
							t.Errorf("limit %d, %s: %d round trips, want %d", limit, test.name, got, want)
						case got < want:
							t.Logf("limit %d, %s: %d round trips, which is fewer than %d", limit, test.name, got, want)
						}
					}
				}
			}
		})
	}
}
