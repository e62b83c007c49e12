package pgxstore_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/pgxstore"
	"github.com/satchel-go/satchel/internal/testing/sqltest"
	"github.com/satchel-go/satchel/internal/testing/tcpproxy"
)

// watching is a Watch under way.
type watching struct {
	told chan core.ID
	over chan error
}

func watch(t *testing.T, s *pgxstore.Store) watching {
	w := watching{make(chan core.ID, 10), make(chan error, 1)}
	go func() { w.over <- s.Watch(t.Context(), func(id core.ID) { w.told <- id }) }()
	return w
}

func (w watching) await(t *testing.T, what string, want core.ID) {
	t.Helper()
	select {
	case id := <-w.told:
		if id != want {
			t.Errorf("%s: Watch tells %q, want %q", what, id, want)
		}
	case err := <-w.over:
		t.Fatalf("%s: Watch has ended: %v", what, err)
	case <-time.After(10 * time.Second):
		t.Fatalf("%s: Watch does not tell", what)
	}
}

// A connection that breaks ends the Watch, so that the core begins another, which looks
// at every session.
func TestI2WatchEndsWithItsConnection(t *testing.T) {
	t.Parallel()
	server := sqltest.SharedPostgres(t)
	proxy := tcpproxy.Start(t, server.Addr())
	s := newStore(t, newPool(t, server.SourceAt(proxy.Addr())), pgxstore.Config{})
	w := watch(t, s)
	w.await(t, "at the start", core.ID{})
	proxy.CutAll()
	select {
	case err := <-w.over:
		if err == nil || errors.Is(err, core.ErrUnsupported) {
			t.Errorf("Watch: %v, want an error after which the core tries again", err)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("Watch goes on")
	}
	watch(t, s).await(t, "again", core.ID{})
}

// A connection that breaks without notice shows no sign of life, and ends the Watch.
func TestI2WatchNoticesASilentBreak(t *testing.T) {
	t.Parallel()
	server := sqltest.SharedPostgres(t)
	proxy := tcpproxy.Start(t, server.Addr())
	s := newStore(t, newPool(t, server.Source()), pgxstore.Config{ListenURL: server.SourceAt(proxy.Addr())})
	var pulses atomic.Int64
	done := make(chan error, 1)
	go func() { done <- s.WatchPulse(t.Context(), func(core.ID) {}, func() { pulses.Add(1) }) }()
	for pulses.Load() < 1 {
		select {
		case err := <-done:
			t.Fatal(err)
		case <-time.After(time.Millisecond):
		}
	}
	proxy.Blackhole()
	heard := pulses.Load()
	select {
	case err := <-done:
		if err == nil {
			t.Error("Watch has returned without an error")
		}
	case <-time.After(20 * time.Second):
		t.Error("Watch goes on")
	}
	if n := pulses.Load() - heard; n > 1 {
		t.Errorf("%d signs of life without a connection", n)
	}
}

// After a failover the pool may lead elsewhere, while the connection that listens still answers.
func TestI2WatchFollowsThePool(t *testing.T) {
	t.Parallel()
	server, prefix := sqltest.SharedPostgres(t), sqltest.UniquePrefix(t)
	other := strings.Trim(prefix, "_") + "_other"
	if _, err := newPool(t, server.AdminSource()).Exec(t.Context(), "CREATE DATABASE "+other+" OWNER satchel"); err != nil {
		t.Fatal(err)
	}
	var moved atomic.Bool
	pool := newPool(t, server.Source(), func(c *pgxpool.Config) {
		c.BeforeConnect = func(_ context.Context, c *pgx.ConnConfig) error {
			if moved.Load() {
				c.Database = other
			}
			return nil
		}
	})
	s := newStoreOn(t, pool, pgxstore.Config{Prefix: prefix, ListenURL: server.URL()})
	done := make(chan error, 1)
	pulse := make(chan struct{}, 100)
	go func() { done <- s.WatchPulse(t.Context(), func(core.ID) {}, func() { pulse <- struct{}{} }) }()
	<-pulse
	moved.Store(true)
	pool.Reset()
	select {
	case err := <-done:
		if err == nil {
			t.Error("Watch has returned without an error")
		}
	case <-time.After(20 * time.Second):
		t.Error("I2: Watch goes on where nothing is sent any more")
	}
}

// A pooler takes the LISTEN and delivers nothing. Past it, Watch hears what is sent through
// it.
func TestI2WatchRefusesAPooler(t *testing.T) {
	t.Parallel()
	server := sqltest.SharedPostgres(t)
	pool := newPool(t, sqltest.StartPgBouncer(t, server).Source())
	s := newStore(t, pool, pgxstore.Config{})
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	err := s.Watch(ctx, func(core.ID) {})
	if err == nil || !strings.Contains(err.Error(), "set Config.ListenURL") {
		t.Errorf("Watch through a pooler: %v, want an error that says what to do", err)
	}
	s = newStore(t, pool, pgxstore.Config{ListenURL: server.Source()})
	w := watch(t, s)
	w.await(t, "at the start", core.ID{})
	id := core.ID{1}
	if _, err := s.Save(t.Context(), id, core.Entry{Expires: time.Now().Add(time.Hour)}, 0); err != nil {
		t.Fatal(err)
	}
	if err := s.Delete(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	w.await(t, "a delete through the pooler", id)
}

func TestWatchWithoutNotifications(t *testing.T) {
	t.Parallel()
	s := newStore(t, newPool(t, sqltest.SharedPostgres(t).Source()), pgxstore.Config{NoNotify: true})
	if err := s.Watch(t.Context(), func(core.ID) {}); !errors.Is(err, core.ErrUnsupported) {
		t.Errorf("Watch: %v, want ErrUnsupported", err)
	}
}

// What a limit and a revocation end is told as well as what Delete ends.
func TestI2WatchTellsWhatALimitEnds(t *testing.T) {
	t.Parallel()
	s := newStore(t, newPool(t, sqltest.SharedPostgres(t).Source()), pgxstore.Config{})
	w := watch(t, s)
	w.await(t, "at the start", core.ID{})
	for i := range 2 {
		id := core.ID{byte(i + 1)}
		if _, err := s.Reserve(t.Context(), "ann", id, 1, core.EndOldest); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Save(t.Context(), id, core.Entry{User: "ann", Expires: time.Now().Add(time.Hour)}, 0); err != nil {
			t.Fatal(err)
		}
		if err := s.Confirm(t.Context(), "ann", id, time.Time{}); err != nil {
			t.Fatal(err)
		}
	}
	w.await(t, "the limit", core.ID{1})
}
