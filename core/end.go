package core

import (
	"context"
	"time"
)

// end deletes the sessions that are to end. It stops at the first error: what
// is left is tried again by the next commit.
func (s *Session) end(ctx context.Context) error {
	var late error
	for len(s.endings) > 0 {
		e := s.endings[0]
		if s.sent && s.m.traits.ClientSide {
			s.endings = s.endings[1:]
			s.tooLate(ReasonLogoutLate, "logout")
			late = s.late
			continue
		}
		if err := s.m.endOne(ctx, e); err != nil {
			return err
		}
		s.endings = s.endings[1:]
		s.unset = true
		s.tell(Event{Kind: e.event, Reason: e.reason, ID: e.id, User: e.user})
	}
	return late
}

// endOne ends a session and takes it out of the user's index. In this order:
// as long as it can be used it can be found, also by a revocation that comes in
// between, and after one that failed.
func (m *Manager) endOne(ctx context.Context, e ending) error {
	if err := m.delete(ctx, e); err != nil {
		return err
	}
	if e.user != "" && m.users != nil {
		_ = m.users.Release(ctx, e.user, e.id) // it names nothing any more, and the index heals itself
	}
	return nil
}

// delete deletes a session and tells those who wait for its end.
func (m *Manager) delete(ctx context.Context, e ending) error {
	var err error
	if e.handle != nil {
		err = m.backend.Delete(ctx, e.handle)
	} else {
		err = m.dir.DeleteID(ctx, e.id)
	}
	if err != nil {
		return unavailable("end", err)
	}
	m.watchers.tell(e.id)
	return nil
}

// reindex puts a session that could not be ended back into its user's index,
// so that it can be found again. The backend is in trouble; this is what can be tried.
func (m *Manager) reindex(ctx context.Context, user string, id ID) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), m.config.CommitTimeout) // the caller's may be over
	defer cancel()
	if _, err := m.users.Reserve(ctx, user, id, 0, EndOldest); err == nil {
		_ = m.users.Confirm(ctx, user, id, time.Time{})
	}
}
