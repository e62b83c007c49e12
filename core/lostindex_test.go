package core_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/memstore"
)

// losing is a store whose index can be lost, and whose search can fail.
type losing struct {
	*memstore.Store
	evicts    bool
	searches  int
	searching error
	blind     bool // the search finds nothing
}

func (s *losing) lose(t *testing.T) {
	t.Helper()
	loseIndex(t, s)
}

// loseIndex takes ann's members out of index, and its mark.
func loseIndex(t *testing.T, index core.UserIndex) {
	t.Helper()
	ids, err := index.List(t.Context(), "ann")
	if lost := (*core.IncompleteError)(nil); errors.As(err, &lost) {
		err = lost.Restored(t.Context())
	}
	for _, id := range ids {
		err = errors.Join(err, index.Release(t.Context(), "ann", id))
	}
	if err != nil {
		t.Fatal(err)
	}
}

func (s *losing) Search(ctx context.Context, users ...string) ([]core.ID, error) {
	s.searches++
	if s.searching != nil || s.blind {
		return nil, s.searching
	}
	return s.Store.Search(ctx, users...)
}

func (s *losing) Forgetful() bool { return s.evicts }

func newLosing(t *testing.T) (*world, *losing) {
	t.Helper()
	w := server(t)
	store := &losing{Store: w.store}
	w.m = w.manager(core.ServerSide(store))
	return w, store
}

// What needs the whole index does not take a lost one for an answer.
func TestI2SEC17SearchThatFailsIsAnError(t *testing.T) {
	for name, fails := range map[string]error{"down": errStoreDown, "time over": context.DeadlineExceeded, "not found": core.ErrNotFound} {
		t.Run(name, func(t *testing.T) {
			w, store := newLosing(t)
			ann, other := login(t, w, "ann"), login(t, w, "ann")
			store.lose(t)
			store.searching = fails
			ann.do(func(s *core.Session) {
				infos, err := s.List(t.Context())
				if !errors.Is(err, core.ErrUnavailable) {
					t.Errorf("List: %v, %v", infos, err)
				}
				if err := s.RevokeOthers(t.Context()); !errors.Is(err, core.ErrUnavailable) {
					t.Errorf("RevokeOthers: %v", err)
				}
				if err := s.RevokeOwn(t.Context(), other.id()); !errors.Is(err, core.ErrUnavailable) {
					t.Errorf("RevokeOwn: %v", err)
				}
			})
			store.evicts = true
			if n, err := w.m.RevokeUser(t.Context(), "ann"); !errors.Is(err, core.ErrUnavailable) || n != 0 {
				t.Errorf("RevokeUser: %d, %v", n, err)
			}
		})
	}
}

// Whoever needs all of a user's sessions searches after a use has put one back, and
// no longer once the search has put back the others.
func TestI2SEC17SessionThatCameBackHidesNoOther(t *testing.T) {
	comeBack := map[string]func(s *core.Session){
		"touch":       func(s *core.Session) { _ = s.Keys() },
		"write":       func(s *core.Session) { s.Set("k", "v") },
		"login again": func(s *core.Session) { s.Login("ann") },
	}
	for name, after := range map[string]struct {
		do    func(w *world, s *core.Session, other core.ID) error
		alive int // of two others
	}{
		"List": {func(w *world, s *core.Session, _ core.ID) error {
			infos, err := s.List(w.Context())
			if err == nil && len(infos) != 3 {
				w.Errorf("List: %d sessions", len(infos))
			}
			return err
		}, 2},
		"List of an operator": {func(w *world, _ *core.Session, _ core.ID) error {
			infos, err := w.m.List(w.Context(), "ann")
			if err == nil && len(infos) != 3 {
				w.Errorf("List: %d sessions", len(infos))
			}
			return err
		}, 2},
		"UpdateUser": {func(w *world, _ *core.Session, _ core.ID) error {
			n := 0
			err := w.m.UpdateUser(w.Context(), "ann", func(*core.Session) error { n++; return nil })
			if err == nil && n != 3 {
				w.Errorf("UpdateUser: %d sessions", n)
			}
			return err
		}, 2},
		"RevokeOwn":    {func(w *world, s *core.Session, other core.ID) error { return s.RevokeOwn(w.Context(), other) }, 1},
		"RevokeOthers": {func(w *world, s *core.Session, _ core.ID) error { return s.RevokeOthers(w.Context()) }, 0},
		"RevokeUser": {func(w *world, _ *core.Session, _ core.ID) error {
			n, err := w.m.RevokeUser(w.Context(), "ann")
			if err == nil && n != 3 {
				w.Errorf("RevokeUser: %d ended", n)
			}
			return err
		}, 0},
	} {
		for by, use := range comeBack {
			t.Run(name+" after a "+by, func(t *testing.T) {
				w, store := newLosing(t)
				w.T = t
				ann := login(t, w, "ann")
				others := []*client{login(t, w, "ann"), login(t, w, "ann")}
				other := others[0].id() // now: after the loss it would touch
				store.lose(t)
				w.clock.advance(16 * time.Minute)
				ann.do(use)
				ask := func() (err error) {
					r := ann.begin()
					err = after.do(w, r.s, other)
					_ = r.end(200)
					return err
				}
				store.searching = errStoreDown
				if err := ask(); !errors.Is(err, core.ErrUnavailable) {
					t.Errorf("a search that fails: %v", err)
				}
				store.searching, store.searches = nil, 0
				if err := ask(); err != nil {
					t.Error(err)
				}
				if _, err := store.List(t.Context(), "ann"); err != nil || store.searches != 1 {
					t.Errorf("%d searches, and then the index says %v", store.searches, err)
				}
				for i, b := range others {
					if user := b.user(); (user == "ann") != (i >= len(others)-after.alive) {
						t.Errorf("session %d is %q's", i, user)
					}
				}
			})
		}
	}
}

// What a search could not put back is searched for again.
func TestI2SEC17SearchThatRestoresNotAllLeavesTheMark(t *testing.T) {
	w, store := newLosing(t)
	ann, id := login(t, w, "ann"), login(t, w, "ann").id()
	e, err := w.store.Load(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	e.Data = []byte("nobody can read this")
	if _, err := w.store.Save(t.Context(), id, e, e.Version); err != nil {
		t.Fatal(err)
	}
	store.lose(t)
	w.clock.advance(16 * time.Minute)
	ann.do(func(s *core.Session) { _ = s.Keys() })
	ann.do(func(s *core.Session) {
		for range 2 {
			if infos, err := s.List(t.Context()); err != nil || len(infos) != 1 {
				t.Error(infos, err)
			}
		}
	})
	if store.searches != 2 {
		t.Errorf("%d searches, want one for each List", store.searches)
	}
	if _, err := w.m.RevokeUser(t.Context(), "ann"); err != nil || w.store.Len() != 0 {
		t.Errorf("RevokeUser: %v, and %d sessions are left", err, w.store.Len())
	}
}

// A store that cannot search says so instead of nothing.
func TestI2SEC17LostIndexWithoutASearch(t *testing.T) {
	w := server(t)
	index := &forgetful{Store: w.store, users: map[string][]core.ID{}}
	w.m = w.manager(core.ServerSide(index))
	ann := login(t, w, "ann")
	login(t, w, "ann")
	index.users["ann"] = nil
	ann.do(func(s *core.Session) {
		if err := s.RevokeOthers(t.Context()); !errors.Is(err, core.ErrUnavailable) {
			t.Errorf("RevokeOthers: %v", err)
		}
	})
	// Nor does one whose search does not find what is asked for.
	w, store := newLosing(t)
	store.blind = true
	ann = login(t, w, "ann")
	store.lose(t)
	ann.do(func(s *core.Session) {
		if infos, err := s.List(t.Context()); !errors.Is(err, core.ErrUnavailable) {
			t.Errorf("List: %v, %v", infos, err)
		}
	})
}

// An index that is whole costs no search, and neither does a session that has ended.
func TestI2SearchesOnlyForWhatIsLost(t *testing.T) {
	w, store := newLosing(t)
	ann, other := login(t, w, "ann"), login(t, w, "ann")
	ann.do(func(s *core.Session) {
		if infos, err := s.List(t.Context()); err != nil || len(infos) != 2 {
			t.Error(infos, err)
		}
		if err := s.RevokeOwn(t.Context(), other.id()); err != nil {
			t.Error(err)
		}
		if n, err := w.m.RevokeUser(t.Context(), "ann"); n != 1 || err != nil {
			t.Error(n, err)
		}
		if infos, err := s.List(t.Context()); err != nil || len(infos) != 0 {
			t.Error(infos, err)
		}
	})
	if store.searches != 0 {
		t.Errorf("%d searches", store.searches)
	}
}

// RevokeUser says how many sessions it has ended, although others failed.
func TestI2RevokeUserCounts(t *testing.T) {
	w, spy := spied(t)
	var ids []core.ID
	for range 3 {
		ids = append(ids, login(t, w, "ann").id())
	}
	spy.load = func(id core.ID) (core.Entry, error) {
		if id == ids[1] {
			return core.Entry{}, errStoreDown
		}
		return w.store.Load(t.Context(), id)
	}
	if n, err := w.m.RevokeUser(t.Context(), "ann"); n != 2 || !errors.Is(err, core.ErrUnavailable) {
		t.Errorf("%d ended, %v; want 2 and an error", n, err)
	}
	spy.load = nil
	if n, err := w.m.RevokeUser(t.Context(), "ann"); n != 1 || err != nil {
		t.Errorf("%d ended, %v; want the one that is left", n, err)
	}
}

// A save keeps its session in the index for as long as it lasts then.
func TestI2SavesMend(t *testing.T) {
	w, store := newLosing(t)
	ann := login(t, w, "ann")
	store.lose(t)
	ann.do(func(s *core.Session) { s.Set("k", "just after the login") })
	w.clock.advance(5 * time.Minute)
	ann.do(func(s *core.Session) { s.Set("k", "later") })
	lost := (*core.IncompleteError)(nil)
	if ids, err := store.List(t.Context(), "ann"); !slices.Equal(ids, []core.ID{ann.id()}) || !errors.As(err, &lost) {
		t.Errorf("the index has %v, %v", ids, err)
	}
	store.lose(t)
	ann.do(func(s *core.Session) { s.Remember(true) })
	if ids, err := store.List(t.Context(), "ann"); !slices.Equal(ids, []core.ID{ann.id()}) {
		t.Errorf("after Remember the index has %v, %v", ids, err)
	}
}

// Nothing of a user is left after the idle expiry of all of the sessions.
func TestI2SEC13NothingIsLeftOfExpiredSessions(t *testing.T) {
	w := server(t)
	w.m = w.manager(core.ServerSide(w.store), func(c *core.Config) { c.IdleTimeout = time.Minute })
	ann := login(t, w, "ann")
	login(t, w, "ann")
	for range 5 {
		w.clock.advance(30 * time.Second)
		ann.do(func(s *core.Session) { _ = s.Keys() })
	}
	w.clock.advance(10 * time.Minute)
	if _, err := w.store.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	if ids, err := w.store.List(t.Context(), "ann"); len(ids) != 0 || w.store.Len() != 0 || err != nil {
		t.Errorf("%d members and %d sessions are left, %v", len(ids), w.store.Len(), err)
	}
}

// A migration mends and searches on both sides.
func TestI2MigratingLostIndex(t *testing.T) {
	v := newMove(t, "memory to memory")
	var browsers []*client
	for range 3 {
		v.m = v.before
		browsers = append(browsers, login(t, v.world, "ann"))
	}
	browsers[0].on(v.during).do(func(s *core.Session) { s.Set("k", "moved") })
	lose := func() {
		t.Helper()
		for _, p := range []*probe{v.old, v.new} {
			loseIndex(t, p)
		}
	}
	lose()
	browsers[0].do(func(s *core.Session) {
		if infos, err := s.List(t.Context()); len(infos) != 3 || err != nil {
			t.Errorf("List: %v, %v", infos, err)
		}
	})
	lose()
	v.clock.advance(16 * time.Minute)
	browsers[1].on(v.during).do(func(s *core.Session) { s.Set("k", "moves out of the lost index") })
	browsers[1].do(func(s *core.Session) {
		for range 2 { // the first search marks the other index
			if infos, err := s.List(t.Context()); len(infos) != 3 || err != nil {
				t.Errorf("List after a move: %v, %v", infos, err)
			}
		}
	})
	for _, p := range []*probe{v.old, v.new} {
		if _, err := p.List(t.Context(), "ann"); err != nil {
			t.Errorf("after the search: %v", err)
		}
	}
	lose()
	browsers[0].do(func(s *core.Session) {
		if err := s.RevokeOthers(t.Context()); err != nil {
			t.Error(err)
		}
	})
	for i, b := range browsers {
		if user := b.on(v.during).user(); (user == "ann") != (i == 0) {
			t.Errorf("session %d is %q's", i, user)
		}
	}
}
