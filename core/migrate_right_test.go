package core_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/internal/testing/laxstore"
)

// level is what an application keeps of how its user has signed in.
func level(s *core.Session) string {
	l, _ := core.Get[string](s, "level")
	return s.UserID() + l
}

func become(user, level string) func(*core.Session) {
	return func(s *core.Session) {
		if user != "" {
			s.Login(user)
		} else {
			s.Renew()
		}
		s.Set("level", level)
	}
}

func mark(s *core.Session) { s.Set("mark", "x") }

// olderCookies are two cookies of one session in the old backend. The second came
// later, and gives access to more.
var olderCookies = []struct {
	name   string
	first  func(*core.Session)
	second func(*core.Session)
	kept   bool // the thief goes on using the first, so that his is the younger one
}{
	{"before the login", mark, become("ann", "1"), false},
	{"before the login, kept in use", mark, become("ann", "1"), true},
	{"before a second factor", become("ann", "1"), become("", "2"), false},
	{"before a second factor, kept in use", become("ann", "1"), become("", "2"), true},
	{"before a step-up", become("ann", "1"), become("ann", "2"), false},
	{"before a step-up, kept in use", become("ann", "1"), become("ann", "2"), true},
	{"of a guest", mark, func(s *core.Session) { s.Set("level", "guest") }, false},
	{"of a guest, kept in use", mark, func(s *core.Session) { s.Set("level", "guest") }, true},
}

// TestI1MigratingOlderCookies shows that the ID of a session gives no right to it: only the
// cookie that moved does, or a younger one of the same login.
func TestI1MigratingOlderCookies(t *testing.T) {
	for _, c := range olderCookies {
		for _, step := range []time.Duration{0, time.Second} {
			for _, order := range []string{"before the move", "at the move", "after the move", "long after the move", "thief first", "thief first, at rest"} {
				t.Run(fmt.Sprintf("%s, %v, %s", c.name, step, order), func(t *testing.T) {
					v := newMove(t, "cookie to memory")
					victim := newClient(t, v.before)
					victim.do(c.first)
					thief := victim.fork()
					v.clock.advance(step)
					victim.do(c.second)
					var want string
					victim.do(func(s *core.Session) { want = level(s) })
					if v.clock.advance(step); c.kept {
						thief.do(mark)
					}
					var had string
					thief.do(func(s *core.Session) { had = level(s) })
					thief.on(v.during)
					first := strings.HasPrefix(order, "thief first")
					steal := func(when string) {
						t.Helper()
						thief.do(func(s *core.Session) {
							if l := level(s); l != had && l != "" {
								t.Errorf("%s: the older cookie is %q", when, l)
							}
							s.Set("evil", "x")
						})
					}
					enjoy := func(when string) {
						t.Helper()
						victim.do(func(s *core.Session) {
							evil, _ := core.Get[string](s, "evil")
							begun := want == "guest" && (first || c.kept) && level(s) == "" // a guest may have to begin again
							if level(s) != want && !begun || evil != "" {
								t.Errorf("%s: the newer cookie is %q, want %q, evil %q", when, level(s), want, evil)
							}
							s.Set("mine", "x")
						})
					}
					switch order {
					case "before the move":
						steal("before")
					case "thief first":
						steal("first")
						steal("and again")
						v.clock.advance(10 * time.Minute)
					case "thief first, at rest":
						steal("first")
						v.clock.advance(10 * time.Minute)
					case "at the move":
						r := thief.begin()
						r.s.Set("evil", "x")
						enjoy("the move")
						if err := r.end(200); err != nil {
							t.Error(err)
						}
					}
					victim.on(v.during)
					for range 3 {
						enjoy("moved")
						if order == "long after the move" {
							v.clock.advance(10 * time.Minute)
							enjoy("later")
						}
						for _, wait := range []time.Duration{0, time.Second, 10 * time.Second} {
							v.clock.advance(wait)
							steal(fmt.Sprint(wait, " later"))
						}
						v.clock.advance(6 * time.Minute)
					}
					victim.on(v.after)
					enjoy("on the new backend")
					thief.on(v.after)
					steal("on the new backend")
				})
			}
		}
	}
}

// TestL4MigratingOlderCookieIsLate: at first the answer to a request with an older cookie
// leaves the browser alone. Later its client begins again.
func TestL4MigratingOlderCookieIsLate(t *testing.T) {
	v := newMove(t, "cookie to memory")
	c := newClient(t, v.before)
	c.do(mark)
	old := c.fork()
	c.do(become("ann", "1"))
	id := c.id()
	c.on(v.during).get("x")
	v.wantLate(old, id)
	if c.user() != "ann" {
		t.Error("logged out")
	}
}

// TestMigratingYoungerCookies: servers that still write the old backend make younger
// cookies of a session that has moved. They are good for it.
func TestMigratingYoungerCookies(t *testing.T) {
	for name, younger := range map[string]func(*core.Session){"written": mark, "logged in again": become("ann", "2"), "renewed": become("", "2")} {
		t.Run(name, func(t *testing.T) {
			v := newMove(t, "cookie to memory")
			c, old, id := v.fresh(t)
			c.on(v.during).do(func(s *core.Session) { s.Set("new", "x") })
			v.clock.advance(time.Second)
			old.do(younger)
			want := "2"
			if name == "written" {
				want = ""
			}
			for range 3 {
				old.on(v.during).do(func(s *core.Session) {
					if level(s) != "ann"+want || s.ID() != id {
						t.Errorf("the younger cookie is %q, want %q", level(s), "ann"+want)
					}
				})
			}
			if before := c.user() == "ann"; before != (name == "written") {
				t.Errorf("the token that had moved is good: %v", before)
			}
		})
	}
}

// TestMigratingForgetsWhoWasOvertaken takes a session out of the index of the user who has
// moved it with an older cookie.
func TestMigratingForgetsWhoWasOvertaken(t *testing.T) {
	v := newMove(t, "cookie to memory")
	index := laxstore.New(v.new.Store) // which does not notice that a session is another user's
	v.during = v.manager(core.Migrating(v.from, core.ServerSide(index)))
	victim := newClient(t, v.before)
	victim.do(mark)
	thief := victim.fork()
	thief.do(become("mallory", ""))
	v.clock.advance(time.Second)
	victim.do(become("ann", ""))
	thief.on(v.during).get("x")
	victim.on(v.during).get("x")
	if ids, err := index.List(t.Context(), "mallory"); err != nil || len(ids) != 0 {
		t.Errorf("mallory's sessions: %v, %v", ids, err)
	}
	if _, err := v.during.RevokeUser(t.Context(), "mallory"); !errors.Is(err, core.ErrUnsupported) {
		t.Error(err)
	}
	if infos, err := v.during.List(t.Context(), "ann"); !errors.Is(err, core.ErrUnsupported) || len(infos) != 1 || victim.user() != "ann" {
		t.Errorf("ann's sessions: %v, %v", infos, err)
	}
}

// TestMigratingClocksDiffer: a server whose clock is behind makes the second cookie.
func TestMigratingClocksDiffer(t *testing.T) {
	for _, c := range olderCookies {
		if c.kept {
			continue
		}
		v := newMove(t, "cookie to memory")
		victim := newClient(t, v.before)
		victim.do(c.first)
		thief := victim.fork()
		v.clock.advance(-3 * time.Second)
		victim.do(c.second)
		v.clock.advance(5 * time.Second)
		var want string
		victim.do(func(s *core.Session) { want = level(s) })
		thief.on(v.during).do(func(s *core.Session) { s.Set("evil", "x") })
		for range 2 {
			victim.on(v.during).do(func(s *core.Session) {
				if evil, _ := core.Get[string](s, "evil"); level(s) != want || evil != "" {
					t.Errorf("%s: %q, want %q, evil %q", c.name, level(s), want, evil)
				}
			})
		}
		thief.do(func(s *core.Session) {
			if l := level(s); l == want {
				t.Errorf("%s: the older cookie is %q", c.name, l)
			}
		})
	}
}

// TestI1MigratingPlantedInterleaved has requests with a cookie from before the login run
// between the steps of each act.
func TestI1MigratingPlantedInterleaved(t *testing.T) {
	type thief struct{ *client }
	thieves := map[*stage]*thief{}
	planted := act{"planted", false, func(w *stage, ctx context.Context, m *core.Manager) error {
		c := thieves[w]
		x := c.on(m).exchange()
		x.ctx = ctx
		s, err := m.Load(x)
		if err != nil {
			return err
		}
		if s.UserID() != "" {
			w.Errorf("the planted cookie is %q", s.UserID())
		}
		s.Set("evil", "x")
		err = m.Commit(x, s, 200)
		if s.UserID() != "" {
			w.Errorf("the planted cookie has become %q", s.UserID())
		}
		m.Finish(s)
		c.take(x)
		return err
	}}
	for _, state := range tokenStates {
		for _, a := range acts {
			if a.name == "update" || a.name == "revoke" || a.name == "revoke user" || a.name == "revoke all" {
				continue // nobody can reach by its ID what only a client has
			}
			t.Run(state.name+", "+a.name, func(t *testing.T) {
				stage := func() *stage {
					w := newStage(t, "cookie to memory")
					w.client = newClient(t, w.before)
					w.client.do(mark)
					thieves[w] = &thief{w.client.fork()}
					w.client.do(func(s *core.Session) { s.Login("ann") })
					w.id, w.first = w.client.id(), w.client.fork()
					state.make(w)
					return w
				}
				interleave(t, a, planted, "forth, forth", stage)
				interleave(t, planted, a, "forth, forth", stage)
				for w, c := range thieves {
					if c.on(w.during).user() != "" {
						t.Errorf("the planted cookie has led to %q", c.user())
					}
				}
				clear(thieves)
			})
		}
	}
}

// TestI1MigratingOlderCookiesToForeign: a backend of another module's making may not remember what
// has moved. Then nothing is good for the session any more but its new token.
func TestI1MigratingOlderCookiesToForeign(t *testing.T) {
	for _, c := range olderCookies {
		v := newMove(t, "cookie to foreign")
		victim := newClient(t, v.before)
		victim.do(c.first)
		thief := victim.fork()
		victim.do(c.second)
		if v.clock.advance(time.Second); c.kept {
			thief.do(mark)
		}
		var had, want string
		thief.do(func(s *core.Session) { had = level(s) })
		victim.on(v.during).do(func(s *core.Session) { want = level(s) })
		for _, wait := range []time.Duration{0, time.Second, time.Minute, 6 * time.Minute} {
			v.clock.advance(wait)
			thief.on(v.during).do(func(s *core.Session) {
				if l := level(s); l != had && l != "" {
					t.Errorf("%s: the older cookie is %q", c.name, l)
				}
			})
			victim.do(func(s *core.Session) {
				if level(s) != want && (want != "guest" || !c.kept) {
					t.Errorf("%s: the newer cookie is %q, want %q", c.name, level(s), want)
				}
			})
		}
	}
}

// TestI1MigratingRightsAtRandom has a thief take a victim's cookies now and then. Nothing that either
// does, on servers of both steps, gives him more than what he has taken.
func TestI1MigratingRightsAtRandom(t *testing.T) {
	grown := core.NewKey[int]("grown")
	for seed := range uint64(1000) {
		random := rand.New(rand.NewPCG(seed, 0))
		v := newMove(t, "cookie to memory")
		victim, thief := newClient(t, v.before), newClient(t, v.before)
		victim.do(mark)
		now, taken := 0, 0 // how often the victim has logged in or renewed, and how often when the thief took his cookies
		var trace []string
		for range 20 {
			who, m := victim, v.before
			if random.IntN(2) == 0 {
				who = thief
			}
			if random.IntN(3) > 0 {
				m = v.during
			}
			what := random.IntN(6)
			trace = append(trace, fmt.Sprintf("thief %v, before %v: %d", who == thief, m == v.before, what))
			who.on(m).do(func(s *core.Session) {
				n, _ := grown.Get(s)
				if who == thief && n > taken {
					t.Fatalf("seed %d: the thief has %d, and took %d: %q", seed, n, taken, trace)
				}
				lives := who == thief || now == 0 || n == now // else the victim has been logged out
				switch {
				case what == 0 && who == thief:
					s.Login([]string{"ann", "mallory"}[random.IntN(2)])
				case what <= 1 && who == victim && lives:
					s.Login("ann")
					now++
					grown.Set(s, now)
				case what == 2:
					if s.Renew(); who == victim && lives {
						now++
						grown.Set(s, now)
					}
				case what == 3:
					s.Set("mark", fmt.Sprint(random.Int()))
				case what == 4:
					v.clock.advance(time.Duration(random.IntN(100)) * time.Second)
				}
			})
			if random.IntN(8) == 0 {
				thief = victim.fork()
				taken = now
			}
		}
	}
}
