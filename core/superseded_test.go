package core_test

import (
	"errors"
	"testing"
	"time"

	"github.com/satchel-go/satchel/core"
)

// lateBy logs ann in, lets d pass, and returns her client and one that still
// has the token from before.
func lateBy(t *testing.T, d time.Duration) (w *world, ann, late *client) {
	w = server(t)
	ann = newClient(t, w.m)
	ann.do(func(s *core.Session) { s.Set("k", "v") })
	late = ann.fork()
	ann.do(func(s *core.Session) { s.Login("ann") })
	w.clock.advance(d)
	return w, ann, late
}

func TestL4ALateRequestDisturbsNothing(t *testing.T) {
	w, ann, late := lateBy(t, 30*time.Second-time.Millisecond)
	x := late.do(func(s *core.Session) {
		if !s.Ended() || s.UserID() != "" {
			t.Errorf("L4: ended %t, user %q", s.Ended(), s.UserID())
		}
		s.Set("k", "late")
	})
	if len(x.setCookie) != 0 || w.store.Len() != 1 || w.events.count(core.EventDropped) != 1 {
		t.Errorf("L4: a late request set %q; %d sessions are stored", x.setCookie, w.store.Len())
	}
	if ann.user() != "ann" || ann.get("k") != "v" {
		t.Errorf("L4: user %q, k is %q", ann.user(), ann.get("k"))
	}
}

func TestL4AClientThatNeverGotTheNewTokenStartsOver(t *testing.T) {
	w, ann, late := lateBy(t, 30*time.Second)
	x := late.do(func(s *core.Session) {
		if s.Ended() || !s.IsNew() || s.UserID() != "" {
			t.Errorf("L4: ended %t, new %t, user %q", s.Ended(), s.IsNew(), s.UserID())
		}
		s.Set("k", "again")
	})
	if len(x.setCookie) != 1 || late.get("k") != "again" || w.store.Len() != 2 {
		t.Errorf("L4: after 30 seconds the client is still stuck: cookies %q, %d sessions", x.setCookie, w.store.Len())
	}
	if late.id() == ann.id() || late.user() != "" {
		t.Error("L4: the old token opened the new session")
	}
	if ann.user() != "ann" || ann.get("k") != "v" {
		t.Errorf("L4: user %q, k is %q", ann.user(), ann.get("k"))
	}
}

func TestL4SavesDoNotProlongTheWait(t *testing.T) {
	w, ann, late := lateBy(t, 25*time.Second)
	ann.do(func(s *core.Session) { s.Set("k", "w") })
	if err := w.m.Update(t.Context(), ann.id(), func(s *core.Session) error { s.Set("n", "1"); return nil }); err != nil {
		t.Fatal(err)
	}
	late.do(func(s *core.Session) {
		if !s.Ended() {
			t.Error("L4: a save made the session forget its previous token")
		}
	})
	w.clock.advance(5 * time.Second)
	late.do(func(s *core.Session) {
		if s.Ended() {
			t.Error("L4: a save prolonged the wait")
		}
	})
}

func TestL4EachRotationWaitsAnew(t *testing.T) {
	w, ann, first := lateBy(t, 25*time.Second)
	second := ann.fork()
	ann.do(func(s *core.Session) { s.Renew() })
	w.clock.advance(25 * time.Second)
	for c, want := range map[*client]bool{first: false, second: true} {
		c.do(func(s *core.Session) {
			if s.Ended() != want {
				t.Errorf("L4: the first token or the second: late is %t, want %t", s.Ended(), want)
			}
		})
	}
}

func TestL4ThePreviousHashIsDropped(t *testing.T) {
	w, ann, _ := lateBy(t, 0)
	size := func(when string) int {
		e, err := w.store.Load(t.Context(), ann.id())
		if err != nil {
			t.Fatal(err)
		}
		if e.Data[0]&^0x80 != 1 {
			t.Errorf("%s: entry version %#x", when, e.Data[0])
		}
		return len(e.Data)
	}
	before := size("after the login")
	ann.do(func(s *core.Session) { s.Set("k", "w") })
	if n := size("within the time"); n < before {
		t.Errorf("%d bytes after the login, %d after a save", before, n)
	}
	w.clock.advance(30 * time.Second)
	ann.do(func(s *core.Session) { s.Set("k", "x") })
	if n := size("afterwards"); n > before-16 { // a hash and a time; the times in the record may take a byte or two more
		t.Errorf("%d bytes after the login, %d after a save 30 seconds later; want 16 less at least", before, n)
	}
	if ann.user() != "ann" || ann.get("k") != "x" {
		t.Errorf("user %q, k is %q", ann.user(), ann.get("k"))
	}
}

func TestL4RefusedLoginStaysLate(t *testing.T) {
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

func TestL4LoginAndRememberInOneRequestKeepTheOldTokenKnown(t *testing.T) {
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

func TestI1LoginKeepsValuesOnlyAfterAnotherLogin(t *testing.T) {
	for what, c := range map[string]struct {
		meanwhile func(*core.Session)
		want      string
	}{
		"a login":              {func(s *core.Session) { s.Login("ann") }, "v"},
		"a renewal":            {func(s *core.Session) { s.Renew() }, ""},
		"another user's login": {func(s *core.Session) { s.Login("ben") }, ""},
	} {
		w := server(t)
		first := newClient(t, w.m)
		first.do(func(s *core.Session) { s.Login("ann"); s.Set("k", "v") })
		w.clock.advance(time.Second)
		second := first.fork()
		r := second.begin()
		first.do(c.meanwhile)
		r.s.Login("ann")
		if err := r.end(200); err != nil {
			t.Fatal(err)
		}
		if second.user() != "ann" || second.get("k") != c.want {
			t.Errorf("I1: after %s, the login of %q has %q, want %q", what, second.user(), second.get("k"), c.want)
		}
	}
}

func TestI1LoginThatFailsKeepsNothing(t *testing.T) {
	w, store := hookedServer(t)
	first := newClient(t, w.m)
	first.do(func(s *core.Session) { s.Set("k", "v") })
	r := first.fork().begin()
	first.do(func(s *core.Session) { s.Login("ann") })
	r.s.Login("ann")
	store.once("load", func() { store.before = failing("reserve") })
	if err := r.s.Commit(t.Context()); !errors.Is(err, core.ErrUnavailable) {
		t.Fatal(err)
	}
	store.before = nil
	if v, ok := core.Get[string](r.s, "k"); ok || !r.s.Ended() {
		t.Errorf("L4: without its login, a late request reads %q, ended %t", v, r.s.Ended())
	}
}

func TestI1MigratingDoubleClick(t *testing.T) {
	for _, pair := range []string{"memory to memory", "cookie to memory", "foreign to memory"} {
		for _, moved := range []bool{false, true} {
			v := newMove(t, pair)
			first := newClient(t, v.before)
			first.do(func(s *core.Session) { s.Set("k", "v") })
			if first.on(v.during); moved {
				first.get("k")
			}
			second := first.fork()
			r := second.begin()
			first.do(func(s *core.Session) { s.Login("ann") })
			r.s.Login("ann")
			if err := r.end(200); err != nil {
				t.Fatal(err)
			}
			for _, c := range []*client{first, second} {
				if c.user() != "ann" || c.get("k") != "v" {
					t.Errorf("%s, moved %t: a double click ends as %q with %q", pair, moved, c.user(), c.get("k"))
				}
			}
		}
	}
}
