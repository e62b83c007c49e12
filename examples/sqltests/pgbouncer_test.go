package sqltests

import (
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/sqlstore"
	"github.com/satchel-go/satchel/core/storetest"
	"github.com/satchel-go/satchel/internal/testing/sqltest"
)

// TestK2SQLBehindPgBouncer has requests share connections of the server behind PgBouncer, in
// every mode of the drivers that works there: none may get the statement of another.
func TestK2SQLBehindPgBouncer(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a server")
	}
	t.Parallel()
	bouncer := sqltest.StartPgBouncer(t, sqltest.SharedPostgres(t), "default_pool_size = 3")
	for _, mode := range []struct{ driver, settings string }{
		{"pgx", "&default_query_exec_mode=exec"},
		{"pgx", "&default_query_exec_mode=simple_protocol"},
		{"pgx", "&default_query_exec_mode=cache_describe"},
		{"postgres", ""},
		{"postgres", "&binary_parameters=yes"},
	} {
		t.Run(mode.driver+mode.settings, func(t *testing.T) {
			tables := onPostgres().fresh(t)
			direct := tables.store(t, sqlstore.Config{})
			s := tables.storeOn(t, open(t, mode.driver, bouncer.Source()+mode.settings), sqlstore.Config{Timeout: 20 * time.Second})
			if _, err := core.New(core.ServerSide(s), core.Config{}); err != nil {
				t.Fatal(err)
			}
			var all sync.WaitGroup
			for range 12 {
				all.Go(func() {
					for range 20 {
						id, base := prepared(t, s)
						e, err := s.Load(t.Context(), id)
						if err != nil || e.Version != base || e.User != "ann" {
							t.Errorf("load: %+v, %v", e, err)
							return
						}
						if err := s.Delete(t.Context(), id); err != nil {
							t.Error(err)
							return
						}
						if _, err := direct.Load(t.Context(), id); !errors.Is(err, core.ErrNotFound) {
							t.Errorf("after its deletion: %v", err)
							return
						}
					}
				})
			}
			all.Wait()
		})
	}
}

// TestStoreOnLibPQ runs the suite with arguments in the text of statements.
func TestStoreOnLibPQ(t *testing.T) {
	if testing.Short() {
		t.Skip("the suite runs on pgx too")
	}
	t.Parallel()
	db := open(t, "postgres", sqltest.SharedPostgres(t).Source())
	storetest.RunWithClock(t, func(t *testing.T) (core.Store, storetest.Clock) {
		clock := storetest.NewFakeClock()
		return onPostgres().fresh(t).storeOn(t, db, sqlstore.Config{Now: clock.Now}), clock
	})
}
