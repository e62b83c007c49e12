package chaos

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/satchel-go/satchel/internal/testing/redistest"
)

// newRedis is one Redis behind a network that fails, with or without an append-only file.
func newRedis(tb testing.TB, program string, durable bool) *World {
	tb.Helper()
	w := &World{Store: "redis, not persistent"}
	var options []redistest.Option
	if durable {
		w.Store = "redis, appendfsync always"
		options = append(options, redistest.Args("--appendonly", "yes", "--appendfsync", "always"))
	}
	srv := redistest.Start(tb, options...)
	frameworks := []string{"nethttp", "echo5", "fiber3"}
	var proxies []*redistest.Proxy
	var urls []string
	for range frameworks {
		proxies = append(proxies, redistest.StartProxy(tb, srv.Addr()))
		urls = append(urls, proxies[len(proxies)-1].URL())
	}
	w.launch(tb, program, frameworks, urls...)
	w.faults = append(w.redisFaults(srv, !durable), w.network(proxies)...)
	w.faults = append(w.faults, w.instances()...)
	w.bytes = func() (string, error) {
		var all strings.Builder
		for _, key := range srv.Strings("KEYS", "*") {
			all.WriteString(key + "\n" + srv.Content(key) + "\n")
		}
		return all.String(), nil
	}
	// An index lives five minutes longer than its sessions, and those a minute longer than they are good for.
	most := idle + time.Minute + 5*time.Minute + 5*time.Second
	w.lasts, w.left = most, func() ([]string, error) { return srv.Strings("KEYS", "*"), nil }
	w.kept = func() (found []Violation) {
		for _, key := range srv.Strings("KEYS", "*") {
			left, _ := srv.MustDo("PTTL", key).(int64)
			if left == -1 || time.Duration(left)*time.Millisecond > most {
				found = append(found, Violation{"left in the store", fmt.Sprintf("%s for %d ms", key, left), false})
			}
		}
		return found
	}
	return w
}

// redisFaults are those of the server itself.
func (w *World) redisFaults(srv *redistest.Server, losing bool) []Fault {
	return []Fault{
		{Name: "redis killed", Losing: losing, run: func() (bool, error) {
			was := srv.Info("run_id")
			srv.Kill()
			time.Sleep(300 * time.Millisecond)
			srv.Restart()
			return srv.Info("run_id") != was, nil
		}},
		{Name: "redis suspended", run: func() (bool, error) {
			return w.felt("", waited, func() error {
				srv.Stop()
				time.Sleep(gone)
				srv.Continue()
				return nil
			})
		}},
		{Name: "scripts flushed", run: func() (bool, error) {
			had := srv.Info("number_of_cached_scripts")
			_, err := srv.Do("SCRIPT", "FLUSH")
			return had != "0", err
		}},
		{Name: "clients killed", run: func() (bool, error) {
			n, err := srv.Do("CLIENT", "KILL", "TYPE", "normal")
			return n != int64(0), err
		}},
		{Name: "memory full", run: func() (bool, error) {
			was := srv.Info("errorstat_OOM")
			_, err := srv.Do("CONFIG", "SET", "maxmemory", "1mb")
			time.Sleep(time.Second)
			srv.MustDo("CONFIG", "SET", "maxmemory", "0")
			return srv.Info("errorstat_OOM") != was, err
		}},
	}
}

// network are the faults between the probes and Redis.
func (w *World) network(proxies []*redistest.Proxy) []Fault {
	cut := func(add func(*redistest.Proxy) *redistest.Rule) func() (bool, error) {
		return func() (bool, error) {
			var rules []*redistest.Rule
			for _, p := range proxies {
				rules = append(rules, add(p))
			}
			time.Sleep(700 * time.Millisecond)
			fired := 0
			for i, p := range proxies {
				fired += rules[i].Fired()
				p.Heal()
				p.Reset()
			}
			return fired > 0, nil
		}
	}
	all := func(begin func(*redistest.Proxy)) func() (bool, error) {
		return func() (bool, error) {
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
		}
	}
	return []Fault{
		{Name: "cut before", run: cut(func(p *redistest.Proxy) *redistest.Rule { return p.CutBefore(8, redistest.Any) })},
		{Name: "cut after", run: cut(func(p *redistest.Proxy) *redistest.Rule { return p.CutAfter(8, redistest.Any) })},
		{Name: "delayed", run: all(func(p *redistest.Proxy) { p.Delay(200 * time.Millisecond) })},
		{Name: "swallowed", run: all(func(p *redistest.Proxy) { p.Blackhole() })},
		{Name: "refused", run: all(func(p *redistest.Proxy) { p.Refuse() })},
	}
}
