package core

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"time"
)

func isGone(err error) bool {
	return errors.Is(err, ErrNotFound) && !errors.Is(err, ErrUnavailable)
}

// isUnreadable reports whether a session exists that this program cannot read.
func isUnreadable(err error) bool {
	return (errors.Is(err, ErrCorrupt) || errors.Is(err, ErrNewerVersion)) && !errors.Is(err, ErrUnavailable)
}

// save commits the session's changes, not its state, so that overlapping requests
// keep each other's changes (promise K1). On a conflict it applies them to the
// newest record and tries again, until the commit's time is over.
func (s *Session) save(ctx context.Context, shows bool) error {
	t := saving{s: s, begun: time.Now(), shows: shows, maxFlashes: s.m.config.MaxFlashes}
	err := t.run(ctx)
	if err != nil {
		t.undo(ctx)
	}
	return err
}

// run tries until the session is saved, or cannot be.
func (t *saving) run(ctx context.Context) error {
	s := t.s
	if ok, err := t.prepare(ctx); !ok {
		return err
	}
	for {
		p, err := t.plan()
		if err != nil {
			return err
		}
		if !p.changed {
			s.touch(ctx)
			s.settle(&p, t.shows)
			return t.late
		}
		handle, setCookies, err := t.try(ctx, &p)
		if err == nil {
			s.adopt(&p, handle, setCookies, t.shows)
			return t.late
		}
		if again, err := t.recover(ctx, &p, err); !again {
			return err
		}
	}
}

// saving is the state of one save across its tries.
type saving struct {
	s          *Session
	begun      time.Time
	tries      int
	shows      bool  // the response shows the flashes that were read
	late       error // what came too late; the rest is saved
	maxFlashes int
	id         ID        // drawn for a new session
	asked      bool      // the backend was asked to store it
	until      time.Time // its expiry, as it was last planned
	reserved   ID        // in the user's index, by this save
	former     ID        // what was reserved before the session turned out to be gone
}

// prepare fetches the newest record for a write that must not move the expiry, so
// that the write keeps what other requests have made of it. It also does so once the
// expiry has passed, because others may have moved it, and a store may still have
// what has expired. So it does with a client's copy, which has no version. Client-side
// it refuses what would be stored in an expired token.
func (t *saving) prepare(ctx context.Context) (ok bool, _ error) {
	s := t.s
	writes := s.changed() || t.shows && len(s.consumed) > 0
	now := s.m.config.Now()
	expired := s.base.expired(now)
	switch {
	case !writes, !s.stored:
	case !s.m.traits.ClientSide && (s.noTouch || expired || s.hasCopy()):
		return t.reload(ctx)
	case expired && (s.keepsExpiry() || s.login == "" && !s.m.config.expiry(&s.base, now).After(now)):
		return t.gone(ctx, errExpired)
	}
	return true, nil
}

// plan plans the next try. After the header it leaves out Renew, Remember and
// what prolongs a remembered session, which need a cookie, and refuses changes that cannot be kept without one.
func (t *saving) plan() (p plan, err error) {
	s := t.s
	p, err = s.plan(t.shows, t.maxFlashes, &t.id)
	needsCookie := p.newToken || p.cookie || s.m.traits.ClientSide
	if err != nil || !p.changed || !s.sent || !needsCookie {
		return p, err
	}
	if !s.stored || s.login != "" || s.reauthenticate || s.m.traits.ClientSide {
		return p, s.refuseLate()
	}
	s.tooLate(ReasonNoCookie, "renew, remember or longer timeouts")
	t.late = s.late()
	if p.newToken {
		s.renew, s.remember = false, unset
		p, err = s.plan(t.shows, t.maxFlashes, &t.id)
	}
	if err == nil && p.cookie {
		s.timeouts = nil
		p, err = s.plan(t.shows, t.maxFlashes, &t.id)
	}
	return p, err
}

// refuseLate reports changes that come after the header and need a cookie.
func (s *Session) refuseLate() error {
	reason, what := ReasonNoCookie, "change that needs a cookie"
	if !s.changed() {
		reason, what = ReasonLateFlash, "read flashes"
	}
	s.rollBack() // a login that comes too late leaves the session that it would have replaced
	s.tooLate(reason, what)
	return s.late()
}

// try stores p once. A login enters the user's index before it is stored, and its
// token is handed out only if it is still in the index afterwards.
func (t *saving) try(ctx context.Context, p *plan) (Handle, []string, error) {
	s, m := t.s, t.s.m
	if size := p.next.size(); size > m.config.MaxBytes {
		return nil, nil, &SizeError{Total: size, Limit: m.config.MaxBytes}
	}
	t.until = p.next.Expires
	if err := t.reserve(ctx, &p.next); err != nil {
		return nil, nil, err
	}
	var base Handle
	if s.stored {
		base = s.handle
	}
	t.asked = true
	handle, token, err := m.backend.Save(ctx, m.scope, &p.next, base, p.newToken)
	if err != nil {
		return nil, nil, err
	}
	var setCookies []string
	if token == "" && p.cookie {
		token = s.token
	}
	if p.token = token; token != "" {
		if setCookies, err = m.tokenLines(token, &p.next, s.presented, m.config.Now()); err != nil {
			return nil, nil, asStored(err, p.next.size())
		}
	}
	if err := t.confirm(ctx, p, handle); err != nil {
		return nil, nil, err
	}
	t.mend(ctx, &p.next)
	if s.replaced != nil {
		if err := m.endOne(ctx, s.replaced.ending(EventLogout, "")); err != nil {
			// Better no new session than two: the user can try again.
			_ = m.endOne(ctx, ending{handle: handle, id: p.next.ID, user: p.next.User})
			return nil, nil, err
		}
	}
	return handle, setCookies, nil
}

// asStored converts the sizes of a token that is too long into sizes of the
// record in it, which the handler can change.
func asStored(err error, size int) error {
	var tooLong *SizeError
	if !errors.As(err, &tooLong) || tooLong.Total == 0 {
		return err
	}
	return &SizeError{Total: size, Limit: tooLong.Limit * size / tooLong.Total}
}

// recover decides what follows a failed try: another try, or the save's error.
func (t *saving) recover(ctx context.Context, p *plan, err error) (again bool, _ error) {
	s := t.s
	var size *SizeError
	if !errors.As(err, &size) {
		t.maxFlashes = s.m.config.MaxFlashes // what another request has stored may have room for more
	}
	switch {
	case size != nil:
		if p.flashes > 0 { // a flash never causes an error page (promise F5)
			t.maxFlashes = p.flashes - 1
			return true, nil
		}
		size.Key, size.Bytes = p.next.largest()
		return false, fmt.Errorf("core: save session: %w", size)
	case errors.Is(err, errWithdrawn):
		s.lose()
		return false, nil
	case errors.Is(err, ErrConflict):
		return t.reapply(ctx)
	case isGone(err) && s.stored:
		return t.gone(ctx, err)
	}
	if errors.Is(err, ErrSessionLimit) || errors.Is(err, ErrUnavailable) {
		return false, err
	}
	return false, unavailable("save", err)
}

// reapply fetches the newest record, to which the next try applies the changes. A
// new session conflicts by its ID, so reapply has another one drawn.
func (t *saving) reapply(ctx context.Context) (again bool, _ error) {
	s := t.s
	if !s.stored {
		if err := t.release(ctx); err != nil {
			return false, err
		}
		t.id = ID{}
		t.tries++
		if t.tries > 8 {
			return false, fmt.Errorf("core: save session: %w: the random source repeats itself", ErrUnavailable)
		}
		return true, nil
	}
	if time.Since(t.begun) > s.m.config.CommitTimeout || ctx.Err() != nil {
		return false, fmt.Errorf("core: save session: %w", ErrConflict)
	}
	s.emit(Event{Kind: EventConflict})
	t.pause()
	if ctx.Err() != nil {
		return false, fmt.Errorf("core: save session: %w", ErrConflict)
	}
	again, err := t.reload(ctx)
	if err != nil && ctx.Err() != nil { // the conflicts have used up the time
		err = fmt.Errorf("core: save session: %w: %w", ErrConflict, err)
	}
	return again, err
}

// reload fetches the newest record.
func (t *saving) reload(ctx context.Context) (again bool, _ error) {
	err := t.s.refetch(ctx)
	switch {
	case err == nil:
		return true, nil
	case isGone(err):
		return t.gone(ctx, err)
	}
	return false, unavailable("reload", err)
}

// pause lets other requests go first. It waits longer with each try, and for a
// random time, so that they do not stay in step.
func (t *saving) pause() {
	t.tries++
	if t.tries < 3 {
		runtime.Gosched()
		return
	}
	most := min(time.Duration(t.tries)*200*time.Microsecond, 10*time.Millisecond)
	time.Sleep(rand.N(most)) //nolint:gosec // jitter is no secret
}

// gone handles a session that another request has ended or renewed. What this
// request wrote is dropped, and the session stays gone (promise K2). Only a login
// continues, with a new session, unless the user's sessions were revoked. The new
// session has the values that this request had loaded if another login of the same
// user took them along: that is a double click.
//
// The client of a session that has merely expired is told that its changes are lost
// (promise T1): nobody else has ended it, so the answer would be the only sign.
func (t *saving) gone(ctx context.Context, err error) (again bool, _ error) {
	s := t.s
	expired := errors.Is(err, errExpired) || s.base.lost(s.m.config.Now())
	switch {
	case s.login == "" && expired && s.changed():
		s.loseFor(ReasonExpired)
		return false, fmt.Errorf("core: save session: it has expired: %w", ErrEnded)
	case s.login == "":
		s.lose()
		return false, nil
	}
	s.keepFormer()
	s.copyIs(copyOld) // also if the login fails
	values, unknown := t.carried(ctx)
	s.loaded, s.superseded = loaded{}, true
	s.base.values = values
	s.consumed = nil
	if unknown != nil {
		return false, unknown
	}
	if t.reserved.IsZero() {
		return true, nil
	}
	if s.m.config.SessionLimit == 0 {
		// The place stays until it lapses: another login in the same session may
		// share it. Until this login has a new place, the old one shows a revocation.
		t.former, t.reserved = t.reserved, ID{}
		return true, nil
	}
	switch err := t.still(ctx, t.reserved); {
	case errors.Is(err, errWithdrawn):
		s.lose()
		return false, nil
	case err != nil:
		return false, err
	}
	// As long as it is taken, this login may have no room for another place.
	if err := t.release(ctx); err != nil {
		return false, err
	}
	return true, nil
}

// carried returns the values of a session that a login of the same user has renewed
// since this request loaded it. They are those that this request had loaded.
func (t *saving) carried(ctx context.Context) ([]byte, error) {
	s := t.s
	l, err := s.m.backend.Reload(ctx, s.m.scope, s.handle)
	switch there := &l.Record; {
	case err != nil && !isGone(err) && !isUnreadable(err):
		return nil, unavailable("reload", err)
	case err != nil, !l.Superseded, s.m.current(there) != nil, there.User != s.login:
		return nil, nil
	case s.base.User == s.login && !there.AuthenticatedAt.After(s.base.AuthenticatedAt):
		return nil, nil // it was no login
	}
	return s.base.values, nil
}

// adopt makes what a save has stored the session that this request sees from now
// on.
func (s *Session) adopt(p *plan, handle Handle, setCookies []string, shows bool) {
	created, login, renewed, again := !s.stored, s.login, s.renew, s.reauthenticate
	replaced := s.replaced
	token, own := s.token, s.own
	if p.token != "" {
		token = p.token
	}
	if s.audience == audienceLater {
		own = append(own, p.numbers...)
	}
	s.loaded = loaded{stored: true, base: p.next, handle: handle, token: token, own: own, source: source{asked: p.next.SavedAt.UnixMilli()}}
	s.superseded, s.former = false, nil
	s.copyIs(copyWrong)
	s.shortened = false
	if setCookies != nil {
		s.setCookies = setCookies
		s.handedOut = true
	}
	s.settle(p, shows)
	if replaced != nil {
		s.emit(Event{Kind: EventLogout, ID: replaced.base.ID, User: replaced.base.User})
	}
	switch {
	case login != "":
		s.emit(Event{Kind: EventLogin, New: created})
	case created:
		s.emit(Event{Kind: EventCreated})
	case again:
		s.emit(Event{Kind: EventRenewed, Detail: "reauthenticated"})
	case renewed:
		s.emit(Event{Kind: EventRenewed})
	default:
		s.emit(Event{Kind: EventSaved})
	}
	if p.evicted > 0 {
		s.emit(Event{Kind: EventFlashDropped, Detail: fmt.Sprintf("%d unread, beyond Config.MaxFlashes", p.evicted)})
	}
}

// settle ends every save that succeeded, including one that had nothing to store.
// Nothing is pending any more, but flashes that were read and not shown yet stay
// marked as read.
func (s *Session) settle(p *plan, shows bool) {
	consumed := s.consumed
	if shows {
		consumed = nil
	} else {
		for i := range s.added {
			if s.added[i].consumed && i < len(p.numbers) {
				consumed = append(consumed, p.numbers[i])
			}
		}
	}
	s.intent = intent{consumed: consumed}
}
