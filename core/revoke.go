package core

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Revoke ends the session id, whichever user it belongs to. It is for operators.
// The error matches [ErrNotFound] if there is no such session.
func (m *Manager) Revoke(ctx context.Context, id ID) error {
	if m.dir == nil {
		return unsupported("revoke one session")
	}
	l, err := m.loadID(ctx, id)
	if isGone(err) {
		return errors.Join(err, m.bar(ctx, &l.Record))
	}
	if errors.Is(err, ErrUnavailable) {
		return err
	}
	if failure := m.revoke(ctx, id, l.Record.User); failure != nil { // also one that cannot be read
		return failure
	}
	if errors.Is(err, ErrUnsupported) {
		return err // by now only its client has it
	}
	return nil
}

// bar deletes r if it is a session that has expired a moment ago, so that no request
// that loaded it before brings it back.
func (m *Manager) bar(ctx context.Context, r *Record) error {
	if r.ID.IsZero() {
		return nil
	}
	ctx, cancel := m.deadline(ctx, m.config.CommitTimeout)
	defer cancel()
	return m.endOne(ctx, ending{id: r.ID, user: r.User})
}

func (m *Manager) revoke(ctx context.Context, id ID, user string) error {
	ctx, cancel := m.deadline(ctx, m.config.CommitTimeout)
	defer cancel()
	if err := m.endOne(ctx, ending{id: id, user: user}); err != nil {
		return err
	}
	m.observe(ctx, m.requestIn(ctx), Event{Kind: EventRevoked, ID: id, User: user})
	return nil
}

// RevokeUser ends all sessions of user, including logins that are being stored, and
// returns how many living sessions it has ended, also beside an error. Zero may mean
// a mistyped user. It is for operators, and for use after a password reset. It tries
// every session and joins the errors.
//
// It finds what the index of the user's sessions names. Where that is known to have
// lost some, or may lose them at will (see [Mender]), it looks at every session in the
// store.
func (m *Manager) RevokeUser(ctx context.Context, user string) (ended int, err error) {
	return m.revokeUser(ctx, user, ID{})
}

// StoredUsers returns the names by which the store knows user: with the namespace, and
// encrypted as [UserNamer] says. They are for what reaches the store past the Manager,
// such as a revocation in a transaction of the application's. Empty without a user.
func (m *Manager) StoredUsers(user string) []string {
	if user == "" {
		return nil
	}
	stored := scopedUser(m.config.Namespace, user)
	if m.dir != nil {
		if namer, ok := m.dir.Users().(UserNamer); ok {
			return namer.StoredUsers(stored)
		}
	}
	return []string{stored}
}

// revokeUser ends all sessions of user but except. It lists them twice: a login
// whose session was ended by the first pass, or before, may have found another
// place in the index since.
func (m *Manager) revokeUser(ctx context.Context, user string, except ID) (ended int, _ error) {
	user = strings.Clone(user) // for events and the index: it may be a view of a buffer that Fiber reuses
	for pass := range 2 {
		ids, err := m.toRevoke(ctx, user, except, pass)
		if err != nil {
			return ended, err
		}
		var failures []error
		for _, id := range ids {
			if id == except {
				continue
			}
			was, err := m.revokeOf(ctx, user, id)
			if was {
				ended++
			}
			failures = append(failures, err)
		}
		if err := errors.Join(failures...); err != nil {
			return ended, err
		}
	}
	return ended, m.unlisted()
}

// toRevoke lists user's sessions for one pass of revokeUser. Only the first
// searches: a login that has come since is in the index.
func (m *Manager) toRevoke(ctx context.Context, user string, except ID, pass int) ([]ID, error) {
	switch {
	case pass > 0:
		ids, _, err := m.members(ctx, user)
		return ids, err
	case except.IsZero():
		return m.everyMember(ctx, user)
	}
	return m.membersWith(ctx, user, except)
}

// revokeOf ends id if it is user's, or becomes user's by a login that is being
// stored, perhaps on an anonymous session. Either the login finds its reservation
// gone and undoes itself, or it was stored before, and the second revokeIf ends it.
func (m *Manager) revokeOf(ctx context.Context, user string, id ID) (bool, error) {
	ended, until, err := m.revokeIf(ctx, user, id)
	if err != nil {
		return ended, err
	}
	err = m.users.Release(ctx, user, id)
	if err != nil {
		err = unavailable("end", err) // it may still have left the index
	} else if !ended {
		ended, until, err = m.revokeIf(ctx, user, id)
	}
	if err != nil {
		if until.IsZero() { // a login may have stored it since
			until = m.config.latest(m.config.Now())
		}
		m.reindex(ctx, user, id, until) // so that another try finds it
	}
	return ended, err
}

// revokeIf ends id if it is user's now. It returns until when it would have lived, zero
// if nobody knows.
func (m *Manager) revokeIf(ctx context.Context, user string, id ID) (ended bool, until time.Time, _ error) {
	l, err := m.loadID(ctx, id)
	switch {
	case isGone(err) && l.Record.User == user:
		return false, l.Record.Expires, m.bar(ctx, &l.Record) // it had ended already
	case isGone(err), err == nil && l.Record.User != user:
		return false, time.Time{}, nil
	case errors.Is(err, ErrUnavailable):
		return false, time.Time{}, err
	}
	ctx, cancel := m.deadline(ctx, m.config.CommitTimeout)
	defer cancel()
	if err := m.delete(ctx, ending{id: id}); err != nil {
		return false, l.Record.Expires, err
	}
	m.observe(ctx, m.requestIn(ctx), Event{Kind: EventRevoked, ID: id, User: user})
	return true, l.Record.Expires, nil
}

// RevokeAll ends every session of the backend, those of other namespaces in the
// same store included. Server-side, it takes time in proportion to the number of
// sessions, and no longer than ctx. Client-side, it moves the not-before time of
// this process alone; set Config.NotBefore as well, for other processes and
// restarts.
func (m *Manager) RevokeAll(ctx context.Context) error {
	if p, ok := m.bare.(partial); m.dir == nil || ok && p.undeletable() {
		// One past the present millisecond: sessions that began in it are refused,
		// and sessions that begin from now on are dated accordingly.
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
			return fmt.Errorf("core: revoke all sessions: %w: set Config.NotBefore instead", err)
		} else if err != nil {
			return unavailable("revoke every", err)
		}
	}
	m.watchers.wakeAll()
	m.observe(ctx, m.requestIn(ctx), Event{Kind: EventRevoked, Detail: "all sessions"})
	return nil
}

// RevokeOwn ends another session of the same user, or this one. The error matches
// [ErrNotFound] unless id is a session of this session's user, so that users learn
// nothing about the sessions of others. It matches [ErrEnded], and nothing is
// ended, if another request has ended or renewed this session.
func (s *Session) RevokeOwn(ctx context.Context, id ID) error {
	own, user, err := s.authority(ctx)
	if s.m.dir == nil {
		return unsupported("revoke one session")
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
	if isGone(err) && l.Record.User == user {
		return errors.Join(err, s.m.bar(ctx, &l.Record))
	}
	if err != nil {
		return err
	}
	ids, err := s.m.membersWith(ctx, user, own)
	if err != nil {
		return err
	}
	if l.Record.User != user || !slices.Contains(ids, id) {
		return notTheirs
	}
	return s.m.revoke(ctx, id, user)
}

// RevokeOthers ends all sessions of this session's user but this one. Call it after
// a password change. The error matches [ErrNotFound] if the session is anonymous. It
// matches [ErrEnded], and nothing is ended, if another request has ended or renewed
// this session.
//
// If the index of the user's sessions lacks this one, or another was put back into it,
// RevokeOthers searches the store for all of them. A search that does not finish within ten seconds is an
// error that matches [ErrUnavailable].
func (s *Session) RevokeOthers(ctx context.Context) error {
	own, user, err := s.authority(ctx)
	if err != nil {
		return err
	}
	_, err = s.m.revokeUser(ctx, user, own)
	return err
}

// LogoutEverywhere is RevokeOthers, and then a Logout that is committed at once. As
// after any Logout, s is a new, empty session, and a flash can say goodbye. If the
// others cannot all be ended, it returns RevokeOthers' error and this session stays,
// so that its user can try again. An anonymous session is only logged out.
func (s *Session) LogoutEverywhere(ctx context.Context) error {
	_, user, err := s.authority(ctx)
	if err == nil && user != "" {
		err = s.RevokeOthers(ctx)
	}
	if err != nil {
		return err
	}
	s.Logout()
	return s.Commit(ctx)
}

// authority is identity for ending other sessions. A token that was replaced gives
// no right to that: it may be from before the login.
func (s *Session) authority(ctx context.Context) (ID, string, error) {
	if err := s.asserted(ctx); err != nil {
		return ID{}, "", err
	}
	id, user, err := s.identity()
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil && s.superseded && !s.stored {
		err = fmt.Errorf("core: revoke sessions: %w", ErrEnded)
	}
	return id, user, err
}
