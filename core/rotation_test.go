package core_test

import (
	"strings"
	"testing"
	"time"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/sealed"
)

// TestSEC44CookiesRotate rotates keys as operators do: on every instance the new
// key comes last, then first, and then the old one is removed.
func TestSEC44CookiesRotate(t *testing.T) {
	old, next := sealed.GenerateKey(), sealed.GenerateKey()
	w := &world{T: t, clock: newClock(), events: &events{}}
	with := func(keys ...string) *core.Manager {
		ring, err := sealed.ParseKeyring(strings.Join(keys, ","))
		if err != nil {
			t.Fatal(err)
		}
		return w.manager(core.ClientSide(sealed.Cookie(ring)))
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
	if x := reader.do(func(s *core.Session) { s.UserID() }); len(x.setCookie) != 0 {
		t.Errorf("SEC44: reading seals anew: %q", x.setCookie)
	}
	reader.do(func(s *core.Session) { s.Set("n", 1) })
	for what, want := range map[*client]string{c: "ann", reader: "ann", idle: ""} {
		if got := what.fork().on(after).user(); got != want {
			t.Errorf("SEC44: without the old key: %q, want %q", got, want)
		}
	}
	if got := reader.fork().on(before).user(); got != "" {
		t.Errorf("SEC44: what was sealed anew opens with the old key alone for %q", got)
	}
	if got := idle.fork().on(rotated).user(); got != "ann" {
		t.Errorf("SEC44: a session that was not used meanwhile is %q's", got)
	}
}

// TestSEC44TouchesRotate: touches of a session that an old key has sealed count in
// every stage of the rotation, until the old key is removed.
func TestSEC44TouchesRotate(t *testing.T) {
	old, next := sealed.GenerateKey(), sealed.GenerateKey()
	w := &world{T: t, clock: newClock(), events: &events{}}
	with := func(keys string) *core.Manager {
		ring, err := sealed.ParseKeyring(keys)
		if err != nil {
			t.Fatal(err)
		}
		return w.manager(core.ClientSide(sealed.Cookie(ring)))
	}
	before, prepared, rotated := with(old), with(old+","+next), with(next+","+old)
	reader := newClient(t, before)
	reader.do(func(s *core.Session) { s.Login("ann") })
	for i, m := range []*core.Manager{before, prepared, before, prepared, rotated, prepared, rotated, rotated} {
		w.clock.advance(20 * time.Minute)
		if got := reader.on(m).user(); got != "ann" {
			t.Fatalf("SEC44: used every 20 minutes, and at request %d %q's", i, got)
		}
	}
	if n := w.events.count(core.EventTouched); n != 8 {
		t.Errorf("%d touches, want 8", n)
	}
}
