package chaos

import (
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
	if store == "sqlite" {
		if err := w.atRestSQL("sqlite", "file:"+strings.TrimPrefix(url, "sqlite:")+"?_pragma=busy_timeout(5000)"); err != nil {
			tb.Fatal(err)
		}
	} else {
		w.left = w.count
	}
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

// newServed is three probes on a server, each behind a network that fails.
func newServed(tb testing.TB, store, program, url, addr string) *World {
	tb.Helper()
	w := &World{Store: store}
	frameworks := []string{"gin", "echo", "fiber"}
	var proxies []*tcpproxy.Proxy
	var urls []string
	for range frameworks {
		p := tcpproxy.Start(tb, addr)
		proxies, urls = append(proxies, p), append(urls, strings.Replace(url, addr, p.Addr(), 1))
	}
	w.launch(tb, program, frameworks, urls...)
	all := func(name string, begin func(*tcpproxy.Proxy)) Fault {
		return Fault{Name: name, run: func() (bool, error) {
			return w.felt("", 200*time.Millisecond, func() error {
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
		all("cut before", func(p *tcpproxy.Proxy) { p.CutBefore(8) }),
		all("cut after", func(p *tcpproxy.Proxy) { p.CutAfter(8) }),
		all("delayed", func(p *tcpproxy.Proxy) { p.DelayAnswers(200 * time.Millisecond) }),
		all("swallowed", (*tcpproxy.Proxy).Blackhole),
		all("refused", (*tcpproxy.Proxy).Refuse))
	return w
}

// newSQL adds what befalls a database.
func newSQL(tb testing.TB, store, driver, program string, srv *sqltest.Server) *World {
	tb.Helper()
	url := srv.URL() + "?sweep=1s"
	if strings.Contains(srv.URL(), "?") {
		url = srv.URL() + "&sweep=1s"
	}
	w := newServed(tb, store, program, url, srv.Addr())
	if err := w.atRestSQL(driver, srv.Source()); err != nil {
		tb.Fatal(err)
	}
	w.faults = append(w.faults,
		Fault{Name: "database killed", run: func() (bool, error) {
			return w.felt("", 0, func() error { return srv.Restart() })
		}},
		Fault{Name: "database suspended", run: func() (bool, error) {
			return w.felt("", waited, func() error {
				err := srv.Suspend()
				time.Sleep(gone)
				return errors.Join(err, srv.Resume())
			})
		}})
	return w
}

// newMemcached has no fault of the server: whatever ends it ends its sessions.
func newMemcached(tb testing.TB, program string) *World {
	tb.Helper()
	srv := memcachedtest.Start(tb, "-M")
	w := newServed(tb, "memcached, without lists", program, "memcached://"+srv.Addr(), srv.Addr())
	w.noUsers = true
	w.atRestMemcached(srv)
	return w
}
