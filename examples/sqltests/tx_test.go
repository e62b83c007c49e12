package sqltests

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/sealed"
	"github.com/satchel-go/satchel/core/sqlstore"
)

// login logs user in on a store as the core does, and returns the session.
func login(tb testing.TB, s core.Store, user string) core.ID {
	tb.Helper()
	id, index := newID(), s.(core.UserIndex)
	if _, err := index.Reserve(tb.Context(), user, id, 0, core.EndOldest); err != nil {
		tb.Fatal(err)
	}
	if _, err := s.Save(tb.Context(), id, core.Entry{User: user, Data: []byte("data"), Expires: time.Now().Add(time.Hour)}, 0); err != nil {
		tb.Fatal(err)
	}
	if err := index.Confirm(tb.Context(), user, id, time.Time{}); err != nil {
		tb.Fatal(err)
	}
	return id
}

// living counts which of the sessions can be loaded.
func living(tb testing.TB, s core.Store, ids []core.ID) (n int) {
	tb.Helper()
	for _, id := range ids {
		_, err := s.Load(tb.Context(), id)
		if err == nil {
			n++
		} else if !errors.Is(err, core.ErrNotFound) {
			tb.Errorf("Load: %v", err)
		}
	}
	return n
}

// TestSEC17RevokedWithTheApplicationsTransaction ends all sessions of a user with a
// change of the application's own, or neither.
func TestSEC17RevokedWithTheApplicationsTransaction(t *testing.T) {
	keys, err := sealed.ParseKeyring(sealed.GenerateKey())
	if err != nil {
		t.Fatal(err)
	}
	for name, wrap := range map[string]func(core.Store) core.Store{
		"plain":  func(s core.Store) core.Store { return s },
		"sealed": func(s core.Store) core.Store { return sealed.Store(s, keys) },
	} {
		t.Run(name, func(t *testing.T) {
			each(t, func(t *testing.T, d database) {
				tables := d.clean(t)
				inner := tables.store(t, sqlstore.Config{})
				store := wrap(inner)
				sessions, err := core.New(core.ServerSide(store), core.Config{Namespace: "shop"})
				if err != nil {
					t.Fatal(err)
				}
				const ann, bob = "[4]shopann", "[4]shopbob" // the store's users in the namespace
				hers := []core.ID{login(t, store, ann), login(t, store, ann), login(t, store, ann)}
				his := []core.ID{login(t, store, bob)}
				under := newID() // a login under way
				if _, err := store.(core.UserIndex).Reserve(t.Context(), ann, under, 0, core.EndOldest); err != nil {
					t.Fatal(err)
				}
				tables.exec(t, "CREATE TABLE "+tables.prefix+"passwords (password INTEGER)")
				t.Cleanup(func() { tables.exec(t, "DROP TABLE "+tables.prefix+"passwords") })
				for _, commit := range []bool{false, true} {
					tx, err := tables.db.BeginTx(t.Context(), nil)
					if err != nil {
						t.Fatal(err)
					}
					if _, err := tx.ExecContext(t.Context(), "INSERT INTO "+tables.prefix+"passwords VALUES (1)"); err != nil {
						t.Fatal(err)
					}
					ended, err := inner.In(tx).RevokeUser(t.Context(), sessions.StoredUsers("ann")...)
					if err != nil || ended != 3 {
						t.Errorf("RevokeUser: %d, %v; want 3", ended, err)
					}
					if n := living(t, store, hers); n != 3 {
						t.Errorf("before the commit %d sessions live, want 3", n)
					}
					if commit {
						err = tx.Commit()
					} else {
						err = tx.Rollback()
					}
					if err != nil {
						t.Fatal(err)
					}
					want := map[bool]int{false: 3, true: 0}[commit]
					if n := living(t, store, hers); n != want {
						t.Errorf("commit %t: %d sessions live, want %d", commit, n, want)
					}
					if n := tables.number(t, "SELECT count(*) FROM "+tables.prefix+"passwords"); (n == 1) != commit {
						t.Errorf("commit %t: %d passwords", commit, n)
					}
				}
				if n := living(t, store, his); n != 1 {
					t.Error("another user's session has ended")
				}
				if err := store.(core.UserIndex).Confirm(t.Context(), ann, under, time.Time{}); !errors.Is(err, core.ErrNotFound) {
					t.Errorf("Confirm of a login that was under way: %v, want ErrNotFound", err)
				}
				again := login(t, store, ann)
				if ids, err := store.(core.UserIndex).List(t.Context(), ann); err != nil || len(ids) != 1 || ids[0] != again {
					t.Errorf("List after a new login: %v, %v", ids, err)
				}
			})
		})
	}
}

// TestSEC17ALoginWaitsForTheTransaction has a login under a limit begin while the
// transaction is open.
func TestSEC17ALoginWaitsForTheTransaction(t *testing.T) {
	each(t, func(t *testing.T, d database) {
		tables := d.clean(t)
		s := tables.store(t, sqlstore.Config{})
		old := login(t, s, "ann")
		tx, err := tables.db.BeginTx(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.In(tx).RevokeUser(t.Context(), "ann"); err != nil {
			t.Fatal(err)
		}
		id, answer := newID(), make(chan error)
		go func() {
			end, err := s.Reserve(t.Context(), "ann", id, 1, core.EndOldest)
			if len(end) != 0 {
				t.Errorf("the login ended %v, which the transaction had ended", end)
			}
			answer <- err
		}()
		select {
		case err := <-answer:
			t.Errorf("the login did not wait: %v", err)
			answer <- nil
		case <-time.After(50 * time.Millisecond):
		}
		if err := tx.Commit(); err != nil {
			t.Fatal(err)
		}
		if err := <-answer; err != nil {
			t.Error(err)
		}
		if n := living(t, s, []core.ID{old}); n != 0 {
			t.Error("the old session lives")
		}
	})
}

// TestSEC17ARevocationInATransactionFindsWhatTheIndexLost takes the index away first.
func TestSEC17ARevocationInATransactionFindsWhatTheIndexLost(t *testing.T) {
	each(t, func(t *testing.T, d database) {
		tables := d.clean(t)
		s := tables.store(t, sqlstore.Config{})
		ids := []core.ID{login(t, s, "ann"), login(t, s, "ann"), login(t, s, "bob")}
		tables.lose(t)("ann")
		if err := s.Mend(t.Context(), "ann", ids[0], time.Now().Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
		tx, err := tables.db.BeginTx(context.WithoutCancel(t.Context()), nil)
		if err != nil {
			t.Fatal(err)
		}
		if n, err := s.In(tx).RevokeUser(t.Context(), "ann"); err != nil || n != 2 {
			t.Errorf("RevokeUser: %d, %v; want 2", n, err)
		}
		if err := s.In(tx).Revoke(t.Context(), ids[2]); err != nil {
			t.Error(err)
		}
		if err := tx.Commit(); err != nil {
			t.Fatal(err)
		}
		if n := living(t, s, ids); n != 0 {
			t.Errorf("%d sessions live", n)
		}
	})
}
