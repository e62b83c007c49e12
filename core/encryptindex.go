package core

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// encryptedIndex is an encrypting store with a UserIndex. In the wrapped index
// a session is a member under the pseudonym that its entry carries, for stores may
// compare the two: so under an older key's until it is saved again.
type encryptedIndex struct {
	*encrypted
	index UserIndex // of the wrapped store
}

var (
	_ Store     = (*encryptedIndex)(nil)
	_ UserIndex = (*encryptedIndex)(nil)
)

// enterTimeout is for a last attempt when the caller's time may be over.
const enterTimeout = time.Second

// names returns user's pseudonyms, the newest key's first.
func (s *encryptedIndex) names(user string) []string {
	names := make([]string, 0, len(s.keys()))
	for _, k := range s.keys() {
		names = append(names, k.pseudonym(user))
	}
	return names
}

// rotating reports whether there may be sessions under older pseudonyms.
func (s *encryptedIndex) rotating() bool { return len(s.keys()) > 1 }

// Save implements [Store]. An entry that gets a new pseudonym moves in the
// index too, in the way of a login, so that the index never misses it.
func (s *encryptedIndex) Save(ctx context.Context, id ID, e Entry, base Version) (Version, error) {
	if s.err != nil {
		return 0, s.err
	}
	if base == 0 || e.User == "" || !s.rotating() {
		return s.encrypted.Save(ctx, id, e, base)
	}
	now, err := s.inner.Load(ctx, id)
	if err != nil {
		return 0, err
	}
	if now.Version != base {
		return 0, fmt.Errorf("core: Encrypted: save: %w", ErrConflict)
	}
	names := s.names(e.User)
	if slices.Index(names, now.User) <= 0 { // moved already, or another user's
		return s.encrypted.Save(ctx, id, e, base)
	}
	if _, err := s.index.Reserve(ctx, names[0], id, 0, EndOldest); err != nil {
		return 0, err
	}
	v, err := s.encrypted.Save(ctx, id, e, base)
	if errors.Is(err, ErrConflict) {
		return 0, err // if somebody else has moved it, this is his place now
	}
	if isGone(err) {
		_ = s.index.Release(ctx, names[0], id) // lapses by itself otherwise
		return 0, err
	}
	if err == nil {
		if err = s.settle(ctx, e.User, id, time.Time{}); err == nil {
			return v, nil
		}
	}
	// The time may be over, and nobody knows what is stored. A member under
	// both names is found either way.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), enterTimeout)
	defer cancel()
	_ = s.enter(ctx, names[0], id, time.Time{})
	return 0, err
}

// settle makes id, if it exists, a member under the pseudonym that its entry
// has, and under no other. It looks again afterwards: an instance that takes
// another key for the newest may have moved it meanwhile.
func (s *encryptedIndex) settle(ctx context.Context, user string, id ID, until time.Time) error {
	names := s.names(user)
	settled := -1
	for range 8 {
		e, err := s.inner.Load(ctx, id)
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
	return fmt.Errorf("core: Encrypted: %w: instances with different keys keep moving a session", ErrUnavailable)
}

// enter makes id a member for good, also if its reservation is gone by now. If that is because the session is
// being ended, it is soon a member without an entry, which counts for nothing.
func (s *encryptedIndex) enter(ctx context.Context, name string, id ID, until time.Time) error {
	err := s.index.Confirm(ctx, name, id, until)
	if !isGone(err) {
		return err
	}
	if _, err := s.index.Reserve(ctx, name, id, 0, EndOldest); err != nil {
		return err
	}
	return s.index.Confirm(ctx, name, id, until)
}

// Reserve implements [UserIndex]. Sessions under older pseudonyms only become
// fewer. So what they leave of the limit is what the wrapped index, which counts and
// enters in one step, may use up under the newest: the limit stays exact.
func (s *encryptedIndex) Reserve(ctx context.Context, user string, id ID, limit int, policy LimitPolicy) ([]ID, error) {
	if s.err != nil {
		return nil, s.err
	}
	names := s.names(user)
	if limit <= 0 || !s.rotating() {
		return s.index.Reserve(ctx, names[0], id, limit, policy)
	}
	newer, err := s.index.List(ctx, names[0])
	if err != nil {
		return nil, err
	}
	// What is under both names is counted there.
	older, err := s.older(ctx, names[1:], append(slices.Clip(newer), id))
	if err != nil {
		return nil, err
	}
	var end []ID
	if policy == EndOldest && len(older) > 0 {
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
		return nil, fmt.Errorf("core: Encrypted: reserve: %w", ErrSessionLimit)
	}
	// What is in end stays a member until the caller deletes it: if he dies
	// before, the next login finds it again.
	more, err := s.index.Reserve(ctx, names[0], id, limit-len(older), policy)
	if err != nil {
		return nil, err
	}
	return append(slices.Clip(end), more...), nil
}

// older returns the sessions under these names, but for some: those of the
// last name first, each name's oldest first.
func (s *encryptedIndex) older(ctx context.Context, names []string, but []ID) ([]ID, error) {
	var older []ID
	for _, name := range slices.Backward(names) {
		ids, err := s.index.List(ctx, name)
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

// isOne reports whether id exists, as a session under one of these names. An
// entry that cannot be read is no session, and must not keep its user out.
func (s *encryptedIndex) isOne(ctx context.Context, id ID, names ...string) (bool, error) {
	e, err := s.inner.Load(ctx, id)
	if isGone(err) || isUnreadable(err) {
		return false, nil
	}
	return err == nil && slices.Contains(names, e.User), err
}

// Confirm implements [UserIndex]. A session whose entry still has an older
// pseudonym, and which is entered anew because it could not be deleted, goes there.
func (s *encryptedIndex) Confirm(ctx context.Context, user string, id ID, until time.Time) error {
	if s.err != nil {
		return s.err
	}
	if err := s.index.Confirm(ctx, s.keys()[0].pseudonym(user), id, until); err != nil || !s.rotating() {
		return err
	}
	return s.settle(ctx, user, id, until)
}

// Release implements [UserIndex], under every pseudonym.
func (s *encryptedIndex) Release(ctx context.Context, user string, id ID) error {
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

// List implements [UserIndex]: the oldest key's sessions come first.
func (s *encryptedIndex) List(ctx context.Context, user string) ([]ID, error) {
	if s.err != nil {
		return nil, s.err
	}
	if !s.rotating() {
		return s.index.List(ctx, s.keys()[0].pseudonym(user))
	}
	var all []ID
	seen := make(map[ID]bool)
	for _, name := range slices.Backward(s.names(user)) {
		ids, err := s.index.List(ctx, name)
		if err != nil {
			return nil, err
		}
		for _, id := range ids {
			if !seen[id] { // else it is just being moved
				seen[id] = true
				all = append(all, id)
			}
		}
	}
	return all, nil
}
