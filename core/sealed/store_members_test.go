package sealed_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/sealed"
)

// around is a store on which something happens around its calls. Like most, it
// does nothing once its caller's time is over.
type around struct {
	ailing
	beforeSave, beforeConfirm func(id core.ID)
	afterSave                 func(ctx context.Context) error
	unreadable                core.ID
	loads                     int // how many fail
}

// once calls *f for the first time only.
func once(f *func(core.ID), id core.ID) {
	if act := *f; act != nil {
		*f = nil
		act(id)
	}
}

func (s *around) Load(ctx context.Context, id core.ID) (core.Entry, error) {
	if id == s.unreadable {
		return core.Entry{}, core.ErrCorrupt
	}
	if s.loads > 0 {
		s.loads--
		return core.Entry{}, errEntryDown
	}
	return s.ailing.Load(ctx, id)
}

func (s *around) Save(ctx context.Context, id core.ID, e core.Entry, base core.Version) (core.Version, error) {
	once(&s.beforeSave, id)
	v, err := s.ailing.Save(ctx, id, e, base)
	if after := s.afterSave; after != nil && err == nil {
		s.afterSave = nil
		err = after(ctx)
	}
	return v, err
}

func (s *around) Confirm(ctx context.Context, user string, id core.ID, until time.Time) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	once(&s.beforeConfirm, id)
	return s.ailing.Confirm(ctx, user, id, until)
}

// around returns r's store with nothing happening yet, and an instance on it.
func (r *rotation) around(edit ...func(*core.Config)) (*around, *core.Manager) {
	s := &around{ailing: ailing{r.data, map[string]bool{}}}
	return s, r.on(s, []string{r.next, r.old}, edit...)
}

// wantEnded has all of ann's sessions ended.
func (r *rotation) wantEnded(m *core.Manager) {
	r.Helper()
	r.clock.Advance(2 * time.Minute) // reservations lapse
	if _, err := m.RevokeUser(r.Context(), "ann"); err != nil || r.store.Len() != 0 {
		r.Errorf("SEC17: revoke: %v, %d are left", err, r.store.Len())
	}
}

// TestSEC17EncryptedMoveThatCannotLookAgain: the entry has its new name, and then
// nobody can say so.
func TestSEC17EncryptedMoveThatCannotLookAgain(t *testing.T) {
	rotations(t, func(t *testing.T, r *rotation) {
		c := r.logins(r.with(r.old), 1)[0]
		s, m := r.around()
		s.afterSave = func(context.Context) error { s.down["load"] = true; return nil }
		if err := m.Update(t.Context(), c.id(), func(s *core.Session) error { s.Set("k", "v"); return nil }); !errors.Is(err, core.ErrUnavailable) {
			t.Errorf("update: %v", err)
		}
		clear(s.down)
		r.clock.Advance(2 * time.Minute)
		r.wantList(m, c)
		r.wantEnded(m)
	})
}

// TestSEC17EncryptedMoveInTheLastMoment: the entry has its new name, and the
// caller's time is over.
func TestSEC17EncryptedMoveInTheLastMoment(t *testing.T) {
	rotations(t, func(t *testing.T, r *rotation) {
		c := r.logins(r.with(r.old), 1)[0]
		s, m := r.around()
		ctx, cancel := context.WithCancel(t.Context())
		s.afterSave = func(context.Context) error { cancel(); return ctx.Err() }
		store := sealed.Store(s, ring(t, r.next, r.old))
		e, err := store.Load(ctx, c.id())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := store.Save(ctx, c.id(), e, e.Version); !errors.Is(err, context.Canceled) {
			t.Errorf("save: %v", err)
		}
		r.clock.Advance(2 * time.Minute)
		r.wantList(m, c)
		r.wantEnded(m)
	})
}

// TestSEC17EncryptedMoveWithoutAReservation: somebody takes the session out
// of the index while it is being moved there, and it is entered again.
func TestSEC17EncryptedMoveWithoutAReservation(t *testing.T) {
	rotations(t, func(t *testing.T, r *rotation) {
		c := r.logins(r.with(r.old), 1)[0]
		s, m := r.around()
		s.beforeConfirm = func(id core.ID) {
			index := sealed.Store(r.data, ring(t, r.next, r.old)).(core.UserIndex)
			if err := index.Release(t.Context(), "ann", id); err != nil {
				t.Error(err)
			}
		}
		c.under(m).do(func(s *core.Session) { s.Set("k", "v") })
		if s.beforeConfirm != nil {
			t.Fatal("nothing was confirmed: this test shows nothing")
		}
		r.clock.Advance(2 * time.Minute)
		r.wantList(m, c)
		r.wantEnded(m)
	})
}

// TestSEC17EncryptedMovedByAnother: another instance moves the session just
// before this one does, which must leave it where it is now.
func TestSEC17EncryptedMovedByAnother(t *testing.T) {
	rotations(t, func(t *testing.T, r *rotation) {
		c := r.logins(r.with(r.old), 1)[0]
		s, m := r.around()
		s.beforeSave = func(id core.ID) {
			if err := r.with(r.next, r.old).Update(t.Context(), id, func(s *core.Session) error { s.Set("a", "1"); return nil }); err != nil {
				t.Error(err)
			}
		}
		c.under(m).do(func(s *core.Session) { s.Set("b", "2") })
		r.clock.Advance(2 * time.Minute)
		r.wantList(m, c)
		if f := c.under(m); f.get("a") != "1" || f.get("b") != "2" {
			t.Errorf("K1: a = %q, b = %q", f.get("a"), f.get("b"))
		}
		r.wantEnded(m)
	})
}

// TestL3EncryptedLoginWhenNobodyCanCount: what cannot be asked about for a
// moment is not taken for gone, or the limit would not hold.
func TestL3EncryptedLoginWhenNobodyCanCount(t *testing.T) {
	rotations(t, func(t *testing.T, r *rotation) {
		r.logins(r.with(r.old), 1)
		sick, m := r.around(func(c *core.Config) { c.SessionLimit = 1 })
		sick.loads = 1
		s := m.NewSession(t.Context())
		s.Login("ann")
		if err := s.Commit(t.Context()); !errors.Is(err, core.ErrUnavailable) || r.store.Len() != 1 {
			t.Errorf("login: %v, %d stored", err, r.store.Len())
		}
	})
}

// TestI1EncryptedRefusesWhenAllAreOlder: a limit that sessions under older names
// use up leaves nothing, which is not the same as no limit.
func TestI1EncryptedRefusesWhenAllAreOlder(t *testing.T) {
	rotations(t, func(t *testing.T, r *rotation) {
		r.logins(r.with(r.old), 2)
		m := r.limited(2, core.RefuseLogin, r.next, r.old)
		s := m.NewSession(t.Context())
		s.Login("ann")
		if err := s.Commit(t.Context()); !errors.Is(err, core.ErrSessionLimit) || r.store.Len() != 2 {
			t.Errorf("the third: %v, %d stored", err, r.store.Len())
		}
	})
}

// TestI1EncryptedLoginAgainEndsNobody: the session that logs in again has its
// place already.
func TestI1EncryptedLoginAgainEndsNobody(t *testing.T) {
	rotations(t, func(_ *testing.T, r *rotation) {
		m := r.limited(2, core.EndOldest, r.next, r.old)
		clients := slices.Concat(r.logins(r.with(r.old), 1), r.logins(m, 1))
		clients[1].do(func(s *core.Session) { s.Login("ann") })
		r.wantList(m, clients...)
	})
}

// TestI1EncryptedEndsTheOldestKeysFirst has three keys.
func TestI1EncryptedEndsTheOldestKeysFirst(t *testing.T) {
	rotations(t, func(_ *testing.T, r *rotation) {
		clients := slices.Concat(r.logins(r.with(r.old), 1), r.logins(r.with(r.next, r.old), 1))
		newest := sealed.GenerateKey()
		m := r.limited(2, core.EndOldest, newest, r.next, r.old)
		clients = append(clients, r.logins(m, 1)...)
		r.wantList(m, clients[1:]...)
	})
}

// notCounted are ways in which a session under r's old key may come to be in
// ann's index without being a session of hers.
var notCounted = map[string]func(r *rotation, s *around, c *client){
	"gone": func(r *rotation, _ *around, c *client) {
		if err := r.store.Delete(r.Context(), c.id()); err != nil {
			r.Fatal(err)
		}
	},
	"unreadable": func(_ *rotation, s *around, c *client) { s.unreadable = c.id() },
	"another's": func(r *rotation, _ *around, c *client) {
		c.do(func(s *core.Session) { s.Login("bob") })
		// As if the instance had died before it took the session out of ann's.
		index := sealed.Store(r.data, ring(r, r.old)).(core.UserIndex)
		if _, err := index.Reserve(r.Context(), "ann", c.id(), 0, core.EndOldest); err != nil {
			r.Fatal(err)
		}
	},
}

// TestI1EncryptedCountsTheLivingOnly: what is in the index without being a
// session of the user's keeps nobody out, and ends nobody's session.
func TestI1EncryptedCountsTheLivingOnly(t *testing.T) {
	for name, lose := range notCounted {
		t.Run(name, func(t *testing.T) {
			rotations(t, func(t *testing.T, r *rotation) {
				clients := r.logins(r.with(r.old), 2)
				s, m := r.around(func(c *core.Config) { c.SessionLimit, c.LimitPolicy = 2, core.RefuseLogin })
				lose(r, s, clients[0])
				clients = append(clients[1:], r.logins(m, 1)...)
				_, m = r.around(func(c *core.Config) { c.SessionLimit = 3 })
				clients = append(clients, r.logins(m, 1)...)
				for i, c := range clients {
					if c.under(m).user() != "ann" {
						t.Errorf("session %d was refused or ended for one that does not count", i)
					}
				}
			})
		})
	}
}

// TestI1EncryptedCountsTheLivingOnlyUnderTheNewestKey is the same for one that
// has been moved, and is gone.
func TestI1EncryptedCountsTheLivingOnlyUnderTheNewestKey(t *testing.T) {
	rotations(t, func(t *testing.T, r *rotation) {
		clients := r.logins(r.with(r.old), 1)
		m := r.limited(2, core.EndOldest, r.next, r.old)
		gone := r.logins(m, 1)[0]
		if err := r.store.Delete(t.Context(), gone.id()); err != nil {
			t.Fatal(err)
		}
		clients = append(clients, r.logins(m, 1)...)
		r.wantList(m, clients...)
	})
}
