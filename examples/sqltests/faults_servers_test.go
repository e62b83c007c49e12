package sqltests

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/sqlstore"
)

// TestL3SQLServerAway has a server that refuses connections, and one that says nothing.
func TestL3SQLServerAway(t *testing.T) {
	eachServer(t, func(t *testing.T, d database) {
		tables, proxy := d.behind(t)
		const timeout = 300 * time.Millisecond
		s := tables.store(t, sqlstore.Config{Timeout: timeout})
		id, base := prepared(t, tables.store(t, sqlstore.Config{}))
		for name, fault := range map[string]func(){"refuses": proxy.Refuse, "black hole": proxy.Blackhole} {
			fault()
			var all sync.WaitGroup
			for _, op := range operations {
				all.Go(func() {
					start := time.Now()
					if err := op.run(t.Context(), s, id, base); !unavailable(err) {
						t.Errorf("%s: %s: %v", name, op.name, err)
					}
					if d := time.Since(start); d > 10*timeout {
						t.Errorf("%s: %s takes %v", name, op.name, d)
					}
				})
			}
			all.Wait()
			proxy.Heal()
			if _, err := tables.store(t, sqlstore.Config{}).Load(t.Context(), id); err != nil {
				t.Errorf("%s: after that: %v", name, err)
			}
		}
	})
}

// TestK2SQLCrash kills the server under load. What it has said is stored, or deleted, is so
// after it has recovered.
func TestK2SQLCrash(t *testing.T) {
	eachRig(t, func(t *testing.T, r *rig) {
		s := r.store(t, sqlstore.Config{Timeout: 500 * time.Millisecond})
		type fate struct {
			id            core.ID
			version       core.Version
			gone, unknown bool // its last save or deletion got no answer
		}
		fates := make([][]*fate, 8)
		var (
			stop   atomic.Bool
			all    sync.WaitGroup
			failed atomic.Int64
		)
		answered := func(what string, err error) bool {
			if err != nil {
				failed.Add(1)
				if !unavailable(err) {
					t.Errorf("%s: %v", what, err)
				}
				time.Sleep(5 * time.Millisecond)
			}
			return err == nil
		}
		for w := range fates {
			all.Go(func() {
				for !stop.Load() {
					f := &fate{id: newID()}
					fates[w] = append(fates[w], f)
					v, err := s.Save(t.Context(), f.id, entry("", "a"), 0)
					if f.unknown = !answered("save", err); f.unknown {
						continue
					}
					f.version = v
					if len(fates[w])%2 == 0 {
						err := s.Delete(t.Context(), f.id)
						f.unknown = !answered("delete", err)
						f.gone = true
					}
				}
			})
		}
		for range 2 {
			time.Sleep(100 * time.Millisecond)
			r.srv.Crash()
			time.Sleep(50 * time.Millisecond)
			if err := r.srv.Restart(); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(100 * time.Millisecond)
		stop.Store(true)
		all.Wait()
		patient := r.store(t, sqlstore.Config{})
		kept, gone := 0, 0
		for _, list := range fates {
			for _, f := range list {
				if f.unknown {
					continue
				}
				e, err := patient.Load(t.Context(), f.id)
				switch {
				case f.gone && errors.Is(err, core.ErrNotFound):
					gone++
				case !f.gone && err == nil && e.Version == f.version:
					kept++
				default:
					t.Errorf("a session that was deleted (%t) at %d: %d, %v", f.gone, f.version, e.Version, err)
				}
			}
		}
		t.Logf("%d kept, %d deleted, %d calls failed", kept, gone, failed.Load())
		if _, ever := r.proxy.Conns(); kept == 0 || gone == 0 || ever < 16 {
			t.Errorf("the crash hit nothing: %d connections", ever)
		}
	})
}

// TestL3SQLFailover moves the primary's name to another server. The old one lives on as a
// replica that can only be read, with the connections of the pool.
func TestL3SQLFailover(t *testing.T) {
	eachRig(t, func(t *testing.T, old *rig) {
		now := old.rig(t)
		patient := now.store(t, sqlstore.Config{})
		id, base := prepared(t, patient)
		s := old.store(t, sqlstore.Config{Timeout: 10 * time.Second})
		var all sync.WaitGroup // with many connections to the old server
		for range 10 {
			all.Go(func() { save(t, s, newID(), entry("", "a")) })
		}
		all.Wait()
		copyRows(t, now, old)
		if old.dialect == sqlstore.Postgres {
			old.run(t, "ALTER SYSTEM SET default_transaction_read_only = on")
			old.run(t, "SELECT pg_reload_conf()")
		} else {
			old.run(t, "SET GLOBAL read_only = 1")
		}
		eventually(t, "the old server is read-only", func() bool {
			short := old.store(t, sqlstore.Config{Timeout: 100 * time.Millisecond})
			_, err := short.Save(t.Context(), newID(), entry("", "a"), 0)
			return err != nil
		})
		short := old.store(t, sqlstore.Config{Timeout: 100 * time.Millisecond})
		if _, err := short.Save(t.Context(), id, entry("ann", "b"), base); !unavailable(err) {
			t.Errorf("save on a replica: %v", err)
		}
		if err := short.Delete(t.Context(), id); !unavailable(err) {
			t.Errorf("delete on a replica: %v", err)
		}
		if _, err := old.store(t, sqlstore.Config{}).Load(t.Context(), id); err != nil {
			t.Errorf("load on a replica: %v", err)
		}
		old.proxy.Redirect(now.srv.Addr())
		for range 20 {
			var err error
			if base, err = s.Save(t.Context(), id, entry("ann", "b"), base); err != nil {
				t.Fatalf("save after the failover: %v", err)
			}
		}
		if e, err := patient.Load(t.Context(), id); err != nil || e.Version != base {
			t.Errorf("on the new primary: %+v, %v", e, err)
		}
	})
}

// copyRows copies all sessions to another server.
func copyRows(t *testing.T, from, to *rig) {
	t.Helper()
	rows, err := from.admin.QueryContext(t.Context(), "SELECT id, version, expires, sweep, owner, data FROM "+from.sessions())
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close() //nolint:errcheck // Err says it
	for rows.Next() {
		var (
			id, owner, data         []byte
			version, expires, sweep int64
		)
		if err := rows.Scan(&id, &version, &expires, &sweep, &owner, &data); err != nil {
			t.Fatal(err)
		}
		insert := "INSERT INTO " + to.sessions() + " (id, version, expires, sweep, owner, data) VALUES " + to.pick("($1, $2, $3, $4, $5, $6)", "(?, ?, ?, ?, ?, ?)")
		if _, err := to.admin.ExecContext(t.Context(), insert, id, version, expires, sweep, owner, data); err != nil {
			t.Fatal(err)
		}
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
}
