package sqltests

import (
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/sqlstore"
)

// TestI1LimitAcrossProcesses has logins of one user race on two stores.
func TestI1LimitAcrossProcesses(t *testing.T) {
	each(t, func(t *testing.T, d database) {
		const limit, logins = 3, 40
		tables := d.clean(t)
		stores := []*sqlstore.Store{tables.store(t, sqlstore.Config{}), tables.storeOn(t, d.open(t, tables.path), sqlstore.Config{})}
		for _, policy := range []core.LimitPolicy{core.EndOldest, core.RefuseLogin} {
			user := []string{"ann", "bob"}[policy]
			ids, confirmed := make([]core.ID, logins), atomic.Int64{}
			inParallel(logins, func(k int) error {
				ids[k] = newID()
				s := stores[k%2]
				_, err := s.Reserve(t.Context(), user, ids[k], limit, policy)
				if policy == core.RefuseLogin && errors.Is(err, core.ErrSessionLimit) {
					return nil
				}
				if err == nil {
					_, err = s.Save(t.Context(), ids[k], core.Entry{User: user, Expires: time.Now().Add(time.Hour)}, 0)
				}
				if err == nil {
					err = s.Confirm(t.Context(), user, ids[k], time.Time{})
				}
				if errors.Is(err, core.ErrNotFound) { // pushed out meanwhile
					return s.Delete(t.Context(), ids[k])
				}
				confirmed.Add(1)
				return err
			}, t)
			listed, err := stores[0].List(t.Context(), user)
			if n := living(t, stores[0], ids); err != nil || n != limit || len(listed) != limit {
				t.Errorf("policy %d: %d sessions live and %d are listed (%v), want %d; %d logins succeeded", policy, n, len(listed), err, limit, confirmed.Load())
			}
		}
	})
}

// TestI1LoginsUnderALimitWait shows what keeps the limit exact in MySQL: who is to count a
// user's sessions waits for the one who is changing them.
func TestI1LoginsUnderALimitWait(t *testing.T) {
	t.Parallel()
	t.Run("mariadb", func(t *testing.T) { // the others compare counters instead
		d := databases[slices.IndexFunc(databases, func(d database) bool { return d.dialect == sqlstore.MySQL })]
		tables := d.clean(t)
		login := func(s *sqlstore.Store) error {
			_, err := s.Reserve(t.Context(), "ann", newID(), 1, core.RefuseLogin)
			return err
		}
		s := tables.store(t, sqlstore.Config{})
		if err := login(s); err != nil {
			t.Fatal(err)
		}
		tx, err := tables.db.BeginTx(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer tx.Rollback() //nolint:errcheck // it has been, unless the test has failed
		lock := fmt.Sprintf("SELECT COUNT(*) FROM %s WHERE owner = %s FOR UPDATE", tables.members(), tables.bytes("ann"))
		if _, err := tx.ExecContext(t.Context(), lock); err != nil {
			t.Fatal(err)
		}
		if err := login(tables.store(t, sqlstore.Config{Timeout: time.Second})); !unavailable(err) {
			t.Errorf("while another changes them: %v, want ErrUnavailable", err)
		}
		if err := tx.Rollback(); err != nil {
			t.Fatal(err)
		}
		if err := login(s); !errors.Is(err, core.ErrSessionLimit) {
			t.Errorf("afterwards: %v", err)
		}
	})
}

// TestI1ACeilingIsKept shows what "need not be exact" means for a large ceiling.
func TestI1ACeilingIsKept(t *testing.T) {
	each(t, func(t *testing.T, d database) {
		const ceiling, logins, late = 64, 120, 16
		s := d.clean(t).store(t, sqlstore.Config{})
		var last core.ID
		for range logins {
			last = newID()
			end, err := s.Reserve(t.Context(), "ann", last, ceiling, core.Ceiling)
			if err != nil {
				t.Fatal(err)
			}
			if len(end) > late {
				t.Errorf("a login ended %d sessions at once", len(end))
			}
		}
		ids, err := s.List(t.Context(), "ann")
		if err != nil || len(ids) < ceiling || len(ids) >= ceiling+late || ids[len(ids)-1] != last {
			t.Errorf("%d sessions, %v; want %d, and fewer than %d more", len(ids), err, ceiling, late)
		}
	})
}
