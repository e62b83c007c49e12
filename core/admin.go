package core

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Info describes a session to its user or to an operator. It gives no access to
// the session. LastSeen is exact to within Config.TouchAfter, or a minute if that is
// more. In JSON its members are id, user, label, created, last_seen, expires
// and current; the ID is text and the times are as RFC 3339 has them.
type Info struct {
	ID        ID        `json:"id"`
	User      string    `json:"user"`
	Label     string    `json:"label"`   // what Config.Describe said, "" by default
	CreatedAt time.Time `json:"created"` // when the session began
	LastSeen  time.Time `json:"last_seen"`
	ExpiresAt time.Time `json:"expires"` // when it ends unless it is used before
	Current   bool      `json:"current"` // it is the session of the request that asked
}

// loadID loads the session id. It tells ErrNotFound from ErrUnavailable as a
// request's load does. With ErrNotFound, the result has the record of a session that
// has expired if the backend still keeps it.
func (m *Manager) loadID(ctx context.Context, id ID) (LoadResult, error) {
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

// members returns the IDs in user's index, and how they are incomplete, if so.
func (m *Manager) members(ctx context.Context, user string) ([]ID, *IncompleteError, error) {
	if m.users == nil {
		return nil, nil, unsupported("a user's sessions")
	}
	if user == "" {
		return nil, nil, fmt.Errorf("core: a user's sessions: the user is empty: %w", ErrNotFound)
	}
	ctx, cancel := m.deadline(ctx, m.config.LoadTimeout)
	defer cancel()
	ids, lost, err := listed(ctx, m.users, strings.Clone(user)) // the call may outlive ctx, and a buffer of Fiber's its request
	if err != nil {
		return nil, nil, unavailable("list", err)
	}
	return ids, lost, nil
}

// searchTimeout bounds a search for what an index has lost.
const searchTimeout = 10 * time.Second

// membersWith returns the IDs in user's index for its live session own, or for an
// operator. If the index is marked or lacks own, it has lost members: membersWith
// searches for them all, and returns an error if that does not find own.
func (m *Manager) membersWith(ctx context.Context, user string, own ID) ([]ID, error) {
	ids, lost, err := m.members(ctx, user)
	if err != nil {
		return nil, err
	}
	lacks, err := m.lacks(ctx, ids, user, own)
	if err != nil || !lacks && lost == nil {
		return ids, err
	}
	limited, cancel := m.deadline(ctx, searchTimeout)
	defer cancel()
	if ids, err = m.search(limited, user, ids, lost); err != nil {
		return nil, err
	}
	if lacks, err = m.lacks(ctx, ids, user, own); lacks {
		return nil, unavailable("search for a", errIncomplete)
	}
	return ids, err
}

// errIncomplete means that nobody knows all of a user's sessions.
var errIncomplete = errors.New("the index of the user's sessions has lost some, and the store does not find them")

// lacks reports whether own, a session of user that should be among ids, is not,
// although it lives.
func (m *Manager) lacks(ctx context.Context, ids []ID, user string, own ID) (bool, error) {
	if own.IsZero() || slices.Contains(ids, own) || m.unlisted() != nil {
		return false, nil
	}
	l, err := m.loadID(ctx, own)
	if isGone(err) {
		return false, nil // it has just ended
	}
	return err == nil && l.Record.User == user, err
}

// everyMember returns the IDs in user's index, for an operator. It searches if the
// index is marked, or drops members at will.
func (m *Manager) everyMember(ctx context.Context, user string) ([]ID, error) {
	ids, lost, err := m.members(ctx, user)
	mender, ok := m.users.(Mender)
	if err != nil || lost == nil && (!ok || !mender.Forgetful()) {
		return ids, err
	}
	return m.search(ctx, user, ids, lost) // no deadline but the caller's: there may be millions
}

// search looks through the whole store for sessions of user that are not among
// ids. It puts them back into the index, oldest first, and returns all. Once they are
// there, it takes the mark lost away.
func (m *Manager) search(ctx context.Context, user string, ids []ID, lost *IncompleteError) ([]ID, error) {
	mender, ok := m.users.(Mender)
	if !ok {
		return nil, unavailable("search for a", errIncomplete)
	}
	user = strings.Clone(user) // the index may keep it, and a buffer of Fiber's its request
	found, err := mender.Search(ctx, user)
	if err != nil {
		return nil, unavailable("search for a", err)
	}
	known := make(map[ID]bool, len(ids))
	for _, id := range ids {
		known[id] = true
	}
	var missing []Record
	restored := true
	for _, id := range found {
		if known[id] {
			continue
		}
		l, err := m.loadID(ctx, id)
		switch {
		case err == nil && l.Record.User == user:
			missing = append(missing, l.Record)
		case isUnreadable(err):
			ids, restored = append(ids, id), false // it is unknown until when it would be a member
		case err != nil && !isGone(err) && !errors.Is(err, ErrUnsupported):
			return nil, err
		}
	}
	slices.SortFunc(missing, func(a, b Record) int { return a.begun().Compare(b.begun()) })
	for i := range missing {
		err := mender.Mend(ctx, user, missing[i].ID, missing[i].Expires) // what stays lost is found again
		ids, restored = append(ids, missing[i].ID), restored && err == nil
	}
	if restored && lost != nil {
		_ = lost.Restored(ctx) // or the next search does
	}
	return ids, nil
}

// List returns user's live sessions, oldest first. It omits sessions that this
// program cannot read, and those that the index has lost unnoticed; see [Session.List].
// RevokeUser ends the former too. The error matches
// [ErrUnavailable], [ErrUnsupported], or [ErrNotFound] if user is empty. With ErrUnsupported,
// during a migration of which one side has no lists, it returns those of the other.
func (m *Manager) List(ctx context.Context, user string) ([]Info, error) {
	return m.list(ctx, user, ID{})
}

// list is List for the session own, or for an operator.
func (m *Manager) list(ctx context.Context, user string, own ID) ([]Info, error) {
	ids, err := m.membersWith(ctx, user, own)
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
				CreatedAt: r.CreatedAt, LastSeen: m.config.lastSeen(r, m.config.Now()), ExpiresAt: r.Expires,
			})
		}
	}
	return infos, m.unlisted()
}

// List returns the live sessions of this session's user, oldest first, with
// Current set on this one. For an anonymous session it returns none. If the index
// of the user's sessions lacks this one, or another was put back into it, List searches
// the store for all of them; a search that does not finish within ten seconds is an error.
// With [ErrUnsupported], the list may be incomplete; see [Manager.List].
func (s *Session) List(ctx context.Context) ([]Info, error) {
	if err := s.asserted(ctx); err != nil {
		return nil, err
	}
	id, user, err := s.identity()
	if err != nil || user == "" && s.m.users != nil {
		return nil, err
	}
	infos, err := s.m.list(ctx, user, id)
	if i := slices.IndexFunc(infos, func(i Info) bool { return i.ID == id }); i >= 0 {
		infos[i].Current = true
	}
	return infos, err
}

// identity returns the ID and the user of the stored session. A login that is not
// committed yet gives no rights.
func (s *Session) identity() (ID, string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.used = true
	switch {
	case s.phase == phaseReadOnly && s.background:
		return ID{}, "", fmt.Errorf("core: inside View: %w", ErrReadOnly)
	case s.phase == phaseReadOnly:
		return ID{}, "", fmt.Errorf("core: %w: %w", ErrReadOnly, ErrUnavailable)
	case !s.stored:
		return ID{}, "", nil
	}
	return s.base.ID, s.base.User, nil
}
