package pgxstore_test

import (
	"errors"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/pgxstore"
	"github.com/satchel-go/satchel/internal/testing/sqltest"
)

// TestSEC17RevokedWithTheApplicationsTransaction ends sessions with a change of the
// application's own, or neither. Watchers hear of it with the commit.
func TestSEC17RevokedWithTheApplicationsTransaction(t *testing.T) {
	t.Parallel()
	pool := newPool(t, sqltest.SharedPostgres(t).Source())
	s := newStore(t, pool, pgxstore.Config{})
	sessions, err := core.New(core.ServerSide(s), core.Config{})
	if err != nil {
		t.Fatal(err)
	}
	hers, his, other := core.ID{1}, core.ID{2}, core.ID{3}
	for id, user := range map[core.ID]string{hers: "ann", his: "bob", other: "bob"} {
		if _, err := s.Reserve(t.Context(), user, id, 0, core.EndOldest); err != nil {
			t.Fatal(err)
		}
		save(t, s, id, user)
		if err := s.Confirm(t.Context(), user, id, time.Time{}); err != nil {
			t.Fatal(err)
		}
	}
	w := watch(t, s)
	w.await(t, "at the start", core.ID{})
	rolledBack := errors.New("rolled back")
	for _, want := range []error{rolledBack, nil} {
		err := pgx.BeginFunc(t.Context(), pool, func(tx pgx.Tx) error {
			in := s.In(tx)
			if n, err := in.RevokeUser(t.Context(), sessions.StoredUsers("ann")...); err != nil || n != 1 {
				t.Errorf("RevokeUser: %d, %v", n, err)
			}
			if err := in.Revoke(t.Context(), his); err != nil {
				t.Errorf("Revoke: %v", err)
			}
			for _, id := range []core.ID{hers, his} {
				if _, err := s.Load(t.Context(), id); err != nil {
					t.Errorf("before the commit: %v", err)
				}
			}
			if len(w.told) > 0 {
				t.Errorf("before the commit, Watch tells %v", <-w.told)
			}
			return want
		})
		if !errors.Is(err, want) {
			t.Fatal(err)
		}
	}
	w.await(t, "the user's", hers)
	w.await(t, "the one", his)
	for id, want := range map[core.ID]error{hers: core.ErrNotFound, his: core.ErrNotFound, other: nil} {
		if _, err := s.Load(t.Context(), id); !errors.Is(err, want) {
			t.Errorf("after the commit, Load of %v: %v, want %v", id, err, want)
		}
	}
}
