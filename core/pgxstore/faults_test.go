package pgxstore_test

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/pgxstore"
	"github.com/satchel-go/satchel/internal/testing/sqltest"
	"github.com/satchel-go/satchel/internal/testing/tcpproxy"
)

// save stores a session and fails the test if that fails.
func save(t *testing.T, s *pgxstore.Store, id core.ID, user string) core.Version {
	t.Helper()
	version, err := s.Save(t.Context(), id, core.Entry{User: user, Data: []byte("data"), Expires: time.Now().Add(time.Hour)}, 0)
	if err != nil {
		t.Fatal(err)
	}
	return version
}

// Whoever ends the server's connections, as a failover or an operator does, fails no
// request.
func TestL3EndedConnectionsFailNoRequest(t *testing.T) {
	t.Parallel()
	server := sqltest.StartPostgres(t)
	admin := newPool(t, server.AdminSource())
	pool := newPool(t, server.Source())
	s := newStore(t, pool, pgxstore.Config{})
	var workers sync.WaitGroup
	var calls atomic.Int64
	stop := make(chan struct{})
	for i := range 12 {
		workers.Go(func() {
			id := core.ID{1, byte(i)}
			version := save(t, s, id, "ann")
			for {
				select {
				case <-stop:
					return
				default:
				}
				_, err := s.Load(t.Context(), id)
				if err == nil {
					version, err = s.Save(t.Context(), id, core.Entry{User: "ann", Expires: time.Now().Add(time.Hour)}, version)
				}
				if err == nil {
					err = s.Touch(t.Context(), id, version, time.Now().Add(2*time.Hour))
				}
				if err != nil {
					t.Error(err)
					return
				}
				calls.Add(1)
			}
		})
	}
	for range 5 {
		for before := calls.Load(); calls.Load() < before+24; {
			if t.Failed() {
				break
			}
			time.Sleep(time.Millisecond)
		}
		if _, err := admin.Exec(t.Context(), "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'satchel'"); err != nil {
			t.Error(err)
		}
	}
	close(stop)
	workers.Wait()
}

// What is stored although the answer was lost is recognised, and changes of others in
// between are not taken for conflicts of our own making.
func TestK1LostAnswers(t *testing.T) {
	t.Parallel()
	server := sqltest.SharedPostgres(t)
	proxy := tcpproxy.Start(t, server.Addr())
	s := newStore(t, newPool(t, server.SourceAt(proxy.Addr())), pgxstore.Config{})
	id := core.ID{1}
	entry := core.Entry{User: "ann", Data: []byte("data"), Expires: time.Now().Add(time.Hour)}
	for range 2 { // the first time, statements are prepared
		proxy.CutAfter(1)
		version, err := s.Save(t.Context(), id, entry, 0)
		if err != nil {
			t.Fatalf("a new session: %v", err)
		}
		proxy.CutAfter(1)
		if version, err = s.Save(t.Context(), id, entry, version); err != nil {
			t.Fatalf("a change: %v", err)
		}
		if e, err := s.Load(t.Context(), id); err != nil || e.Version != version {
			t.Fatalf("Load: version %v, %v, want %v", e.Version, err, version)
		}
		proxy.CutAfter(1)
		if err := s.Delete(t.Context(), id); err != nil {
			t.Fatalf("Delete: %v", err)
		}
	}
}

// Serialization failures are what a database with a stricter default isolation answers to
// overlapping statements.
func TestK1SerializationFailuresAreRetried(t *testing.T) {
	t.Parallel()
	for _, level := range []string{"repeatable read", "serializable"} {
		t.Run(level, func(t *testing.T) {
			t.Parallel()
			pool := newPool(t, sqltest.SharedPostgres(t).Source(), func(c *pgxpool.Config) {
				c.ConnConfig.RuntimeParams["default_transaction_isolation"] = level
			})
			s := newStore(t, pool, pgxstore.Config{})
			var all sync.WaitGroup
			for i := range 8 {
				all.Go(func() {
					for round := range 5 {
						if err := life(t, s, core.ID{1, byte(i), byte(round)}, "ann"); err != nil && !taken(err) {
							t.Error(err)
						}
					}
				})
			}
			all.Wait()
		})
	}
}

// taken reports whether the limit of others has ended a session meanwhile.
func taken(err error) bool { return errors.Is(err, core.ErrNotFound) }

// A pool without a free connection is an outage that ends by the deadline.
func TestL3ExhaustedPool(t *testing.T) {
	t.Parallel()
	pool := newPool(t, sqltest.SharedPostgres(t).Source(), func(c *pgxpool.Config) { c.MaxConns = 1 })
	prefix := sqltest.UniquePrefix(t)
	s := newStoreOn(t, pool, pgxstore.Config{Prefix: prefix})
	if err := s.CreateTables(t.Context()); err != nil {
		t.Fatal(err)
	}
	save(t, s, core.ID{1}, "")
	short := newStoreOn(t, pool, pgxstore.Config{Prefix: prefix, Timeout: 50 * time.Millisecond})
	held, err := pool.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	_, err = short.Load(t.Context(), core.ID{1})
	if !errors.Is(err, core.ErrUnavailable) {
		t.Errorf("Load: %v, want ErrUnavailable", err)
	}
	held.Release()
	if _, err := s.Load(t.Context(), core.ID{1}); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

// TestL3FailoverClosesOldConnections has connections that can only read, as those to a
// server that was the primary, while new ones can write.
func TestL3FailoverClosesOldConnections(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a server")
	}
	t.Parallel()
	srv := sqltest.StartPostgres(t)
	admin := newPool(t, srv.AdminSource())
	run := func(statement string) {
		t.Helper()
		if _, err := admin.Exec(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	pool := newPool(t, srv.Source())
	s := newStore(t, pool, pgxstore.Config{})
	pool.Reset()
	run("ALTER ROLE satchel SET default_transaction_read_only = on")
	var held []*pgxpool.Conn
	for range 4 {
		conn, err := pool.Acquire(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		held = append(held, conn)
	}
	run("ALTER ROLE satchel RESET default_transaction_read_only")
	for _, conn := range held {
		var readOnly string
		if err := conn.QueryRow(t.Context(), "SHOW transaction_read_only").Scan(&readOnly); err != nil || readOnly != "on" {
			t.Fatalf("read-only: %s, %v", readOnly, err)
		}
		conn.Release()
	}
	for i := range byte(10) {
		save(t, s, core.ID{i}, "ann")
	}
}
