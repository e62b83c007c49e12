package core_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/sealed"
)

const (
	sessionCookie = "__Host-session"
	touchCookie   = sessionCookie + "-touch"
)

// touching is a sealer that counts what is opened and sealed by purpose, and can be
// made unavailable for touches.
type touching struct {
	core.Sealer
	opened, sealed map[string]int
	down           bool
}

func newTouching(t *testing.T) *touching {
	t.Helper()
	keys, err := sealed.ParseKeyring(sealed.GenerateKey())
	if err != nil {
		t.Fatal(err)
	}
	return &touching{Sealer: sealed.Cookie(keys), opened: map[string]int{}, sealed: map[string]int{}}
}

func (s *touching) Open(ctx context.Context, scope core.Scope, token string) (*core.Record, error) {
	s.opened[scope.Purpose]++
	if s.down && scope.Purpose == "touch" {
		return nil, core.ErrUnavailable
	}
	return s.Sealer.Open(ctx, scope, token)
}

func (s *touching) Seal(ctx context.Context, scope core.Scope, r *core.Record) (string, error) {
	s.sealed[scope.Purpose]++
	return s.Sealer.Seal(ctx, scope, r)
}

func (w *world) touching(t *testing.T) *touching {
	s := newTouching(t)
	w.m = w.manager(core.ClientSide(s))
	return s
}

// TestT2TouchesAreOpenedOnlyIfTheyMatter: a session that was written lately needs
// no touch, whatever comes with the request.
func TestT2TouchesAreOpenedOnlyIfTheyMatter(t *testing.T) {
	w := &world{T: t, clock: newClock(), events: &events{}}
	s := w.touching(t)
	c := newClient(t, w.m)
	c.do(func(s *core.Session) { s.Login("ann") })
	c.jar[touchCookie] = "x"
	for _, step := range []struct {
		after          time.Duration
		opened, sealed int
	}{
		{0, 0, 0}, {2 * time.Minute, 0, 0}, {2 * time.Minute, 1, 1}, // a tenth of 30 minutes has passed
		{time.Minute, 2, 1}, {time.Minute, 3, 1}, {time.Minute, 4, 2},
	} {
		w.clock.advance(step.after)
		if c.user() != "ann" {
			t.Fatal("logged out")
		}
		if s.opened["touch"] != step.opened || s.sealed["touch"] != step.sealed {
			t.Errorf("T2: touches opened %d, sealed %d, want %d and %d", s.opened["touch"], s.sealed["touch"], step.opened, step.sealed)
		}
	}
	if s.sealed["session"] != 1 {
		t.Errorf("the session was sealed %d times, want once", s.sealed["session"])
	}
}

// TestT2TouchOfAnotherRelease: touches of another release are due sooner. A request that
// begins before one is due by its own Config and ends after that looks at what its client
// has before it makes one.
func TestT2TouchOfAnotherRelease(t *testing.T) {
	for _, tt := range []struct {
		name    string
		lasts   time.Duration // the request, which begins 4 minutes after the last touch
		spoil   func(*client, *touching)
		touches int
	}{
		{"a recent touch", 2 * time.Minute, func(*client, *touching) {}, 0},
		{"an older touch", 6 * time.Minute, func(*client, *touching) {}, 1},
		{"a damaged touch", 2 * time.Minute, func(c *client, _ *touching) { c.jar[touchCookie] = "x" }, 1},
		{"no touch", 2 * time.Minute, func(c *client, _ *touching) { delete(c.jar, touchCookie) }, 1},
		{"a touch that cannot be opened now", 6 * time.Minute, func(_ *client, s *touching) { s.down = true }, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := &world{T: t, clock: newClock(), events: &events{}}
			s := w.touching(t)
			c := newClient(t, w.m)
			c.do(func(s *core.Session) { s.Login("ann") })
			w.clock.advance(5 * time.Minute)
			if c.user(); s.sealed["touch"] != 1 {
				t.Fatal("no touch: this test shows nothing")
			}
			w.clock.advance(4 * time.Minute)
			tt.spoil(c, s)
			s.sealed["touch"] = 0
			c.on(w.manager(core.ClientSide(s), func(c *core.Config) { c.TouchAfter = 10 * time.Minute })).do(func(s *core.Session) {
				w.clock.advance(tt.lasts)
				if s.UserID() != "ann" {
					t.Error("T2: the session is lost")
				}
			})
			if s.sealed["touch"] != tt.touches {
				t.Errorf("T2: %d touches, want %d", s.sealed["touch"], tt.touches)
			}
		})
	}
}

// TestT1TouchedExpiry: what the session says of its expiry counts its touches, and so
// does what is written without counting as activity.
func TestT1TouchedExpiry(t *testing.T) {
	w := inCookies(t)
	c := newClient(t, w.m)
	c.do(func(s *core.Session) { s.Login("ann") })
	w.clock.advance(20 * time.Minute)
	c.do(func(s *core.Session) { s.UserID() })
	touched := w.clock.now()
	w.clock.advance(20 * time.Minute)
	c.do(func(s *core.Session) {
		s.SkipTouch()
		if want := touched.Add(30 * time.Minute); !s.IdleExpiresAt().Equal(want) {
			t.Errorf("T1: ends %v, want %v", s.IdleExpiresAt(), want)
		}
		s.Set("k", "v")
	})
	w.clock.advance(10*time.Minute - time.Second)
	if c.fork().user() != "ann" {
		t.Error("T1: a write that skips its touch has taken back an earlier one")
	}
	w.clock.advance(time.Second)
	if c.user() != "" {
		t.Error("T2: a write that skips its touch has moved the expiry")
	}
}

// TestT1TouchesEndAtTheDeadline: no touch moves the expiry beyond the lifetime, and
// none is made that could not move it.
func TestT1TouchesEndAtTheDeadline(t *testing.T) {
	w := inCookies(t, func(c *core.Config) { c.Lifetime, c.TouchAfter = time.Hour, 20*time.Minute })
	c := newClient(t, w.m)
	c.do(func(s *core.Session) { s.Login("ann") })
	for range 59 { // touched after 20 and 40 minutes
		w.clock.advance(time.Minute)
		c.do(func(s *core.Session) {
			if s.UserID() != "ann" || s.IdleExpiresAt().After(s.ExpiresAt()) {
				t.Fatalf("T1: user %q, ends %v, at the latest %v", s.UserID(), s.IdleExpiresAt(), s.ExpiresAt())
			}
		})
	}
	w.clock.advance(time.Minute)
	if c.user() != "" {
		t.Error("T1: a touch has outlived the lifetime")
	}
}

// touchAt makes the touch that a server makes of c's session at this time.
func touchAt(t *testing.T, c *client, s core.Sealer, at time.Time) {
	t.Helper()
	hash := sha256.Sum256([]byte(c.jar[sessionCookie]))
	touch, err := s.Seal(t.Context(), core.Scope{Name: sessionCookie, Purpose: "touch"},
		&core.Record{ID: core.ID(hash[:16]), CreatedAt: at, SavedAt: at, Expires: at})
	if err != nil {
		t.Fatal(err)
	}
	c.jar[touchCookie] = touch
}

// TestT1TouchesFromTheFuture are ignored. A minute is allowed, for the clocks of
// several servers differ; it gives no more than a touch of now.
func TestT1TouchesFromTheFuture(t *testing.T) {
	for ahead, want := range map[time.Duration]string{
		-31 * time.Minute: "", -29 * time.Minute: "ann", 0: "ann", time.Second: "ann", time.Minute: "ann",
		time.Minute + time.Second: "", time.Hour: "", 1000 * time.Hour: "",
	} {
		w := &world{T: t, clock: newClock(), events: &events{}}
		s := w.touching(t)
		c := newClient(t, w.m)
		c.do(func(s *core.Session) { s.Login("ann") })
		w.clock.advance(31 * time.Minute)
		touchAt(t, c, s, w.clock.now().Add(ahead))
		var expires time.Time
		user := ""
		c.do(func(s *core.Session) { user, expires = s.UserID(), s.IdleExpiresAt(); s.SkipTouch() })
		if user != want {
			t.Errorf("T1: a touch %v from now: %q, want %q", ahead, user, want)
		}
		if latest := w.clock.now().Add(30 * time.Minute); expires.After(latest) {
			t.Errorf("T1: a touch %v from now: the session ends %v, want %v at the latest", ahead, expires, latest)
		}
	}
}

// TestT1TwoReleasesSideBySide: instances whose timeouts differ serve one browser.
// Each counts the touches of the other, by its own idle timeout.
func TestT1TwoReleasesSideBySide(t *testing.T) {
	w := &world{T: t, clock: newClock(), events: &events{}}
	s := newTouching(t)
	old := w.manager(core.ClientSide(s))
	next := w.manager(core.ClientSide(s), func(c *core.Config) { c.IdleTimeout = time.Hour })
	c := newClient(t, old)
	c.do(func(s *core.Session) { s.Login("ann"); s.Set("k", "v") })
	for i := range 12 {
		w.clock.advance(20 * time.Minute)
		if c.on([]*core.Manager{next, old, next}[i%3]).get("k") != "v" {
			t.Fatalf("T1: used every 20 minutes, ended at request %d", i)
		}
	}
	w.clock.advance(40 * time.Minute)
	if c.fork().on(old).user() != "" {
		t.Error("T1: idle for 40 minutes, alive where 30 are allowed")
	}
	if c.fork().on(next).user() != "ann" {
		t.Error("T1: idle for 40 minutes, ended where 60 are allowed")
	}
	if s.sealed["session"] != 1 {
		t.Errorf("T2: sealed %d times by requests that only read", s.sealed["session"])
	}
}

// TestT1TouchesShortenNothing: of what the token and its touch say, the later counts.
func TestT1TouchesShortenNothing(t *testing.T) {
	w := &world{T: t, clock: newClock(), events: &events{}}
	s := newTouching(t)
	long := w.manager(core.ClientSide(s), func(c *core.Config) { c.IdleTimeout = time.Hour })
	short := w.manager(core.ClientSide(s))
	c := newClient(t, long)
	c.do(func(s *core.Session) { s.Login("ann") })
	w.clock.advance(20 * time.Minute)
	c.user()
	w.clock.advance(35 * time.Minute)
	if c.on(short).user() != "ann" {
		t.Error("T1: a touch has taken back what the token says")
	}
}

// TestT3TouchesOutliveTheBrowser as their sessions do.
func TestT3TouchesOutliveTheBrowser(t *testing.T) {
	w := inCookies(t)
	for want, remember := range map[string]bool{
		touchCookie + "=x; Path=/; HttpOnly; Secure; SameSite=Lax":                                                         false,
		touchCookie + "=x; Path=/; Max-Age=2160000; Expires=Sun, 01 Feb 2026 03:04:05 GMT; HttpOnly; Secure; SameSite=Lax": true,
	} {
		w.clock.t = newClock().t
		c := newClient(t, w.m)
		c.do(func(s *core.Session) { s.Login("ann"); s.Remember(remember) })
		w.clock.advance(20 * time.Minute)
		if remember {
			w.clock.advance(5*24*time.Hour - 20*time.Minute)
		}
		x := c.do(func(s *core.Session) { s.UserID() })
		if len(x.setCookie) != 1 || strings.Replace(x.setCookie[0], c.jar[touchCookie], "x", 1) != want {
			t.Errorf("T3: %q, want %q", x.setCookie, want)
		}
		if x.response["Cache-Control"] != "no-store" {
			t.Error("C7: a touch may be cached for everyone")
		}
	}
}

// TestL3TouchThatCannotBeOpened: a sealer that is unavailable matters only if the
// session hangs on the touch.
func TestL3TouchThatCannotBeOpened(t *testing.T) {
	w := &world{T: t, clock: newClock(), events: &events{}}
	s := w.touching(t)
	c := newClient(t, w.m)
	c.do(func(s *core.Session) { s.Login("ann") })
	w.clock.advance(20 * time.Minute)
	c.user()
	s.down = true
	if c.user() != "ann" {
		t.Error("L3: the session's own expiry has not passed")
	}
	w.clock.advance(20 * time.Minute)
	if err := c.begin0(); !errors.Is(err, core.ErrUnavailable) {
		t.Errorf("L3: nobody knows whether it has ended, and Load returns %v", err)
	}
	s.down = false
	if c.user() != "ann" {
		t.Error("logged out")
	}
}

// TestC7TouchAndWriteInOneRequest: whichever comes first, the response has the
// session's cookie once, and no touch of another token.
func TestC7TouchAndWriteInOneRequest(t *testing.T) {
	w := inCookies(t)
	c := newClient(t, w.m)
	c.do(func(s *core.Session) { s.Login("ann") })
	w.clock.advance(20 * time.Minute)
	x := c.do(func(s *core.Session) {
		s.UserID()
		if err := s.Commit(t.Context()); err != nil {
			t.Fatal(err)
		}
		s.Set("k", "v")
	})
	if len(x.setCookie) != 1 || !strings.HasPrefix(x.setCookie[0], sessionCookie+"=") {
		t.Errorf("C7: a touch and then a write: %q", x.setCookie)
	}
	x = c.do(func(s *core.Session) {
		s.Set("k", "w")
		if err := s.Commit(t.Context()); err != nil {
			t.Fatal(err)
		}
		w.clock.advance(5 * time.Minute)
		s.UserID()
	})
	if len(x.setCookie) != 1 || !strings.HasPrefix(x.setCookie[0], sessionCookie+"=") || c.get("k") != "w" {
		t.Errorf("C7: a write and then time for a touch: %q", x.setCookie)
	}
	w.clock.advance(20 * time.Minute)
	x = c.do(func(s *core.Session) {
		for range 3 { // each time a touch is due
			s.UserID()
			if err := s.Commit(t.Context()); err != nil {
				t.Fatal(err)
			}
			w.clock.advance(5 * time.Minute)
		}
	})
	if len(x.setCookie) != 1 || !strings.HasPrefix(x.setCookie[0], touchCookie+"=") {
		t.Errorf("C7: three touches: %q", x.setCookie)
	}
	x = c.do(func(s *core.Session) {
		s.Logout()
		if err := s.Commit(t.Context()); err != nil {
			t.Fatal(err)
		}
		s.Set("k", "x")
	})
	if len(x.setCookie) != 2 || c.get("k") != "x" || c.jar[touchCookie] != "" {
		t.Errorf("C7: a logout and then a write: %q", x.setCookie)
	}
}

// TestC2ReadingDropsNoFlashes: more flashes than a new configuration allows are no
// reason for a page that only reads to write.
func TestC2ReadingDropsNoFlashes(t *testing.T) {
	w := &world{T: t, clock: newClock(), events: &events{}}
	s := newTouching(t)
	many := w.manager(core.ClientSide(s))
	few := w.manager(core.ClientSide(s), func(c *core.Config) { c.MaxFlashes = 2 })
	c := newClient(t, many)
	c.do(func(s *core.Session) {
		for range 5 {
			s.Flash("info", "hello")
		}
	})
	w.clock.advance(20 * time.Minute)
	if x := c.on(few).do(func(s *core.Session) { s.PeekFlashes() }); len(x.setCookie) != 1 || !strings.HasPrefix(x.setCookie[0], touchCookie) {
		t.Errorf("C2: reading sets %q", x.setCookie)
	}
	c.do(func(s *core.Session) { s.Set("k", "v") })
	c.do(func(s *core.Session) {
		if n := len(s.PeekFlashes()); n != 2 {
			t.Errorf("F5: %d flashes after a write, want 2", n)
		}
	})
}

// TestE1SEC67TouchesAreNotPrinted: what prints a record or tokens shows neither.
func TestE1SEC67TouchesAreNotPrinted(t *testing.T) {
	s := newTouching(t)
	backend, err := core.ClientSide(s).(core.Configurable[core.Backend]).WithConfig(core.Config{Now: time.Now, IdleTimeout: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	scope := core.Scope{Name: sessionCookie, Purpose: "session"}
	now := time.Now()
	token, err := s.Seal(t.Context(), scope, &core.Record{ID: core.ID{1}, CreatedAt: now, SavedAt: now, Expires: now.Add(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	presented := core.Tokens{Session: token, Touch: "touch-" + token}
	l, err := backend.Load(t.Context(), scope, presented)
	if err != nil {
		t.Fatal(err)
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
		for what, v := range map[string]any{"tokens": presented, "their address": &presented, "result": l, "record": l.Record, "its address": &l.Record} {
			if text := fmt.Sprintf(verb, v); strings.Contains(text, token) {
				t.Errorf("E1: %s of %s is %s", verb, what, text)
			}
		}
	}
}

// TestT1MigratingTouches: wherever a session comes from and goes to, the touches of
// its cookie count, and the move deletes them.
func TestT1MigratingTouches(t *testing.T) {
	eachPair(t, func(t *testing.T, v *move) {
		c, _, id := v.fresh(t)
		for range 3 {
			v.clock.advance(20 * time.Minute)
			c.get("x")
		}
		if _, has := c.jar[touchCookie]; has != v.sealed {
			t.Fatalf("before: a touch %v", has)
		}
		v.clock.advance(20 * time.Minute)
		c.on(v.during)
		x := c.do(func(s *core.Session) {
			if s.UserID() != "ann" || s.ID() != id {
				t.Fatal("T1: used every 20 minutes, and ended")
			}
		})
		if v.cookie {
			for _, line := range x.setCookie {
				if !strings.HasPrefix(line, touchCookie+"=") {
					t.Errorf("T2: reading sets %q", line)
				}
			}
			for range 3 {
				v.clock.advance(20 * time.Minute)
				if c.user() != "ann" {
					t.Fatal("T1: used every 20 minutes, and ended before the move")
				}
			}
		}
		c.use()
		if _, has := c.jar[touchCookie]; has {
			t.Error("E2: a touch of the token before the move stays with the client")
		}
		for range 3 {
			v.clock.advance(20 * time.Minute)
			if c.user() != "ann" {
				t.Fatal("T1: used every 20 minutes, and ended after the move")
			}
		}
		if c.on(v.after).user() != "ann" {
			t.Error("it did not arrive")
		}
		c.do(func(s *core.Session) { s.Logout() })
		if len(c.jar) != 0 {
			t.Errorf("E2: left after the logout: %v", c.jar)
		}
	})
}

// TestK1MigratingToCookieReadsUndoNothing: on the way to a cookie, a page that only
// reads comes last, and undoes neither a write nor a logout.
func TestK1MigratingToCookieReadsUndoNothing(t *testing.T) {
	for _, pair := range []string{"memory to cookie", "cookie to cookie", "foreign to cookie"} {
		for _, moved := range []int{0, 1, 2} {
			v := newMove(t, pair)
			c, _, _ := v.fresh(t)
			c.on(v.during)
			for range moved {
				c.use()
			}
			v.clock.advance(10 * time.Minute)
			late := func(during func()) {
				page := c.begin()
				page.s.UserID()
				during()
				if err := page.end(200); err != nil {
					t.Fatal(err)
				}
				c.take(page.x)
			}
			late(func() { c.do(func(s *core.Session) { s.Set("cart", "full") }) })
			if c.get("cart") != "full" {
				t.Errorf("K1: %s, %d writes before: a page that only reads has emptied the cart", pair, moved)
			}
			v.clock.advance(10 * time.Minute)
			late(func() { c.do(func(s *core.Session) { s.Logout() }) })
			if user := c.user(); user != "" {
				t.Errorf("K2: %s, %d writes before: a page that only reads has logged %s in again", pair, moved, user)
			}
		}
	}
}

// TestT2MovingIsNoActivity: a migration moves a session also in requests that do not
// use it. That keeps no session alive.
func TestT2MovingIsNoActivity(t *testing.T) {
	for what, c := range map[string]struct {
		use  func(*core.Session)
		want string
	}{
		"a request that does not use it":    {nil, ""},
		"one that is not to count as a use": {func(s *core.Session) { s.UserID(); s.SkipTouch() }, ""},
		"one that reads":                    {func(s *core.Session) { s.UserID() }, "ann"},
	} {
		v := newMove(t, "cookie to memory")
		browser, _, _ := v.fresh(t)
		v.clock.advance(20 * time.Minute)
		browser.on(v.during)
		if x := browser.status(200, c.use); len(x.setCookie) != 1 {
			t.Errorf("%s: not moved: %q", what, x.setCookie)
		}
		v.clock.advance(11 * time.Minute)
		if got := browser.user(); got != c.want {
			t.Errorf("%s, 31 minutes after the login: %q, want %q", what, got, c.want)
		}
	}
}
