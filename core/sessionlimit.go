package core

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// A login takes its place in the index of its user's sessions before it is
// stored. Therefore the limit holds, and a revocation finds the login.

// errWithdrawn means that a login's reservation was taken away before it was
// stored: the user's sessions were revoked, or newer logins filled the limit.
var errWithdrawn = errors.New("reservation withdrawn")

// reserve gives a login its place in the index, and ends the sessions that it
// pushes out.
func (t *saving) reserve(ctx context.Context, r *Record) error {
	s, m := t.s, t.s.m
	if s.login == "" || m.users == nil || t.reserved == r.ID {
		return nil
	}
	if mender, ok := m.users.(Mender); ok && s.stored && s.base.User == s.login && s.base.ID == r.ID {
		// Reserve would hide that the index has lost this session, and others with it.
		if err := mender.Mend(ctx, s.login, r.ID, s.base.Expires); err != nil {
			return unavailable("reserve", err)
		}
	}
	end, err := m.place(ctx, s.login, r.ID)
	if errors.Is(err, ErrSessionLimit) {
		return fmt.Errorf("core: log in: %w", ErrSessionLimit)
	}
	if !errors.Is(err, errNotAsked) {
		t.reserved = r.ID // perhaps also if there was no answer
	}
	if err != nil {
		return unavailable("reserve", err)
	}
	for i, id := range end {
		ended, err := m.endPushedOut(ctx, s.login, id)
		if err != nil {
			for _, id := range end[i:] { // still alive
				m.reindex(ctx, s.login, id, time.Time{}) // the index knows until when it has been
			}
			return err
		}
		if ended {
			s.emit(Event{Kind: EventRevoked, Reason: ReasonLimit, ID: id, User: s.login})
		}
	}
	if !t.former.IsZero() {
		// Only now, because a revocation from here on finds the new place.
		if err := t.still(ctx, t.former); err != nil {
			_ = t.release(ctx)
			return err
		}
		t.former = ID{}
	}
	return nil
}

// endPushedOut ends a session that a login of user pushes out of the limit. The
// store may have deleted it already. If the index is wrong, and the session is
// another user's or anonymous, it only leaves this user's index. A login that is
// being stored in it finds its place gone, and undoes itself. One that has taken a
// new place keeps that, if there is room.
func (m *Manager) endPushedOut(ctx context.Context, user string, id ID) (ended bool, _ error) {
	l, err := m.loadID(ctx, id)
	switch {
	case errors.Is(err, ErrUnavailable):
		return false, err
	case !l.Record.ID.IsZero() && l.Record.User != user: // also one that has expired, and may yet be kept
		if err := m.users.Release(ctx, user, id); err != nil {
			return false, unavailable("end", err)
		}
		if kept, err := m.restore(ctx, user, id); kept || err != nil {
			return false, err
		}
	}
	return true, m.endOne(ctx, ending{id: id, user: user})
}

// place reserves a place for a login. Sessions that have expired count until their
// store drops them; they are ended before others have to make room, or the login is
// refused.
func (m *Manager) place(ctx context.Context, user string, id ID) (end []ID, err error) {
	limit, policy := m.config.sessionLimit()
	if limit == 0 || policy == Ceiling {
		return m.users.Reserve(ctx, user, id, limit, policy)
	}
	end, err = m.users.Reserve(ctx, user, id, limit, RefuseLogin)
	if !errors.Is(err, ErrSessionLimit) {
		return end, err
	}
	unknown, failure := m.endExpired(ctx, user, id)
	if failure != nil {
		return nil, failure
	}
	// Also if none had expired: an overlapping login may have just ended them.
	end, err = m.users.Reserve(ctx, user, id, limit, policy)
	if errors.Is(err, ErrSessionLimit) && unknown != nil {
		return nil, unknown // nobody is told of too many sessions that may have expired
	}
	return end, err
}

// endExpired ends those sessions of user but except that have expired. Unknown is why
// one could not be loaded, unless it is gone or cannot be read: that goes on counting.
func (m *Manager) endExpired(ctx context.Context, user string, except ID) (unknown, _ error) {
	ids, _, err := listed(ctx, m.users, user)
	if err != nil {
		return nil, err
	}
	for _, id := range ids {
		if id == except {
			continue
		}
		l, err := m.dir.LoadID(ctx, id)
		switch {
		case err != nil && !isGone(err) && !isUnreadable(err):
			unknown = err
		case err == nil && l.Record.User == user && l.Record.expired(m.config.Now()):
			if err := m.bar(ctx, &l.Record); err != nil {
				return nil, err
			}
		}
	}
	return unknown, nil
}

// confirm makes the place last as long as the stored session. If the place was
// taken away meanwhile, confirm deletes the session.
func (t *saving) confirm(ctx context.Context, p *plan, handle Handle) error {
	if t.reserved.IsZero() {
		return nil
	}
	err := confirm(ctx, t.s.m.users, p.next.User, t.reserved, p.next.Expires)
	if err == nil {
		return nil
	}
	if deleteErr := t.s.m.backend.Delete(ctx, handle); deleteErr != nil {
		return unavailable("undo", deleteErr)
	}
	if isGone(err) {
		return errWithdrawn
	}
	return unavailable("confirm", err)
}

// mendEvery divides time: a save that moves the expiry within one such part mends
// nothing. An index keeps members for a little longer than that.
const mendEvery = 4 * time.Minute

// mend tells the index that a save keeps the session for longer, which a login
// tells by its Confirm. It fails no save: the next one tries again.
func (t *saving) mend(ctx context.Context, next *Record) {
	s := t.s
	mender, ok := s.m.users.(Mender)
	if !ok || next.User == "" || s.login != "" ||
		!next.Expires.Truncate(mendEvery).After(s.base.Expires.Truncate(mendEvery)) {
		return
	}
	_ = mender.Mend(ctx, next.User, next.ID, next.Expires)
}

// release takes back the reservation of a login that will not be stored under its
// ID. An overlapping login of the same user may have won and own the place by now.
// Then the place stays. An error means that it is unknown whether it is taken back.
func (t *saving) release(ctx context.Context) error {
	id := t.reserved
	if id.IsZero() || t.s.stored && t.s.base.User == t.s.login {
		t.reserved = ID{}
		return nil
	}
	free, err := t.free(ctx, id)
	if free {
		err = t.s.m.users.Release(ctx, t.s.login, id)
		if !errors.Is(err, errNotAsked) { // without an answer, it may be done all the same
			if still, err := t.free(ctx, id); err != nil || !still {
				t.s.m.reindex(ctx, t.s.login, id, t.until)
			}
		}
	}
	if err != nil {
		return unavailable("release", err)
	}
	t.reserved = ID{}
	return nil
}

// undo takes back what a save that failed may have reserved and stored. A new session
// may have been stored although the answer was lost. No client has its token, so undo
// deletes it, and it is neither listed nor counted. An existing session is not deleted:
// it is unknown whether this login stored it or an overlapping one. If undo fails, the
// place lapses, or is the only place of a live session.
func (t *saving) undo(ctx context.Context) {
	if t.reserved.IsZero() {
		return
	}
	ctx, cancel := t.s.m.deadline(context.WithoutCancel(ctx), t.s.m.config.CommitTimeout) // the commit's may be over
	defer cancel()
	if t.reserved != t.id || !t.asked {
		_ = t.release(ctx)
		return
	}
	if err := t.s.m.endOne(ctx, ending{id: t.reserved, user: t.s.login}); err != nil {
		// If it lives, the index must name it; if not, the index frees its place.
		t.s.m.reindex(ctx, t.s.login, t.reserved, t.until)
	}
}

// free reports whether id is known not to be a session of the user who is
// logging in.
func (t *saving) free(ctx context.Context, id ID) (bool, error) {
	l, err := t.s.m.dir.LoadID(ctx, id)
	if isGone(err) {
		return true, nil
	}
	return err == nil && l.Record.User != t.s.login, err
}

// still returns errWithdrawn if id is no longer in the index of the user who
// is logging in.
func (t *saving) still(ctx context.Context, id ID) error {
	ids, _, err := listed(ctx, t.s.m.users, t.s.login)
	switch {
	case err != nil:
		return unavailable("list", err)
	case !slices.Contains(ids, id):
		return errWithdrawn
	}
	return nil
}

// endOne ends a session and then takes it out of the user's index. In this order a
// session can be found as long as it can be used: by a revocation in between, and
// after one that failed.
func (m *Manager) endOne(ctx context.Context, e ending) error {
	if err := m.delete(ctx, e); err != nil {
		return err
	}
	if e.user != "" && m.users != nil {
		_ = m.users.Release(ctx, e.user, e.id) // the session is gone, and the index heals itself
	}
	return nil
}

// delete deletes a session and wakes those that wait for its end.
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
	m.watchers.wake(e.id)
	return nil
}

// restore puts a session back into the index that it has just left, if a login of user
// has taken a new place there for it and was stored. It is not kept if there is no room.
func (m *Manager) restore(ctx context.Context, user string, id ID) (kept bool, _ error) {
	l, err := m.loadID(ctx, id)
	if errors.Is(err, ErrUnavailable) {
		return false, err
	}
	if err != nil || l.Record.User != user {
		return true, nil
	}
	limit, _ := m.config.sessionLimit()
	err = m.enter(ctx, user, id, l.Record.Expires, limit)
	switch {
	case errors.Is(err, ErrSessionLimit):
		return false, nil
	case err != nil && !isGone(err): // if so, another has taken it out since
		return false, unavailable("end", err)
	}
	return true, nil
}

// reindex puts a session that could not be ended back into its user's index, so
// that it can be found again, unless it is gone or not the user's. The backend is in trouble, so this
// may fail too. If it does not even tell when the session expires, that is until; zero if only the index
// knows, from which Reserve has just taken it.
func (m *Manager) reindex(ctx context.Context, user string, id ID, until time.Time) {
	ctx, cancel := m.deadline(insisting(context.WithoutCancel(ctx)), m.config.CommitTimeout) // the caller's may have ended
	defer cancel()
	l, err := m.dir.LoadID(ctx, id)
	if isGone(err) {
		_ = m.users.Release(ctx, user, id)
		l, err = m.dir.LoadID(ctx, id) // a login may have just stored it, and kept its place until now
	}
	if isGone(err) || err == nil && l.Record.User != user {
		return
	}
	if err == nil {
		until = l.Record.Expires
	}
	_ = m.enter(ctx, user, id, until, 0)
}

// enter enters a stored session in its user's index, if there is room within limit.
func (m *Manager) enter(ctx context.Context, user string, id ID, until time.Time, limit int) error {
	if _, err := m.users.Reserve(ctx, user, id, limit, RefuseLogin); err != nil {
		return err
	}
	return confirm(ctx, m.users, user, id, until)
}
