package core_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/memstore"
	"github.com/satchel-go/satchel/core/sealed"
)

// move is two backends and what is between them.
type move struct {
	*world
	from, to       core.Backend
	before, after  *core.Manager // with one backend each
	during         *core.Manager
	back           *core.Manager // the other direction
	stats          *core.Migration
	old, new       *probe // nil if a cookie
	sealed, cookie bool   // from is a cookie; to is one
	pair           string
}

// dirless reports whether the old or the new backend finds sessions by their tokens alone.
func (v *move) dirless(which string) bool {
	if which == "old" {
		return strings.HasPrefix(v.pair, "dirless")
	}
	return strings.HasSuffix(v.pair, "dirless")
}

// pairs are the changes of backend that are tested.
var pairs = []string{"memory to memory", "cookie to memory", "memory to cookie", "cookie to cookie", "foreign to memory", "memory to foreign", "foreign to cookie", "dirless to memory", "memory to dirless"}

// eachPair runs test on all pairs but those named.
func eachPair(t *testing.T, test func(t *testing.T, v *move)) {
	for _, pair := range pairs {
		t.Run(pair, func(t *testing.T) { test(t, newMove(t, pair)) })
	}
}

func newMove(t *testing.T, pair string, edit ...func(*core.Config)) *move {
	t.Helper()
	v := &move{pair: pair, world: &world{T: t, clock: newClock(), events: &events{}}}
	var from, to string
	if _, err := fmt.Sscanf(pair, "%s to %s", &from, &to); err != nil {
		t.Fatal(err)
	}
	v.from, v.old = v.backend(from)
	v.to, v.new = v.backend(to)
	v.sealed, v.cookie = v.old == nil, v.new == nil
	v.before, v.after = v.manager(v.from, edit...), v.manager(v.to, edit...)
	v.stats = core.Migrating(v.from, v.to)
	v.during = v.manager(v.stats, edit...)
	v.back = v.manager(core.Migrating(v.to, v.from), edit...)
	v.m = v.during
	return v
}

func (v *move) backend(kind string) (core.Backend, *probe) {
	v.Helper()
	if kind == "cookie" {
		keys, err := sealed.ParseKeyring(sealed.GenerateKey())
		if err != nil {
			v.Fatal(err)
		}
		return core.ClientSide(sealed.Cookie(keys)), nil
	}
	s := memstore.New(memstore.Config{Now: v.clock.now, SweepInterval: -1})
	v.Cleanup(func() { _ = s.Close() })
	p := &probe{Store: s, calls: map[string]int{}}
	switch kind {
	case "foreign":
		return core.NewForeign(p), p
	case "dirless":
		return core.NewDirless(p), p
	}
	return core.ServerSide(p), p
}

// use has c's session moved, if it has not been: only a write moves it to a cookie.
func (c *client) use() {
	c.do(func(s *core.Session) {
		if c.uses++; c.m.Traits().ClientSide {
			s.Set("uses", c.uses)
		}
		s.UserID()
	})
}

// on is the same browser on another Manager.
func (c *client) on(m *core.Manager) *client {
	c.m = m
	return c
}

func TestMigratingKeepsSessions(t *testing.T) {
	eachPair(t, func(t *testing.T, v *move) {
		c := newClient(t, v.before)
		c.do(func(s *core.Session) {
			s.Login("ann")
			s.Set("theme", "dark")
			s.Flash("info", "hello")
		})
		var id core.ID
		c.do(func(s *core.Session) { id = s.ID() })
		token := c.jar["__Host-session"]

		c.on(v.during)
		check := func(when, theme string) {
			t.Helper()
			v.clock.advance(time.Second)
			c.do(func(s *core.Session) {
				got, _ := core.Get[string](s, "theme")
				if s.UserID() != "ann" || s.ID() != id || got != theme {
					t.Errorf("%s: user %q, the same ID: %v, theme %q, want %q", when, s.UserID(), s.ID() == id, got, theme)
				}
			})
		}
		check("first request", "dark")
		check("second request", "dark")
		c.do(func(s *core.Session) { s.Set("theme", "light") })
		c.on(v.after)
		check("on the new backend alone", "light")
		c.do(func(s *core.Session) {
			if f := s.Flashes(); len(f) != 1 || f[0].Text != "hello" {
				t.Errorf("flashes: %v", f)
			}
		})
		if v.stats.Stats().Moved != 1 || v.events.count(core.EventMoved) != 1 {
			t.Errorf("stats %+v and %d events, want one move", v.stats.Stats(), v.events.count(core.EventMoved))
		}
		if kept := c.jar["__Host-session"] == token; kept != (v.Name() == "TestMigratingKeepsSessions/memory_to_memory") {
			t.Errorf("kept its token: %v", kept)
		}

		c.on(v.back)
		check("on the way back", "light")
		c.do(func(s *core.Session) { s.Set("theme", "blue") })
		check("on the way back", "blue")
		v.clock.advance(6 * time.Minute) // what was left without an ID to find it by has expired
		check("on the way back", "blue")
		c.on(v.before)
		check("on the old backend alone", "blue")
		c.on(v.during)
		check("forth again", "blue")
		v.clock.advance(6 * time.Minute)
		check("forth again", "blue")
		c.use()
		c.on(v.after)
		check("forth again, alone", "blue")
		if s := v.stats.Stats(); s.Failed != 0 || s.LastMoved.IsZero() {
			t.Errorf("stats %+v", s)
		}
	})
}

func TestMigratingCostsOneLoadOnceMoved(t *testing.T) {
	eachPair(t, func(t *testing.T, v *move) {
		c := newClient(t, v.before)
		c.do(func(s *core.Session) { s.Login("ann") })
		c.on(v.during)
		c.use()
		c.use() // shows the new token
		for _, p := range []*probe{v.old, v.new} {
			if p != nil {
				p.count()
			}
		}
		c.use()
		if v.old != nil {
			if calls := v.old.count(); len(calls) != 0 {
				t.Errorf("calls of the old store: %v", calls)
			}
		}
		if v.new != nil {
			if calls := v.new.count(); calls["load"] != 1 || len(calls) != 1 {
				t.Errorf("calls of the new store: %v, want one load", calls)
			}
		}
	})
}

var errDown = errors.New("down")

func down(string, core.ID) error { return errDown }

// TestL3 shows that one of two stores being down logs nobody out.
func TestL3MigratingTellsAbsentFromUnavailable(t *testing.T) {
	eachPair(t, func(t *testing.T, v *move) {
		moved, waiting := newClient(t, v.before), newClient(t, v.before)
		for _, c := range []*client{moved, waiting} {
			c.do(func(s *core.Session) { s.Login("ann") })
			c.on(v.during)
		}
		moved.use()
		moved.use()
		load := func(c *client) error {
			r := c.begin0()
			return r
		}
		if v.old != nil {
			v.old.hook(down)
			if err := load(waiting); !errors.Is(err, core.ErrUnavailable) {
				t.Errorf("old store down, session not moved: %v", err)
			}
			if err := load(moved); err != nil {
				t.Errorf("old store down, session moved: %v", err)
			}
			v.old.hook(nil)
		}
		if v.new != nil {
			v.new.hook(down)
			for name, c := range map[string]*client{"moved": moved, "waiting": waiting} {
				if name == "waiting" && v.dirless("new") {
					continue // it cannot be asked about a session of the other
				}
				if err := load(c); !errors.Is(err, core.ErrUnavailable) {
					t.Errorf("new store down, %s: %v", name, err)
				}
			}
			v.new.hook(nil)
		}
		for _, c := range []*client{moved, waiting} {
			c.do(func(s *core.Session) {
				if s.UserID() != "ann" {
					t.Error("logged out")
				}
			})
		}
	})
}

// begin0 loads and returns only the error.
func (c *client) begin0() error {
	s, err := c.m.Load(c.exchange())
	if err == nil {
		c.m.Finish(s)
	}
	return err
}

// TestMigratingAllocatesNoMoreOnceMoved compares a request that reads.
func TestMigratingAllocatesNoMoreOnceMoved(t *testing.T) {
	for _, pair := range []string{"memory to memory", "cookie to memory"} {
		v := newMove(t, pair)
		v.during, v.after = v.quiet(v.stats), v.quiet(v.to)
		c, _, _ := v.fresh(t)
		c.on(v.during).use()
		c.use()
		allocs := func(m *core.Manager) float64 {
			x := c.exchange()
			return testing.AllocsPerRun(100, func() {
				s, err := m.Load(x)
				if err != nil {
					t.Fatal(err)
				}
				m.Finish(s)
			})
		}
		if during, after := allocs(v.during), allocs(v.after); during > after {
			t.Errorf("%s: %v allocations, %v without the migration", pair, during, after)
		}
	}
}

// quiet returns a Manager that records no events.
func (v *move) quiet(b core.Backend) *core.Manager {
	return v.manager(b, func(c *core.Config) { c.Observer = func(context.Context, core.Event) {} })
}
