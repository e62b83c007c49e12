package core

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Info describes a session to its user or to an operator. It gives no right
// to the session.
type Info struct {
	ID        ID
	User      string
	Label     string    // what Config.Describe said, "" by default
	CreatedAt time.Time // when the session began
	LastSeen  time.Time // to within Config.TouchAfter
	ExpiresAt time.Time // when it ends unless it is used before
	Current   bool      // it is the one of the request that asked
}

// loadID tells ErrNotFound from ErrUnavailable like a request's load.
func (m *Manager) loadID(ctx context.Context, id ID) (Loaded, error) {
	ctx, cancel := m.deadline(ctx, m.config.LoadTimeout)
	defer cancel()
	l, err := m.dir.LoadID(ctx, id)
	if err == nil {
		err = m.current(&l.Record)
	}
	switch {
	case err == nil:
		return l, nil
	case isGone(err):
		return l, noSession(id)
	case errors.Is(err, ErrCorrupt), errors.Is(err, ErrNewerVersion), errors.Is(err, ErrUnsupported):
		return l, fmt.Errorf("core: session %s: %w", id, err)
	}
	return l, unavailable("load", err)
}

// members returns the IDs in user's index.
func (m *Manager) members(ctx context.Context, user string) ([]ID, error) {
	if m.users == nil {
		return nil, fmt.Errorf("core: a user's sessions: %w", ErrUnsupported)
	}
	if user == "" {
		return nil, fmt.Errorf("core: a user's sessions: the user is empty: %w", ErrNotFound)
	}
	ctx, cancel := m.deadline(ctx, m.config.LoadTimeout)
	defer cancel()
	ids, err := m.users.List(ctx, user)
	if err != nil {
		return nil, unavailable("list", err)
	}
	return ids, nil
}

// List returns user's live sessions, oldest first, without those that this
// program cannot read; RevokeUser ends these too.
func (m *Manager) List(ctx context.Context, user string) ([]Info, error) {
	ids, err := m.members(ctx, user)
	if err != nil {
		return nil, err
	}
	infos := make([]Info, 0, len(ids))
	for _, id := range ids {
		l, err := m.loadID(ctx, id)
		if isGone(err) || isUnreadable(err) || errors.Is(err, ErrUnsupported) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if r := &l.Record; r.User == user {
			infos = append(infos, Info{
				ID: r.ID, User: r.User, Label: r.Label,
				CreatedAt: r.CreatedAt, LastSeen: m.lastSeen(r), ExpiresAt: r.Expires,
			})
		}
	}
	return infos, nil
}

// lastSeen works out when the expiry was moved last. Close to the deadline,
// which caps it, that is no longer visible; the last save is the best answer then.
func (m *Manager) lastSeen(r *Record) time.Time {
	idle := m.config.timeouts(r).Idle
	if idle == NoTimeout {
		idle = foreverIdle
	}
	if seen := r.Expires.Add(-idle); seen.After(r.SavedAt) {
		return seen
	}
	return r.SavedAt
}

// List returns the live sessions of this session's user, oldest first, with
// Current set on this one. An anonymous session has none.
func (s *Session) List(ctx context.Context) ([]Info, error) {
	id, user, err := s.identity()
	if err != nil || user == "" && s.m.users != nil {
		return nil, err
	}
	infos, err := s.m.List(ctx, user)
	if i := slices.IndexFunc(infos, func(i Info) bool { return i.ID == id }); i >= 0 {
		infos[i].Current = true
	}
	return infos, err
}

// identity returns the stored session's ID and user: a login that is not
// committed yet gives no rights.
func (s *Session) identity() (ID, string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.used = true
	switch {
	case s.phase == phaseReadOnly && s.outside:
		return ID{}, "", fmt.Errorf("core: inside View: %w", ErrReadOnly)
	case s.phase == phaseReadOnly:
		return ID{}, "", fmt.Errorf("core: %w: %w", ErrReadOnly, ErrUnavailable)
	case !s.stored:
		return ID{}, "", nil
	}
	return s.base.ID, s.base.User, nil
}
