package sealed_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/satchel-go/satchel/core"
)

// ailing is a store of which some calls fail while it is down.
type ailing struct {
	core.Store
	down map[string]bool
}

var errEntryDown = errors.New("down")

func (s *ailing) Unwrap() core.Store { return s.Store }

func (s *ailing) index() core.UserIndex { return s.Store.(core.UserIndex) }

func (s *ailing) Load(ctx context.Context, id core.ID) (core.Entry, error) {
	if s.down["load"] {
		return core.Entry{}, errEntryDown
	}
	return s.Store.Load(ctx, id)
}

func (s *ailing) Save(ctx context.Context, id core.ID, e core.Entry, base core.Version) (core.Version, error) {
	if s.down["save"] {
		return 0, errEntryDown
	}
	v, err := s.Store.Save(ctx, id, e, base)
	if s.down["answer"] && err == nil {
		return 0, errEntryDown
	}
	return v, err
}

func (s *ailing) Delete(ctx context.Context, id core.ID) error {
	if s.down["delete"] {
		return errEntryDown
	}
	return s.Store.Delete(ctx, id)
}

func (s *ailing) Reserve(ctx context.Context, user string, id core.ID, limit int, policy core.LimitPolicy) ([]core.ID, error) {
	if s.down["reserve"] {
		return nil, errEntryDown
	}
	return s.index().Reserve(ctx, user, id, limit, policy)
}

func (s *ailing) Confirm(ctx context.Context, user string, id core.ID, until time.Time) error {
	if s.down["confirm"] {
		delete(s.down, "confirm") // once
		return errEntryDown
	}
	return s.index().Confirm(ctx, user, id, until)
}

func (s *ailing) Release(ctx context.Context, user string, id core.ID) error {
	if s.down["release"] {
		return errEntryDown
	}
	return s.index().Release(ctx, user, id)
}

func (s *ailing) List(ctx context.Context, user string) ([]core.ID, error) {
	if s.down["list"] {
		return nil, errEntryDown
	}
	return s.index().List(ctx, user)
}

// meddling is a store on which somebody else acts just before the first Release.
type meddling struct {
	ailing
	act func()
}

func (s *meddling) Release(ctx context.Context, user string, id core.ID) error {
	if act := s.act; act != nil {
		s.act = nil
		act()
	}
	return s.ailing.Release(ctx, user, id)
}

// TestSEC17EncryptedMoveThatFails lets every step of a move fail: the session stays
// usable and in the list, and the next save completes the move.
func TestSEC17EncryptedMoveThatFails(t *testing.T) {
	for _, step := range []string{"load", "reserve", "save", "answer", "confirm", "release"} {
		t.Run(step, func(t *testing.T) {
			rotations(t, func(_ *testing.T, r *rotation) {
				c := r.logins(r.with(r.old), 1)[0]
				sick := &ailing{r.data, map[string]bool{}}
				m := r.on(sick, []string{r.next, r.old})
				c = c.under(m)
				err := m.Update(r.Context(), c.id(), func(s *core.Session) error {
					sick.down[step] = true
					s.Set("k", "v")
					return nil
				})
				if !errors.Is(err, core.ErrUnavailable) {
					r.Errorf("update: %v", err)
				}
				clear(sick.down)
				r.clock.Advance(2 * time.Minute) // reservations lapse
				r.wantList(m, c)
				if c.user() != "ann" {
					r.Error("the session is lost")
				}
				second := r.logins(r.limited(2, core.RefuseLogin, r.next, r.old), 1)[0]
				if second.user() != "ann" {
					r.Error("the session counts twice")
				}
				second.do(func(s *core.Session) { s.Logout() })
				c.do(func(s *core.Session) { s.Set("k", "w") })
				r.wantList(m, c)
				r.wantList(r.with(r.next), c)
				if _, err := m.RevokeUser(r.Context(), "ann"); err != nil || r.store.Len() != 0 {
					r.Errorf("revoke: %v, %d are left", err, r.store.Len())
				}
			})
		})
	}
}

// TestSEC17EncryptedRevocationThatFails: what could not be deleted goes back
// into the list, under the name that its entry has.
func TestSEC17EncryptedRevocationThatFails(t *testing.T) {
	rotations(t, func(t *testing.T, r *rotation) {
		c := r.logins(r.with(r.old), 1)[0]
		sick := &ailing{r.data, map[string]bool{"delete": true}}
		m := r.on(sick, []string{r.next, r.old})
		if _, err := m.RevokeUser(t.Context(), "ann"); !errors.Is(err, core.ErrUnavailable) {
			t.Errorf("revoke: %v", err)
		}
		r.clock.Advance(2 * time.Minute)
		r.wantList(m, c)
		clear(sick.down)
		if _, err := m.RevokeUser(t.Context(), "ann"); err != nil || r.store.Len() != 0 {
			t.Errorf("revoke: %v, %d are left", err, r.store.Len())
		}
	})
}

func TestL3EncryptedIndexSaysUnavailable(t *testing.T) {
	rotations(t, func(t *testing.T, r *rotation) {
		r.logins(r.with(r.old), 1)
		sick := &ailing{r.data, map[string]bool{"list": true}}
		m := r.on(sick, []string{r.next, r.old}, func(c *core.Config) { c.SessionLimit = 1 })
		if _, err := m.List(t.Context(), "ann"); !errors.Is(err, core.ErrUnavailable) {
			t.Errorf("list: %v", err)
		}
		s := m.NewSession(t.Context())
		s.Login("ann")
		if err := s.Commit(t.Context()); !errors.Is(err, core.ErrUnavailable) || r.store.Len() != 1 {
			t.Errorf("login when nobody can count: %v, %d stored", err, r.store.Len())
		}
	})
}
