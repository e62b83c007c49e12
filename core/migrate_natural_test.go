package core_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/satchel-go/satchel/core"
)

// shortenings make a session end before a cookie that it had earlier.
var shortenings = map[string]func(*core.Session){
	"login without Remember": func(s *core.Session) { s.Login("ann") },
	"Remember(false)":        func(s *core.Session) { s.Remember(false) },
	"SetTimeouts, idle":      func(s *core.Session) { s.Renew(); s.SetTimeouts(5*time.Minute, 0) },
	"SetTimeouts, lifetime":  func(s *core.Session) { s.Renew(); s.SetTimeouts(0, 10*time.Minute) },
}

func remembered(s *core.Session) {
	s.Login("ann")
	s.Remember(true)
}

// TestK2MigratingNaturalEnd: a cookie that was refused stays refused when the moved session has
// expired by idleness, for as long as it would have been good.
func TestK2MigratingNaturalEnd(t *testing.T) {
	for name, shorten := range shortenings {
		for _, pair := range []string{"cookie to memory", "foreign to memory"} {
			for _, when := range []string{"at the move", "at once", "later", "twice", "by a job"} {
				if when == "by a job" && name[:3] != "Set" {
					continue // it needs a client
				}
				t.Run(fmt.Sprintf("%s, %s, %s", name, pair, when), func(t *testing.T) {
					v := newMove(t, pair)
					c := newClient(t, v.before)
					c.do(remembered)
					old := c.fork()
					id := c.id()
					c.on(v.during)
					switch when {
					case "at the move":
					case "later":
						c.get("x")
						v.clock.advance(5 * 24 * time.Hour)
						c.get("x")
						v.clock.advance(10 * time.Minute)
					default:
						c.get("x")
						c.get("x")
					}
					if when == "by a job" {
						c.do(func(s *core.Session) { s.Renew() })
						if err := v.during.Update(t.Context(), id, func(s *core.Session) error {
							s.SetTimeouts(5*time.Minute, 0)
							return nil
						}); err != nil {
							t.Fatal(err)
						}
					} else {
						c.do(shorten)
					}
					if when == "twice" {
						c.do(func(s *core.Session) { s.SetTimeouts(time.Minute, 0) })
					}
					if when == "at once" { // a refusal leaves a tombstone, too
						if user := old.fork().on(v.during).user(); user != "" {
							t.Fatalf("the old cookie is %s at once", user)
						}
					}
					for range 15 * 24 {
						v.clock.advance(time.Hour)
						if user := old.fork().on(v.during).user(); user != "" {
							t.Fatalf("the old cookie is %s again", user)
						}
					}
					if _, err := v.new.Sweep(t.Context()); err != nil || v.new.Len() != 0 {
						t.Errorf("%d entries are left, %v", v.new.Len(), err)
					}
				})
			}
		}
	}
}

// TestK2MigratingRefusedCookieStaysRefused: the session had been shortened before it moved.
func TestK2MigratingRefusedCookieStaysRefused(t *testing.T) {
	for _, asked := range []time.Duration{0, time.Second, 20 * time.Minute} {
		v := newMove(t, "cookie to memory")
		c := newClient(t, v.before)
		c.do(remembered)
		old := c.fork()
		v.clock.advance(time.Second)
		c.do(func(s *core.Session) { s.Login("ann") })
		c.on(v.during).get("x")
		v.clock.advance(asked)
		for range 15 * 24 {
			if user := old.fork().on(v.during).user(); user != "" {
				t.Fatalf("asked after %v: the older cookie is %s", asked, user)
			}
			v.clock.advance(time.Hour)
		}
	}
}

// TestK2MigratingRefusedTouchStaysRefused: the cookie was refused without the touch that prolongs it.
func TestK2MigratingRefusedTouchStaysRefused(t *testing.T) {
	v := newMove(t, "cookie to memory")
	c := newClient(t, v.before)
	c.do(remembered)
	v.clock.advance(3 * 24 * time.Hour)
	c.get("x")
	old := c.fork()
	if old.jar[touchCookie] == "" {
		t.Fatal("there is no touch")
	}
	c.do(func(s *core.Session) { s.Login("ann") })
	c.on(v.during).get("x")
	bare := old.fork().on(v.during)
	delete(bare.jar, touchCookie)
	if user := bare.user(); user != "" {
		t.Fatalf("the older cookie is %s", user)
	}
	v.clock.advance(11*24*time.Hour + 12*time.Hour)
	if user := old.fork().on(v.before).user(); user != "ann" {
		t.Fatalf("before the migration the older cookie is %q", user)
	}
	if user := old.fork().on(v.during).user(); user != "" {
		t.Errorf("with its touch, the older cookie is %s", user)
	}
}

// TestMigratingEndsNaturallyAndComesAgain: a tombstone of one stay in the new backend does not end
// the next one.
func TestMigratingEndsNaturallyAndComesAgain(t *testing.T) {
	for _, pair := range []string{"cookie to memory", "foreign to memory"} {
		v := newMove(t, pair)
		c := newClient(t, v.before)
		c.do(remembered)
		id := c.id()
		c.on(v.during).get("x")
		c.do(func(s *core.Session) { s.Login("ann") })
		v.clock.advance(10 * time.Minute)
		c.on(v.back).do(func(s *core.Session) { s.Remember(true) })
		c.get("x")
		v.clock.advance(24 * time.Hour) // what was left in the store has expired
		c.get("x")
		c.on(v.during).do(func(s *core.Session) {
			if s.UserID() != "ann" || s.ID() != id {
				t.Errorf("%s: user %q after the way back", pair, s.UserID())
			}
		})
	}
}

// TestMigratingComesAgainUnchanged: nor does it if requests that only read have moved the session back,
// to a backend that does not count its moves.
func TestMigratingComesAgainUnchanged(t *testing.T) {
	for _, pair := range []string{"foreign to memory", "dirless to memory"} {
		v := newMove(t, pair)
		c, _, _ := v.fresh(t)
		c.on(v.during).get("x")
		v.clock.advance(time.Minute)
		c.do(func(s *core.Session) { s.SetTimeouts(5*time.Minute, 0) })
		for range 3 { // until what was left in the store has expired
			v.clock.advance(2 * time.Minute)
			c.on(v.back).get("x")
		}
		if user := c.on(v.during).user(); user != "ann" {
			t.Errorf("%s: user %q after the way back", pair, user)
		}
	}
}

// TestMigratingLeavesNoTombstoneWithoutNeed counts what ordinary sessions leave.
func TestMigratingLeavesNoTombstoneWithoutNeed(t *testing.T) {
	v := newMove(t, "cookie to memory")
	c, _, _ := v.fresh(t)
	c.on(v.during)
	for range 20 {
		c.do(func(s *core.Session) { s.Set("x", v.clock.now().String()) })
		v.clock.advance(7 * time.Minute)
		c.get("x")
	}
	c.do(func(s *core.Session) { s.Login("ann") })
	c.do(func(s *core.Session) { s.Renew() })
	if v.new.Len() != 1 {
		t.Errorf("%d entries, want the session alone", v.new.Len())
	}
}

// TestK2MigratingTombstoneComesFirst: if it cannot be made, the login fails and the session stays.
func TestK2MigratingTombstoneComesFirst(t *testing.T) {
	v := newMove(t, "cookie to memory")
	c := newClient(t, v.before)
	c.do(remembered)
	id := c.id()
	c.on(v.during).get("x")
	v.new.hook(func(op string, at core.ID) error {
		if op == "save" && at != id {
			return errDown
		}
		return nil
	})
	if err := c.logIn(); err == nil {
		t.Error("the login has succeeded without the tombstone")
	}
	v.new.hook(nil)
	if c.user() != "ann" {
		t.Error("logged out")
	}
}

// TestK2MigratingLongerCookieAfterLogout: a logout is final for older cookies too, which nobody has
// presented and which were to live longer than the one that moved.
func TestK2MigratingLongerCookieAfterLogout(t *testing.T) {
	for _, moved := range []bool{false, true} {
		v := newMove(t, "cookie to memory")
		c := newClient(t, v.before)
		c.do(remembered)
		old := c.fork().on(v.during)
		c.do(func(s *core.Session) { s.Remember(false) })
		if c.on(v.during); moved {
			c.get("x")
			c.get("x")
		}
		c.do(func(s *core.Session) { s.Logout() })
		for range 15 * 24 {
			if user := old.fork().user(); user != "" {
				t.Fatalf("moved %t: the older cookie is %s", moved, user)
			}
			v.clock.advance(time.Hour)
		}
	}

	v := newMove(t, "memory to cookie")
	c, _, _ := v.fresh(t)
	c.on(v.during).use()
	c.do(func(s *core.Session) { s.Remember(true) })
	old := c.fork().on(v.back)
	c.do(func(s *core.Session) { s.Remember(false) })
	v.clock.advance(20 * time.Minute)
	c.use()
	v.clock.advance(20 * time.Minute)
	c.do(func(s *core.Session) { s.Logout() })
	for range 14 * 24 {
		if user := old.fork().user(); user != "" {
			t.Fatalf("on the way back: the older cookie is %s", user)
		}
		v.clock.advance(time.Hour)
	}
}

// TestK2MigratingIdleTimeoutRaised: a cookie that was refused stays refused when servers with a longer
// idle timeout count its touches.
func TestK2MigratingIdleTimeoutRaised(t *testing.T) {
	for _, logout := range []bool{false, true} {
		v := newMove(t, "cookie to memory")
		raised := v.manager(v.stats, func(c *core.Config) { c.IdleTimeout = 8 * time.Hour })
		c, old, _ := v.fresh(t)
		v.clock.advance(10 * time.Minute)
		old.user()
		if old.jar[touchCookie] == "" {
			t.Fatal("there is no touch")
		}
		c.on(v.during).do(func(s *core.Session) { s.Login("ann") })
		if logout {
			c.do(func(s *core.Session) { s.Logout() })
		}
		if user := old.fork().on(v.during).user(); user != "" {
			t.Fatalf("the older cookie is %s", user)
		}
		for range 13 {
			v.clock.advance(time.Hour) // by now the session that has moved has expired
			if user := old.fork().on(raised).user(); user != "" {
				t.Fatalf("logout %t: the older cookie is %s", logout, user)
			}
		}
		if v.clock.advance(time.Minute); logout {
			continue // its tombstone lasts as long as one that was remembered might
		}
		if _, err := v.new.Sweep(t.Context()); err != nil || v.new.Len() != 0 {
			t.Errorf("%d entries are left, %v", v.new.Len(), err)
		}
	}
}
