package core_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/satchel-go/satchel/core"
)

// act is something that happens to a session while it is being moved.
type act struct {
	name string
	ends bool // nobody is logged in any more once it has succeeded
	run  func(w *stage, ctx context.Context, m *core.Manager) error
}

// stage is one session with its client, and what has happened to it.
type stage struct {
	*move
	id      core.ID
	first   *client // with the cookie that the session began with
	client  *client
	marks   []string // written by acts that succeeded
	hits    int
	ended   bool
	renewed bool // or about to be: requests with the token before may be told so
	another bool // a login that lost to a renewal has made a session of its own
	count   int
	gone    []string // acts that were told that the session has ended

	tokens  bool // the old side has tokens of its own
	partial bool // and does not list a user's sessions
	kept    map[string]string

	managers []*core.Manager // on which the outcome is looked at, in this order
}

// request is a whole request of the stage's client, which keeps its cookie to
// itself: it overlaps with others.
func (w *stage) request(ctx context.Context, m *core.Manager, handler func(*core.Session), after ...func(*core.Session)) error {
	c := newClient(w.T, m)
	maps.Copy(c.jar, w.client.jar)
	x := c.exchange()
	x.ctx = ctx
	s, err := m.Load(x)
	if err != nil {
		return err
	}
	if s.UserID() != "ann" { // the token was renewed meanwhile, or the session has ended
		m.Finish(s)
		return core.ErrEnded
	}
	handler(s)
	dropped := s.Ended()
	err = m.Commit(x, s, 200)
	dropped = dropped || s.Ended()
	m.Finish(s)
	if err == nil && dropped {
		err = core.ErrEnded
	}
	for _, f := range after {
		f(s)
	}
	if err == nil {
		c.jar = w.client.jar
		c.take(x)
	}
	return err
}

// keepJar keeps the cookies that a renewal has set. The answer to the request
// that moved the session may arrive after it and replace them.
func (w *stage) keepJar() {
	if w.tokens {
		w.kept = maps.Clone(w.client.jar)
	}
}

var hits = core.NewKey[int]("hits")

var acts = []act{
	{"write", false, func(w *stage, ctx context.Context, m *core.Manager) error {
		w.count++
		mark := fmt.Sprint("mark", w.count)
		err := w.request(ctx, m, func(s *core.Session) {
			s.Set(mark, mark)
			s.Flash("info", mark)
			hits.Update(s, func(n int) int { return n + 1 })
		})
		if err == nil {
			w.marks = append(w.marks, mark)
			w.hits++
		}
		return err
	}},
	{"read", false, func(w *stage, ctx context.Context, m *core.Manager) error {
		return w.request(ctx, m, func(*core.Session) {})
	}},
	{"update", false, func(w *stage, ctx context.Context, m *core.Manager) error {
		err := m.Update(ctx, w.id, func(s *core.Session) error {
			hits.Update(s, func(n int) int { return n + 1 })
			return nil
		})
		if err == nil {
			w.hits++
		}
		return err
	}},
	{"renew", false, func(w *stage, ctx context.Context, m *core.Manager) error {
		w.renewed = true
		defer w.keepJar()
		return w.request(ctx, m, func(s *core.Session) { s.Renew() })
	}},
	{"login", false, func(w *stage, ctx context.Context, m *core.Manager) error {
		w.renewed = true
		defer w.keepJar()
		return w.request(ctx, m, func(s *core.Session) { s.Login("ann") }, func(s *core.Session) { w.another = w.another || s.ID() != w.id })
	}},
	{"logout", true, func(w *stage, ctx context.Context, m *core.Manager) error {
		return w.request(ctx, m, func(s *core.Session) { s.Logout() })
	}},
	{"revoke", true, func(w *stage, ctx context.Context, m *core.Manager) error { return m.Revoke(ctx, w.id) }},
	{"revoke user", true, func(_ *stage, ctx context.Context, m *core.Manager) error {
		_, err := m.RevokeUser(ctx, "ann")
		return err
	}},
	{"revoke all", true, func(_ *stage, ctx context.Context, m *core.Manager) error { return m.RevokeAll(ctx) }},
}

// check holds the outcome against what the acts were told.
func (w *stage) check() {
	w.Helper()
	if len(w.gone) > 0 && !w.ended && !w.renewed {
		w.Errorf("told that the session has ended: %q", w.gone)
	}
	if w.ended {
		for i, m := range w.managers {
			for _, c := range []*client{w.first.fork(), w.client.fork()} {
				c.on(m).do(func(s *core.Session) {
					if s.ID() == w.id || s.UserID() != "" && !w.another {
						w.Errorf("K2: the session is back, on manager %d", i)
					}
				})
			}
			if err := m.View(w.Context(), w.id, func(*core.Session) error { return nil }); !errors.Is(err, core.ErrNotFound) {
				w.Errorf("K2: the session can be found by its ID, on manager %d: %v", i, err)
			}
		}
		return
	}
	if w.kept != nil {
		w.client.jar = w.kept
	}
	c := w.client.fork()
	if w.tokens {
		w.clock.advance(2 * time.Minute) // for answers that were lost
		c.on(w.during).use()
	}
	c.on(w.during).use() // in the new index, if the old one has none
	infos, err := w.during.List(w.Context(), "ann")
	if w.another { // a login that lost to a renewal has a session of its own
		c.on(w.during).do(func(s *core.Session) { w.id = s.ID() })
	}
	listed := slices.ContainsFunc(infos, func(i core.Info) bool { return i.ID == w.id })
	if err != nil && !errors.Is(err, core.ErrUnsupported) || !listed || len(infos) != 1 && !w.another {
		w.Errorf("I2: List: %v, %v", infos, err)
	}
	for i, m := range w.managers[:4] {
		c.on(m).do(func(s *core.Session) {
			if s.UserID() != "ann" {
				w.Errorf("logged out on manager %d", i)
				return
			}
			var flashes []string
			for _, f := range s.PeekFlashes() {
				flashes = append(flashes, f.Text)
			}
			slices.Sort(flashes)
			if w.another {
				return
			}
			for _, mark := range w.marks {
				if _, ok := core.Get[string](s, mark); !ok {
					w.Errorf("K1: %s was lost, on manager %d", mark, i)
				}
			}
			if !slices.Equal(flashes, slices.Sorted(slices.Values(w.marks))) {
				w.Errorf("K1: flashes %q, want %q", flashes, w.marks)
			}
			if n, _ := hits.Get(s); n != w.hits {
				w.Errorf("K1: %d hits, want %d, on manager %d", n, w.hits, i)
			}
		})
	}
	w.client = c
	if _, err := w.managers[1].RevokeUser(w.Context(), "ann"); err != nil && (!w.partial || !errors.Is(err, core.ErrUnsupported)) {
		w.Errorf("I2: %v", err)
	}
	w.ended = true
	w.check()
}

// actorOf starts an act and notes what it was told.
func (w *stage) actorOf(a act, m *core.Manager) *actor {
	return start(w.Context(), func(ctx context.Context) {
		err := a.run(w, ctx, m)
		switch {
		case err == nil && a.ends:
			w.ended = true
		case errors.Is(err, core.ErrNotFound), errors.Is(err, core.ErrEnded):
			w.gone = append(w.gone, a.name)
		case err != nil:
			w.Errorf("%s: %v", a.name, err)
		}
	})
}

func (w *stage) toward(direction string) *core.Manager {
	if direction == "forth" {
		return w.during
	}
	return w.back
}

// kept is the pair that keeps tokens, and its promises in both directions.
const kept = "memory to memory"

// newStage returns a session that is logged in on the old side of pair.
func newStage(t *testing.T, pair string) *stage {
	// An actor may wait long for its turn, on a machine that is busy.
	w := &stage{move: newMove(t, pair, func(c *core.Config) { c.LoadTimeout, c.CommitTimeout = time.Minute, time.Minute })}
	w.managers = []*core.Manager{w.during, w.back, w.during, w.after, w.back, w.before}
	if pair != kept {
		w.managers = []*core.Manager{w.during, w.during, w.during, w.after}
		w.tokens, w.partial = true, pair != "foreign to memory"
	}
	w.client = newClient(t, w.before)
	w.client.do(func(s *core.Session) { s.Login("ann") })
	w.client.do(func(s *core.Session) { w.id = s.ID() })
	w.first = w.client.fork()
	return w
}
