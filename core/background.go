package core

import (
	"context"
	"errors"
	"fmt"
)

// View calls f with the session id, read-only. It does not count as activity.
// The error is f's, or matches [ErrNotFound], [ErrUnavailable] or [ErrUnsupported];
// for a session that cannot be read, [ErrCorrupt] or [ErrNewerVersion].
func (m *Manager) View(ctx context.Context, id ID, f func(*Session) error) error {
	s, err := m.open(ctx, id)
	if err != nil {
		return err
	}
	s.phase = phaseReadOnly
	return f(s)
}

// Update calls f with the session id and commits what f changed. It is for
// background jobs: f may add a flash that the user's next page shows. As in a
// request, overlapping changes are merged; f itself runs once. If f returns an
// error, nothing is stored. Update does not count as activity.
//
// Login, Renew and Remember fail with [ErrUnsupported]. What f writes after Logout
// is dropped, and Update returns [ErrEnded].
func (m *Manager) Update(ctx context.Context, id ID, f func(*Session) error) error {
	s, err := m.open(ctx, id)
	if err != nil {
		return err
	}
	defer func() {
		s.mu.Lock()
		defer s.unlock()
		s.over = true
	}()
	if err := f(s); err != nil {
		return err
	}
	return s.Commit(ctx)
}

// UpdateUser calls Update for every session of user. It skips sessions that end in
// the meantime and joins other errors.
func (m *Manager) UpdateUser(ctx context.Context, user string, f func(*Session) error) error {
	ids, err := m.everyMember(ctx, user)
	if err != nil {
		return err
	}
	var failures []error
	for _, id := range ids {
		var failed error // f's own error
		err := m.Update(ctx, id, func(s *Session) error {
			if s.UserID() != user {
				return ErrNotFound
			}
			failed = f(s)
			return failed
		})
		if failed != nil || err != nil && !isGone(err) && !errors.Is(err, ErrEnded) {
			failures = append(failures, err)
		}
	}
	return errors.Join(append(failures, m.unlisted())...)
}

// unlisted returns an error if the index may lack some of a user's sessions.
func (m *Manager) unlisted() error {
	if p, ok := m.bare.(partial); ok && p.unlisted() != nil {
		return fmt.Errorf("core: a user's sessions: %w", p.unlisted())
	}
	return nil
}

// open loads the session id without its token.
func (m *Manager) open(ctx context.Context, id ID) (*Session, error) {
	if m.dir == nil {
		return nil, unsupported("sessions by ID")
	}
	l, err := m.loadID(ctx, id)
	if err != nil {
		return nil, err
	}
	s := m.NewSession(ctx)
	s.loaded = loaded{stored: true, base: l.Record, handle: l.Handle}
	s.background, s.noTouch = true, true
	return s, nil
}

// noSession returns ErrNotFound for id. For the zero ID, of a session that was
// never stored, it says what to do.
func noSession(id ID) error {
	if id.IsZero() {
		return fmt.Errorf("core: the session ID is zero: a session has none until it is stored: "+
			"write to it and call Session.Commit before you pass on its ID: %w", ErrNotFound)
	}
	return fmt.Errorf("core: session %s: %w", id, ErrNotFound)
}
