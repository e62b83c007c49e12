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

// copyingStore is another store for each Manager, as far as can be seen.
type copyingStore struct{ core.Store }

func (s *copyingStore) WithConfig(core.Config) (core.Store, error) {
	return &copyingStore{s.Store}, nil
}

// TestMigratingRefusesWhatCannotWork checks what New says.
func TestMigratingRefusesWhatCannotWork(t *testing.T) {
	store := memstore.New(memstore.Config{})
	t.Cleanup(func() { _ = store.Close() })
	keys, err := sealed.ParseKeyring(sealed.GenerateKey())
	if err != nil {
		t.Fatal(err)
	}
	copying := &copyingStore{Store: store}
	memory, cookie := core.ServerSide(store), core.ClientSide(sealed.Cookie(keys))
	for _, c := range []struct {
		name     string
		from, to core.Backend
		config   core.Config
		want     string
	}{
		{"nothing to come from", nil, memory, core.Config{}, "nil"},
		{"nothing to go to", memory, nil, core.Config{}, "nil"},
		{"one backend", memory, memory, core.Config{}, "same store"},
		{"one store", memory, core.ServerSide(store), core.Config{}, "same store"},
		{"one store under an encryption", memory, core.ServerSide(sealed.Store(store, keys)), core.Config{}, "prefix of its own"},
		{"one store that adapts to its Config", core.ServerSide(copying), core.ServerSide(copying), core.Config{}, "same store"},
		{"a migration", core.Migrating(cookie, memory), core.ServerSide(memstore.New(memstore.Config{})), core.Config{}, "finish"},
		{"an old backend that cannot be used", core.ServerSide(nil), memory, core.Config{}, "old backend"},
		{"a new backend that cannot be used", memory, core.ClientSide(nil), core.Config{}, "new backend"},
		{"a limit that cannot be kept", memory, cookie, core.Config{SessionLimit: 1}, "SessionLimit"},
	} {
		if _, err := core.New(core.Migrating(c.from, c.to), c.config); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want an error with %q", c.name, err, c.want)
		}
	}
	m, err := core.New(core.Migrating(cookie, memory), core.Config{SessionLimit: 1})
	if err != nil || m.Traits().ClientSide || !m.Traits().Local {
		t.Errorf("cookie to memory: %v, %+v", err, m.Traits())
	}
	if text := fmt.Sprintf("%v %+v %#v", core.Migrating(cookie, memory), core.Migrating(cookie, memory), core.Migrating(cookie, memory)); strings.Contains(text, "0x") {
		t.Errorf("SEC44: %s", text)
	}
}

// TestE3MigratingLeavesWhatItCannotRead alone: it is no session, and stays.
func TestE3MigratingLeavesWhatItCannotRead(t *testing.T) {
	for name, edit := range map[string]func(data []byte) []byte{
		"corrupt": func(data []byte) []byte { return data[:len(data)-3] },
		"newer":   func(data []byte) []byte { return append([]byte{data[0] + 1}, data[1:]...) },
	} {
		for _, where := range []string{"old", "new"} {
			t.Run(name+" in the "+where, func(t *testing.T) {
				v := newMove(t, "memory to memory")
				c, _, id := v.fresh(t)
				p := v.old
				c.on(v.during)
				if where == "new" {
					p = v.new
					c.use()
				}
				e, err := p.Store.Load(t.Context(), id)
				if err != nil {
					t.Fatal(err)
				}
				e.Data = edit(append([]byte(nil), e.Data...))
				if _, err := p.Store.Save(t.Context(), id, e, e.Version); err != nil {
					t.Fatal(err)
				}
				c.do(func(s *core.Session) {
					if s.UserID() != "" {
						t.Errorf("user %q", s.UserID())
					}
					s.Set("x", "y")
				})
				left, err := p.Store.Load(t.Context(), id)
				if err != nil || string(left.Data) != string(e.Data) {
					t.Errorf("it was changed: %v", err)
				}
				if n := v.events.count(core.EventRejected); n != 1 {
					t.Errorf("%d events", n)
				}
				if err := v.during.Revoke(t.Context(), id); err != nil {
					t.Errorf("Revoke: %v", err)
				}
				if err := v.during.View(t.Context(), id, func(*core.Session) error { return nil }); !errors.Is(err, core.ErrNotFound) {
					t.Errorf("after Revoke: %v", err)
				}
			})
		}
	}
}

// TestI1MigratingSessionLimit counts sessions on both sides.
func TestI1MigratingSessionLimit(t *testing.T) {
	for _, policy := range []core.LimitPolicy{core.EndOldest, core.RefuseLogin} {
		t.Run(fmt.Sprint(policy), func(t *testing.T) {
			v := newMove(t, "memory to memory", func(c *core.Config) { c.SessionLimit, c.LimitPolicy = 3, policy })
			var clients []*client
			for range 3 {
				c, _, _ := v.fresh(t)
				v.clock.advance(time.Second)
				clients = append(clients, c.on(v.during))
			}
			clients[2].use() // moves; the two others are the oldest all the more
			login := func() error {
				v.clock.advance(time.Second)
				c := newClient(t, v.during)
				r := c.begin()
				r.s.Login("ann")
				err := r.end(200)
				clients = append(clients, c)
				return err
			}
			alive := func() (alive []bool) {
				for _, c := range clients {
					alive = append(alive, c.fork().user() == "ann")
				}
				return alive
			}
			if policy == core.RefuseLogin {
				if err := login(); !errors.Is(err, core.ErrSessionLimit) {
					t.Errorf("a fourth login: %v", err)
				}
				clients[0].do(func(s *core.Session) { s.Logout() })
				if err := login(); err != nil {
					t.Errorf("after a logout: %v", err)
				}
				if got := fmt.Sprint(alive()); got != "[false true true false true]" {
					t.Errorf("alive: %s", got)
				}
				clients[1].do(func(s *core.Session) { s.Login("ann") }) // the same session again
				return
			}
			for i, want := range []string{"[false true true true]", "[false false true true true]", "[false false false true true true]"} {
				if err := login(); err != nil {
					t.Fatal(err)
				}
				if i == 0 {
					// Not alive(): that would move the second and make it the newest.
					if clients[0].fork().user() != "" {
						t.Error("the oldest session was not ended")
					}
					continue
				}
				if got := fmt.Sprint(alive()); got != want {
					t.Errorf("alive after %d more logins: %s, want %s", i+1, got, want)
				}
			}
		})
	}
}

// TestI1MigratingSessionLimitUnderRaces never has more than the limit.
func TestI1MigratingSessionLimitUnderRaces(t *testing.T) {
	for seed := range 100 {
		v := newMove(t, "memory to memory", func(c *core.Config) { c.SessionLimit, c.CommitTimeout = 2, 10*time.Second })
		var clients []*client
		for range 2 {
			c, _, _ := v.fresh(t)
			clients = append(clients, c.on(v.during))
		}
		var actors []*actor
		for _, c := range clients {
			actors = append(actors, start(t.Context(), func(ctx context.Context) { v.use(ctx, c, nil) }))
		}
		for range 3 {
			c := newClient(t, v.during)
			clients = append(clients, c)
			actors = append(actors, start(t.Context(), func(ctx context.Context) {
				v.use(ctx, c, func(s *core.Session) { s.Login("ann") })
			}))
		}
		interleaveAll(uint64(seed), actors)
		alive := 0
		for _, c := range clients {
			if c.user() == "ann" {
				alive++
			}
		}
		if alive > 2 {
			t.Fatalf("seed %d: %d sessions, at most 2 are allowed", seed, alive)
		}
	}
}

// use is a request of c that may end in anything but a failure.
func (v *move) use(ctx context.Context, c *client, handler func(*core.Session)) {
	x := c.exchange()
	x.ctx = ctx
	s, err := c.m.Load(x)
	if err != nil {
		v.Errorf("load: %v", err)
		return
	}
	if handler != nil {
		handler(s)
	}
	if err := c.m.Commit(x, s, 200); err != nil {
		v.Errorf("commit: %v", err)
	}
	c.m.Finish(s)
	c.take(x)
}

// TestMigratingCrashBetweenMakingAndDeleting has every write of the old store
// fail once the session has been made in the new one.
func TestMigratingCrashBetweenMakingAndDeleting(t *testing.T) {
	v := newMove(t, "memory to memory")
	c, _, id := v.fresh(t)
	c.do(func(s *core.Session) { s.Flash("info", "hello") })
	saves := 0
	v.old.hook(func(op string, _ core.ID) error {
		if op == "load" || op == "list" {
			return nil
		}
		if saves++; saves == 1 {
			return nil // the mark
		}
		return errDown
	})
	c.on(v.during).do(func(s *core.Session) { s.Set("x", "y") })
	v.old.hook(nil)
	if _, err := v.old.Store.Load(t.Context(), id); err != nil {
		t.Fatalf("the old entry has gone: %v", err)
	}
	infos, err := v.during.List(t.Context(), "ann")
	if err != nil || len(infos) != 1 {
		t.Errorf("I2: listed %v, %v", infos, err)
	}
	for _, m := range []*core.Manager{v.during, v.back, v.during} {
		c.on(m).do(func(s *core.Session) {
			x, _ := core.Get[string](s, "x")
			if s.ID() != id || x != "y" || len(s.PeekFlashes()) != 1 {
				t.Errorf("user %q, x = %q, flashes %v", s.UserID(), x, s.PeekFlashes())
			}
		})
	}
	// A logout that cannot reach the old store says so, and can be repeated.
	v.old.hook(down)
	r := c.begin()
	r.s.Logout()
	if err := r.end(200); !errors.Is(err, core.ErrUnavailable) {
		t.Errorf("logout while the old store is down: %v", err)
	}
	v.old.hook(nil)
	if _, err := v.during.RevokeUser(t.Context(), "ann"); err != nil {
		t.Error(err)
	}
	for _, m := range []*core.Manager{v.during, v.back, v.before, v.after} {
		if user := c.fork().on(m).user(); user != "" {
			t.Errorf("K2: still %s", user)
		}
	}
}

// TestMigratingDone follows a session across the move.
func TestMigratingDone(t *testing.T) {
	v := newMove(t, "memory to memory")
	c, _, id := v.fresh(t)
	done, err := v.during.Done(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	c.on(v.during).use()
	select {
	case <-done:
		t.Fatal("the move was taken for an end")
	default:
	}
	c.do(func(s *core.Session) { s.Logout() })
	select {
	case <-done:
	case <-time.After(4 * time.Second):
		t.Error("nobody was told of the logout")
	}
}

// A session that moves while it is only read is seen all the time.
func TestI2MigratingLastSeen(t *testing.T) {
	eachPair(t, func(t *testing.T, v *move) {
		c := newClient(t, v.before)
		c.do(func(s *core.Session) { s.Login("ann"); s.Remember(true) })
		v.clock.advance(13 * 24 * time.Hour)
		check := func(m *core.Manager, later time.Duration) {
			t.Helper()
			v.clock.advance(later)
			c.on(m).user()
			c.user() // shows the new token
			touched := v.events.count(core.EventTouched)
			v.clock.advance(58 * time.Minute)
			if c.user() != "ann" {
				t.Fatal("T1: logged out")
			}
			if n := v.events.count(core.EventTouched) - touched; n != 0 {
				t.Errorf("T2: %d touches within an hour", n)
			}
			infos, err := m.List(t.Context(), "ann")
			unlisted := errors.Is(err, core.ErrUnsupported)
			if unlisted && len(infos) == 0 {
				return
			}
			if err != nil && !unlisted || len(infos) != 1 || v.clock.now().Sub(infos[0].LastSeen) >= time.Hour {
				t.Errorf("I2: a session in use is listed at %v as %+v, %v", v.clock.now(), infos, err)
			}
		}
		check(v.before, 0)
		check(v.before, 5*24*time.Hour)
		check(v.during, 2*time.Hour)
		check(v.during, 2*24*time.Hour)
		if c.use(); c.m.Traits().ClientSide {
			return
		}
		check(v.after, 3*24*time.Hour)
		check(v.after, 3*24*time.Hour)
	})
}
