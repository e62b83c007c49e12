package pgxstore_test

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/nearcache"
	"github.com/satchel-go/satchel/core/pgxstore"
	"github.com/satchel-go/satchel/internal/testing/sqltest"
)

// Behind PgBouncer in transaction mode, each statement may reach another server's
// connection, on which nothing of ours has been prepared.
func TestPgBouncer(t *testing.T) {
	t.Parallel()
	source := sqltest.StartPgBouncer(t, sqltest.SharedPostgres(t), "default_pool_size = 4").Source()
	for _, mode := range []pgx.QueryExecMode{
		pgx.QueryExecModeCacheStatement, pgx.QueryExecModeCacheDescribe, pgx.QueryExecModeExec, pgx.QueryExecModeSimpleProtocol,
	} {
		t.Run(mode.String(), func(t *testing.T) {
			t.Parallel()
			pool := newPool(t, source, func(c *pgxpool.Config) { c.ConnConfig.DefaultQueryExecMode = mode })
			s := newStore(t, pool, pgxstore.Config{})
			var all sync.WaitGroup
			for i := range 8 {
				all.Go(func() {
					for round := range 10 {
						if err := life(t, s, core.ID{1, byte(i), byte(round)}, strconv.Itoa(i)); err != nil {
							t.Error(err)
							return
						}
					}
				})
			}
			all.Wait()
		})
	}
}

// TestNearcacheBehindPgBouncer: copies need a connection without it, and say so.
func TestNearcacheBehindPgBouncer(t *testing.T) {
	t.Parallel()
	postgres := sqltest.SharedPostgres(t)
	pool := newPool(t, sqltest.StartPgBouncer(t, postgres).Source())
	c := pgxstore.Config{NotifyChanges: true}
	if s, err := nearcache.New(newStore(t, pool, c), nearcache.Config{}); s != nil || !errors.Is(err, core.ErrUnsupported) || !strings.Contains(err.Error(), "ListenURL") {
		t.Errorf("without Config.ListenURL: %v", err)
	}
	c.ListenURL = postgres.URL()
	s, err := nearcache.New(newStore(t, pool, c), nearcache.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	if err := s.Stats().Err; err != nil {
		t.Error(err)
	}
}

// life is all that a session may go through. It returns ErrNotFound if the session ends
// before.
func life(t *testing.T, s *pgxstore.Store, id core.ID, user string) error {
	ctx, expires := t.Context(), time.Now().Add(time.Hour)
	if _, err := s.Reserve(ctx, user, id, 2, core.EndOldest); err != nil {
		return err
	}
	first, err := s.Save(ctx, id, core.Entry{User: user, Expires: expires, Data: []byte("1")}, 0)
	if err != nil {
		return err
	}
	if err := s.Confirm(ctx, user, id, expires); err != nil {
		return err
	}
	version, err := s.Save(ctx, id, core.Entry{User: user, Expires: expires, Data: []byte("2")}, first)
	if err != nil {
		return err
	}
	if err := s.TouchAndMend(ctx, user, id, version, expires.Add(time.Minute)); err != nil {
		return err
	}
	if e, err := s.Load(ctx, id); err != nil || string(e.Data) != "2" || e.User != user {
		return errors.Join(errors.New("not what was stored"), err)
	}
	if ids, err := s.List(ctx, user); err != nil {
		return err
	} else if !slices.Contains(ids, id) {
		return fmt.Errorf("not listed: %w", core.ErrNotFound)
	}
	if _, err := s.Search(ctx, user); err != nil {
		return err
	}
	if id[2]%2 == 0 {
		return s.Delete(ctx, id)
	}
	return nil
}
