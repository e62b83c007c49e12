package core_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/satchel-go/satchel/core"
)

// fromTokens are the pairs that end at a store and begin where tokens are others.
var fromTokens = []string{"cookie to memory", "foreign to memory", "dirless to memory"}

// wantLate checks what is left of the token that old has: nothing, and while
// requests with it may be under way, their answers leave the new one alone.
func (v *move) wantLate(old *client, id core.ID) {
	v.Helper()
	x := old.fork().on(v.during)
	x.do(func(s *core.Session) {
		if s.UserID() != "" {
			v.Errorf("the old token is %s", s.UserID())
		}
		s.Set("late", "x")
	})
	if len(x.last.setCookie) != 0 {
		v.Errorf("L4: a late request has set %q", x.last.setCookie)
	}
	v.clock.advance(6 * time.Minute)
	x = old.fork().on(v.during)
	x.do(func(s *core.Session) { s.Set("new", "x") })
	if len(x.last.setCookie) == 0 {
		v.Error("L4: whoever has only the old token can never begin again")
	}
	x.do(func(s *core.Session) {
		if s.UserID() != "" || s.ID() == id {
			v.Errorf("the old token has led to the session, as %q", s.UserID())
		}
	})
}

// TestL4MigratingOldTokenEndsWhenTheNewIsShown: whoever has a copy of the old one
// has nothing of it any more.
func TestL4MigratingOldTokenEndsWhenTheNewIsShown(t *testing.T) {
	for _, pair := range []string{"cookie to memory", "dirless to memory"} {
		t.Run(pair, func(t *testing.T) {
			v := newMove(t, pair)
			c, old, id := v.fresh(t)
			c.on(v.during).use()
			c.use() // shows the new one
			if user := old.fork().on(v.during).user(); user != "ann" {
				t.Errorf("a request that was under way is %q", user)
			}
			v.clock.advance(80 * time.Second) // a minute in which it is honoured, and then
			v.wantLate(old, id)
			if c.user() != "ann" {
				t.Error("logged out")
			}
		})
	}
}

// TestL4MigratingLateAfterALogin has requests with the old token come after
// a login that the session's move was part of, or came before.
func TestL4MigratingLateAfterALogin(t *testing.T) {
	for _, pair := range append([]string{"memory to cookie", "memory to foreign", "memory to dirless"}, fromTokens...) {
		for _, moved := range []bool{false, true} {
			t.Run(pair, func(t *testing.T) {
				v := newMove(t, pair)
				c := newClient(t, v.before)
				c.do(func(s *core.Session) { s.Set("cart", "1") })
				old := c.fork()
				var id core.ID
				c.do(func(s *core.Session) { id = s.ID() })
				if c.on(v.during); moved {
					c.use()
				}
				c.do(func(s *core.Session) { s.Login("ann") })
				v.wantLate(old, id)
				if c.user() != "ann" {
					t.Error("logged out")
				}
			})
		}
	}
}

// TestL4MigratingOthersDoNotShowTheToken: only the client can show that it has
// the new token. Until then the old one is all that it may have.
func TestL4MigratingOthersDoNotShowTheToken(t *testing.T) {
	for name, act := range map[string]func(v *move, c *client, id core.ID){
		"a job": func(v *move, c *client, id core.ID) {
			c.use()
			if err := v.during.Update(v.Context(), id, func(s *core.Session) error { s.Set("job", "x"); return nil }); err != nil {
				v.Error(err)
			}
		},
		"a second commit": func(v *move, c *client, _ core.ID) {
			c.do(func(s *core.Session) {
				s.Set("one", "1")
				if err := s.Commit(v.Context()); err != nil {
					v.Error(err)
				}
				s.Set("two", "2")
			})
		},
		"the old token": func(_ *move, c *client, _ core.ID) {
			c.fork().use()
			c.fork().do(func(s *core.Session) { s.Set("x", "y") })
		},
	} {
		for _, pair := range fromTokens {
			t.Run(name+", "+pair, func(t *testing.T) {
				v := newMove(t, pair)
				_, old, id := v.fresh(t)
				act(v, old.fork().on(v.during), id) // and the answer is lost
				v.clock.advance(2 * time.Minute)
				if user := old.fork().on(v.during).user(); user != "ann" {
					t.Errorf("the old token, which is all that the client has, is %q", user)
				}
			})
		}
	}
}

// TestL4MigratingOverlapGetsOneToken: requests that overlap the one that moved
// the session, or one that was given the token again, are not given one each: the
// last answer could be that of a token that was replaced.
func TestL4MigratingOverlapGetsOneToken(t *testing.T) {
	for _, pair := range fromTokens {
		for _, lost := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, answer lost %v", pair, lost), func(t *testing.T) {
				v := newMove(t, pair)
				c, old, _ := v.fresh(t)
				c.on(v.during).use()
				if lost {
					v.clock.advance(2 * time.Minute)
					c = old.fork().on(v.during)
					if c.get("x"); len(c.last.setCookie) == 0 {
						t.Error("a client that only reads is not given the token again")
					}
				}
				late := old.fork().on(v.during)
				late.do(func(s *core.Session) { s.Set("x", "y") })
				if len(late.last.setCookie) != 0 {
					t.Errorf("set %q", late.last.setCookie)
				}
				if c.get("x") != "y" {
					t.Error("logged out, or the write was lost")
				}
			})
		}
	}
}

// TestL4MigratingRequestsUnderWay come with the old token, just after the
// client has been given the new one, and after it has shown it.
func TestL4MigratingRequestsUnderWay(t *testing.T) {
	eachPair(t, func(t *testing.T, v *move) {
		c, old, _ := v.fresh(t)
		c.on(v.during)
		for range 2 {
			c.use()
			v.clock.advance(20 * time.Second)
			if user := old.fork().on(v.during).user(); user != "ann" {
				t.Errorf("a request that was under way is %q", user)
			}
		}
	})
}

// TestL4MigratingOldTokenOfAStoreEnds: where nobody can tell whether the client has
// the new token, the old one ends soon, or there would be two sessions.
func TestL4MigratingOldTokenOfAStoreEnds(t *testing.T) {
	for _, pair := range []string{"memory to foreign", "memory to dirless"} {
		v := newMove(t, pair)
		c, old, _ := v.fresh(t)
		c.on(v.during).use()
		v.clock.advance(2 * time.Minute)
		for name, m := range map[string]*core.Manager{"during": v.during, "before": v.before} {
			if user := old.fork().on(m).user(); user != "" {
				t.Errorf("%s: the old token is %s on the manager %s", pair, user, name)
			}
		}
		if c.user() != "ann" {
			t.Errorf("%s: logged out", pair)
		}
	}
}

// TestK1MigratingOverlapOnceMoved has two requests overlap on the new backend.
func TestK1MigratingOverlapOnceMoved(t *testing.T) {
	eachPair(t, func(t *testing.T, v *move) {
		if v.cookie {
			return // the last answer wins, as with any cookie
		}
		c, _, _ := v.fresh(t)
		c.on(v.during).use()
		c.use()
		one, two := c.begin(), c.fork().begin()
		one.s.Set("one", "1")
		two.s.Set("two", "2")
		if err := errors.Join(one.end(200), two.end(200)); err != nil {
			t.Fatal(err)
		}
		if c.get("one") != "1" || c.get("two") != "2" {
			t.Errorf("one = %q, two = %q", c.get("one"), c.get("two"))
		}
	})
}

// TestK1MigratingToCookieJobs: what a job writes to a session that is not moved
// yet reaches its client, or the job is told that it does not.
func TestK1MigratingToCookieJobs(t *testing.T) {
	for _, pair := range []string{"memory to cookie", "memory to dirless"} {
		for _, moves := range []bool{false, true} {
			v := newMove(t, pair)
			c, _, id := v.fresh(t)
			first := true
			err := v.during.Update(t.Context(), id, func(s *core.Session) error {
				if first { // a request is faster
					first = false
					if moves {
						c.on(v.during)
					}
					c.do(func(s *core.Session) { s.Set("request", "x") })
				}
				s.Set("job", "x")
				return nil
			})
			if moves == (err == nil) {
				t.Errorf("%s, moved meanwhile %v: Update: %v", pair, moves, err)
			}
			c.on(v.during).do(func(s *core.Session) {
				request, _ := core.Get[string](s, "request")
				job, _ := core.Get[string](s, "job")
				if s.ID() != id || request != "x" || job != "x" && err == nil {
					t.Errorf("%s, moved meanwhile %v: the request wrote %q, the job %q", pair, moves, request, job)
				}
			})
		}
	}
}

// TestK2MigratingTombstoneOutlastsTheOldToken: a logout is final for as long as
// the old token would have been good, though the session was to end sooner.
func TestK2MigratingTombstoneOutlastsTheOldToken(t *testing.T) {
	v := newMove(t, "cookie to memory")
	c, old, _ := v.fresh(t)
	c.on(v.during).use()
	c.do(func(s *core.Session) { s.SetTimeouts(time.Minute, time.Hour) })
	c.do(func(s *core.Session) { s.Logout() })
	for range 31 {
		if user := old.fork().on(v.during).user(); user != "" {
			t.Fatalf("the old cookie is %s again", user)
		}
		v.clock.advance(time.Minute)
	}
}

// TestK2MigratingLogoutIsFinalOnTheWayBack: after a logout on a cookie that a
// session was moved to, no process that runs the other direction takes the cookie.
func TestK2MigratingLogoutIsFinalOnTheWayBack(t *testing.T) {
	v := newMove(t, "memory to cookie")
	c, _, _ := v.fresh(t)
	c.on(v.during).use()
	c.use()
	v.clock.advance(10 * time.Minute) // in the store nothing is left of it
	c.use()
	copied := c.fork()
	c.do(func(s *core.Session) { s.Logout() })
	for range 31 {
		if user := copied.fork().on(v.back).user(); user != "" {
			t.Fatalf("the cookie is %s again", user)
		}
		v.clock.advance(time.Minute)
	}
}

// TestK2MigratingLogoutEndsBothTokens: on each side, and where only one of
// them is known.
func TestK2MigratingLogoutEndsBothTokens(t *testing.T) {
	eachPair(t, func(t *testing.T, v *move) {
		for requests := range 3 {
			c, old, _ := v.fresh(t)
			c.on(v.during)
			for range requests {
				c.use()
			}
			last := c.fork()
			c.do(func(s *core.Session) { s.Logout() })
			for name, m := range map[string]*core.Manager{"during": v.during, "before": v.before, "after": v.after} {
				for which, copied := range map[string]*client{"old": old, "last": last} {
					inCookie := v.sealed && (name == "before" || v.cookie) || v.cookie && which == "last" && requests > 0
					// What it has left there expires by itself: only the token leads to it.
					left := v.pair == "dirless to memory" && name == "before" && requests > 0
					if user := copied.fork().on(m).user(); user != "" && !inCookie && !left {
						t.Errorf("after %d requests the %s token is %s on the manager %s", requests, which, user, name)
					}
				}
			}
		}
	})
}

// TestK2MigratingLeavesNothingBehind: a process that still runs without the
// migration, or is started so again, must not serve what a session was.
func TestK2MigratingLeavesNothingBehind(t *testing.T) {
	v := newMove(t, kept)
	c, _, _ := v.fresh(t)
	c.on(v.during).use()
	if user := c.fork().on(v.before).user(); user != "" {
		t.Errorf("the old store still has %s", user)
	}
	if c.user() != "ann" {
		t.Error("logged out")
	}
}

// TestK1MigratingSlowMove lets time pass while a session is neither here nor
// there: what keeps a move from being completed outlasts every commit.
func TestK1MigratingSlowMove(t *testing.T) {
	for i, more := 0, true; more; i++ {
		w := newStage(t, kept)
		slow := w.actorOf(acts[0], w.during)
		more = slow.run(i)
		other := start(t.Context(), func(ctx context.Context) {
			if err := acts[0].run(w, ctx, w.back); err != nil {
				t.Errorf("at call %d: %v", i, err)
			}
		})
		other.finish()
		w.clock.advance(10 * time.Second)
		slow.finish()
		w.check()
		if t.Failed() {
			t.Fatalf("at call %d: %q", i, slow.trace)
		}
	}
}

// TestI1MigratingLateLogout has logouts come with the old token, after a login that
// the session's move was part of, or came before.
func TestI1MigratingLateLogout(t *testing.T) {
	for _, pair := range append([]string{"memory to memory", "memory to cookie", "memory to foreign", "memory to dirless"}, fromTokens...) {
		for _, moved := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, moved %t", pair, moved), func(t *testing.T) {
				v := newMove(t, pair)
				c := newClient(t, v.before)
				c.do(func(s *core.Session) { s.Set("cart", "1") })
				old := c.fork().on(v.during)
				if c.on(v.during); moved {
					c.get("x")
				}
				c.do(func(s *core.Session) { s.Login("ann") })
				r := old.begin()
				r.s.Logout()
				err, want := r.end(200), ""
				switch pair {
				case "memory to cookie": // as with any cookie, a copy lives on
					want = "ann"
				case "memory to dirless": // the session cannot be found, and nobody is told that it has ended
					if !errors.Is(err, core.ErrUnavailable) || len(r.x.setCookie) != 0 {
						t.Errorf("the logout ended with %v, and set %q", err, r.x.setCookie)
					}
					want, err = "ann", nil
				default:
					if len(r.x.setCookie) != 1 {
						t.Errorf("the logout set %q", r.x.setCookie)
					}
				}
				if err != nil {
					t.Fatal(err)
				}
				if user := c.user(); user != want {
					t.Errorf("after a logout with the old token the session is %q's, want %q", user, want)
				}
			})
		}
	}
}

// TestI1MigratingLateLogoutOfTheOldBackend has a token replaced in the old backend,
// and its logout come during the migration.
func TestI1MigratingLateLogoutOfTheOldBackend(t *testing.T) {
	for _, pair := range []string{"memory to memory", "memory to cookie", "memory to foreign", "memory to dirless"} {
		for _, moved := range []bool{false, true} {
			if moved && pair == "memory to cookie" {
				continue // as with any cookie, a copy lives on
			}
			t.Run(fmt.Sprintf("%s, moved %t", pair, moved), func(t *testing.T) {
				v := newMove(t, pair)
				c := newClient(t, v.before)
				c.do(func(s *core.Session) { s.Set("cart", "1") })
				old := c.fork().on(v.during)
				c.do(func(s *core.Session) { s.Login("ann") })
				if c.on(v.during); moved {
					c.get("x")
				}
				r := old.begin()
				r.s.Logout()
				err, want := r.end(200), ""
				if moved && pair == "memory to dirless" { // the session cannot be found, and nobody is told that it has ended
					if !errors.Is(err, core.ErrUnavailable) || len(r.x.setCookie) != 0 {
						t.Errorf("the logout ended with %v, and set %q", err, r.x.setCookie)
					}
					want = "ann"
				} else if err != nil || len(r.x.setCookie) != 1 {
					t.Errorf("the logout ended with %v, and set %q", err, r.x.setCookie)
				}
				if user := c.user(); user != want {
					t.Errorf("after a logout with the old token the session is %q's, want %q", user, want)
				}
			})
		}
	}
}
