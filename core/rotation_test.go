package core_test

import (
	"strings"
	"testing"
	"time"

	"github.com/satchel-go/satchel/core"
)

// TestSEC44CookiesRotate plays a rotation of keys as operators do it: the new
// key last on every instance, then first, then the old one goes.
func TestSEC44CookiesRotate(t *testing.T) {
	old, next := core.GenerateKey(), core.GenerateKey()
	w := &world{T: t, clock: newClock(), events: &events{}}
	with := func(keys ...string) *core.Manager {
		ring, err := core.ParseKeyring(strings.Join(keys, ","))
		if err != nil {
			t.Fatal(err)
		}
		return w.manager(core.ClientSide(core.NewCookieSealer(ring)))
	}
	before, prepared, rotated, after := with(old), with(old, next), with(next, old), with(next)

	c, idle, reader := newClient(t, before), newClient(t, before), newClient(t, before)
	for _, c := range []*client{c, idle, reader} {
		c.do(func(s *core.Session) { s.Login("ann"); s.Set("n", 0) })
	}
	// Instances at different stages of the roll-out, behind one balancer.
	for i, m := range []*core.Manager{before, prepared, before, prepared, rotated, prepared, rotated, prepared, rotated} {
		c.m = m
		c.do(func(s *core.Session) {
			if n, _ := core.Get[int](s, "n"); s.UserID() != "ann" || n != i {
				t.Errorf("SEC44: at request %d: user %q, n is %d", i, s.UserID(), n)
			}
			s.Set("n", i+1)
		})
	}
	reader.m = rotated
	if x := reader.do(func(s *core.Session) { s.UserID() }); len(x.setCookie) != 1 {
		t.Errorf("SEC44: a session that is only read is not sealed anew: %q", x.setCookie)
	}
	if x := reader.do(func(s *core.Session) { s.UserID() }); len(x.setCookie) != 0 {
		t.Errorf("SEC44: sealed anew although the newest key has sealed it: %q", x.setCookie)
	}
	for what, want := range map[*client]string{c: "ann", reader: "ann", idle: ""} {
		if got := what.under(after).user(); got != want {
			t.Errorf("SEC44: without the old key: %q, want %q", got, want)
		}
	}
	if got := reader.under(before).user(); got != "" {
		t.Errorf("SEC44: what was sealed anew opens with the old key alone for %q", got)
	}
	if got := idle.under(rotated).user(); got != "ann" {
		t.Errorf("SEC44: a session that was not used meanwhile is %q's", got)
	}
}

// TestT2SealingAnewIsNoActivity: a rotation of keys seals every cookie that comes
// by, also those of requests that do not use the session. They keep it alive no longer.
func TestT2SealingAnewIsNoActivity(t *testing.T) {
	old, next := core.GenerateKey(), core.GenerateKey()
	w := &world{T: t, clock: newClock(), events: &events{}}
	with := func(keys string) *core.Manager {
		ring, err := core.ParseKeyring(keys)
		if err != nil {
			t.Fatal(err)
		}
		return w.manager(core.ClientSide(core.NewCookieSealer(ring)))
	}
	before, rotated := with(old), with(next+","+old)
	for what, c := range map[string]struct {
		use  func(*core.Session)
		want string
	}{
		"a request that does not use it":    {nil, ""},
		"one that is not to count as a use": {func(s *core.Session) { s.UserID(); s.SkipTouch() }, ""},
		"one that reads":                    {func(s *core.Session) { s.UserID() }, "ann"},
	} {
		browser := newClient(t, before)
		browser.do(func(s *core.Session) { s.Login("ann") })
		w.clock.advance(20 * time.Minute)
		browser.m = rotated
		if x := browser.status(200, c.use); len(x.setCookie) != 1 {
			t.Errorf("%s: not sealed anew: %q", what, x.setCookie)
		}
		w.clock.advance(11 * time.Minute)
		if got := browser.user(); got != c.want {
			t.Errorf("%s, 31 minutes after the login: %q, want %q", what, got, c.want)
		}
	}
}
