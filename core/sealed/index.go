package sealed

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/satchel-go/satchel/core"
)

// encryptedIndex is an encrypting store with a UserIndex. In the wrapped index,
// each session is a member under the pseudonym in its entry, because stores may
// compare the two. That is an older key's pseudonym until the session is saved again.
type encryptedIndex struct {
	*encrypted
	index core.UserIndex // of the wrapped store
}

var (
	_ core.Store     = (*encryptedIndex)(nil)
	_ core.UserIndex = (*encryptedIndex)(nil)
	_ core.UserNamer = (*encryptedIndex)(nil)
)

// enterTimeout bounds a last attempt after the caller's deadline may have passed.
const enterTimeout = time.Second

// names returns the pseudonyms of user, the newest key's first.
func (s *encryptedIndex) names(user string) []string {
	names := make([]string, 0, len(s.keys()))
	for _, k := range s.keys() {
		names = append(names, k.pseudonym(user))
	}
	return names
}

// StoredUsers implements [core.UserNamer].
func (s *encryptedIndex) StoredUsers(user string) []string { return s.names(user) }

// rotating reports whether sessions may exist under older pseudonyms.
func (s *encryptedIndex) rotating() bool { return len(s.keys()) > 1 }

// Save implements [core.Store]. An entry that gets a new pseudonym also moves in
// the index, in the same steps as a login, so that the index never misses it.
func (s *encryptedIndex) Save(ctx context.Context, id core.ID, e core.Entry, base core.Version) (core.Version, error) {
	if s.err != nil {
		return 0, s.err
	}
	if base == 0 || e.User == "" || !s.rotating() {
		return s.encrypted.Save(ctx, id, e, base)
	}
	now, err := s.inner.Load(core.Fresh(ctx), id)
	if err != nil {
		return 0, err
	}
	if now.Version != base {
		return 0, fmt.Errorf("sealed: Store: save: %w", core.ErrConflict)
	}
	names := s.names(e.User)
	if slices.Index(names, now.User) <= 0 { // already moved, or another user's
		return s.encrypted.Save(ctx, id, e, base)
	}
	if mender, ok := s.index.(core.Mender); ok {
		// The index under the new name cannot tell what the old one has lost.
		if err := mender.Mend(ctx, now.User, id, now.Expires); err != nil {
			return 0, err
		}
	}
	if _, err := s.index.Reserve(ctx, names[0], id, 0, core.EndOldest); err != nil {
		return 0, err
	}
	v, err := s.encrypted.Save(ctx, id, e, base)
	if errors.Is(err, core.ErrConflict) {
		return 0, err // keep the reservation: another request may have moved the session here
	}
	if isGone(err) {
		_ = s.index.Release(ctx, names[0], id) // if this fails, the reservation lapses
		return 0, err
	}
	if err == nil {
		if err = s.settle(ctx, e.User, id, s.until(e.Expires)); err == nil {
			return v, nil
		}
	}
	// The deadline may have passed, and what is stored is unknown. As a member
	// under both names, the session is found either way.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), enterTimeout)
	defer cancel()
	_ = s.enter(ctx, names[0], id, s.until(e.Expires))
	return 0, err
}

// until returns what to tell the wrapped index of an entry's expiry: only a Mender
// may know, because it can be told later that the entry lives longer.
func (s *encryptedIndex) until(expires time.Time) time.Time {
	if _, ok := s.index.(core.Mender); ok {
		return expires
	}
	return time.Time{}
}

// settle makes id, if it exists, a member under only the pseudonym in its entry.
// It then checks again: an instance with a different newest key may have moved
// the session meanwhile.
func (s *encryptedIndex) settle(ctx context.Context, user string, id core.ID, until time.Time) error {
	names := s.names(user)
	settled := -1
	for range 8 {
		e, err := s.inner.Load(core.Fresh(ctx), id)
		if isGone(err) {
			return nil
		}
		if err != nil {
			return err
		}
		at := slices.Index(names, e.User)
		if at < 0 || at == settled {
			return nil
		}
		if err := s.enter(ctx, names[at], id, until); err != nil {
			return err
		}
		for i, name := range names {
			if i == at {
				continue
			}
			if err := s.index.Release(ctx, name, id); err != nil {
				return err
			}
		}
		settled = at
	}
	return fmt.Errorf("sealed: Store: %w: instances with different keys keep moving a session", core.ErrUnavailable)
}

// enter makes id a confirmed member, even if its reservation is gone. If another
// request is ending the session, a member without an entry remains, which does
// not count.
func (s *encryptedIndex) enter(ctx context.Context, name string, id core.ID, until time.Time) error {
	err := s.index.Confirm(ctx, name, id, until)
	if !isGone(err) {
		return err
	}
	if _, err := s.index.Reserve(ctx, name, id, 0, core.EndOldest); err != nil {
		return err
	}
	return s.index.Confirm(ctx, name, id, until)
}

// Reserve implements [core.UserIndex]. The number of sessions under older
// pseudonyms only falls. They leave the rest of the limit to the newest pseudonym.
// The wrapped index counts and reserves in one step, so the limit stays exact.
// A Ceiling is one for each pseudonym.
func (s *encryptedIndex) Reserve(ctx context.Context, user string, id core.ID, limit int, policy core.LimitPolicy) ([]core.ID, error) {
	if s.err != nil {
		return nil, s.err
	}
	names := s.names(user)
	if limit <= 0 || policy == core.Ceiling || !s.rotating() {
		return s.index.Reserve(ctx, names[0], id, limit, policy)
	}
	newer, _, err := s.listed(ctx, names[0])
	if err != nil {
		return nil, err
	}
	// A session under both names counts under the newest.
	older, err := s.older(ctx, names[1:], append(slices.Clip(newer), id))
	if err != nil {
		return nil, err
	}
	var end []core.ID
	if policy == core.EndOldest && len(older) > 0 {
		excess := len(older) + 1 - limit
		for _, m := range newer {
			if ok, err := s.isOne(ctx, m, names...); err != nil {
				return nil, err
			} else if ok && m != id {
				excess++
			}
		}
		end = older[:min(max(excess, 0), len(older))]
		older = older[len(end):]
	}
	if len(older) >= limit {
		return nil, fmt.Errorf("sealed: Store: reserve: %w", core.ErrSessionLimit)
	}
	// Sessions in end stay members until the caller deletes them. If the process
	// dies first, the next login finds them again.
	more, err := s.index.Reserve(ctx, names[0], id, limit-len(older), policy)
	if err != nil {
		return nil, err
	}
	return append(slices.Clip(end), more...), nil
}

// older returns the sessions under names, except those in but. It starts with the
// last name and lists each name's oldest session first.
func (s *encryptedIndex) older(ctx context.Context, names []string, but []core.ID) ([]core.ID, error) {
	var older []core.ID
	for _, name := range slices.Backward(names) {
		ids, _, err := s.listed(ctx, name)
		if err != nil {
			return nil, err
		}
		for _, id := range ids {
			if slices.Contains(but, id) {
				continue
			}
			if ok, err := s.isOne(ctx, id, name); err != nil {
				return nil, err
			} else if ok {
				older = append(older, id)
			}
		}
	}
	return older, nil
}

// isOne reports whether id exists as a session under one of these names. An
// unreadable entry is not a session and must not lock its user out.
func (s *encryptedIndex) isOne(ctx context.Context, id core.ID, names ...string) (bool, error) {
	e, err := s.inner.Load(core.Fresh(ctx), id)
	if isGone(err) || isUnreadable(err) {
		return false, nil
	}
	return err == nil && slices.Contains(names, e.User), err
}

// Confirm implements [core.UserIndex]. A session that could not be deleted is
// entered again; if its entry has an older pseudonym, it becomes a member there.
func (s *encryptedIndex) Confirm(ctx context.Context, user string, id core.ID, until time.Time) error {
	if s.err != nil {
		return s.err
	}
	if err := s.index.Confirm(ctx, s.keys()[0].pseudonym(user), id, until); err != nil || !s.rotating() {
		return err
	}
	return s.settle(ctx, user, id, until)
}

// Release implements [core.UserIndex], under every pseudonym.
func (s *encryptedIndex) Release(ctx context.Context, user string, id core.ID) error {
	if s.err != nil {
		return s.err
	}
	var failures []error
	for _, name := range s.names(user) {
		if err := s.index.Release(ctx, name, id); err != nil {
			failures = append(failures, err)
		}
	}
	return errors.Join(failures...)
}

// listed returns the members under name, and how they are incomplete, if so.
func (s *encryptedIndex) listed(ctx context.Context, name string) (ids []core.ID, lost *core.IncompleteError, err error) {
	ids, err = s.index.List(ctx, name)
	if errors.As(err, &lost) {
		err = nil
	}
	return ids, lost, err
}

// List implements [core.UserIndex]. Sessions of the oldest key come first. If what is
// under one name is incomplete, all is.
func (s *encryptedIndex) List(ctx context.Context, user string) ([]core.ID, error) {
	if s.err != nil {
		return nil, s.err
	}
	if !s.rotating() {
		return s.index.List(ctx, s.keys()[0].pseudonym(user))
	}
	var all []core.ID
	var marks []*core.IncompleteError
	seen := make(map[core.ID]bool)
	for _, name := range slices.Backward(s.names(user)) {
		ids, lost, err := s.listed(ctx, name)
		if err != nil {
			return nil, err
		}
		if lost != nil {
			marks = append(marks, lost)
		}
		for _, id := range ids {
			if !seen[id] { // a session being moved is under two names
				seen[id] = true
				all = append(all, id)
			}
		}
	}
	if len(marks) == 0 {
		return all, nil
	}
	return all, &core.IncompleteError{Restored: func(ctx context.Context) error {
		var errs []error
		for _, lost := range marks {
			errs = append(errs, lost.Restored(ctx))
		}
		return errors.Join(errs...)
	}}
}

// isGone reports whether err means that the entry does not exist. An error that
// also matches ErrUnavailable leaves that open.
func isGone(err error) bool {
	return errors.Is(err, core.ErrNotFound) && !errors.Is(err, core.ErrUnavailable)
}

// isUnreadable reports whether an entry exists that this program cannot read.
func isUnreadable(err error) bool {
	return (errors.Is(err, core.ErrCorrupt) || errors.Is(err, core.ErrNewerVersion)) && !errors.Is(err, core.ErrUnavailable)
}
