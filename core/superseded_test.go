package core_test

import (
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
	w, ann, late := lateBy(t, 5*time.Minute-time.Millisecond)
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
	w, ann, late := lateBy(t, 5*time.Minute)
	x := late.do(func(s *core.Session) {
		if s.Ended() || !s.IsNew() || s.UserID() != "" {
			t.Errorf("L4: ended %t, new %t, user %q", s.Ended(), s.IsNew(), s.UserID())
		}
		s.Set("k", "again")
	})
	if len(x.setCookie) != 1 || late.get("k") != "again" || w.store.Len() != 2 {
		t.Errorf("L4: after 5 minutes the client is still stuck: cookies %q, %d sessions", x.setCookie, w.store.Len())
	}
	if late.id() == ann.id() || late.user() != "" {
		t.Error("L4: the old token opened the new session")
	}
	if ann.user() != "ann" || ann.get("k") != "v" {
		t.Errorf("L4: user %q, k is %q", ann.user(), ann.get("k"))
	}
}

func TestL4SavesDoNotProlongTheWait(t *testing.T) {
	w, ann, late := lateBy(t, 4*time.Minute)
	ann.do(func(s *core.Session) { s.Set("k", "w") })
	if err := w.m.Update(t.Context(), ann.id(), func(s *core.Session) error { s.Set("n", "1"); return nil }); err != nil {
		t.Fatal(err)
	}
	late.do(func(s *core.Session) {
		if !s.Ended() {
			t.Error("L4: a save made the session forget its previous token")
		}
	})
	w.clock.advance(time.Minute)
	late.do(func(s *core.Session) {
		if s.Ended() {
			t.Error("L4: a save prolonged the wait")
		}
	})
}

func TestL4EachRotationWaitsAnew(t *testing.T) {
	w, ann, first := lateBy(t, 4*time.Minute)
	second := ann.fork()
	ann.do(func(s *core.Session) { s.Renew() })
	w.clock.advance(4 * time.Minute)
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
	w.clock.advance(5 * time.Minute)
	ann.do(func(s *core.Session) { s.Set("k", "x") })
	if n := size("afterwards"); n > before-24 { // a hash; the times in the record may take a byte or two more
		t.Errorf("%d bytes after the login, %d after a save 5 minutes later; want 24 less at least", before, n)
	}
	if ann.user() != "ann" || ann.get("k") != "x" {
		t.Errorf("user %q, k is %q", ann.user(), ann.get("k"))
	}
}
