package modeltest

import (
	"context"
	"slices"
	"time"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/memstore"
)

// austere is a store that does what the contract of [core.UserIndex] demands and no
// more. It leaves the index alone when a session is deleted, and sessions taken
// out of the index live until the core deletes them. One goroutine at a time uses
// it.
type austere struct {
	*memstore.Store
	now   func() time.Time
	users map[string][]member // in the order of entry
	marks map[string]*core.IncompleteError
}

type member struct {
	id        core.ID
	lapses    time.Time // of an open reservation, otherwise zero
	confirmed bool
	ending    bool // taken out, and reported until it is deleted
}

func (s *austere) entry(id core.ID) (core.Entry, bool) {
	e, err := s.Load(context.Background(), id)
	return e, err == nil
}

func (s *austere) DeleteAll(ctx context.Context) error {
	if ctx.Err() == nil {
		clear(s.users)
		clear(s.marks)
	}
	return s.Store.DeleteAll(ctx)
}

// counts reports whether m is a member of user's.
func (s *austere) counts(user string, m member) bool {
	e, there := s.entry(m.id)
	return !m.ending && (s.now().Before(m.lapses) || m.confirmed && there && e.User == user)
}

func (s *austere) Reserve(ctx context.Context, user string, id core.ID, limit int, policy core.LimitPolicy) (end []core.ID, err error) {
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	members := slices.DeleteFunc(s.users[user], func(m member) bool {
		e, there := s.entry(m.id)
		toBeNamed := m.ending && there && e.User == user
		return !s.counts(user, m) && !toBeNamed
	})
	s.users[user] = members
	mine := member{id: id}
	others := 0
	for _, m := range members {
		if m.id == id {
			mine.confirmed = m.confirmed
		} else if s.counts(user, m) {
			others++
		}
	}
	if limit > 0 && others >= limit && policy == core.RefuseLogin {
		return nil, core.ErrSessionLimit
	}
	for i := range members {
		m := &members[i]
		if limit > 0 && others >= limit && m.id != id && s.counts(user, *m) {
			m.ending = true
			others--
		}
		if m.ending && m.id != id {
			end = append(end, m.id)
		}
	}
	mine.lapses = s.now().Add(reservationTime)
	s.users[user] = append(slices.DeleteFunc(members, func(m member) bool { return m.id == id }), mine)
	return end, nil
}

func (s *austere) Confirm(ctx context.Context, user string, id core.ID, _ time.Time) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	for i, m := range s.users[user] {
		if m.id == id && s.counts(user, m) {
			s.users[user][i].confirmed, s.users[user][i].lapses = true, time.Time{}
			return nil
		}
	}
	return core.ErrNotFound
}

func (s *austere) Release(ctx context.Context, user string, id core.ID) error {
	if ctx.Err() == nil {
		s.users[user] = slices.DeleteFunc(s.users[user], func(m member) bool { return m.id == id })
	}
	return ctx.Err()
}

func (s *austere) List(ctx context.Context, user string) (ids []core.ID, err error) {
	for _, m := range s.users[user] {
		if m.ending || m.confirmed || s.now().Before(m.lapses) {
			ids = append(ids, m.id)
		}
	}
	if set := s.marks[user]; set != nil && ctx.Err() == nil {
		return ids, set
	}
	return ids, ctx.Err()
}

func (s *austere) Mend(ctx context.Context, user string, id core.ID, _ time.Time) error {
	if e, there := s.entry(id); ctx.Err() != nil || !there || e.User != user {
		return ctx.Err()
	}
	for i := range s.users[user] {
		if m := &s.users[user][i]; m.id == id {
			if !m.ending && !s.counts(user, *m) {
				*m = member{id: id, confirmed: true}
				s.mark(user)
			}
			return nil
		}
	}
	s.users[user] = append(s.users[user], member{id: id, confirmed: true})
	s.mark(user)
	return nil
}

func (s *austere) mark(user string) {
	if s.marks[user] != nil {
		return
	}
	set := &core.IncompleteError{}
	set.Restored = func(ctx context.Context) error {
		if ctx.Err() == nil && s.marks[user] == set {
			delete(s.marks, user)
		}
		return ctx.Err()
	}
	s.marks[user] = set
}
