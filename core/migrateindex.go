package core

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// migrationDir is a Migration of which at least one side is a Directory.
type migrationDir struct{ *Migration }

// partial is the ability of a backend to know that it does not reach every
// session by ID.
type partial interface {
	// unlisted returns what to answer when all sessions of a user were to be
	// reached, nil if all were.
	unlisted() error

	// undeletable reports whether some sessions cannot be deleted all at once,
	// so that only a not-before time ends them.
	undeletable() bool
}

func (d *migrationDir) unlisted() error {
	switch {
	case d.to.users == nil:
		return fmt.Errorf("%w: sessions that were moved to the new backend are not listed", ErrUnsupported)
	case d.from.users == nil:
		return fmt.Errorf("%w: sessions that are still in the old backend are not listed", ErrUnsupported)
	}
	return nil
}

func (d *migrationDir) undeletable() bool { return d.to.dir == nil || d.from.dir == nil }

// Users implements [Directory].
func (d *migrationDir) Users() UserIndex {
	if d.from.users == nil && d.to.users == nil {
		return nil
	}
	return &migrationIndex{d}
}

// migrationIndex is a UserIndex over the two of a migration.
type migrationIndex struct{ d *migrationDir }

// Reserve implements [UserIndex]. Sessions that have not moved yet count as the oldest.
func (x *migrationIndex) Reserve(ctx context.Context, user string, id ID, limit int, policy LimitPolicy) ([]ID, error) {
	to := x.d.to.users
	if to == nil {
		return nil, nil // no limit: start has seen to that
	}
	if limit <= 0 || x.d.from.users == nil {
		return to.Reserve(ctx, user, id, limit, policy)
	}
	old, err := x.unmoved(ctx, user, id)
	if err != nil {
		return nil, err
	}
	members, err := to.List(ctx, user)
	if err != nil {
		return nil, err
	}
	isMember := func(id ID) bool { return slices.Contains(members, id) }
	old = slices.DeleteFunc(old, isMember)
	others := len(members)
	if isMember(id) {
		others--
	}
	if policy == RefuseLogin && len(old) >= limit {
		return nil, ErrSessionLimit
	}
	end := old[:max(0, min(len(old), len(old)+others+1-limit))]
	if policy == RefuseLogin {
		end = nil
	}
	more, err := to.Reserve(ctx, user, id, limit-(len(old)-len(end)), policy)
	if err != nil {
		return nil, err
	}
	return append(slices.Clone(end), more...), nil
}

// unmoved returns user's live sessions in the old backend, oldest first, without id.
func (x *migrationIndex) unmoved(ctx context.Context, user string, id ID) ([]ID, error) {
	ids, err := x.d.from.users.List(ctx, user)
	if err != nil {
		return nil, err
	}
	alive := make([]ID, 0, len(ids))
	for _, old := range ids {
		if old == id {
			continue
		}
		_, err := x.d.from.dir.LoadID(ctx, old)
		switch {
		case err == nil:
			alive = append(alive, old)
		case !isGone(err) && !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrNewerVersion):
			return nil, err
		}
	}
	return alive, nil
}

// Confirm implements [UserIndex]. A session that has been moved back by another
// process since it was reserved is in the other index; one that was revoked is in none.
func (x *migrationIndex) Confirm(ctx context.Context, user string, id ID, until time.Time) error {
	err := ErrNotFound
	for _, s := range [...]side{x.d.to, x.d.from, x.d.to} {
		if x.d.to.users == nil {
			return nil
		}
		if s.users != nil && isGone(err) {
			err = s.users.Confirm(ctx, user, id, until)
		}
	}
	return err
}

// Release implements [UserIndex].
func (x *migrationIndex) Release(ctx context.Context, user string, id ID) error {
	var errs [2]error
	for i, s := range [...]side{x.d.to, x.d.from} {
		if s.users != nil {
			errs[i] = s.users.Release(ctx, user, id)
		}
	}
	return errors.Join(errs[:]...)
}

// List implements [UserIndex]: the old one first, because what is moved in
// between must not be missed, and once more, because other processes may be
// moving sessions the other way.
func (x *migrationIndex) List(ctx context.Context, user string) ([]ID, error) {
	var all []ID
	for i, s := range [...]side{x.d.from, x.d.to, x.d.from} {
		if s.users == nil || i == 2 && x.d.to.users == nil {
			continue
		}
		ids, err := s.users.List(ctx, user)
		if err != nil {
			return nil, err
		}
		for _, id := range ids {
			if !slices.Contains(all, id) {
				all = append(all, id)
			}
		}
	}
	return all, nil
}

// Watch implements [Watcher]: it tells of ends on either side, as far as it can be watched.
func (d *migrationDir) Watch(ctx context.Context, ended func(ID)) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	results, running := make(chan error, 2), 0
	for _, s := range [...]side{d.from, d.to} {
		if w, ok := s.Backend.(Watcher); ok {
			running++
			go func() { results <- w.Watch(ctx, ended) }()
		}
	}
	result := ErrUnsupported
	for ; running > 0; running-- {
		if err := <-results; !errors.Is(err, ErrUnsupported) {
			if result == nil || errors.Is(result, ErrUnsupported) {
				result = err
			}
			cancel() // whoever asked tries both again
		}
	}
	return result
}
