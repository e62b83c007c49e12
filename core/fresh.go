package core

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// A backend with a window may answer requests that only read from a copy: see
// [Traits.Window]. Everything here asks it for the newest state instead.

type freshKey struct{}

// Fresh returns a context with which stores and backends answer with the newest state,
// not with a copy. The core uses it for every request that may change something, and
// for all that is done by ID.
func Fresh(ctx context.Context) context.Context { return context.WithValue(ctx, freshKey{}, true) }

// IsFresh reports whether ctx comes from [Fresh].
func IsFresh(ctx context.Context) bool { return ctx.Value(freshKey{}) != nil }

// Windowed is the optional ability of a [Store] that answers Load from copies, unless
// [IsFresh]. A copy that has expired is no answer, and neither is that there was none.
type Windowed interface {
	// Window returns how old an answer may be at most; see [Traits.Window].
	Window() time.Duration
}

// onlyReads reports whether requests with this method only read (RFC 9110 section 9.2.1).
func onlyReads(method string) bool {
	switch method {
	case "GET", "HEAD", "OPTIONS", "TRACE":
		return true
	}
	return false
}

// source says where a session's state is from.
type source struct {
	asked int64 // before the backend was asked for it, in Unix milliseconds; zero if unknown, as for a copy
	aged  bool  // it may be a copy, as old as the backend's window
}

// load asks for what a request presents. Only the newest state can say that there is no such
// session, or that its token was replaced: a copy may be from before the login that has
// issued the token.
func (m *Manager) load(ex Exchange, presented Tokens) (l LoadResult, from source, state copyState, err error) {
	ctx := ex.Context()
	ages := m.traits.Window > 0 && !m.config.FreshReads && onlyReads(ex.Method())
	if m.copies != nil {
		if ages {
			if l, ok := m.copies.open(ctx, m.scope, presented); ok && m.current(&l.Record) == nil {
				return l, source{aged: true}, copyGood, nil
			}
		}
		if ages || !m.copies.lives(presented.Touch) {
			state = copyOld
		}
		ages, from.asked = false, m.config.Now().UnixMilli()
	}
	ctx, cancel := m.deadline(ctx, m.config.LoadTimeout)
	defer cancel()
	if ages {
		if l, err = m.ask(ctx, presented); err == nil && !l.Superseded {
			return l, source{aged: true}, copyGood, nil
		}
		if err != nil && !isGone(err) && !isUnreadable(err) {
			return l, source{aged: true}, copyGood, err
		}
	}
	if m.traits.Window > 0 {
		ctx = Fresh(ctx)
	}
	l, err = m.ask(ctx, presented)
	return l, from, state, err
}

func (m *Manager) ask(ctx context.Context, presented Tokens) (LoadResult, error) {
	l, err := m.backend.Load(ctx, m.scope, presented)
	if err == nil && (!l.Superseded || l.Handle != nil) {
		err = m.current(&l.Record)
	}
	return l, err
}

// Refresh fetches the session's newest state, if the backend may have answered this
// request from a copy ([Traits.Window]) or the request runs long. Get then returns what
// others have stored. Changes of this request that are not committed stay.
//
// The error matches [ErrEnded] if the session is gone: then it reads empty, and changes
// are dropped, unless this request has logged in. It matches [ErrUnavailable] if the
// backend cannot say; then nothing changes. A new or client-side session is always fresh.
func (s *Session) Refresh(ctx context.Context) error {
	s.mu.Lock()
	defer s.unlock()
	switch {
	case s.phase == phaseSuperseded:
		return fmt.Errorf("core: refresh session: %w", ErrEnded)
	case s.phase == phaseReadOnly && !s.background:
		return fmt.Errorf("core: refresh session: %w: %w", ErrReadOnly, ErrUnavailable)
	case !s.stored, s.m.traits.ClientSide:
		return nil
	}
	ctx, cancel := s.m.deadline(ctx, s.m.config.LoadTimeout)
	defer cancel()
	switch err := s.refetch(ctx); {
	case err == nil:
		_, _, _ = s.planValues() // has pending updates start from the newest values; an error fails the commit
		return nil
	case !isGone(err):
		return unavailable("refresh", err)
	}
	if s.login == "" {
		s.lose()
	}
	return fmt.Errorf("core: refresh session: %w", ErrEnded)
}

// refetch puts the newest state in the place of the request's. Changes that are not stored stay.
func (s *Session) refetch(ctx context.Context) error {
	asked := s.m.config.Now().UnixMilli()
	l, err := s.m.backend.Reload(ctx, s.m.scope, s.handle)
	switch {
	case err == nil && l.Superseded:
		err = ErrNotFound
	case err == nil:
		err = s.m.kept(&l.Record)
		if s.keepsExpiry() { // and so would save what nobody could load
			err = s.m.current(&l.Record)
		}
	}
	if err != nil {
		return err
	}
	if !l.Record.SavedAt.Equal(s.base.SavedAt) {
		s.copyIs(copyOld)
	}
	s.base, s.handle, s.source = l.Record, l.Handle, source{asked: asked}
	return nil
}

// asserted is Refresh for a session whose state gives a right, if a copy may have said so.
func (s *Session) asserted(ctx context.Context) error {
	s.mu.Lock()
	aged := s.aged && s.stored
	s.mu.Unlock()
	if !aged {
		return nil
	}
	err := s.Refresh(ctx)
	if errors.Is(err, ErrEnded) {
		return nil // the session is empty now, which says it
	}
	return err
}
