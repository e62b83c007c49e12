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

// View calls f with the session id, read-only. It does not count as activity.
// The error is f's, or matches [ErrNotFound], [ErrUnavailable] or [ErrUnsupported].
func (m *Manager) View(ctx context.Context, id ID, f func(*Session) error) error {
	s, err := m.open(ctx, id)
	if err != nil {
		return err
	}
	s.phase = phaseReadOnly
	return f(s)
}

// Update calls f with the session id and commits what f changed, with the same care
// for overlapping requests as in a request; f itself runs once. It does not count as activity.
// Nothing is stored if f returns an error. For background jobs: f may add a flash that
// the user's next page shows. Login and Renew fail with [ErrUnsupported]; what f writes
// after Logout is dropped, and Update returns [ErrEnded].
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

// UpdateUser calls Update for every session of user. Sessions that end in the
// meantime are passed over; other errors are joined.
func (m *Manager) UpdateUser(ctx context.Context, user string, f func(*Session) error) error {
	ids, err := m.members(ctx, user)
	if err != nil {
		return err
	}
	var failures []error
	for _, id := range ids {
		var failed error // f's own
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

// unlisted returns an error if user's sessions may not all be in the index.
func (m *Manager) unlisted() error {
	if p, ok := m.backend.(partial); ok && p.unlisted() != nil {
		return fmt.Errorf("core: a user's sessions: %w", p.unlisted())
	}
	return nil
}

// open loads the session id without its token.
func (m *Manager) open(ctx context.Context, id ID) (*Session, error) {
	if m.dir == nil {
		return nil, fmt.Errorf("core: sessions by ID: %w", ErrUnsupported)
	}
	l, err := m.loadID(ctx, id)
	if err != nil {
		return nil, err
	}
	s := m.NewSession(ctx)
	s.base, s.handle, s.stored = l.Record, l.Handle, true
	s.outside, s.noTouch = true, true
	return s, nil
}

// noSession says what to do about the ID of a session that was never stored.
func noSession(id ID) error {
	if id.IsZero() {
		return fmt.Errorf("core: the session ID is zero: a session has none until it is stored: "+
			"write to it and call Session.Commit before you pass on its ID: %w", ErrNotFound)
	}
	return fmt.Errorf("core: session %s: %w", id, ErrNotFound)
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
