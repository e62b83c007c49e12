package core_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/satchel-go/satchel/core"
)

// touchless is a Store whose touches fail.
type touchless struct {
	core.Store
	touches int
}

func (s *touchless) Unwrap() core.Store { return s.Store }

func (s *touchless) Touch(context.Context, core.ID, core.Version, time.Time) error {
	s.touches++
	return context.DeadlineExceeded
}

func TestT2FailedTouchIsNotTriedAgain(t *testing.T) {
	w := server(t)
	store := &touchless{Store: w.store}
	w.m = w.manager(core.ServerSide(store))
	c := newClient(t, w.m)
	c.do(func(s *core.Session) { s.Set("k", "v") })
	w.clock.advance(20 * time.Minute)
	c.do(func(s *core.Session) { _, _ = core.Get[string](s, "k") })
	if store.touches != 1 {
		t.Errorf("T2: a request waited for %d touches of a store that is down, want 1", store.touches)
	}
}

// unanswered is a Store that carries out saves and loses the answers, or that does not
// answer loads.
type unanswered struct {
	core.Store
	losing, down bool
}

func (s *unanswered) Unwrap() core.Store { return s.Store }

func (s *unanswered) Load(ctx context.Context, id core.ID) (core.Entry, error) {
	if s.down {
		return core.Entry{}, context.DeadlineExceeded
	}
	return s.Store.Load(ctx, id)
}

func (s *unanswered) Save(ctx context.Context, id core.ID, e core.Entry, base core.Version) (core.Version, error) {
	v, err := s.Store.Save(ctx, id, e, base)
	if err == nil && s.losing {
		return 0, context.DeadlineExceeded
	}
	return v, err
}

func TestI1LoginWithoutAnAnswerTakesNoPlace(t *testing.T) {
	w := server(t)
	store := &unanswered{Store: w.store, losing: true}
	w.m = w.manager(core.ServerSide(store), func(c *core.Config) { c.SessionLimit, c.LimitPolicy = 1, core.RefuseLogin })
	c := newClient(t, w.m)
	r := c.begin()
	r.s.Login("ann")
	if err := r.end(200); !errors.Is(err, core.ErrUnavailable) {
		t.Fatalf("a login without an answer: %v", err)
	}
	if infos, err := w.m.List(t.Context(), "ann"); err != nil || len(infos) != 0 {
		t.Errorf("I2: listed %v, %v; nobody has the token of that session", infos, err)
	}
	store.losing = false
	r = c.begin()
	r.s.Login("ann")
	if err := r.end(200); err != nil {
		t.Errorf("I1: the next login: %v", err)
	}
}

// unreleased is a Store whose index carries out releases and loses the
// answers, and which can delete nothing.
type unreleased struct {
	core.Store
	core.UserIndex
	losing bool
}

func (s *unreleased) Release(ctx context.Context, user string, id core.ID) error {
	if err := s.UserIndex.Release(ctx, user, id); err != nil || !s.losing {
		return err
	}
	return context.DeadlineExceeded
}

func (s *unreleased) Delete(ctx context.Context, id core.ID) error {
	if s.losing {
		return context.DeadlineExceeded
	}
	return s.Store.Delete(ctx, id)
}

func TestI2EndWithoutAnAnswerLeavesTheSessionInTheIndex(t *testing.T) {
	for name, end := range map[string]func(*world, *client) error{
		"logout": func(_ *world, c *client) error {
			r := c.begin()
			r.s.Logout()
			return r.end(200)
		},
		"revoke":          func(w *world, c *client) error { return w.m.Revoke(w.Context(), c.id()) },
		"revoke the user": func(w *world, _ *client) error { _, err := w.m.RevokeUser(w.Context(), "ann"); return err },
	} {
		t.Run(name, func(t *testing.T) {
			w := server(t)
			store := &unreleased{Store: w.store, UserIndex: w.store}
			w.m = w.manager(core.ServerSide(store))
			c := login(t, w, "ann")
			store.losing = true
			if err := end(w, c); !errors.Is(err, core.ErrUnavailable) {
				t.Fatalf("without an answer: %v", err)
			}
			store.losing = false
			if infos, err := w.m.List(t.Context(), "ann"); err != nil || len(infos) != 1 {
				t.Errorf("I2: listed %v, %v; the session lives", infos, err)
			}
			if _, err := w.m.RevokeUser(t.Context(), "ann"); err != nil || c.user() != "" {
				t.Errorf("I2: after RevokeUser (%v) the user is %q", err, c.user())
			}
		})
	}
}
