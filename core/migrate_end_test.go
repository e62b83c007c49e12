package core_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/satchel-go/satchel/core"
)

// fresh returns a client that is logged in on the old backend, its ID, and a
// copy of it with the old cookie.
func (v *move) fresh(t *testing.T) (c, old *client, id core.ID) {
	t.Helper()
	c = newClient(t, v.before)
	c.do(func(s *core.Session) { s.Login("ann") })
	c.do(func(s *core.Session) { id = s.ID() })
	return c, c.fork(), id
}

// toMemory are the pairs that end at a store, where a logout can be final.
var toMemory = []string{"memory to memory", "cookie to memory", "foreign to memory", "dirless to memory"}

// TestK2MigratingOldCookieAfterLogout replays what a client had before the
// move: for as long as it would have been good.
func TestK2MigratingOldCookieAfterLogout(t *testing.T) {
	for _, pair := range toMemory {
		for _, moved := range []bool{false, true} {
			t.Run(pair, func(t *testing.T) {
				v := newMove(t, pair)
				c, old, _ := v.fresh(t)
				c.on(v.during)
				if moved {
					c.use()
					c.use()
				}
				c.do(func(s *core.Session) { s.Logout() })
				for range 31 {
					if user := old.fork().on(v.during).user(); user != "" {
						t.Fatalf("the old cookie is %s again", user)
					}
					v.clock.advance(time.Minute)
				}
			})
		}
	}
}

// TestMigratingTombstonesExpire shows that nothing stays of a session that has
// ended.
func TestMigratingTombstonesExpire(t *testing.T) {
	for _, pair := range toMemory {
		t.Run(pair, func(t *testing.T) {
			v := newMove(t, pair)
			c, _, _ := v.fresh(t)
			c.on(v.during).use()
			c.do(func(s *core.Session) { s.Logout() })
			if v.new.Len() != 1 {
				t.Fatalf("%d entries in the new store, want a tombstone", v.new.Len())
			}
			if users, err := v.new.Store.List(t.Context(), "ann"); err != nil || len(users) != 0 {
				t.Errorf("the tombstone is listed: %v, %v", users, err)
			}
			v.clock.advance(32 * time.Minute)
			if v.sealed { // an older cookie may have been remembered
				v.clock.advance(14 * 24 * time.Hour)
			}
			for name, p := range map[string]*probe{"old": v.old, "new": v.new} {
				if p == nil {
					continue
				}
				if _, err := p.Sweep(t.Context()); err != nil {
					t.Fatal(err)
				}
				if p.Len() != 0 {
					t.Errorf("%d entries in the %s store after the idle timeout", p.Len(), name)
				}
			}
		})
	}
}

// TestI1MigratingOldTokenAfterLogin is session fixation: who knows the token
// that a client had before its login has nothing of it afterwards.
func TestI1MigratingOldTokenAfterLogin(t *testing.T) {
	eachPair(t, func(t *testing.T, v *move) {
		for _, moved := range []bool{false, true} {
			c := newClient(t, v.before)
			c.do(func(s *core.Session) { s.Set("cart", "1") })
			thief := c.fork().on(v.during)
			c.on(v.during)
			if moved {
				c.use()
			}
			early := thief.begin() // one that is under way
			late := thief.begin()
			late.s.Set("late", "x")
			c.do(func(s *core.Session) { s.Login("ann") })
			if early.s.UserID() != "" {
				t.Error("a request that was under way sees the login")
			}
			if err := late.end(200); err != nil && !v.cookie {
				t.Error(err)
			}
			if v.cookie {
				continue // the last answer wins, and copies live on, as with any cookie
			}
			for _, wait := range []time.Duration{0, time.Second, time.Minute, 5 * time.Minute} {
				v.clock.advance(wait)
				if user := thief.fork().user(); user != "" {
					t.Errorf("moved %v: the old token is %s %v after the login", moved, user, wait)
				}
			}
			c.do(func(s *core.Session) {
				if late, _ := core.Get[string](s, "late"); s.UserID() != "ann" || late != "" {
					t.Errorf("moved %v: user %q, and a late write of the old token: %q", moved, s.UserID(), late)
				}
			})
		}
	})
}

// TestI1MigratingOldTokenAfterRenewal is the same for Renew.
func TestI1MigratingOldTokenAfterRenewal(t *testing.T) {
	for _, pair := range append(toMemory, "memory to cookie", "memory to foreign", "foreign to foreign") {
		t.Run(pair, func(t *testing.T) {
			v := newMove(t, pair)
			c, old, _ := v.fresh(t)
			c.on(v.during).use()
			c.do(func(s *core.Session) { s.Renew() })
			old.on(v.during)
			if user := old.fork().user(); user != "" {
				t.Errorf("the old token is %s after a renewal", user)
			}
			if user := c.user(); user != "ann" {
				t.Error("logged out")
			}
		})
	}
}

// TestMigratingAnswerLost loses the answer that carries the new token.
func TestMigratingAnswerLost(t *testing.T) {
	for _, pair := range []string{"cookie to memory", "foreign to memory", "dirless to memory", "memory to cookie"} {
		t.Run(pair, func(t *testing.T) {
			v := newMove(t, pair)
			c, old, id := v.fresh(t)
			c.on(v.during).do(func(s *core.Session) { s.Set("a", "1") })
			// c forgets what it was told.
			c = old.fork().on(v.during)
			c.do(func(s *core.Session) {
				if a, _ := core.Get[string](s, "a"); s.ID() != id || a != "1" {
					t.Errorf("at once: user %q, a = %q", s.UserID(), a)
				}
				s.Set("b", "2")
			})
			v.clock.advance(3 * time.Minute)
			c.do(func(s *core.Session) { s.Set("c", "3") })
			v.clock.advance(20 * time.Minute)
			c.use()
			v.clock.advance(20 * time.Minute)
			c.on(v.after).do(func(s *core.Session) {
				a, _ := core.Get[string](s, "a")
				b, _ := core.Get[string](s, "b")
				last, _ := core.Get[string](s, "c")
				if s.ID() != id || s.UserID() != "ann" || a+b+last != "123" {
					t.Errorf("on the new backend: user %q, a, b, c = %s, %s, %s", s.UserID(), a, b, last)
				}
			})
			// The old token ends once the new one was seen.
			v.clock.advance(5 * time.Minute)
			if user := old.on(v.during).user(); user != "" {
				t.Errorf("the old token is %s long after the new one was shown", user)
			}
		})
	}
}

// TestK2MigratingRevocation reaches sessions wherever they are.
func TestK2MigratingRevocation(t *testing.T) {
	revocations := []struct {
		name string
		run  func(ctx context.Context, m *core.Manager, id core.ID) error
	}{
		{"Revoke", func(ctx context.Context, m *core.Manager, id core.ID) error { return m.Revoke(ctx, id) }},
		{"RevokeUser", func(ctx context.Context, m *core.Manager, _ core.ID) error {
			_, err := m.RevokeUser(ctx, "ann")
			return err
		}},
		{"RevokeAll", func(ctx context.Context, m *core.Manager, _ core.ID) error { return m.RevokeAll(ctx) }},
	}
	eachPair(t, func(t *testing.T, v *move) {
		for _, r := range revocations {
			for _, moved := range []bool{false, true} {
				c, old, id := v.fresh(t)
				c.on(v.during)
				if moved {
					c.use()
					c.use()
					v.clock.advance(2 * time.Minute) // the old copy is kept for requests that are under way
				}
				err := r.run(t.Context(), v.during, id)
				// What only its client holds ends by RevokeAll alone.
				dark := v.old == nil || v.dirless("old")
				if moved {
					dark = v.new == nil || v.dirless("new")
				}
				partial := v.old == nil || v.new == nil || v.dirless("old") || v.dirless("new")
				v.clock.advance(time.Second)
				alive := c.fork().user() != "" || old.on(v.during).fork().user() != ""
				switch {
				case v.old == nil && v.new == nil && r.name != "RevokeAll":
					if !errors.Is(err, core.ErrUnsupported) {
						t.Errorf("%s, moved %v: %v, want ErrUnsupported", r.name, moved, err)
					}
				case r.name == "RevokeAll":
					if err != nil || alive {
						t.Errorf("RevokeAll, moved %v: %v, alive: %v", moved, err, alive)
					}
				case r.name == "RevokeUser":
					if errors.Is(err, core.ErrUnsupported) != partial || alive != dark {
						t.Errorf("RevokeUser, moved %v: %v, alive: %v", moved, err, alive)
					}
				case dark:
					if !errors.Is(err, core.ErrNotFound) && !errors.Is(err, core.ErrUnsupported) || !alive {
						t.Errorf("Revoke, moved %v: %v, alive: %v", moved, err, alive)
					}
				case err != nil || alive:
					t.Errorf("Revoke, moved %v: %v, alive: %v", moved, err, alive)
				}
				c.do(func(s *core.Session) { s.Logout() })
			}
		}
	})
}

// TestK2MigratingEndedWhileItMoves has a logout or a revocation succeed after the session has left
// the old backend, and before it is in the new one.
func TestK2MigratingEndedWhileItMoves(t *testing.T) {
	for _, pair := range []string{"memory to dirless", "memory to foreign", "foreign to dirless", "foreign to foreign", "foreign to cookie"} {
		for _, by := range []string{"logout", "revocation", "logout before the migration"} {
			t.Run(pair+", "+by, func(t *testing.T) {
				v := newMove(t, pair)
				c, old, id := v.fresh(t)
				r := c.on(v.during).begin()
				end := func() {
					switch by {
					case "logout":
						old.on(v.during).do(func(s *core.Session) { s.Logout() })
					case "revocation":
						if err := v.during.Revoke(t.Context(), id); err != nil && !errors.Is(err, core.ErrUnsupported) {
							t.Error(err)
						}
					default:
						old.on(v.before).do(func(s *core.Session) { s.Logout() })
					}
				}
				if v.new == nil {
					end()
				} else {
					done := false
					v.new.hook(func(op string, _ core.ID) error {
						if op == "save" && !done {
							done = true
							end()
						}
						return nil
					})
				}
				r.s.Set("x", "y")
				if err := r.end(200); err != nil {
					t.Error(err)
				}
				if user := c.user(); user != "" || !r.s.Ended() {
					t.Errorf("the session goes on, as %q, ended %v", user, r.s.Ended())
				}
			})
		}
	}
}
