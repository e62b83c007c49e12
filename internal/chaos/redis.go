package chaos

import (
	"crypto/sha256"
	"encoding/base64"
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
	w.faults = append(w.faults, commands(func() *redistest.Server { return srv })...)
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
	id := func(key string) string { return key[strings.LastIndexByte(key, ':')+1:] }
	w.left = func() (left []string, _ error) {
		sessions := w.byKey()
		each(func(_ *redistest.Server, key string) {
			if !w.stays(sessions[id(key)], "").Lossy {
				left = append(left, key)
			}
		})
		return left, nil
	}
	w.kept = func() (found []Violation) {
		sessions := w.byKey()
		each(func(srv *redistest.Server, key string) {
			left, _ := srv.MustDo("PTTL", key).(int64)
			if left == -1 || time.Duration(left)*time.Millisecond > most {
				found = append(found, w.stays(sessions[id(key)], fmt.Sprintf("%s for %d ms", key, left)))
			}
		})
		return found
	}
}

// byKey returns the sessions by the IDs in their tokens and, of visits, by the hash of their
// users: keys end with either.
func (w *World) byKey() map[string]*Session {
	sessions := map[string]*Session{}
	for token, s := range w.load.tokens {
		s.losses = w.load.losses
		if raw, err := base64.RawURLEncoding.DecodeString(token); err == nil && len(raw) > 32 {
			sessions[base64.RawURLEncoding.EncodeToString(raw[:len(raw)-32])] = s
		}
	}
	for _, s := range w.load.sessions {
		if s.visit {
			s.losses = w.load.losses
			sum := sha256.Sum256([]byte(s.User))
			sessions[base64.RawURLEncoding.EncodeToString(sum[:15])] = s
		}
	}
	return sessions
}

// stays is the violation of a session, nil if not known, that is left in the store. A loss may
// have undone its end.
func (w *World) stays(s *Session, text string) Violation {
	v := Violation{Rule: "left in the store", Text: text}
	if s != nil {
		v = s.violation(v.Rule, s.EndAcked, w.load.now(), "ended at %v, left: %s", time.Duration(s.EndAcked), text)
		v.Lossy = s.explained(v)
	}
	return v
}

// commands are the faults that a server is told to have.
func commands(master func() *redistest.Server) []Fault {
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
