package core

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// migrationDir is a way of which at least one side is a Registry.
type migrationDir struct {
	way
	from, to side
}

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
		return fmt.Errorf("%w: sessions that were moved to the new backend are not listed: end them with Config.Check", ErrUnsupported)
	case d.from.users == nil:
		return fmt.Errorf("%w: sessions that are still in the old backend are not listed until they move", ErrUnsupported)
	}
	return nil
}

func (d *migrationDir) undeletable() bool { return d.to.dir == nil || d.from.dir == nil }

// LoadID implements [Registry].
func (d *migrationDir) LoadID(ctx context.Context, id ID) (LoadResult, error) {
	return d.loadID(ctx, id)
}

// DeleteID implements [Registry].
func (d *migrationDir) DeleteID(ctx context.Context, id ID) error { return d.end(ctx, id, time.Time{}) }

// DeleteAll implements [Registry]. The old side comes first: a move that is
// under way finds its session gone from there, and gives up. It comes last as
// well, for moves in the other direction.
func (d *migrationDir) DeleteAll(ctx context.Context) error {
	var errs [3]error
	for i, s := range [...]side{d.from, d.to, d.from} {
		if s.dir != nil && (i < 2 || d.to.dir != nil && errs[0] == nil) {
			errs[i] = s.dir.DeleteAll(ctx)
		}
	}
	return errors.Join(errs[:]...)
}

// Users implements [Registry].
func (d *migrationDir) Users() UserIndex {
	if d.from.users == nil && d.to.users == nil {
		return nil
	}
	return &migrationIndex{d}
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

// migrationIndex is a UserIndex over the two of a migration.
type migrationIndex struct{ d *migrationDir }

// Reserve implements [UserIndex]. Sessions that have not moved yet count as the
// oldest; below a Ceiling they do not count.
func (x *migrationIndex) Reserve(ctx context.Context, user string, id ID, limit int, policy LimitPolicy) ([]ID, error) {
	to := x.d.to.users
	if to == nil {
		return nil, nil // no limit: start has seen to that
	}
	if limit <= 0 || policy == Ceiling || x.d.from.users == nil {
		return to.Reserve(ctx, user, id, limit, policy)
	}
	old, err := x.unmoved(ctx, user, id)
	if err != nil {
		return nil, err
	}
	members, _, err := listed(ctx, to, user)
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
	ids, _, err := listed(ctx, x.d.from.users, user)
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
			err = confirm(ctx, s.users, user, id, until)
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
// moving sessions the other way. If one is incomplete, all is.
func (x *migrationIndex) List(ctx context.Context, user string) ([]ID, error) {
	var all []ID
	var marks []func(context.Context) error
	for i, s := range [...]side{x.d.from, x.d.to, x.d.from} {
		if s.users == nil || i == 2 && x.d.to.users == nil {
			continue
		}
		ids, lost, err := listed(ctx, s.users, user)
		if err != nil {
			return nil, err
		}
		if lost != nil {
			marks = append(marks, lost.Restored)
		}
		for _, id := range ids {
			if !slices.Contains(all, id) {
				all = append(all, id)
			}
		}
	}
	return all, incomplete(marks)
}

// incomplete returns an IncompleteError that takes all these marks away, or nil if
// there are none.
func incomplete(marks []func(context.Context) error) error {
	if len(marks) == 0 {
		return nil
	}
	return &IncompleteError{Restored: func(ctx context.Context) error {
		var errs []error
		for _, restored := range marks {
			errs = append(errs, restored(ctx))
		}
		return errors.Join(errs...)
	}}
}

// Mend implements [Mender], on the side that has the session.
func (x *migrationIndex) Mend(ctx context.Context, user string, id ID, until time.Time) error {
	for _, s := range [...]side{x.d.to, x.d.from} {
		mender, ok := s.users.(Mender)
		if !ok {
			continue
		}
		switch _, err := s.dir.LoadID(ctx, id); {
		case err == nil:
			return mender.Mend(ctx, user, id, until)
		case !isGone(err) && !isUnreadable(err):
			return err
		}
	}
	return nil
}

// Search implements [Mender]: both sides, the old one first and last, as List does.
func (x *migrationIndex) Search(ctx context.Context, users ...string) ([]ID, error) {
	var found []ID
	for _, s := range [...]side{x.d.from, x.d.to, x.d.from} {
		mender, ok := s.users.(Mender)
		if !ok {
			continue // its index loses nothing
		}
		ids, err := mender.Search(ctx, users...)
		if err != nil {
			return nil, err
		}
		known := func(id ID) bool { return slices.Contains(found, id) }
		found = append(found, slices.DeleteFunc(ids, known)...)
	}
	return found, nil
}

// Forgetful implements [Mender].
func (x *migrationIndex) Forgetful() bool {
	for _, s := range [...]side{x.d.to, x.d.from} {
		if mender, ok := s.users.(Mender); ok && mender.Forgetful() {
			return true
		}
	}
	return false
}

// enter runs save for a session that is moved, and puts it into the new
// index of its user, who it was before. For one that is being logged in, the core does that.
func (m *mover) enter(ctx context.Context, scope Scope, r *Record, was string, save func() (Handle, string, error)) (Handle, string, error) {
	users, user := m.to.users, scopedUser(scope.Namespace, r.User)
	if users == nil || r.User == "" || r.User != was {
		return save()
	}
	if mender, ok := m.from.users.(Mender); ok {
		_ = mender.Mend(ctx, user, r.ID, r.Expires) // the new index cannot tell what the old one has lost
	}
	if _, err := users.Reserve(ctx, user, r.ID, 0, EndOldest); err != nil {
		return nil, "", err
	}
	h, token, err := save()
	if err != nil {
		return nil, "", err
	}
	// The old index forgets it by itself: to take it out could hit a session
	// that another process has moved back in the meantime.
	if err = confirm(ctx, users, user, r.ID, r.Expires); isGone(err) {
		err = reenter(ctx, users, user, r)
	}
	if err == nil {
		return h, token, nil
	}
	// Out of the index, nobody could revoke it. The old one counts again.
	undo := context.WithoutCancel(ctx)
	if m.to.native != nil {
		_ = m.to.native.store.Touch(undo, r.ID, h.(*serverHandle).version, m.now()) // unless it is in use already
	} else {
		_ = m.to.Delete(undo, h)
	}
	return nil, "", err
}

// reenter puts a session into its user's index that was taken out while it was
// being moved. Whoever took it out to end it knows its ID and does so; others
// have moved it back, perhaps more than once.
func reenter(ctx context.Context, users UserIndex, user string, r *Record) error {
	for range 100 {
		if _, err := users.Reserve(ctx, user, r.ID, 0, EndOldest); err != nil {
			return err
		}
		if err := confirm(ctx, users, user, r.ID, r.Expires); !isGone(err) {
			return err
		}
	}
	return fmt.Errorf("%w: the index does not keep session %s", ErrUnavailable, r.ID)
}
