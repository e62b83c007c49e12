package core_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/memstore"
)

// lax is a store whose index knows names and IDs and nothing else, as one in
// Redis does: it does not compare a member's name with its entry's, and
// notices only at a limit that an entry is gone. (The memory store is strict.)
type lax struct {
	*memstore.Store
	mu      sync.Mutex
	members map[string][]core.ID
	pending map[core.ID]bool
}

func (x *lax) take(user string, id core.ID) bool {
	i := slices.Index(x.members[user], id)
	if i >= 0 {
		x.members[user] = slices.Delete(x.members[user], i, i+1)
	}
	return i >= 0
}

func (x *lax) Reserve(ctx context.Context, user string, id core.ID, limit int, policy core.LimitPolicy) ([]core.ID, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	var end []core.ID
	if limit > 0 {
		others := []core.ID{}
		for _, m := range x.members[user] {
			if _, err := x.Load(ctx, m); m != id && (err == nil || x.pending[m]) {
				others = append(others, m)
			}
		}
		if excess := len(others) + 1 - limit; excess > 0 {
			if policy == core.RefuseLogin {
				return nil, core.ErrSessionLimit
			}
			end = others[:excess]
			for _, m := range end {
				if err := x.Delete(ctx, m); err != nil {
					return nil, err
				}
				x.take(user, m)
			}
		}
	}
	if !x.take(user, id) {
		x.pending[id] = true
	}
	x.members[user] = append(x.members[user], id)
	return end, nil
}

func (x *lax) Confirm(_ context.Context, user string, id core.ID, _ time.Time) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	if !slices.Contains(x.members[user], id) {
		return core.ErrNotFound
	}
	delete(x.pending, id)
	return nil
}

func (x *lax) Release(_ context.Context, user string, id core.ID) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.take(user, id)
	return nil
}

func (x *lax) List(_ context.Context, user string) ([]core.ID, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	return slices.Clone(x.members[user]), nil
}

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
				r.clock.advance(2 * time.Minute) // reservations lapse
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
				if err := m.RevokeUser(r.Context(), "ann"); err != nil || r.store.Len() != 0 {
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
		if err := m.RevokeUser(t.Context(), "ann"); !errors.Is(err, core.ErrUnavailable) {
			t.Errorf("revoke: %v", err)
		}
		r.clock.advance(2 * time.Minute)
		r.wantList(m, c)
		clear(sick.down)
		if err := m.RevokeUser(t.Context(), "ann"); err != nil || r.store.Len() != 0 {
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
