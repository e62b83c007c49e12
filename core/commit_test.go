package core_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/satchel-go/satchel/core"
)

func TestC6HijackThatFailsTellsOfTheCookieToo(t *testing.T) {
	w, store := hookedServer(t)
	r := newClient(t, w.m).begin()
	r.s.Set("k", "v")
	if err := r.s.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	store.before = failing("save")
	r.s.Set("k", "w")
	if err := w.m.Commit(r.x, r.s, core.StatusHijacked); !errors.Is(err, core.ErrUnavailable) {
		t.Fatal(err)
	}
	w.m.Finish(r.s)
	if n := w.events.count(core.EventTooLate); n != 1 {
		t.Errorf("%d events of a cookie that was not sent", n)
	}
}

func TestC3FinishedTellsNoStatusAfterAFailedCommit(t *testing.T) {
	w := server(t)
	broken := &hooked{Store: w.store, before: func(string) error { return errors.New("down") }}
	w.m = w.manager(core.ServerSide(broken))
	r := newClient(t, w.m).begin()
	r.s.Set("k", "v")
	if r.end(200) == nil {
		t.Fatal("a commit that fails says nothing")
	}
	for _, e := range w.events.all {
		if e.Kind == core.EventFinished {
			if e.Status != 0 {
				t.Errorf("status %d, which the client has not got", e.Status)
			}
			return
		}
	}
	t.Error("no EventFinished")
}

func TestC6LateLogoutClientSideIsReported(t *testing.T) {
	w := inCookies(t)
	c := newClient(t, w.m)
	c.do(func(s *core.Session) { s.Login("ann") })
	r := c.begin()
	_ = w.m.Commit(r.x, r.s, 200)
	r.s.Logout()
	if err := r.s.Commit(t.Context()); !errors.Is(err, core.ErrTooLate) {
		t.Errorf("C6: Commit of a logout that came too late: %v", err)
	}
}

func TestC6LateRenewSavesTheRest(t *testing.T) {
	w := server(t)
	c := newClient(t, w.m)
	c.do(func(s *core.Session) { s.Set("k", "v") })
	r := c.begin()
	_ = w.m.Commit(r.x, r.s, 200)
	r.s.Set("late", "1")
	r.s.Renew()
	w.m.Finish(r.s)
	if c.get("late") != "1" {
		t.Error("C6: a late change that needs no cookie was not saved")
	}
}

func TestC3NothingIsStoredAfterAFailedCommit(t *testing.T) {
	w, spy := spied(t, func(c *core.Config) { c.KeepOnServerError = true })
	c := newClient(t, w.m)
	c.do(func(s *core.Session) { s.Set("k", "v") })
	r := c.begin()
	r.s.Set("k", "w")
	spy.fail = errors.New("down")
	if err := w.m.Commit(r.x, r.s, 200); err == nil {
		t.Fatal("no error")
	}
	spy.fail = nil
	r.s.Set("late", "1")
	w.m.Finish(r.s)
	if c.get("late") == "1" {
		t.Error("C3: stored after the client was told of a failure")
	}
}

// peeking looks at the session in its context, as a logger or tracer does.
type peeking struct {
	core.Store
	m **core.Manager
}

func (s peeking) Save(ctx context.Context, id core.ID, e core.Entry, base core.Version) (core.Version, error) {
	if sess, ok := core.FromContext(ctx); ok {
		_ = sess.ID()
	}
	if sess, ok := (*s.m).FromContext(ctx); ok {
		_ = sess.ID()
	}
	return s.Store.Save(ctx, id, e, base)
}

func TestCommitHidesTheSessionFromTheStore(t *testing.T) {
	w := server(t)
	var m *core.Manager
	m = w.manager(core.ServerSide(peeking{w.store, &m}))
	done := make(chan struct{})
	c := newClient(t, m)
	go func() {
		defer close(done)
		r := c.begin()
		r.s.Set("k", "v")
		_ = r.s.Commit(r.s.Context())
	}()
	select {
	case <-done:
	case <-time.After(2 * time.Second):
		t.Error("deadlock: Commit(r.Context()) holds the session's lock while the store sees the session")
	}
}
