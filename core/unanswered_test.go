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

func TestI1LoginWithoutAnAnswerTakesNoPlace(t *testing.T) {
	w, store := hookedServer(t, refusing)
	store.after = failing("save")
	c := newClient(t, w.m)
	if err := c.logIn(); !errors.Is(err, core.ErrUnavailable) {
		t.Fatalf("a login without an answer: %v", err)
	}
	if infos, err := w.m.List(t.Context(), "ann"); err != nil || len(infos) != 0 {
		t.Errorf("I2: listed %v, %v; nobody has the token of that session", infos, err)
	}
	store.after = nil
	if err := c.logIn(); err != nil {
		t.Errorf("I1: the next login: %v", err)
	}
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
			w, store := hookedServer(t)
			c := login(t, w, "ann")
			store.before, store.after = failing("delete"), failing("release")
			if err := end(w, c); !errors.Is(err, core.ErrUnavailable) {
				t.Fatalf("without an answer: %v", err)
			}
			store.before, store.after = nil, nil
			if infos, err := w.m.List(t.Context(), "ann"); err != nil || len(infos) != 1 {
				t.Errorf("I2: listed %v, %v; the session lives", infos, err)
			}
			if _, err := w.m.RevokeUser(t.Context(), "ann"); err != nil || c.user() != "" {
				t.Errorf("I2: after RevokeUser (%v) the user is %q", err, c.user())
			}
		})
	}
}
