package pgxstore_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/nearcache"
	"github.com/satchel-go/satchel/core/pgxstore"
	"github.com/satchel-go/satchel/core/storetest"
	"github.com/satchel-go/satchel/internal/testing/sqltest"
)

func TestInvalidations(t *testing.T) {
	t.Parallel()
	source := sqltest.SharedPostgres(t).Source()
	pool, other := newPool(t, source), newPool(t, source)
	tables := map[core.Store]string{}
	do := func(statement string) func(*testing.T, core.Store, core.ID) {
		return func(t *testing.T, s core.Store, id core.ID) {
			text := strings.NewReplacer("{s}", tables[s]+"sessions", "{id}", fmt.Sprintf(`'\x%x'::bytea`, id[:])).Replace(statement)
			if _, err := pool.Exec(t.Context(), text); err != nil {
				t.Fatal(err)
			}
		}
	}
	storetest.RunInvalidator(t, func(t *testing.T) (a, b core.Store) {
		c := pgxstore.Config{Prefix: sqltest.UniquePrefix(t), NotifyChanges: true}
		one, two := newStoreOn(t, pool, c), newStoreOn(t, other, pgxstore.Config{Prefix: c.Prefix})
		for range 2 { // the second time changes nothing
			if err := one.CreateTables(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		tables[one] = c.Prefix
		return one, two
	}, map[string]func(*testing.T, core.Store, core.ID){
		"UPDATE":   do("UPDATE {s} SET version = 7 WHERE id = {id}"),
		"DELETE":   do("DELETE FROM {s} WHERE id = {id}"),
		"TRUNCATE": do("TRUNCATE {s}"),
		"in_the_applications_transaction": func(t *testing.T, s core.Store, id core.ID) {
			tx, err := pool.Begin(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(s.(*pgxstore.Store).In(tx).Revoke(t.Context(), id), tx.Commit(t.Context())); err != nil {
				t.Fatal(err)
			}
		},
	})
}

// TestL4NearcacheNeedsTheTrigger: otherwise changes would never be told.
func TestL4NearcacheNeedsTheTrigger(t *testing.T) {
	t.Parallel()
	pool := newPool(t, sqltest.SharedPostgres(t).Source())
	c := pgxstore.Config{Prefix: sqltest.UniquePrefix(t)}
	store := newStoreOn(t, pool, c)
	if err := store.CreateTables(t.Context()); err != nil {
		t.Fatal(err)
	}
	if s, err := nearcache.New(store, nearcache.Config{}); s != nil || !errors.Is(err, core.ErrUnsupported) || !strings.Contains(err.Error(), "NotifyChanges") {
		t.Errorf("without the trigger: %v", err)
	}
	c.NotifyChanges = true
	if err := newStoreOn(t, pool, c).CreateTables(t.Context()); err != nil {
		t.Fatal(err)
	}
	near, err := nearcache.New(store, nearcache.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = near.Close() })
	far := newStoreOn(t, pool, c)
	id := core.ID{1}
	v, err := far.Save(t.Context(), id, core.Entry{Data: []byte("old"), Expires: time.Now().Add(time.Hour)}, 0)
	if err != nil {
		t.Fatal(err)
	}
	for near.Stats().Hits == 0 { // once the save has been told
		if e, err := near.Load(t.Context(), id); err != nil || e.Version != v {
			t.Fatalf("Load: %v", err)
		}
	}
	if err := far.Delete(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(near.Window()); ; time.Sleep(time.Millisecond) {
		began := time.Now()
		if _, err := near.Load(t.Context(), id); errors.Is(err, core.ErrNotFound) {
			break
		}
		if began.After(deadline) {
			t.Fatal("L4: a copy is older than the window")
		}
	}
}

// TestL4NearcacheFollowsTheDatabase: copies end with the triggers, and where the pool leads
// elsewhere, as after a failover that the listening connection has survived.
func TestL4NearcacheFollowsTheDatabase(t *testing.T) {
	t.Parallel()
	server := sqltest.SharedPostgres(t)
	c := pgxstore.Config{Prefix: sqltest.UniquePrefix(t), NotifyChanges: true, ListenURL: server.URL()}
	other := strings.Trim(c.Prefix, "_") + "_other"
	if _, err := newPool(t, server.AdminSource()).Exec(t.Context(), "CREATE DATABASE "+other+" OWNER satchel"); err != nil {
		t.Fatal(err)
	}
	moved := func(c *pgxpool.Config) {
		c.BeforeConnect = func(_ context.Context, c *pgx.ConnConfig) error { c.Database = other; return nil }
	}
	var failedOver atomic.Bool
	pool := newPool(t, server.Source(), func(c *pgxpool.Config) {
		c.BeforeConnect = func(_ context.Context, c *pgx.ConnConfig) error {
			if failedOver.Load() {
				c.Database = other
			}
			return nil
		}
	})
	for _, pool := range []*pgxpool.Pool{pool, newPool(t, server.Source(), moved)} {
		if err := newStoreOn(t, pool, c).CreateTables(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	near := func() (*nearcache.Store, error) { return nearcache.New(newStoreOn(t, pool, c), nearcache.Config{}) }
	ends := func(what string, change func()) {
		t.Helper()
		s, err := near()
		if err != nil || s.Stats().Err != nil {
			t.Fatal(err, s)
		}
		defer func() { _ = s.Close() }()
		change()
		for deadline := time.Now().Add(10 * time.Second); s.Stats().Err == nil; time.Sleep(10 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("L4: copies are served %s", what)
			}
		}
	}
	ends("without the trigger", func() {
		if _, err := pool.Exec(t.Context(), "ALTER TABLE "+c.Prefix+"sessions DISABLE TRIGGER satchel_changed"); err != nil {
			t.Fatal(err)
		}
	})
	if _, err := pool.Exec(t.Context(), "ALTER TABLE "+c.Prefix+"sessions ENABLE TRIGGER satchel_changed"); err != nil {
		t.Fatal(err)
	}
	ends("after a failover", func() {
		failedOver.Store(true)
		pool.Reset()
	})
	if s, err := near(); s != nil || !errors.Is(err, core.ErrUnsupported) || !strings.Contains(err.Error(), "ListenURL") {
		t.Errorf("with another database in ListenURL: %v", err)
	}
}
