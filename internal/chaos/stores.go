package chaos

import (
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/satchel-go/satchel/internal/testing/memcachedtest"
	"github.com/satchel-go/satchel/internal/testing/sqltest"
	"github.com/satchel-go/satchel/internal/testing/tcpproxy"
)

// newLocal is one probe whose sessions are in this machine's files under dir, or only in memory.
func newLocal(tb testing.TB, store, program, url, dir string, frameworks ...string) *World {
	tb.Helper()
	w := &World{Store: store, lasts: idle + grace + 5*time.Second}
	w.launch(tb, program, frameworks, url+"?sweep=1s")
	w.faults = w.instances()
	if file, ok := strings.CutPrefix(url, "sqlite:"); ok {
		if err := w.atRestSQL("sqlite", "file:"+file+"?_pragma=busy_timeout(5000)"); err != nil {
			tb.Fatal(err)
		}
	} else {
		w.left = w.count
	}
	if dir == "" {
		w.faults = w.faults[2:] // sessions end with their process
		w.faults[0].mild = true
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
	var urls []string
	for range frameworks {
		p := tcpproxy.Start(tb, addr)
		w.proxies, urls = append(w.proxies, p), append(urls, strings.Replace(url, addr, p.Addr(), 1))
	}
	w.launch(tb, program, frameworks, urls...)
	w.faults = append(w.instances(), w.network()...)
	return w
}

// newSQL adds what befalls a database, and PgBouncer in front of it if that is not nil.
func newSQL(tb testing.TB, store, program string, srv, bouncer *sqltest.Server) *World {
	tb.Helper()
	front, name := srv, "database"
	if bouncer != nil {
		front, name = bouncer, "PgBouncer"
	}
	url, and := front.URL(), "?"
	if strings.Contains(url, "?") {
		and = "&"
	}
	w := newServed(tb, store, program, url+and+"sweep=1s", front.Addr(), "gin", "echo", "fiber")
	driver, on, off := "pgx", []string{"ALTER SYSTEM SET default_transaction_read_only = on", "SELECT pg_reload_conf()"},
		[]string{"ALTER SYSTEM SET default_transaction_read_only = off", "SELECT pg_reload_conf()"}
	if strings.HasPrefix(srv.URL(), "mysql:") {
		driver, on, off = "mysql", []string{"SET GLOBAL read_only = 1"}, []string{"SET GLOBAL read_only = 0"}
	}
	if err := w.atRestSQL(driver, srv.Source()); err != nil {
		tb.Fatal(err)
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
		return Fault{Name: name, run: func() (bool, error) {
			was := srv.PID() // clients may notice nothing: the store tries again
			err := srv.Restart()
			return srv.PID() != was, err
		}}
	}
	w.faults = append(w.faults,
		restart("database killed", srv),
		Fault{Name: "database read-only", run: func() (bool, error) {
			return w.pause("", time.Second, func() error { return admin(on) }, func() error { return admin(off) })
		}},
		Fault{Name: name + " suspended", run: func() (bool, error) {
			return w.pause("", 1500*time.Millisecond, func() error {
				defer w.cut() // PostgreSQL's open connections would go on
				return front.Suspend()
			}, front.Resume)
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
	w.atRestMemcached(srv)
	w.faults = append(w.faults, Fault{Name: "memcached suspended", run: func() (bool, error) {
		return w.pause("", 1500*time.Millisecond, func() error { srv.Stop(tb); return nil }, func() error { srv.Continue(tb); return nil })
	}})
	return w
}
