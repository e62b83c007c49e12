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

// isUnreadable reports whether something is there that is no session to this program.
func isUnreadable(err error) bool {
	return (errors.Is(err, ErrCorrupt) || errors.Is(err, ErrNewerVersion)) && !errors.Is(err, ErrUnavailable)
}

// save commits the session's changes: not its state, so that overlapping
// requests keep each other's (promise K1). On a conflict it applies them to the
// newest record and tries again, until the commit's time is over.
func (s *Session) save(ctx context.Context, shows bool) error {
	var late error
	t := saving{s: s, begun: time.Now(), maxFlashes: s.m.config.MaxFlashes}
	if writes := s.changed() || shows && len(s.taken) > 0; writes && s.noTouch && s.stored && !s.m.traits.ClientSide {
		// Its expiry is to stay as it is: not as it was before others touched it.
		if again, err := t.reload(ctx); !again {
			return err
		}
	}
	for {
		p, err := s.plan(shows, t.maxFlashes, &t.id)
		if err != nil {
			return err
		}
		if !p.changed {
			s.touch(ctx)
			s.settle(&p, shows)
			return late
		}
		if s.sent && (p.newToken || s.m.traits.ClientSide) {
			if !s.stored || s.login != "" || s.m.traits.ClientSide {
				return s.needsCookie()
			}
			s.tooLate(ReasonNoCookie, "renew or remember") // the rest is saved
			late = s.late
			s.renew, s.remember = false, unset
			continue
		}
		handle, lines, err := t.try(ctx, &p)
		if err == nil {
			s.adopt(&p, handle, lines, shows)
			return late
		}
		if again, err := t.recover(ctx, &p, err); !again {
			return err
		}
	}
}

// needsCookie refuses changes that come after the header and need it.
func (s *Session) needsCookie() error {
	reason, what := ReasonNoCookie, "change that needs a cookie"
	if !s.changed() {
		reason, what = ReasonLateFlash, "read flashes"
	}
	s.undo() // a login that comes too late leaves the session that it would have replaced in hand
	s.tooLate(reason, what)
	return s.late
}

// saving is the state of one save across its tries.
type saving struct {
	s          *Session
	begun      time.Time
	tries      int
	maxFlashes int
	id         ID // drawn for a new session
	reserved   ID // in the user's index, by this save
	former     ID // what was reserved before the session turned out to be gone
}

// try stores p once. A login is in the user's index before it is stored, and
// its token leaves only if it is still there afterwards.
func (t *saving) try(ctx context.Context, p *plan) (Handle, []string, error) {
	s, m := t.s, t.s.m
	if size := p.next.size(); size > m.config.MaxBytes {
		return nil, nil, &SizeError{Total: size, Limit: m.config.MaxBytes}
	}
	if err := t.reserve(ctx, &p.next); err != nil {
		return nil, nil, err
	}
	var base Handle
	if s.stored {
		base = s.handle
	}
	handle, token, err := m.backend.Save(ctx, m.scope, &p.next, base, p.newToken)
	if err != nil {
		return nil, nil, err
	}
	var lines []string
	if token != "" {
		if lines, err = m.tokenLines(token, &p.next, s.presented, m.config.Now()); err != nil {
			return nil, nil, asStored(err, p.next.size())
		}
	}
	if err := t.confirm(ctx, p, handle); err != nil {
		return nil, nil, err
	}
	if s.replaced != nil {
		if err := m.endOne(ctx, s.replaced.ending); err != nil {
			// Better no new session than two: the user tries again.
			_ = m.endOne(ctx, ending{handle: handle, id: p.next.ID, user: p.next.User})
			return nil, nil, err
		}
	}
	return handle, lines, nil
}

// asStored turns the sizes of a token that is too long into those of the
// record in it, which is what a handler can do something about.
func asStored(err error, size int) error {
	var tooLong *SizeError
	if !errors.As(err, &tooLong) || tooLong.Total == 0 {
		return err
	}
	return &SizeError{Total: size, Limit: tooLong.Limit * size / tooLong.Total}
}

// recover decides what follows from a failed try: again, or the save's error.
func (t *saving) recover(ctx context.Context, p *plan, err error) (again bool, _ error) {
	s := t.s
	var size *SizeError
	switch {
	case errors.As(err, &size):
		if p.flashes > 0 { // a flash is never the reason of an error page (promise F5)
			t.maxFlashes = p.flashes - 1
			return true, nil
		}
		t.release(ctx)
		size.Key, size.Bytes = p.next.largest()
		return false, fmt.Errorf("core: save session: %w", size)
	case errors.Is(err, errWithdrawn):
		s.drop()
		return false, nil
	case errors.Is(err, ErrConflict):
		return t.reapply(ctx)
	case isGone(err) && s.stored:
		return t.gone(ctx)
	}
	t.undo(context.WithoutCancel(ctx))
	if errors.Is(err, ErrSessionLimit) || errors.Is(err, ErrUnavailable) {
		return false, err
	}
	return false, unavailable("save", err)
}

// reapply fetches the newest record for the changes to be applied to. For a
// session that is new, the conflict is about its ID: another one is drawn.
func (t *saving) reapply(ctx context.Context) (again bool, _ error) {
	s := t.s
	if !s.stored {
		t.release(ctx)
		t.id = ID{}
		t.tries++
		if t.tries > 8 {
			return false, fmt.Errorf("core: save session: %w: the random source repeats itself", ErrUnavailable)
		}
		return true, nil
	}
	if time.Since(t.begun) > s.m.config.CommitTimeout || ctx.Err() != nil {
		t.release(ctx)
		return false, fmt.Errorf("core: save session: %w", ErrConflict)
	}
	s.tell(Event{Kind: EventConflict})
	t.pause()
	if ctx.Err() != nil {
		t.release(context.WithoutCancel(ctx))
		return false, fmt.Errorf("core: save session: %w", ErrConflict)
	}
	return t.reload(ctx)
}

// reload fetches the newest record.
func (t *saving) reload(ctx context.Context) (again bool, _ error) {
	s := t.s
	l, err := s.m.backend.Reload(ctx, s.m.scope, s.handle)
	if err == nil {
		err = s.m.current(&l.Record)
	}
	switch {
	case err == nil:
		s.base, s.handle = l.Record, l.Handle
		return true, nil
	case isGone(err):
		return t.gone(ctx)
	}
	return false, unavailable("reload", err)
}

// pause lets the others go ahead: longer the more often, and never in step.
func (t *saving) pause() {
	t.tries++
	if t.tries < 3 {
		runtime.Gosched()
		return
	}
	most := min(time.Duration(t.tries)*200*time.Microsecond, 10*time.Millisecond)
	time.Sleep(rand.N(most)) //nolint:gosec // jitter is no secret
}

// gone handles a session that another request has ended or renewed: what this
// one wrote is dropped, and nothing brings it back (promise K2). Only a login
// goes on, with a session of its own, unless the user's sessions were revoked.
func (t *saving) gone(ctx context.Context) (again bool, _ error) {
	s := t.s
	if s.login == "" {
		s.drop()
		return false, nil
	}
	s.base, s.handle, s.stored, s.superseded = Record{}, nil, false, true
	s.taken = nil
	if t.reserved.IsZero() {
		return true, nil
	}
	if s.m.config.SessionLimit == 0 {
		// The place stays until it lapses: another login in the same session
		// may have it too, and it tells of a revocation until this one has a new one.
		t.former, t.reserved = t.reserved, ID{}
		return true, nil
	}
	switch err := t.still(ctx, t.reserved); {
	case errors.Is(err, errWithdrawn):
		s.drop()
		return false, nil
	case err != nil:
		return false, err
	}
	t.release(ctx)
	return true, nil
}

// drop gives up what the request wrote, because its session was ended or
// renewed in the meantime. No cookie is set: the winner has set it.
func (s *Session) drop() {
	if s.changed() {
		s.tell(Event{Kind: EventDropped, Reason: ReasonEnded})
	}
	s.lose()
}

// adopt takes over what was stored: it is what this request sees from now on.
func (s *Session) adopt(p *plan, handle Handle, lines []string, shows bool) {
	created, login, renewed := !s.stored, s.login, s.renew
	replaced := s.replaced
	s.base, s.handle, s.stored, s.refresh, s.superseded = p.next, handle, true, false, false
	if lines != nil {
		s.setLines(lines)
	}
	s.settle(p, shows)
	if replaced != nil {
		s.tell(Event{Kind: EventLogout, ID: replaced.id, User: replaced.user})
	}
	switch {
	case login != "":
		s.tell(Event{Kind: EventLogin})
	case created:
		s.tell(Event{Kind: EventCreated})
	case renewed:
		s.tell(Event{Kind: EventRenewed})
	default:
		s.tell(Event{Kind: EventSaved})
	}
	if p.shed > 0 {
		s.tell(Event{Kind: EventFlashDropped, Detail: fmt.Sprintf("%d unread", p.shed)})
	}
}

// settle notes that nothing is pending any more. Flashes that were read but
// not shown yet are remembered as read.
func (s *Session) settle(p *plan, shows bool) {
	taken := s.taken
	if shows {
		taken = nil
	} else {
		for i := range s.added {
			if s.added[i].taken && i < len(p.numbers) {
				taken = append(taken, p.numbers[i])
			}
		}
	}
	s.forget()
	s.taken = taken
}
