package core_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/satchel-go/satchel/core"
)

// A difference between the servers' clocks is no shortened timeout: it costs no write.
func TestT2SkewedClocksShortenNothing(t *testing.T) {
	w := server(t)
	c := newClient(t, w.m)
	c.do(func(s *core.Session) { s.Login("ann") })
	c.m = w.sharing(func(c *core.Config) {
		c.Now = func() time.Time { return w.clock.now().Add(-time.Minute) }
	})
	c.do(func(s *core.Session) { _ = s.UserID() })
	if n := w.events.count(core.EventTouched); n != 0 {
		t.Errorf("%d touches", n)
	}
}

// Client-side, an old touch says only that the session was used under the longer
// timeout, and a new one exactly when.
func TestT1ShorterIdleTimeoutAndTouches(t *testing.T) {
	w := inCookies(t, func(c *core.Config) { c.IdleTimeout, c.Lifetime = 10*24*time.Hour, 20*24*time.Hour })
	short := w.sharing(func(c *core.Config) { c.IdleTimeout, c.Lifetime = 30*time.Minute, 20*24*time.Hour })
	signedIn := func(c *client) (in bool) {
		c.do(func(s *core.Session) { in = s.UserID() == "ann" })
		return in
	}
	for _, days := range []int{3, 9} { // after which a touch of then is a day old
		c := newClient(t, w.m)
		c.do(func(s *core.Session) { s.Login("ann") })
		for range days {
			w.clock.advance(24 * time.Hour)
			if !signedIn(c) {
				t.Fatal("ended under the longer timeout")
			}
		}
		w.clock.advance(23 * time.Hour)
		c.m = short
		if !signedIn(c) {
			t.Errorf("after %d days: the change ended a session that was in use", days)
		}
		idle := c.fork()
		for range 5 {
			w.clock.advance(25 * time.Minute)
			if !signedIn(c) {
				t.Errorf("T1: after %d days: used 25 minutes ago, and ended by an idle timeout of 30 minutes", days)
			}
		}
		if signedIn(idle) {
			t.Errorf("T1: after %d days: a session that was idle for two hours is alive", days)
		}
	}
}

// What prolongs a remembered session after the header would not outlive the browser,
// so it is refused and reported.
func TestT3LongerTimeoutsAfterTheHeader(t *testing.T) {
	w := server(t)
	c := newClient(t, w.m)
	c.do(func(s *core.Session) { s.Login("ann"); s.Remember(true) })
	r := c.begin()
	if err := w.m.Commit(r.x, r.s, 200); err != nil {
		t.Fatal(err)
	}
	r.s.SetTimeouts(0, 60*24*time.Hour)
	w.m.Finish(r.s)
	if w.events.count(core.EventTooLate) != 1 {
		t.Error("no event tells that the cookie cannot follow")
	}
	c.do(func(s *core.Session) {
		if left := s.ExpiresAt().Sub(w.clock.now()); left != 30*24*time.Hour {
			t.Errorf("the session ends in %v, its cookie in 30 days", left)
		}
	})
}

// The cookie of a remembered session is as long as the request that sets timeouts says,
// whatever has set some before: a job has no client, and an answer may be lost.
func TestT3CookieFollowsTimeoutsThatAJobHasSet(t *testing.T) {
	const day = 24 * time.Hour
	for _, again := range []time.Duration{50 * day, 60 * day, 70 * day} {
		w := server(t)
		c := newClient(t, w.m)
		c.do(func(s *core.Session) { s.Login("ann"); s.Remember(true) })
		if err := w.m.Update(t.Context(), c.id(), func(s *core.Session) error { s.SetTimeouts(0, 60*day); return nil }); err != nil {
			t.Fatal(err)
		}
		x := c.do(func(s *core.Session) { s.SetTimeouts(0, again) })
		if want := fmt.Sprintf("; Max-Age=%d;", int(again.Seconds())); len(x.setCookie) != 1 || !strings.Contains(x.setCookie[0], want) {
			t.Errorf("%v after 60 days by a job: %q, want %q", again, x.setCookie, want)
		}
	}
}

// A token that another request has replaced meanwhile is never sent again.
func TestL4CookieThatIsDueGivesWayToALogin(t *testing.T) {
	w := server(t, func(c *core.Config) { c.Remembered = core.Timeouts{Idle: core.NoTimeout, Lifetime: core.NoTimeout} })
	c := newClient(t, w.m)
	c.do(func(s *core.Session) { s.Login("ann"); s.Remember(true) })
	w.clock.advance(101 * 24 * time.Hour)
	late := c.fork().begin()
	_ = late.s.UserID()
	c.do(func(s *core.Session) { s.Renew() })
	if err := late.end(200); err != nil || len(late.x.setCookie) != 0 {
		t.Errorf("L4: %v, %q", err, late.x.setCookie)
	}
	wrote := c.fork().begin()
	core.Update(wrote.s, "n", func(n int) int { return n + 1 })
	c.do(func(s *core.Session) { s.Set("k", "v") })
	if err := wrote.end(200); err != nil || c.get("k") != "v" {
		t.Errorf("%v, k is %q", err, c.get("k"))
	}
}

// A conflict with another write leaves the cookie to the next request.
func TestC2CookieThatIsDueMeetsAWrite(t *testing.T) {
	w := server(t, func(c *core.Config) { c.Remembered = core.Timeouts{Idle: core.NoTimeout, Lifetime: core.NoTimeout} })
	c := newClient(t, w.m)
	c.do(func(s *core.Session) { s.Login("ann"); s.Remember(true) })
	w.clock.advance(101 * 24 * time.Hour)
	r := c.begin()
	_ = r.s.UserID()
	other := c.fork()
	x := other.do(func(s *core.Session) { s.Set("k", "v") })
	if len(x.setCookie) != 1 {
		t.Errorf("a write sends the cookie too, if it is due: %q", x.setCookie)
	}
	if err := r.end(200); err != nil || w.events.count(core.EventUnavailable) != 0 || c.get("k") != "v" {
		t.Errorf("%v, %d outages, k is %q", err, w.events.count(core.EventUnavailable), c.get("k"))
	}
	if x := c.do(func(s *core.Session) { _ = s.UserID() }); len(x.setCookie) != 0 {
		t.Errorf("sent twice: %q", x.setCookie)
	}
}
