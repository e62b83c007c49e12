package core

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// Revoke ends the session id, whoever's it is: for operators. [ErrNotFound] if
// there is none.
func (m *Manager) Revoke(ctx context.Context, id ID) error {
	if m.dir == nil {
		return fmt.Errorf("core: revoke one session: %w", ErrUnsupported)
	}
	l, err := m.loadID(ctx, id)
	if isGone(err) || errors.Is(err, ErrUnavailable) {
		return err
	}
	if failure := m.revoke(ctx, id, l.Record.User); failure != nil { // also one that cannot be read
		return failure
	}
	if errors.Is(err, ErrUnsupported) {
		return err // its client has it by now
	}
	return nil
}

func (m *Manager) revoke(ctx context.Context, id ID, user string) error {
	ctx, cancel := m.deadline(ctx, m.config.CommitTimeout)
	defer cancel()
	if err := m.endOne(ctx, ending{id: id, user: user}); err != nil {
		return err
	}
	m.observe(ctx, requestIn(ctx), Event{Kind: EventRevoked, ID: id, User: user})
	return nil
}

// RevokeUser ends all sessions of user, logins that are being stored
// included: for operators, and after a password reset. All are tried; errors are joined.
func (m *Manager) RevokeUser(ctx context.Context, user string) error {
	return m.revokeUser(ctx, user, ID{})
}

// revokeUser ends all sessions of user but except. It looks twice: a login
// whose session was ended by the first pass, or before, may have found another
// place since the first look.
func (m *Manager) revokeUser(ctx context.Context, user string, except ID) error {
	for range 2 {
		ids, err := m.members(ctx, user)
		if err != nil {
			return err
		}
		var failures []error
		for _, id := range ids {
			if id != except {
				failures = append(failures, m.revokeOf(ctx, user, id))
			}
		}
		if err := errors.Join(failures...); err != nil {
			return err
		}
	}
	return m.unlisted()
}

// revokeOf ends id if it is user's, and what a login may make of it: a login
// that is being stored, perhaps on a session that is nobody's yet, finds its
// reservation gone and undoes itself, or else was stored before that and is there.
func (m *Manager) revokeOf(ctx context.Context, user string, id ID) error {
	if err := m.revokeIf(ctx, user, id); err != nil {
		return err
	}
	err := m.users.Release(ctx, user, id)
	if err != nil {
		err = unavailable("end", err) // it may be out of the index all the same
	} else {
		err = m.revokeIf(ctx, user, id)
	}
	if err != nil {
		m.reindex(ctx, user, id) // whoever tries again has to find it
	}
	return err
}

// revokeIf ends id if it is user's now.
func (m *Manager) revokeIf(ctx context.Context, user string, id ID) error {
	l, err := m.loadID(ctx, id)
	switch {
	case isGone(err), err == nil && l.Record.User != user:
		return nil
	case errors.Is(err, ErrUnavailable):
		return err
	}
	ctx, cancel := m.deadline(ctx, m.config.CommitTimeout)
	defer cancel()
	if err := m.delete(ctx, ending{id: id}); err != nil {
		return err
	}
	m.observe(ctx, requestIn(ctx), Event{Kind: EventRevoked, ID: id, User: user})
	return nil
}

// RevokeAll ends every session of the application. Client-side, it moves the
// not-before time of this process; set Config.NotBefore as well, so that other
// processes and the next start know. On a server it takes time in proportion to
// the number of sessions, and no longer than ctx.
func (m *Manager) RevokeAll(ctx context.Context) error {
	if p, ok := m.backend.(partial); m.dir == nil || ok && p.undeletable() {
		// One past the present millisecond: what began in it is refused, and
		// what begins from now on is dated accordingly.
		now := m.config.Now().UnixMilli()
		for {
			old := m.notBefore.Load()
			if m.notBefore.CompareAndSwap(old, max(old, now)+1) {
				break
			}
		}
	}
	if m.dir != nil { // no deadline but the caller's: there may be millions
		if err := m.dir.DeleteAll(ctx); errors.Is(err, ErrUnsupported) {
			return fmt.Errorf("core: revoke all sessions: %w", err)
		} else if err != nil {
			return unavailable("revoke every", err)
		}
	}
	m.watchers.tellAll()
	m.observe(ctx, requestIn(ctx), Event{Kind: EventRevoked, Detail: "all sessions"})
	return nil
}

// RevokeOwn ends another session of the same user, or this one. [ErrNotFound]
// unless id is a session of this session's user: nobody learns about others'.
func (s *Session) RevokeOwn(ctx context.Context, id ID) error {
	own, user, err := s.identity()
	if s.m.dir == nil {
		return fmt.Errorf("core: revoke one session: %w", ErrUnsupported)
	}
	if err != nil {
		return err
	}
	notTheirs := noSession(id)
	if user == "" {
		return notTheirs
	}
	if id == own {
		s.Logout()
		return s.Commit(ctx)
	}
	l, err := s.m.loadID(ctx, id)
	if err != nil {
		return err
	}
	ids, err := s.m.members(ctx, user)
	if err != nil {
		return err
	}
	if l.Record.User != user || !slices.Contains(ids, id) {
		return notTheirs
	}
	return s.m.revoke(ctx, id, user)
}

// RevokeOthers ends all sessions of this session's user but this one: after a
// password change. [ErrNotFound] if nobody is logged in.
func (s *Session) RevokeOthers(ctx context.Context) error {
	own, user, err := s.identity()
	if err != nil {
		return err
	}
	return s.m.revokeUser(ctx, user, own)
}
