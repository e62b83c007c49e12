package core_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/satchel-go/satchel/core"
)

func texts(flashes []core.Flash) string {
	var all []string
	for _, f := range flashes {
		all = append(all, f.Text)
	}
	return fmt.Sprint(all)
}

// A page that is fetched in advance gets only the flashes that its own request has
// added, and removes none, whoever says so and how.
func TestF1FetchedInAdvance(t *testing.T) {
	box := core.NewFlashKey[int]("box")
	both(t, func(t *testing.T, w *world) {
		for name, values := range map[string][]string{
			"Sec-Purpose":   {"prefetch", "prefetch;prerender", "prefetch, preview", "preview,PREFETCH", "Prerender", "prefetch;anonymous-client-ip"},
			"X-Sec-Purpose": {"prefetch", "Prefetch; prerender"},
			"Purpose":       {"Prefetch", "preload", "preview, prefetch"},
			"X-Moz":         {"prefetch"},
			"Hx-Preloaded":  {"true", "TRUE"},
		} {
			for _, value := range values {
				c := newClient(t, w.m)
				c.status(303, func(s *core.Session) { s.Flash("info", "before"); box.Add(s, 1) })
				c.header = map[string]string{name: value}
				x := c.do(func(s *core.Session) {
					s.Flash("info", "own")
					_, ok := box.Take(s)
					if peeked, got := texts(s.PeekFlashes()), texts(s.Flashes()); got != "[own]" || peeked != got || ok {
						t.Errorf("F1: %s: %s is given %s, peeks at %s, typed: %v", name, value, got, peeked, ok)
					}
				})
				if vary := x.response["Vary"]; vary != "Cookie, Sec-Purpose" {
					t.Errorf("F1: Vary is %q", vary)
				}
				c.header = nil
				c.do(func(s *core.Session) {
					_, ok := box.Take(s)
					if got := texts(s.Flashes()); got != "[before own]" || !ok {
						t.Errorf("F1: after %s: %s, the page is given %s, typed: %v", name, value, got, ok)
					}
				})
			}
		}
	})
}

// What it has added stays its own when its handler commits.
func TestF1FetchedInAdvanceCommitsItself(t *testing.T) {
	both(t, func(t *testing.T, w *world) {
		c := newClient(t, w.m)
		c.status(303, func(s *core.Session) { s.Flash("info", "before") })
		c.header = map[string]string{"Sec-Purpose": "prefetch"}
		c.do(func(s *core.Session) {
			for _, own := range []string{"first", "second"} {
				s.Flash("info", own)
				if err := s.Commit(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			s.Flash("info", "third")
			peeked, got := texts(s.PeekFlashes()), texts(s.Flashes())
			if again := texts(s.Flashes()); got != "[first second third]" || peeked != got || again != "[]" {
				t.Errorf("F1: it is given %s and then %s, and peeks at %s", got, again, peeked)
			}
		})
		c.header = nil
		c.do(func(s *core.Session) {
			if got := texts(s.Flashes()); got != "[before first second third]" {
				t.Errorf("F1: the next page is given %s", got)
			}
		})
	})
}

func TestC6LateReadIsStoredServerSide(t *testing.T) {
	w := server(t)
	c := newClient(t, w.m)
	c.status(303, func(s *core.Session) { s.Flash("info", "1") })
	r := c.begin()
	if err := w.m.Commit(r.x, r.s, 200); err != nil {
		t.Fatal(err)
	}
	r.s.Flashes()
	r.s.Set("late", "kept")
	w.m.Finish(r.s)
	if got := c.get("late"); got != "kept" {
		t.Errorf("C6: a late change to a stored session reads %q", got)
	}
	c.do(func(s *core.Session) {
		if len(s.Flashes()) != 0 {
			t.Error("C6: shown twice")
		}
	})
}

func TestC6LateChangesThatNeedACookieAreReported(t *testing.T) {
	both(t, func(t *testing.T, w *world) {
		c := newClient(t, w.m)
		r := c.begin()
		if err := w.m.Commit(r.x, r.s, 200); err != nil {
			t.Fatal(err)
		}
		r.s.Set("k", "v")
		if err := r.s.Commit(t.Context()); err == nil || w.events.count(core.EventTooLate) != 1 {
			t.Errorf("C6: commit says %v, %d events", err, w.events.count(core.EventTooLate))
		}
		w.m.Finish(r.s)
		r.s.Set("k", "v")
		if r.s.Err() == nil || w.events.count(core.EventTooLate) != 2 {
			t.Error("C6: a write after the request went unreported")
		}
		strict := w.manager(core.ServerSide(server(t).store), func(c *core.Config) { c.Strict = true })
		sc := newClient(t, strict)
		sr := sc.begin()
		_ = sr.end(200)
		defer func() {
			if recover() == nil {
				t.Error("strict mode: no panic")
			}
		}()
		sr.s.Set("k", "v")
	})
}

func TestC6BodyIsHeldForClientSideFlashes(t *testing.T) {
	w := inCookies(t)
	c := newClient(t, w.m)
	c.status(303, func(s *core.Session) { s.Flash("info", "1") })
	r := c.begin()
	if r.s.HoldBody(200) != 32<<10 || r.s.HoldBody(303) != 0 {
		t.Errorf("C6: holds %d for 200 and %d for 303", r.s.HoldBody(200), r.s.HoldBody(303))
	}
	r.s.Flashes()
	if r.s.HoldBody(200) != 0 {
		t.Error("C6: holds though all is read")
	}
	_ = r.end(200)
}

func TestC6BodyIsHeldForFlashesJustAdded(t *testing.T) {
	r := newClient(t, inCookies(t).m).begin()
	r.s.Flash("info", "1")
	if got := r.s.HoldBody(200); got != 32<<10 {
		t.Errorf("holds %d: a read while the page is written would come too late", got)
	}
}

func TestC7AskingWhetherToHoldIsNoUse(t *testing.T) {
	c := newClient(t, inCookies(t).m)
	c.status(303, func(s *core.Session) { s.Flash("info", "1") })
	x := c.status(200, nil)
	before := x.response["Vary"]
	r := c.begin()
	if r.s.HoldBody(200) == 0 {
		t.Fatal("nothing is held")
	}
	if err := r.end(200); err != nil {
		t.Fatal(err)
	}
	if got := r.x.response["Vary"]; got != before {
		t.Errorf("Vary is %q, without the question %q", got, before)
	}
}

func TestF1LateReadIsReportedAndShownAgain(t *testing.T) {
	both(t, func(t *testing.T, w *world) {
		c := newClient(t, w.m)
		c.status(303, func(s *core.Session) { s.Flash("info", "1") })
		r := c.begin()
		if err := r.end(200); err != nil {
			t.Fatal(err)
		}
		r.s.PeekFlashes()
		if n := w.events.count(core.EventTooLate); n != 0 {
			t.Errorf("F1: looking at flashes after the request is told %d times", n)
		}
		r.s.Flashes()
		if n := w.events.count(core.EventTooLate); n != 1 {
			t.Errorf("F1: a read after the request is told %d times", n)
		}
		c.do(func(s *core.Session) {
			if got := texts(s.Flashes()); got != "[1]" {
				t.Errorf("F1: the next page shows %s", got)
			}
		})
	})
}

func TestF1TypedFlashOfAnotherTypeIsTakenAndSkipped(t *testing.T) {
	both(t, func(t *testing.T, w *world) {
		text, number := core.NewFlashKey[string]("k"), core.NewFlashKey[int]("k")
		c := newClient(t, w.m)
		c.status(303, func(s *core.Session) { text.Add(s, "of an older version"); number.Add(s, 7) })
		c.do(func(s *core.Session) {
			if v, ok := number.Peek(s); v != 7 || !ok {
				t.Errorf("Peek: %d %t", v, ok)
			}
			if v, ok := text.Peek(s); v != "of an older version" || !ok {
				t.Errorf("Peek has taken what it could not read: %q %t", v, ok)
			}
			if v, ok := number.Take(s); v != 7 || !ok {
				t.Errorf("Take: %d %t", v, ok)
			}
		})
		c.do(func(s *core.Session) {
			if v, ok := text.Peek(s); ok {
				t.Errorf("%q is still there: it would be read, and skipped, until it lapses", v)
			}
		})
	})
}

func TestF5ExpiredFlashesTakeNoRoom(t *testing.T) {
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

func TestF1FlashReadBeforeAFailedCommitIsShownOnce(t *testing.T) {
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

// TestF6ConflictKeepsFlashesThatFit: a commit drops flashes for its size, meets a conflict, and then
// there is room: the other request has deleted what filled the session.
func TestF6ConflictKeepsFlashesThatFit(t *testing.T) {
	w, store := hookedServer(t, func(c *core.Config) { c.MaxBytes = 1000 })
	c := newClient(t, w.m)
	c.do(func(s *core.Session) { s.Set("k", strings.Repeat("x", 500)); s.Flash("info", "hello") })
	r := c.begin()
	r.s.Set("other", strings.Repeat("y", 480)) // with k, there is no room for the flash
	store.once("save", func() {
		c.fork().do(func(s *core.Session) { s.Delete("k") })
	})
	if err := r.end(303); err != nil {
		t.Fatal(err)
	}
	if n := w.events.count(core.EventFlashDropped); n != 0 {
		t.Errorf("F6: an event tells of a flash that was dropped")
	}
	c.do(func(s *core.Session) {
		if got := s.Flashes(); len(got) != 1 {
			t.Errorf("F6: flashes %q, want the one that fits", got)
		}
	})
}

// TestF6ExpiredFlashOfALongRequestPushesNoneOut: a request takes longer than flashes live, and meanwhile
// another has added one.
func TestF6ExpiredFlashOfALongRequestPushesNoneOut(t *testing.T) {
	for _, read := range []bool{false, true} {
		w := server(t, func(c *core.Config) { c.MaxFlashes, c.FlashLifetime = 1, time.Minute })
		c := newClient(t, w.m)
		c.do(func(s *core.Session) { s.Set("k", "v") })
		r := c.begin()
		r.s.Flash("info", "old")
		if read {
			r.s.Flashes() // and it must not take the other's place as read
		}
		w.clock.advance(2 * time.Minute)
		c.fork().do(func(s *core.Session) { s.Flash("info", "new") })
		r.s.Set("k", "w")
		if err := r.s.Commit(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := r.s.PeekFlashes(); len(got) != 1 || got[0].Text != "new" {
			t.Errorf("F6: the old one read: %t; flashes %q", read, got)
		}
		if err := r.end(200); err != nil {
			t.Fatal(err)
		}
		if got := c.begin().s.Flashes(); len(got) != 1 || got[0].Text != "new" {
			t.Errorf("F6: the old one read: %t; then flashes %q", read, got)
		}
	}
}
