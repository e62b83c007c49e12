package core_test

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/memstore"
)

// What internal/testing/modeltest found, one test each.

// hooked is a memory store that a test can look into, and break, around each
// operation. The names are load, save, delete, reserve, confirm, release, list.
type hooked struct {
	*memstore.Store
	before, after func(operation string) error
	awaited       string    // by once, and not seen yet
	until         time.Time // what Confirm was told last
}

func hook(f func(string) error, operation string) error {
	if f == nil {
		return nil
	}
	return f(operation)
}

func (s *hooked) around(operation string, do func() error) error {
	if err := hook(s.before, operation); err != nil {
		return err
	}
	if err := do(); err != nil {
		return err
	}
	return hook(s.after, operation)
}

func (s *hooked) Load(ctx context.Context, id core.ID) (e core.Entry, err error) {
	err = s.around("load", func() error { e, err = s.Store.Load(ctx, id); return err })
	return e, err
}

func (s *hooked) Save(ctx context.Context, id core.ID, e core.Entry, base core.Version) (v core.Version, err error) {
	err = s.around("save", func() error { v, err = s.Store.Save(ctx, id, e, base); return err })
	return v, err
}

func (s *hooked) Delete(ctx context.Context, id core.ID) error {
	return s.around("delete", func() error { return s.Store.Delete(ctx, id) })
}

func (s *hooked) Reserve(ctx context.Context, user string, id core.ID, limit int, p core.LimitPolicy) (end []core.ID, err error) {
	err = s.around("reserve", func() error { end, err = s.Store.Reserve(ctx, user, id, limit, p); return err })
	return end, err
}

func (s *hooked) Confirm(ctx context.Context, user string, id core.ID, until time.Time) error {
	s.until = until
	return s.around("confirm", func() error { return s.Store.Confirm(ctx, user, id, until) })
}

func (s *hooked) Release(ctx context.Context, user string, id core.ID) error {
	return s.around("release", func() error { return s.Store.Release(ctx, user, id) })
}

func (s *hooked) List(ctx context.Context, user string) (ids []core.ID, err error) {
	err = s.around("list", func() error { ids, err = s.Store.List(ctx, user); return err })
	return ids, err
}

func hookedServer(t *testing.T, edit ...func(*core.Config)) (*world, *hooked) {
	t.Helper()
	w := server(t)
	s := &hooked{Store: w.store}
	w.m = w.manager(core.ServerSide(s), edit...)
	t.Cleanup(func() {
		if s.awaited != "" {
			t.Errorf("the store was never asked for %q: what was to happen meanwhile has not", s.awaited)
		}
	})
	return w, s
}

// once calls f before the first operation of that name, with hooks off.
func (s *hooked) once(operation string, f func()) {
	s.awaited = operation
	s.before = func(op string) error {
		if op == operation {
			s.before, s.awaited = nil, ""
			f()
		}
		return nil
	}
}

var errStoreDown = errors.New("down")

// A login is stored just as a revocation takes it out of the index. The revocation
// then cannot ask whether the session exists. Another try has to find it.
func TestI2SEC17RevokeUserThatFailsCanBeRepeated(t *testing.T) {
	w, store := hookedServer(t)
	c := newClient(t, w.m)
	c.do(func(s *core.Session) { s.Set("k", "v") })
	r := c.begin()
	r.s.Login("ann")
	reserved, goOn, done := make(chan struct{}), make(chan struct{}), make(chan error)
	var down atomic.Bool
	store.before = func(op string) error {
		switch op {
		case "save":
			close(reserved)
			<-goOn
		case "release":
			close(goOn)
			if err := <-done; err != nil {
				t.Errorf("the login: %v", err)
			}
			down.Store(true)
		case "load":
			if down.CompareAndSwap(true, false) {
				return errStoreDown
			}
		}
		return nil
	}
	go func() { done <- r.end(200) }()
	<-reserved
	if _, err := w.m.RevokeUser(t.Context(), "ann"); !errors.Is(err, core.ErrUnavailable) {
		t.Fatalf("SEC17: without an answer: %v", err)
	}
	store.before = nil
	if c.user() != "ann" {
		t.Fatal("the login is gone: there is nothing to be found")
	}
	if _, err := w.m.RevokeUser(t.Context(), "ann"); err != nil || c.user() != "" {
		t.Errorf("SEC17: revoked again, with %v, the session lives: user %q", err, c.user())
	}
}

// TestI2LoginBesideARevocationThatFailsIsListed: a revocation could not take the place of a
// login out of the index, and tries again. The login, stored meanwhile, had kept it.
func TestI2LoginBesideARevocationThatFailsIsListed(t *testing.T) {
	w, store := hookedServer(t)
	c := newClient(t, w.m)
	r := c.begin()
	r.s.Login("ann")
	reserved, goOn, done := make(chan struct{}), make(chan struct{}), make(chan error)
	releases := 0
	store.before = func(op string) error {
		switch op {
		case "save":
			close(reserved)
			<-goOn
		case "release":
			if releases++; releases == 1 {
				return errStoreDown
			}
			close(goOn)
			if err := <-done; err != nil {
				t.Errorf("the login: %v", err)
			}
		}
		return nil
	}
	go func() { done <- r.end(200) }()
	<-reserved
	if _, err := w.m.RevokeUser(t.Context(), "ann"); !errors.Is(err, core.ErrUnavailable) || releases != 2 {
		t.Fatalf("I2: %d releases, and then %v", releases, err)
	}
	store.before = nil
	if c.user() != "ann" {
		t.Fatal("the login is gone: there is nothing to be found")
	}
	if list, err := w.m.List(t.Context(), "ann"); err != nil || len(list) != 1 {
		t.Errorf("I2: the session is not listed: %v, %v", list, err)
	}
	if n, err := w.m.RevokeUser(t.Context(), "ann"); n != 1 || err != nil || c.user() != "" {
		t.Errorf("I2: revoked again, with %d and %v, the session lives: user %q", n, err, c.user())
	}
}

// TestI2LoginAfterItsSessionWasPushedOutIsListed: a login pushes another's place in an
// anonymous session out of the limit, and is about to take the session out of the index.
// A third, in the same session, takes a new place there and succeeds meanwhile.
func TestI2LoginAfterItsSessionWasPushedOutIsListed(t *testing.T) {
	w, store := hookedServer(t, func(c *core.Config) { c.SessionLimit = 1 })
	c, other := newClient(t, w.m), newClient(t, w.m)
	c.do(func(s *core.Session) { s.Set("k", "v") })
	first := c.fork().begin()
	first.s.Login("ann")
	store.once("save", func() {
		store.once("release", func() { c.do(func(s *core.Session) { s.Login("ann") }) })
		other.do(func(s *core.Session) { s.Login("ann") })
		if c.user() != "ann" || other.user() != "" {
			t.Errorf("I1: the newest login is %q's, the one before %q's", c.user(), other.user())
		}
		if list, err := w.m.List(t.Context(), "ann"); err != nil || len(list) != 1 {
			t.Errorf("I2: the session is not listed: %v, %v", list, err)
		}
	})
	_ = first.end(200)
	if n := w.store.Len(); n != 1 {
		t.Errorf("I1: %d sessions", n)
	}
}

// TestI1SEC18LoginThatIsPushedOutWhileItIsStored: as before, but the session becomes the
// user's by the login whose place was taken. There is no room for it.
func TestI1SEC18LoginThatIsPushedOutWhileItIsStored(t *testing.T) {
	w, store := hookedServer(t, func(c *core.Config) { c.SessionLimit = 1 })
	c, other := newClient(t, w.m), newClient(t, w.m)
	c.do(func(s *core.Session) { s.Set("k", "v") })
	pushed := c.begin()
	pushed.s.Login("ann")
	reserved, goOn, saved, end, done := make(chan struct{}), make(chan struct{}), make(chan struct{}), make(chan struct{}), make(chan error)
	var releasing, confirming atomic.Bool
	store.before = func(op string) error {
		switch {
		case op == "save" && !releasing.Load():
			close(reserved)
			<-goOn
		case op == "release" && releasing.CompareAndSwap(false, true):
			close(goOn)
			<-saved
		case op == "confirm" && confirming.CompareAndSwap(false, true):
			close(saved)
			<-end
		}
		return nil
	}
	go func() { done <- pushed.end(200) }()
	<-reserved
	other.do(func(s *core.Session) { s.Login("ann") })
	close(end)
	if err := <-done; err != nil && !errors.Is(err, core.ErrEnded) {
		t.Errorf("I1: the login that was pushed out ended with %v", err)
	}
	store.before = nil
	if n := w.store.Len(); n != 1 || other.user() != "ann" || c.user() != "" {
		t.Errorf("I1: %d sessions; the newest is %q's, the one that was pushed out %q's", n, other.user(), c.user())
	}
}

// TestI2LoginBesideOneWithoutAnAnswerIsListed: a login fails, and the answer of giving back
// its place is lost. Another in the same session has kept that place meanwhile.
func TestI2LoginBesideOneWithoutAnAnswerIsListed(t *testing.T) {
	w, store := hookedServer(t)
	c := newClient(t, w.m)
	c.do(func(s *core.Session) { s.Set("k", "v") })
	r := c.fork().begin()
	r.s.Login("ann")
	store.before = func(op string) error {
		switch op {
		case "save":
			return errStoreDown
		case "release":
			store.before = nil
			c.do(func(s *core.Session) { s.Login("ann") })
			store.after = func(string) error {
				store.after = nil
				return errStoreDown
			}
		}
		return nil
	}
	if err := r.end(200); !errors.Is(err, core.ErrUnavailable) {
		t.Errorf("I2: the login that failed ended with %v", err)
	}
	if list, err := w.m.List(t.Context(), "ann"); err != nil || len(list) != 1 || c.user() != "ann" {
		t.Errorf("I2: the session of %q is not listed: %v, %v", c.user(), list, err)
	}
}

// failing makes operations of that name fail from now on.
func failing(operation string) func(string) error {
	return func(op string) error {
		if op == operation {
			return errStoreDown
		}
		return nil
	}
}

func TestC6LateLoginAsAnotherUserKeepsTheSession(t *testing.T) {
	w := server(t)
	c := login(t, w, "ann")
	r := c.begin()
	if err := w.m.Commit(r.x, r.s, 200); err != nil {
		t.Fatal(err)
	}
	r.s.Login("bob")
	if err := r.s.Commit(t.Context()); !errors.Is(err, core.ErrTooLate) {
		t.Fatal(err)
	}
	if r.s.UserID() != "ann" {
		t.Errorf("after a login that came too late the user is %q", r.s.UserID())
	}
	r.s.Set("k", "v")
	w.m.Finish(r.s)
	if got := c.get("k"); got != "v" {
		t.Errorf("what came after it is %q", got)
	}
}

func TestC2ClearAndSetToTheSameIsNoWrite(t *testing.T) {
	both(t, func(t *testing.T, w *world) {
		c := newClient(t, w.m)
		c.do(func(s *core.Session) { s.Set("a", 1); s.Set("b", 2) })
		set := func(s *core.Session) { s.Clear(); s.Set("b", 2); s.Set("a", 1) }
		before := w.events.count(core.EventSaved)
		c.do(set)
		if n := w.events.count(core.EventSaved) - before; n != 0 {
			t.Error("values that are as they were have been stored again")
		}
		c.do(func(s *core.Session) { s.Clear(); s.Set("b", 2) })
		c.do(func(s *core.Session) {
			if keys := s.Keys(); len(keys) != 1 || keys[0] != "b" {
				t.Errorf("keys %v after Clear and Set(b)", keys)
			}
		})
	})
}

func TestI2RevokeUserReachesASessionThatIsBeingLoggedOut(t *testing.T) {
	w, store := hookedServer(t)
	c := login(t, w, "ann")
	id := c.id()
	r := c.begin()
	r.s.Logout()
	store.once("delete", func() {
		if _, err := w.m.RevokeUser(t.Context(), "ann"); err != nil {
			t.Error(err)
		}
		if _, err := store.Load(t.Context(), id); !errors.Is(err, core.ErrNotFound) {
			t.Errorf("RevokeUser has ended, and the session is there: %v", err)
		}
	})
	if err := r.end(200); err != nil {
		t.Fatal(err)
	}
}

func TestI1LimitHoldsDuringALogout(t *testing.T) {
	w, store := hookedServer(t, func(c *core.Config) { c.SessionLimit = 1; c.LimitPolicy = core.RefuseLogin })
	c := login(t, w, "ann")
	r := c.begin()
	r.s.Logout()
	store.once("delete", func() {
		if err := newClient(t, w.m).logIn(); !errors.Is(err, core.ErrSessionLimit) {
			t.Errorf("a second session while the first lives: %v", err)
		}
	})
	if err := r.end(200); err != nil {
		t.Fatal(err)
	}
}

func TestI2RevocationWhoseAnswerWasLostCanBeRepeated(t *testing.T) {
	w, store := hookedServer(t)
	c := login(t, w, "ann")
	for _, operation := range []string{"release", "delete", "load"} {
		store.after = func(op string) error {
			if op == operation {
				store.after = nil
				return errStoreDown
			}
			return nil
		}
		if _, err := w.m.RevokeUser(t.Context(), "ann"); !errors.Is(err, core.ErrUnavailable) {
			t.Fatalf("%s: %v", operation, err)
		}
		if _, err := w.m.RevokeUser(t.Context(), "ann"); err != nil {
			t.Fatalf("%s, again: %v", operation, err)
		}
		if c.user() == "ann" {
			t.Errorf("%s: the session survived", operation)
		}
		c = login(t, w, "ann")
	}
}

func TestI2LoginThatMovesDoesNotSurviveRevokeUser(t *testing.T) {
	// Another request renews the session that a login runs in, so the login takes
	// a place of its own. RevokeUser comes at each moment of that.
	for _, moment := range []string{"load", "reserve", "list"} {
		w, store := hookedServer(t)
		c := newClient(t, w.m)
		c.do(func(s *core.Session) { s.Set("k", "v") })
		r := c.begin()
		r.s.Login("ann")
		store.once("save", func() {
			c.do(func(s *core.Session) { s.Renew() })
			store.once(moment, func() {
				if _, err := w.m.RevokeUser(t.Context(), "ann"); err != nil {
					t.Error(err)
				}
			})
		})
		if err := r.end(200); err != nil {
			t.Fatal(err)
		}
		if infos, err := w.m.List(t.Context(), "ann"); err != nil || len(infos) > 0 || r.s.UserID() != "" {
			t.Errorf("RevokeUser before %s: the login lives, %v %v", moment, infos, err)
		}
	}
}

// With a limit, the login gives its place back before it takes another. So it has
// to check that the place was still its own.
func TestI2SEC17LimitedLoginThatMovesIsRevoked(t *testing.T) {
	w, store := hookedServer(t, func(c *core.Config) { c.SessionLimit = 5 })
	c := newClient(t, w.m)
	c.do(func(s *core.Session) { s.Set("k", "v") })
	r := c.begin()
	r.s.Login("ann")
	store.once("save", func() {
		c.do(func(s *core.Session) { s.Renew() })
		if _, err := w.m.RevokeUser(t.Context(), "ann"); err != nil {
			t.Error(err)
		}
	})
	if err := r.end(200); err != nil {
		t.Fatal(err)
	}
	if infos, err := w.m.List(t.Context(), "ann"); err != nil || len(infos) > 0 || r.s.UserID() != "" || w.events.count(core.EventDropped) != 1 {
		t.Errorf("the login lives: %v %v, %d dropped", infos, err, w.events.count(core.EventDropped))
	}
}

func TestI2RevokeUserReachesALoginThatMovesMeanwhile(t *testing.T) {
	w, store := hookedServer(t)
	c := newClient(t, w.m)
	c.do(func(s *core.Session) { s.Set("k", "v") })
	r := c.begin()
	r.s.Login("ann")
	reserved, goOn, done := make(chan bool), make(chan bool), make(chan error)
	store.once("save", func() {
		close(reserved)
		<-goOn
	})
	go func() { done <- r.end(200) }()
	<-reserved
	store.once("load", func() { // RevokeUser has seen where the login is now
		c.do(func(s *core.Session) { s.Renew() })
		close(goOn)
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	if _, err := w.m.RevokeUser(t.Context(), "ann"); err != nil {
		t.Error(err)
	}
	if user := c.user(); user != "" {
		t.Errorf("a login in flight has survived RevokeUser, as %q", user)
	}
}

func TestI1OverlappingLoginsKeepTheirPlaces(t *testing.T) {
	// Two logins run in one session, which a third request ends or renews.
	for name, end := range map[string]func(*core.Session){
		"logout": func(s *core.Session) { s.Logout() },
		"renew":  func(s *core.Session) { s.Renew() },
	} {
		t.Run(name, func(t *testing.T) {
			w, store := hookedServer(t)
			c := newClient(t, w.m)
			c.do(func(s *core.Session) { s.Set("k", "v") })
			third, first, second := c.begin(), c.begin(), c.begin()
			first.s.Login("ann")
			second.s.Login("ann")
			store.once("save", func() {
				store.once("save", func() {
					end(third.s)
					if err := third.end(200); err != nil {
						t.Error(err)
					}
				})
				if err := second.end(200); err != nil {
					t.Error(err)
				}
			})
			if err := first.end(200); err != nil {
				t.Fatal(err)
			}
			if first.s.UserID() != "ann" || second.s.UserID() != "ann" {
				t.Errorf("users are %q and %q: a login was dropped, and nobody was revoked", first.s.UserID(), second.s.UserID())
			}
		})
	}
}

func TestI2LoginThatMovesLeavesALiveSessionInTheIndex(t *testing.T) {
	w, store := hookedServer(t, func(c *core.Config) { c.SessionLimit = 5 })
	c := login(t, w, "ann")
	r := c.begin()
	r.s.Login("ann")
	store.once("save", func() {
		c.do(func(s *core.Session) { s.Renew() })
		store.once("list", func() {
			store.before = func(op string) error {
				if op == "load" { // it cannot see who owns the place
					return errStoreDown
				}
				return nil
			}
		})
	})
	_ = w.m.Commit(r.x, r.s, 200) // the client keeps its cookie
	store.before = nil
	infos, err := w.m.List(t.Context(), "ann")
	if id := c.id(); err != nil || !slices.ContainsFunc(infos, func(i core.Info) bool { return i.ID == id }) {
		t.Errorf("the session %v is alive and not in its user's list: %v %v", id, infos, err)
	}
}

func TestT1SkippedTouchKeepsTheTouchesOfOthers(t *testing.T) {
	w := server(t)
	c := newClient(t, w.m)
	c.do(func(s *core.Session) { s.Flash("info", "read by a poller") })
	poller := c.begin()
	poller.s.SkipTouch()
	poller.s.Flashes()
	w.clock.advance(20 * time.Minute)
	c.do(func(s *core.Session) { _ = s.UserID() }) // the user is active meanwhile
	if err := poller.end(200); err != nil {
		t.Fatal(err)
	}
	w.clock.advance(20 * time.Minute)
	c.do(func(s *core.Session) {
		if s.IsNew() {
			t.Error("a request that is no activity has taken back another's")
		}
	})
}

func TestC1AJobStartsNoSession(t *testing.T) {
	w := server(t)
	id := login(t, w, "ann").id()
	err := w.m.Update(t.Context(), id, func(s *core.Session) error {
		s.Logout()
		s.Flash("info", "Signed out.")
		return nil
	})
	if !errors.Is(err, core.ErrEnded) || w.events.count(core.EventDropped) != 1 {
		t.Errorf("a flash that nobody can ever see: %v, %d events", err, w.events.count(core.EventDropped))
	}
	if n := w.store.Len(); n != 0 {
		t.Errorf("%d sessions are stored", n)
	}
	id = login(t, w, "ann").id()
	if err := w.m.Update(t.Context(), id, func(s *core.Session) error { s.Logout(); return nil }); err != nil || w.store.Len() != 0 {
		t.Errorf("a logout by a job: %v, %d sessions are stored", err, w.store.Len())
	}
}

func TestL4TwoRenewalsInOneRequestKeepTheOldTokenKnown(t *testing.T) {
	w := server(t)
	c := newClient(t, w.m)
	c.do(func(s *core.Session) { s.Set("k", "v") })
	late, renewing := c.begin(), c.begin()
	old := c.fork()
	renewing.s.Renew()
	if err := renewing.s.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	renewing.s.Renew()
	renewing.s.SkipTouch() // it loads the session again before it stores it
	if err := renewing.end(200); err != nil {
		t.Fatal(err)
	}
	_ = late.end(200)
	x := old.do(func(s *core.Session) { s.Set("k", "late") })
	if len(x.setCookie) > 0 {
		t.Error("a late request with the token that the client has had is unknown, and sets a cookie")
	}
}

// A request renews, runs for longer than old tokens are remembered, and logs in. A
// job has stored the session meanwhile.
func TestL4LongRequestKeepsTheOldTokenKnown(t *testing.T) {
	w := server(t)
	c := newClient(t, w.m)
	c.do(func(s *core.Session) { s.Set("k", "v") })
	old := c.fork()
	r := c.begin()
	r.s.Renew()
	if err := r.s.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.s.Login("ann")
	w.clock.advance(6 * time.Minute)
	if err := w.m.Update(t.Context(), r.s.ID(), func(s *core.Session) error { s.Set("job", 1); return nil }); err != nil {
		t.Fatal(err)
	}
	if err := r.end(200); err != nil {
		t.Fatal(err)
	}
	if n := w.events.count(core.EventConflict); n != 1 {
		t.Fatalf("%d conflicts", n)
	}
	x := old.do(func(s *core.Session) { s.Set("k", "late") })
	if len(x.setCookie) > 0 || c.user() != "ann" {
		t.Errorf("a late request with the token that the client has had is unknown, and sets %q; user %q", x.setCookie, c.user())
	}
}

func TestL4ALateRequestWithoutALoginStaysLate(t *testing.T) {
	for name, handler := range map[string]func(*testing.T, *hooked, *core.Session){
		"login fails": func(t *testing.T, store *hooked, s *core.Session) {
			s.Set("k", "dropped")
			if err := s.Commit(t.Context()); !errors.Is(err, core.ErrEnded) {
				t.Fatal(err)
			}
			s.Login("ann")
			store.before = failing("save")
			if err := s.Commit(t.Context()); !errors.Is(err, core.ErrUnavailable) {
				t.Fatal(err)
			}
			store.before = nil
		},
		"login finds it gone and fails": func(t *testing.T, store *hooked, s *core.Session) {
			s.Login("ann")
			store.once("load", func() { store.before = failing("reserve") })
			if err := s.Commit(t.Context()); !errors.Is(err, core.ErrUnavailable) {
				t.Fatal(err)
			}
			store.before = nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			w, store := hookedServer(t)
			c := newClient(t, w.m)
			c.do(func(s *core.Session) { s.Set("k", "v") })
			r := c.begin()
			c.do(func(s *core.Session) { s.Renew() })
			handler(t, store, r.s)
			if !r.s.Ended() {
				t.Error("Ended is false")
			}
			r.s.Set("k", "late")
			if err := r.end(200); err != nil {
				t.Fatal(err)
			}
			if len(r.x.setCookie) > 0 {
				t.Error("a late request has started a session, and overwrites the cookie")
			}
		})
	}
}
