package chaos

import (
	"database/sql"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	_ "github.com/go-sql-driver/mysql" // the driver "mysql"
	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"

	"github.com/satchel-go/satchel/internal/testing/memcachedtest"
	"github.com/satchel-go/satchel/internal/testing/sqltest"
	"github.com/satchel-go/satchel/internal/testing/tcpproxy"
)

// newLocal is one probe whose sessions are in this machine's files under dir, or only in memory.
func newLocal(tb testing.TB, store, program, url, dir string, frameworks ...string) *World {
	tb.Helper()
	w := &World{Store: store}
	w.launch(tb, program, frameworks, url)
	w.faults = w.instances()
	if dir == "" {
		w.faults = w.faults[2:] // sessions end with their process
		return w
	}
	w.bytes = func() (string, error) {
		var all strings.Builder
		err := filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
			if err != nil || entry.IsDir() {
				return err
			}
			text, err := os.ReadFile(path)
			all.Write(text)
			return err
		})
		return all.String(), err
	}
	return w
}

// newServed is a probe for each framework on a server, each behind a network that fails.
func newServed(tb testing.TB, store, program, url, addr string, frameworks ...string) *World {
	tb.Helper()
	w := &World{Store: store}
	var proxies []*tcpproxy.Proxy
	var urls []string
	for range frameworks {
		p := tcpproxy.Start(tb, addr)
		proxies, urls = append(proxies, p), append(urls, strings.Replace(url, addr, p.Addr(), 1))
	}
	w.launch(tb, program, frameworks, urls...)
	w.cut = func() {
		for _, p := range proxies {
			p.CutAll()
		}
	}
	cut := func(name string, begin func(*tcpproxy.Proxy, int)) Fault {
		return Fault{name, func() (bool, error) {
			const turns = 8
			for _, p := range proxies {
				begin(p, turns)
			}
			time.Sleep(700 * time.Millisecond)
			hit := false
			for _, p := range proxies {
				hit = hit || p.Left() < turns
				p.Heal()
			}
			return hit, nil
		}}
	}
	all := func(name string, begin func(*tcpproxy.Proxy)) Fault {
		return Fault{name, func() (bool, error) {
			return w.felt(func() error {
				for _, p := range proxies {
					begin(p)
				}
				time.Sleep(1200 * time.Millisecond)
				for _, p := range proxies {
					p.Heal()
				}
				return nil
			})
		}}
	}
	w.faults = append(w.instances(),
		cut("cut before", (*tcpproxy.Proxy).CutBefore),
		cut("cut after", (*tcpproxy.Proxy).CutAfter),
		all("delayed", func(p *tcpproxy.Proxy) { p.DelayAnswers(slow) }),
		all("swallowed", func(p *tcpproxy.Proxy) { p.Blackhole() }),
		all("refused", func(p *tcpproxy.Proxy) { p.Refuse() }))
	return w
}

// newSQL adds what befalls a database, and PgBouncer in front of it if that is not nil.
func newSQL(tb testing.TB, store, program string, srv, bouncer *sqltest.Server) *World {
	tb.Helper()
	front, name := srv, "database"
	if bouncer != nil {
		front, name = bouncer, "PgBouncer"
	}
	w := newServed(tb, store, program, front.URL(), front.Addr(), "gin", "echo", "fiber")
	driver, on, off := "pgx", []string{"ALTER SYSTEM SET default_transaction_read_only = on", "SELECT pg_reload_conf()"},
		[]string{"ALTER SYSTEM SET default_transaction_read_only = off", "SELECT pg_reload_conf()"}
	if strings.HasPrefix(srv.URL(), "mysql:") {
		driver, on, off = "mysql", []string{"SET GLOBAL read_only = 1"}, []string{"SET GLOBAL read_only = 0"}
	}
	admin := func(statements []string) error {
		db, err := sql.Open(driver, srv.AdminSource())
		for _, statement := range statements {
			if err == nil {
				_, err = db.Exec(statement)
			}
		}
		return errors.Join(err, db.Close())
	}
	restart := func(name string, srv *sqltest.Server) Fault {
		return Fault{name, func() (bool, error) {
			return w.felt(func() error { return srv.Restart() })
		}}
	}
	w.faults = append(w.faults,
		restart("database killed", srv),
		Fault{"database read-only", func() (bool, error) {
			return w.felt(func() error {
				err := admin(on)
				time.Sleep(time.Second)
				return errors.Join(err, admin(off))
			})
		}},
		Fault{name + " suspended", func() (bool, error) {
			return w.felt(func() error {
				err := front.Suspend()
				w.cut() // PostgreSQL's open connections would go on
				time.Sleep(1500 * time.Millisecond)
				return errors.Join(err, front.Resume())
			})
		}})
	if bouncer != nil {
		w.faults = append(w.faults, restart("PgBouncer killed", bouncer))
	}
	return w
}

// newMemcached has no fault that ends the server: that ends its sessions.
func newMemcached(tb testing.TB, program string) *World {
	tb.Helper()
	srv := memcachedtest.Start(tb, "-M")
	w := newServed(tb, "Memcached, without lists", program, "memcached://"+srv.Addr(), srv.Addr(), "gin", "echo", "fiber")
	w.noUsers = true
	w.faults = append(w.faults, Fault{"memcached suspended", func() (bool, error) {
		return w.felt(func() error {
			srv.Stop(tb)
			time.Sleep(1500 * time.Millisecond)
			srv.Continue(tb)
			return nil
		})
	}})
	return w
}

// atRest looks in the store for the tokens that were handed out, and for what would stay.
func (w *World) atRest() (found []Violation, err error) {
	if w.bytes == nil {
		return nil, nil
	}
	text, err := w.bytes()
	if err != nil {
		return nil, err
	}
	if len(text) == 0 {
		return nil, fmt.Errorf("%s: nothing is in the store: where are the sessions?", w.Store)
	}
	for token, s := range w.load.tokens {
		raw, err := base64.RawURLEncoding.DecodeString(token)
		if err != nil || len(raw) < 32 {
			return nil, fmt.Errorf("the token of %s is not of a form that the referee knows", s.Tag)
		}
		// Half of the secret is as bad as all of it.
		if strings.Contains(text, token[32:]) || strings.Contains(text, string(raw[len(raw)-32:len(raw)-16])) {
			found = append(found, Violation{"token at rest", "of session " + s.Tag, false})
		}
	}
	if w.kept != nil {
		found = append(found, w.kept()...)
	}
	return found, nil
}
