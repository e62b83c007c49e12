package core_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/satchel-go/satchel/core"
)

// TestL4MigratingNearTheDeadline: what a session leaves in the old store serves late requests
// until a minute later, though the session that was there had less than that to live.
func TestL4MigratingNearTheDeadline(t *testing.T) {
	for _, pair := range pairs {
		for _, left := range []time.Duration{5 * time.Second, 40 * time.Second, 70 * time.Second, 100 * time.Second} {
			if pair == "cookie to cookie" || pair == "foreign to cookie" {
				continue // what is left there is what there was
			}
			t.Run(fmt.Sprintf("%s, %v left", pair, left), func(t *testing.T) {
				begin := func() (v *move, c, old *client) {
					v = newMove(t, pair, func(c *core.Config) { c.Lifetime = 30 * time.Minute })
					c, old, _ = v.fresh(t)
					v.clock.advance(30*time.Minute - left)
					c.on(v.during)
					old.on(v.during)
					return v, c, old
				}
				v, c, old := begin()
				c.do(func(s *core.Session) { s.Login("ann") })
				v.clock.advance(time.Second)
				old.do(func(s *core.Session) { s.Set("late", "x") })
				if len(old.last.setCookie) != 0 {
					t.Errorf("a request that was late for the login has set %q", old.last.setCookie)
				}
				if c.user() != "ann" {
					t.Error("logged out")
				}

				v, c, old = begin()
				c.do(func(s *core.Session) { s.SetTimeouts(0, time.Hour) }) // and the answer is lost
				v.clock.advance(time.Second)
				if user := old.user(); user != "ann" {
					t.Errorf("the old token, which is all that the client has, is %q", user)
				}
			})
		}
	}
}

// TestT1MigratingWorkAcrossTheIdleLimit: a request that moves the session, or finds it moved by
// another meanwhile, is kept for a minute after the idle limit. Later it is told.
func TestT1MigratingWorkAcrossTheIdleLimit(t *testing.T) {
	for _, pair := range append(toMemory, "memory to foreign", "memory to dirless") {
		for _, overlap := range []bool{false, true} {
			if overlap && pair == "memory to dirless" {
				continue // each makes a copy of its own
			}
			for _, after := range []time.Duration{0, 50 * time.Second, time.Minute} {
				t.Run(fmt.Sprintf("%s, overlapping %t, %v after", pair, overlap, after), func(t *testing.T) {
					v := newMove(t, pair)
					c, other, _ := v.fresh(t)
					other.jar = c.jar // of one browser
					v.clock.advance(30*time.Minute - time.Second)
					r, first := c.on(v.during).begin(), other.on(v.during).begin()
					v.clock.advance(time.Second + after)
					late := after == time.Minute
					if overlap {
						first.s.Set("first", "x")
						if err := first.end(200); errors.Is(err, core.ErrEnded) != late {
							t.Errorf("the first: %v", err)
						}
					}
					r.s.Set("second", "x")
					if err := r.end(200); errors.Is(err, core.ErrEnded) != late {
						t.Errorf("the second: %v", err)
					}
					if late {
						return
					}
					if c.user() != "ann" || c.get("second") != "x" || (c.get("first") == "x") != overlap {
						t.Errorf("user %q, first %q, second %q", c.user(), c.get("first"), c.get("second"))
					}
				})
			}
		}
	}
}

// TestK2MigratingEndedAcrossTheIdleLimit: a session that is ended while it moves shortly before
// its idle limit, or in the minute after it, stays ended.
func TestK2MigratingEndedAcrossTheIdleLimit(t *testing.T) {
	for _, pair := range []string{"memory to memory", "foreign to memory", "memory to dirless", "memory to foreign", "foreign to foreign", "foreign to dirless"} {
		for _, by := range []string{"logout", "revocation", "logout before the limit"} {
			t.Run(pair+", "+by, func(t *testing.T) {
				v := newMove(t, pair)
				c, old, id := v.fresh(t)
				v.clock.advance(30*time.Minute - 20*time.Second)
				r, other := c.on(v.during).begin(), old.on(v.during).begin()
				if by != "logout before the limit" {
					v.clock.advance(time.Minute)
				}
				done := false
				v.new.hook(func(op string, _ core.ID) error {
					if op != "save" || done {
						return nil
					}
					done = true
					if by != "revocation" {
						other.s.Logout()
						if err := other.end(200); err != nil {
							t.Error(err)
						}
					} else if err := v.during.Revoke(t.Context(), id); !errors.Is(err, core.ErrNotFound) && !errors.Is(err, core.ErrUnsupported) && err != nil {
						t.Error(err)
					}
					return nil
				})
				r.s.Set("x", "y")
				_ = r.end(200) // which may also say that it has expired
				if user := c.user(); user != "" || !r.s.Ended() || len(r.x.setCookie) != 0 {
					t.Errorf("the session goes on, as %q, ended %v, with %q", user, r.s.Ended(), r.x.setCookie)
				}
			})
		}
	}
}
