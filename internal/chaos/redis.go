package chaos

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/satchel-go/satchel/internal/testing/redistest"
)

// durable makes Redis keep everything that it has acknowledged.
var durable = redistest.Args("--appendonly", "yes", "--appendfsync", "always")

// newRedis is one Redis behind a network that fails. The URL of its store is that of
// Redis between before and after.
func newRedis(tb testing.TB, store, program, before, after string, options ...redistest.Option) *World {
	tb.Helper()
	srv := redistest.Start(tb, options...)
	w := newServed(tb, store, program, before+srv.URL()+after, srv.Addr(), "nethttp", "echo5", "fiber3")
	w.keepsRedis(func() []*redistest.Server { return []*redistest.Server{srv} })
	w.faults = append(w.faults, w.commands(func() *redistest.Server { return srv })...)
	w.faults = append(w.faults,
		Fault{Name: "redis killed", run: func() (bool, error) {
			if len(options) == 0 {
				defer w.mayLose(0)(0)
			}
			was := srv.Info("run_id")
			srv.Kill()
			time.Sleep(300 * time.Millisecond)
			srv.Restart()
			return srv.Info("run_id") != was, nil
		}},
		Fault{Name: "redis suspended", run: func() (bool, error) {
			return w.pause("", 1500*time.Millisecond, func() error { srv.Stop(); return nil }, func() error { srv.Continue(); return nil })
		}})
	return w
}

// keepsRedis looks at what is left in Redis, on servers that have all of it together.
func (w *World) keepsRedis(masters func() []*redistest.Server) {
	each := func(do func(srv *redistest.Server, key string)) {
		for _, srv := range masters() {
			for _, key := range srv.Strings("KEYS", "*") {
				do(srv, key)
			}
		}
	}
	w.bytes = func() (string, error) {
		var all strings.Builder
		each(func(srv *redistest.Server, key string) { all.WriteString(key + "\n" + srv.Content(key) + "\n") })
		return all.String(), nil
	}
	// An index lives five minutes longer than its sessions, and those a minute longer than they are good for.
	most := idle + time.Minute + 5*time.Minute + 5*time.Second
	w.lasts = most
	w.left = func() (left []string, _ error) {
		each(func(_ *redistest.Server, key string) { left = append(left, key) })
		return left, nil
	}
	w.kept = func() (found []Violation) {
		each(func(srv *redistest.Server, key string) {
			left, _ := srv.MustDo("PTTL", key).(int64)
			if left == -1 || time.Duration(left)*time.Millisecond > most {
				found = append(found, Violation{Rule: "left in the store", Text: fmt.Sprintf("%s for %d ms", key, left)})
			}
		})
		return found
	}
}

// commands are the faults that a server is told to have.
func (w *World) commands(master func() *redistest.Server) []Fault {
	return []Fault{
		{Name: "scripts flushed", run: func() (bool, error) {
			srv := master()
			had := srv.Info("number_of_cached_scripts")
			_, err := srv.Do("SCRIPT", "FLUSH")
			return had != "0", err
		}},
		{Name: "clients killed", run: func() (bool, error) {
			n, err := master().Do("CLIENT", "KILL", "TYPE", "normal")
			return n != int64(0), err
		}},
		{Name: "memory full", run: func() (bool, error) {
			srv := master()
			was := srv.Info("errorstat_OOM")
			_, err := srv.Do("CONFIG", "SET", "maxmemory", "1mb")
			time.Sleep(time.Second)
			srv.MustDo("CONFIG", "SET", "maxmemory", "0")
			return srv.Info("errorstat_OOM") != was, err
		}},
	}
}
