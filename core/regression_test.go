package core_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/satchel-go/satchel/core"
)

func TestRegressionLogoutThenExplicitCommitLosesTheNewCookie(t *testing.T) {
	both(t, func(t *testing.T, w *world) {
		c := newClient(t, w.m)
		c.do(func(s *core.Session) { s.Login("ann") })
		x := c.do(func(s *core.Session) {
			s.Logout()
			s.Login("bob")
			if err := s.Commit(t.Context()); err != nil {
				t.Fatal(err)
			}
		})
		t.Log(x.setCookie)
		c.do(func(s *core.Session) {
			if s.UserID() != "bob" {
				t.Errorf("user is %q: the automatic commit replaced the new cookie by a deletion", s.UserID())
			}
		})
	})
}

func TestRegressionRememberOutsideKillsTheToken(t *testing.T) {
	w := server(t)
	c := newClient(t, w.m)
	var id core.ID
	c.do(func(s *core.Session) { s.Login("ann") })
	c.do(func(s *core.Session) { id = s.ID() })
	err := w.m.Update(t.Context(), id, func(s *core.Session) error { s.Remember(true); return nil })
	c.do(func(s *core.Session) {
		if s.UserID() != "ann" && !errors.Is(err, core.ErrUnsupported) {
			t.Errorf("Update with Remember answered %v and logged ann out", err)
		}
	})
}

func TestRegressionRememberAfterLoginLeavesTheIndex(t *testing.T) {
	w := server(t, func(c *core.Config) { c.IdleTimeout = 12 * time.Hour })
	c := newClient(t, w.m)
	c.do(func(s *core.Session) { s.Login("ann") })
	c.do(func(s *core.Session) { s.Remember(true) })
	w.clock.advance(13 * time.Hour)
	infos, err := w.m.List(t.Context(), "ann")
	if err != nil || len(infos) != 1 {
		t.Errorf("I2: %d sessions listed, %v", len(infos), err)
	}
	if err := w.m.RevokeUser(t.Context(), "ann"); err != nil {
		t.Fatal(err)
	}
	c.do(func(s *core.Session) {
		if s.UserID() == "ann" {
			t.Error("I2: the session survived RevokeUser")
		}
	})
}

// cancelling cancels a context in Delete, as a slow store at its deadline does.
type cancelling struct {
	core.Store
	cancel context.CancelFunc
}

func (s *cancelling) Unwrap() core.Store { return s.Store }
func (s *cancelling) Delete(ctx context.Context, id core.ID) error {
	if s.cancel != nil {
		s.cancel()
		return ctx.Err()
	}
	return s.Store.Delete(ctx, id)
}

func TestRegressionRevokeThatTimesOutLosesTheIndexEntry(t *testing.T) {
	w := server(t)
	store := &cancelling{Store: w.store}
	w.m = w.manager(core.ServerSide(store))
	c := newClient(t, w.m)
	c.do(func(s *core.Session) { s.Login("ann") })
	ctx, cancel := context.WithCancel(t.Context())
	store.cancel = cancel
	if err := w.m.RevokeUser(ctx, "ann"); err == nil {
		t.Fatal("no error")
	}
	store.cancel = nil
	if err := w.m.RevokeUser(t.Context(), "ann"); err != nil { // the operator tries again
		t.Fatal(err)
	}
	c.do(func(s *core.Session) {
		if s.UserID() == "ann" {
			t.Error("I2: RevokeUser answered nil, and the session lives, out of the index")
		}
	})
}

type slowDelete struct {
	core.Store
	core.UserIndex
	slow bool
}

func (s *slowDelete) Delete(ctx context.Context, id core.ID) error {
	if s.slow {
		<-ctx.Done()
		return ctx.Err()
	}
	return s.Store.Delete(ctx, id)
}

func TestRegressionSlowLogoutLosesTheIndexEntry(t *testing.T) {
	w := server(t)
	store := &slowDelete{Store: w.store, UserIndex: w.store}
	w.m = w.manager(core.ServerSide(store), func(c *core.Config) { c.CommitTimeout = 20 * time.Millisecond })
	c := newClient(t, w.m)
	c.do(func(s *core.Session) { s.Login("ann") })
	store.slow = true
	r := c.begin()
	r.s.Logout()
	if err := r.end(200); err == nil {
		t.Fatal("no error")
	}
	store.slow = false
	infos, _ := w.m.List(t.Context(), "ann")
	live := ""
	c.do(func(s *core.Session) { live = s.UserID() })
	if live == "ann" && len(infos) == 0 {
		t.Error("I2: a live session is not in the index")
	}
}

func TestRegressionUpdateUndoesATouch(t *testing.T) {
	w := server(t)
	c := newClient(t, w.m)
	var id core.ID
	c.do(func(s *core.Session) { s.Login("ann") })
	c.do(func(s *core.Session) { id = s.ID() })
	w.clock.advance(29 * time.Minute)
	if err := w.m.Update(t.Context(), id, func(s *core.Session) error {
		s.Set("job", "done")
		c.do(func(s *core.Session) { _ = s.UserID() }) // the user is active meanwhile
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if w.events.count(core.EventTouched) != 1 {
		t.Fatal("no touch")
	}
	w.clock.advance(2 * time.Minute)
	c.do(func(s *core.Session) {
		if s.UserID() != "ann" {
			t.Error("T1: used 2 minutes ago, and ended by the idle timeout of 30 minutes")
		}
	})
}

func TestRegressionUseAfterTheHeaderIsNoActivity(t *testing.T) {
	w := server(t)
	c := newClient(t, w.m)
	c.do(func(s *core.Session) { s.Login("ann") })
	for range 4 { // a template that streams and greets the user
		w.clock.advance(10 * time.Minute)
		r := c.begin()
		if err := w.m.Commit(r.x, r.s, 200); err != nil {
			t.Fatal(err)
		}
		if r.s.UserID() != "ann" {
			t.Error("T1: in use every 10 minutes, and ended by the idle timeout of 30 minutes")
		}
		w.m.Finish(r.s)
	}
}

func TestRegressionExpiredFlashesMakeAnErrorPage(t *testing.T) {
	w := server(t, func(c *core.Config) { c.MaxBytes = 4096; c.FlashLifetime = time.Minute })
	c := newClient(t, w.m)
	c.do(func(s *core.Session) { s.Flash("info", strings.Repeat("x", 3000)) })
	w.clock.advance(10 * time.Minute)
	r := c.begin()
	r.s.Set("k", strings.Repeat("y", 2000))
	if err := r.end(200); err != nil {
		t.Errorf("F5: %v", err)
	}
}

func TestRegressionFailedLoginFromSupersededStartsASession(t *testing.T) {
	w := server(t, func(c *core.Config) { c.SessionLimit = 1; c.LimitPolicy = core.RefuseLogin })
	c := newClient(t, w.m)
	c.do(func(s *core.Session) { s.Set("k", "v") })
	late := c.fork()
	c.do(func(s *core.Session) { s.Login("ann") })
	x := late.do(func(s *core.Session) {
		s.Login("ann")
		if err := s.Commit(t.Context()); !errors.Is(err, core.ErrSessionLimit) {
			t.Fatal(err)
		}
		s.Flash("error", "Too many sessions")
	})
	if len(x.setCookie) != 0 {
		t.Errorf("L4: a superseded request that did not log in set %q", x.setCookie)
	}
}

func TestRegressionFailedLoginAsAnotherUserLeavesTheSessionBehind(t *testing.T) {
	w := server(t, func(c *core.Config) { c.SessionLimit = 1; c.LimitPolicy = core.RefuseLogin })
	newClient(t, w.m).do(func(s *core.Session) { s.Login("bob") })
	c := newClient(t, w.m)
	c.do(func(s *core.Session) { s.Login("ann") })
	x := c.do(func(s *core.Session) {
		s.Login("bob")
		if err := s.Commit(t.Context()); !errors.Is(err, core.ErrSessionLimit) {
			t.Fatal(err)
		}
		s.Flash("error", "Too many sessions")
	})
	infos, _ := w.m.List(t.Context(), "ann")
	c.do(func(s *core.Session) {
		if s.UserID() != "ann" {
			t.Errorf("a refused login replaced ann's cookie (%q) and left her session alive: %d", x.setCookie, len(infos))
		}
	})
}

func TestRegressionCheckThatLogsOutAndFails(t *testing.T) {
	both(t, func(t *testing.T, w *world) {
		c := newClient(t, w.m)
		c.do(func(s *core.Session) { s.Login("ann") })
		c.do(nil)
	}, func(c *core.Config) {
		c.Check = func(_ context.Context, s *core.Session) error { s.Logout(); return errors.New("gone") }
	})
}

func TestRegressionNamespacesShareUsers(t *testing.T) {
	w := server(t)
	shop := w.manager(core.ServerSide(w.store), func(c *core.Config) { c.Namespace = "shop" })
	admin := w.manager(core.ServerSide(w.store), func(c *core.Config) { c.Namespace = "admin" })
	a := newClient(t, admin)
	var adminID core.ID
	a.do(func(s *core.Session) { s.Login("1") })
	a.do(func(s *core.Session) { adminID = s.ID() })
	b := newClient(t, shop)
	b.do(func(s *core.Session) { s.Login("1") })
	b.do(func(s *core.Session) {
		infos, _ := s.List(t.Context())
		if len(infos) != 1 {
			t.Errorf("SEC8: customer 1 of the shop sees %d sessions, administrator 1's among them", len(infos))
		}
		if err := s.RevokeOwn(t.Context(), adminID); !errors.Is(err, core.ErrNotFound) {
			t.Errorf("SEC17: customer 1 ended administrator 1's session: %v", err)
		}
	})
}

func TestRegressionFailedLoginKeepsItsReservation(t *testing.T) {
	w, spy := spied(t, func(c *core.Config) { c.SessionLimit = 1; c.LimitPolicy = core.RefuseLogin })
	c := newClient(t, w.m)
	spy.fail = errors.New("down")
	r := c.begin()
	r.s.Login("ann")
	if err := r.end(200); !errors.Is(err, core.ErrUnavailable) {
		t.Fatal(err)
	}
	spy.fail = nil
	r = c.begin()
	r.s.Login("ann")
	if err := r.end(200); err != nil {
		t.Errorf("the retry of a failed login: %v (nobody is logged in)", err)
	}
}

func TestRegressionStaleReservationEndsAnothersSession(t *testing.T) {
	w, spy := spied(t)
	ann := newClient(t, w.m)
	ann.do(func(s *core.Session) { s.Login("ann") })
	c := newClient(t, w.m)
	c.do(func(s *core.Session) { s.Set("cart", "1") })
	spy.fail = errors.New("down")
	r := c.begin()
	r.s.Login("ann") // on a shared computer; the store fails
	_ = r.end(200)
	spy.fail = nil
	c.do(func(s *core.Session) { s.Login("bob") })
	ann.do(func(s *core.Session) {
		if err := s.RevokeOthers(t.Context()); err != nil {
			t.Fatal(err)
		}
	})
	c.do(func(s *core.Session) {
		if s.UserID() != "bob" {
			t.Error("I2: ann's RevokeOthers ended bob's session")
		}
	})
}

func TestRegressionTouchNearTheDeadline(t *testing.T) {
	w := server(t, func(c *core.Config) {
		c.IdleTimeout, c.Lifetime, c.TouchAfter = 30*time.Minute, 58*time.Minute, 29*time.Minute
	})
	c := newClient(t, w.m)
	c.do(func(s *core.Session) { s.Login("ann") })
	for i := range 56 {
		w.clock.advance(time.Minute)
		user := ""
		c.do(func(s *core.Session) { user = s.UserID() })
		if user != "ann" {
			t.Fatalf("T1: used every minute, ended after %d of 58 minutes", i+1)
		}
	}
}

func TestRegressionNotBeforeInTheFuture(t *testing.T) {
	both(t, func(t *testing.T, w *world) {
		c := newClient(t, w.m)
		c.do(func(s *core.Session) { s.Login("ann") })
		w.clock.advance(2 * time.Hour)
		c.do(func(s *core.Session) {
			if s.UserID() == "ann" {
				t.Error("T1: unused for 2 hours, idle timeout 30 minutes, and alive")
			}
		})
	}, func(c *core.Config) { c.NotBefore = newClock().now().Add(24 * time.Hour) })
}

func TestRegressionLateLogoutClientSideSaysNothing(t *testing.T) {
	w := sealed(t)
	c := newClient(t, w.m)
	c.do(func(s *core.Session) { s.Login("ann") })
	r := c.begin()
	_ = w.m.Commit(r.x, r.s, 200)
	r.s.Logout()
	if err := r.s.Commit(t.Context()); !errors.Is(err, core.ErrTooLate) {
		t.Errorf("C6: Commit of a logout that came too late: %v", err)
	}
}

func TestRegressionSupersededLogoutIsSilent(t *testing.T) {
	w := server(t)
	c := newClient(t, w.m)
	c.do(func(s *core.Session) { s.Login("ann") })
	late := c.fork() // sent before the other tab's answer arrived
	c.do(func(s *core.Session) { s.Renew() })
	before := w.events.count(core.EventDropped) + w.events.count(core.EventLogout)
	var err error
	late.do(func(s *core.Session) { s.Logout(); err = s.Commit(t.Context()) })
	c.do(func(s *core.Session) {
		if s.UserID() == "ann" && err == nil && w.events.count(core.EventDropped)+w.events.count(core.EventLogout) == before {
			t.Error("a logout had no effect, no error and no event")
		}
	})
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

func TestRegressionStoreThatLogsTheSessionDeadlocks(t *testing.T) {
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

func TestRegressionLabelAndUserAreNotCounted(t *testing.T) {
	w, spy := spied(t, func(c *core.Config) {
		c.Describe = func(ex core.Exchange) string { return ex.RequestHeader("User-Agent") }
	})
	c := newClient(t, w.m)
	c.header = map[string]string{"User-Agent": strings.Repeat("x", 1<<20)}
	r := c.begin()
	r.s.Set("k", "v")
	err := r.end(200)
	for _, e := range spy.writes {
		if len(e.Data) > 64<<10+512 {
			t.Errorf("E2: stored %d bytes, %v", len(e.Data), err)
		}
	}
}

func TestRegressionUpdateUserSwallowsErrors(t *testing.T) {
	w := server(t)
	c := newClient(t, w.m)
	c.do(func(s *core.Session) { s.Login("ann") })
	err := w.m.UpdateUser(t.Context(), "ann", func(s *core.Session) error {
		_, err := core.Lookup[int](s, "absent")
		return err
	})
	if err == nil {
		t.Error("f's error vanished")
	}
}

func TestRegressionFailedExplicitCommitShowsFlashesTwice(t *testing.T) {
	both(t, func(t *testing.T, w *world) {
		c := newClient(t, w.m)
		c.status(303, func(s *core.Session) { s.Flash("info", "hello") })
		c.do(func(s *core.Session) {
			if len(s.Flashes()) != 1 {
				t.Fatal("no flash")
			}
			s.Set("big", strings.Repeat("x", 1<<20))
			if err := s.Commit(t.Context()); err == nil {
				t.Fatal("no error")
			}
		})
		c.do(func(s *core.Session) {
			if len(s.Flashes()) != 0 {
				t.Error("F1: shown twice")
			}
		})
	})
}

func TestRegressionRevokeOwnInsideView(t *testing.T) {
	w := server(t)
	c := newClient(t, w.m)
	var id core.ID
	c.do(func(s *core.Session) { s.Login("ann") })
	c.do(func(s *core.Session) { id = s.ID() })
	err := w.m.View(t.Context(), id, func(s *core.Session) error { return s.RevokeOwn(t.Context(), id) })
	c.do(func(s *core.Session) {
		if err == nil && s.UserID() == "ann" {
			t.Error("RevokeOwn answered nil and did nothing")
		}
	})
}

type nilCodec struct{ core.Codec }

func (c nilCodec) Encode(v any) ([]byte, error) { return append([]byte(nil), v.(string)...), nil }
func (c nilCodec) Decode(d []byte, v any) error { *v.(*string) = string(d); return nil }

func TestRegressionCodecThatEncodesToNil(t *testing.T) {
	w := server(t, func(c *core.Config) { c.Codec = nilCodec{} })
	c := newClient(t, w.m)
	c.do(func(s *core.Session) {
		s.Set("k", "")
		if _, ok := core.Get[string](s, "k"); !ok {
			t.Error("Set of an empty value became a deletion")
		}
	})
}

func TestRegressionKeepOnServerErrorAfterAFailedCommit(t *testing.T) {
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

func TestRegressionReservationOfARepeatedID(t *testing.T) {
	w := server(t)
	var src repeatingRand
	m := w.manager(core.ServerSide(w.store), func(c *core.Config) { c.Rand = &src })
	newClient(t, m).do(func(s *core.Session) { s.Login("ann") })
	src.n = 0
	newClient(t, m).do(func(s *core.Session) { s.Login("ann") })
	infos, err := m.List(t.Context(), "ann")
	if len(infos) != 2 || w.store.Len() != 2 {
		t.Errorf("SEC69: %d listed, %d stored, %v", len(infos), w.store.Len(), err)
	}
}

type repeatingRand struct{ n byte }

func (r *repeatingRand) Read(b []byte) (int, error) {
	r.n++
	for i := range b {
		b[i] = r.n
	}
	return len(b), nil
}

func TestRegressionUnavailableListAndRevoke(t *testing.T) {
	w, spy := spied(t, func(c *core.Config) { c.ServeWhenUnavailable = true })
	c := newClient(t, w.m)
	c.do(func(s *core.Session) { s.Login("ann") })
	spy.load = func(core.ID) (core.Entry, error) { return core.Entry{}, errors.New("down") }
	c.do(func(s *core.Session) {
		infos, err := s.List(t.Context())
		if err == nil {
			t.Errorf("L3: List on an unavailable session: %v, nil", infos)
		}
		if err := s.RevokeOthers(t.Context()); !errors.Is(err, core.ErrUnavailable) && !errors.Is(err, core.ErrReadOnly) {
			t.Errorf("L3: RevokeOthers: %v", err)
		}
	})
}

func TestRegressionCheckWithACancelledContextLogsOut(t *testing.T) {
	hangUp := func() {}
	w := server(t, func(c *core.Config) {
		c.Check = func(ctx context.Context, _ *core.Session) error {
			hangUp()
			return ctx.Err() // as any database call answers then
		}
	})
	c := newClient(t, w.m)
	c.do(func(s *core.Session) { s.Login("ann") })
	x := c.exchange()
	x.ctx, hangUp = context.WithCancel(t.Context())
	if s, err := w.m.Load(x); err == nil {
		_ = w.m.Commit(x, s, 200)
		w.m.Finish(s)
	}
	hangUp = func() {}
	c.do(func(s *core.Session) {
		if s.UserID() != "ann" {
			t.Error("L3: the client hung up while Check asked the database, and the user was logged out")
		}
	})
}

func TestRegressionLateRenewDropsTheValueToo(t *testing.T) {
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

type conflicting struct{ core.Store }

func (s conflicting) Save(ctx context.Context, id core.ID, e core.Entry, base core.Version) (core.Version, error) {
	if base == 0 {
		return s.Store.Save(ctx, id, e, base)
	}
	return 0, core.ErrConflict
}

func TestRegressionConflictForever(t *testing.T) {
	w := server(t)
	m := w.manager(core.ServerSide(conflicting{w.store}), func(c *core.Config) { c.CommitTimeout = 50 * time.Millisecond })
	c := newClient(t, m)
	c.do(func(s *core.Session) { s.Set("k", "v") })
	r := c.begin()
	r.s.Set("k", "w")
	if err := r.end(200); !errors.Is(err, core.ErrConflict) || len(r.x.setCookie) > 0 {
		t.Errorf("%v %v", err, r.x.setCookie)
	}
}

func TestRegressionStormIndex(t *testing.T) {
	for _, policy := range []core.LimitPolicy{core.EndOldest, core.RefuseLogin} {
		w := server(t, func(c *core.Config) { c.SessionLimit = 3; c.LimitPolicy = policy })
		users := []string{"ann", "bob", "cy"}
		var clients []*client
		for range 8 {
			clients = append(clients, newClient(t, w.m))
		}
		var mu sync.Mutex
		var wg sync.WaitGroup
		for g := range 16 {
			wg.Go(func() {
				rnd := rand.New(rand.NewPCG(uint64(g), 7))
				for range 300 {
					c := clients[rnd.IntN(len(clients))]
					mu.Lock()
					f := c.fork()
					mu.Unlock()
					r := f.begin()
					switch rnd.IntN(9) {
					case 0, 1:
						r.s.Login(users[rnd.IntN(3)])
					case 2:
						r.s.Logout()
					case 3:
						r.s.Renew()
					case 4:
						_ = w.m.RevokeUser(t.Context(), users[rnd.IntN(3)])
					case 5:
						_ = r.s.RevokeOthers(t.Context())
					case 6:
						r.s.Logout()
						r.s.Login(users[rnd.IntN(3)])
						_ = r.s.Commit(t.Context())
						r.s.Set("x", "y")
					default:
						r.s.Set("k", rnd.IntN(100))
						r.s.Flash("a", "b")
					}
					if rnd.IntN(3) == 0 {
						time.Sleep(time.Duration(rnd.IntN(200)) * time.Microsecond)
					}
					err := r.end([]int{200, 200, 303, 500}[rnd.IntN(4)])
					if err != nil && !errors.Is(err, core.ErrSessionLimit) {
						t.Error(err)
					}
					mu.Lock()
					c.jar = f.jar
					mu.Unlock()
				}
			})
		}
		wg.Wait()
		listed := map[core.ID]string{}
		for _, u := range users {
			infos, err := w.m.List(t.Context(), u)
			if err != nil {
				t.Fatal(err)
			}
			if len(infos) > 3 {
				t.Errorf("%s has %d", u, len(infos))
			}
			for _, i := range infos {
				listed[i.ID] = u
			}
		}
		for _, c := range clients {
			c.do(func(s *core.Session) {
				if u := s.UserID(); u != "" && listed[s.ID()] != u {
					t.Errorf("I2: %s's live session is not in the index", u)
				}
			})
		}
	}
}

func TestRegressionTwoRotationsInOneRequest(t *testing.T) {
	w := server(t)
	c := newClient(t, w.m)
	c.do(func(s *core.Session) { s.Set("k", "v") })
	late := c.fork()
	c.do(func(s *core.Session) {
		s.Login("ann")
		if err := s.Commit(t.Context()); err != nil {
			t.Fatal(err)
		}
		s.Remember(true)
	})
	if x := late.do(func(s *core.Session) { s.Set("k", "w") }); len(x.setCookie) > 0 {
		t.Errorf("L4: a late request overwrote the cookie of the login: %q", x.setCookie)
	}
}
