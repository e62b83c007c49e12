package core_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/satchel-go/satchel/core"
)

// TestF1FlashIsReadAndAnotherAdded by a request that shows nothing: what it has
// read is still unread.
func TestF1FlashIsReadAndAnotherAdded(t *testing.T) {
	both(t, func(t *testing.T, w *world) {
		c := newClient(t, w.m)
		c.do(func(s *core.Session) { s.Flash("info", "one") })
		c.status(303, func(s *core.Session) {
			if n := len(s.Flashes()); n != 1 {
				t.Errorf("%d flashes", n)
			}
			s.Flash("info", "two")
		})
		c.do(func(s *core.Session) {
			if f := s.Flashes(); len(f) != 2 || f[0].Text != "one" || f[1].Text != "two" {
				t.Errorf("F1: %v", f)
			}
		})
	})
}

// TestF6NumbersAreNotUsedAgain: a request that has read a flash is still under
// way when the flash is gone and another one is there.
func TestF6NumbersAreNotUsedAgain(t *testing.T) {
	w := server(t)
	c := newClient(t, w.m)
	c.do(func(s *core.Session) { s.Flash("info", "one") })
	slow := c.fork().begin()
	slow.s.Flashes()
	c.do(func(s *core.Session) { s.Flashes() })
	c.do(func(s *core.Session) { s.Set("x", "y") })
	c.do(func(s *core.Session) { s.Flash("info", "two") })
	if err := slow.end(200); err != nil {
		t.Fatal(err)
	}
	c.do(func(s *core.Session) {
		if f := s.Flashes(); len(f) != 1 || f[0].Text != "two" {
			t.Errorf("F6: a reader of another flash has taken it: %v", f)
		}
	})
}

// TestK1UpdateAfterClear begins with nothing.
func TestK1UpdateAfterClear(t *testing.T) {
	both(t, func(t *testing.T, w *world) {
		c := newClient(t, w.m)
		c.do(func(s *core.Session) { core.Update(s, "n", func(int) int { return 5 }) })
		c.do(func(s *core.Session) { s.Clear(); core.Update(s, "n", func(n int) int { return n + 1 }) })
		c.do(func(s *core.Session) {
			if n, _ := core.Get[int](s, "n"); n != 1 {
				t.Errorf("n = %d, want 1", n)
			}
		})
	})
}

// TestK1ManyValues has so many values that their count takes two bytes.
func TestK1ManyValues(t *testing.T) {
	for _, n := range []int{127, 128, 129, 255, 256, 300} {
		w := server(t)
		c := newClient(t, w.m)
		c.do(func(s *core.Session) {
			for i := range n {
				s.Set(fmt.Sprint("key", i), i)
			}
		})
		c.do(func(s *core.Session) {
			for i := range n {
				if v, ok := core.Get[int](s, fmt.Sprint("key", i)); !ok || v != i {
					t.Fatalf("of %d values, number %d is %d, %v", n, i, v, ok)
				}
			}
		})
	}
}

// TestT1TimeoutsDoNotRestartTheLifetime: neither SetTimeouts nor Remember is a login.
func TestT1TimeoutsDoNotRestartTheLifetime(t *testing.T) {
	for name, change := range map[string]func(s *core.Session){
		"SetTimeouts": func(s *core.Session) { s.SetTimeouts(time.Hour, 3*time.Hour) },
		"Remember":    func(s *core.Session) { s.Remember(true) },
	} {
		both(t, func(t *testing.T, w *world) {
			c := login(t, w, "ann")
			use := func(d time.Duration) string {
				for range int(d / (15 * time.Minute)) {
					w.clock.advance(15 * time.Minute)
					c.get("x")
				}
				return c.user()
			}
			use(2 * time.Hour)
			c.do(change)
			if user := use(45 * time.Minute); user != "ann" {
				t.Errorf("%s: the session has ended early", name)
			}
			if user := use(30 * time.Minute); user != "" {
				t.Errorf("%s: T1: the session outlives the lifetime from its login", name)
			}
		}, func(c *core.Config) { c.Remembered = core.Timeouts{Idle: time.Hour, Lifetime: 3 * time.Hour} })
	}
}

// TestT1LoginForgetsTimeouts that another user's session had.
func TestT1LoginForgetsTimeouts(t *testing.T) {
	both(t, func(t *testing.T, w *world) {
		c := newClient(t, w.m)
		c.do(func(s *core.Session) { s.Set("x", "y"); s.SetTimeouts(10*time.Hour, 11*time.Hour) })
		c.do(func(s *core.Session) { s.Login("ann") })
		w.clock.advance(31 * time.Minute)
		if user := c.user(); user != "" {
			t.Error("the session is as long-lived as the one before the login")
		}
	})
}

// TestT2SkipTouchKeepsNoExpiryOfANewSession: a new session has no expiry to keep,
// and a login, Remember and SetTimeouts begin a new one.
func TestT2SkipTouchKeepsNoExpiryOfANewSession(t *testing.T) {
	for name, c := range map[string]struct {
		change func(s *core.Session)
		lasts  time.Duration
	}{
		"a new session": {nil, 30 * time.Minute},
		"Login":         {func(s *core.Session) { s.Login("ann") }, 30 * time.Minute},
		"Remember":      {func(s *core.Session) { s.Remember(true) }, 5 * time.Hour},
		"SetTimeouts":   {func(s *core.Session) { s.SetTimeouts(2*time.Hour, 0) }, 2 * time.Hour},
	} {
		both(t, func(t *testing.T, w *world) {
			client := newClient(t, w.m)
			client.do(func(s *core.Session) { s.SkipTouch(); s.Set("x", "y") })
			if change := c.change; change != nil {
				w.clock.advance(20 * time.Minute)
				client.do(func(s *core.Session) { s.SkipTouch(); change(s) })
			}
			alive := func() (alive bool) {
				client.fork().do(func(s *core.Session) { s.SkipTouch(); alive = len(s.Keys()) > 0 })
				return alive
			}
			w.clock.advance(c.lasts - time.Minute)
			if !alive() {
				t.Errorf("%s: the session has ended early", name)
			}
			w.clock.advance(2 * time.Minute)
			if alive() {
				t.Errorf("%s: the session lives on", name)
			}
		}, func(c *core.Config) { c.Remembered = core.Timeouts{Idle: 5 * time.Hour, Lifetime: 20 * time.Hour} })
	}
}

// TestT3RememberOnASessionThatIsThere changes its cookie, each way.
func TestT3RememberOnASessionThatIsThere(t *testing.T) {
	both(t, func(t *testing.T, w *world) {
		c := login(t, w, "ann")
		for _, on := range []bool{true, false} {
			x := c.do(func(s *core.Session) { s.Remember(on) })
			if lines := strings.Join(x.setCookie, "\n"); lines == "" || strings.Contains(lines, "Max-Age=") != on {
				t.Errorf("Remember(%v): %q", on, lines)
			}
			w.clock.advance(50 * time.Minute) // not yet time for a touch
			if user := c.user(); user == "ann" != on {
				t.Errorf("50 minutes after Remember(%v): %q", on, user)
			}
		}
	})
}

// TestC2RememberedAlready is no change, and takes no new token.
func TestC2RememberedAlready(t *testing.T) {
	w := server(t)
	c := newClient(t, w.m)
	c.do(func(s *core.Session) { s.Login("ann"); s.Remember(true) })
	if x := c.do(func(s *core.Session) { s.Remember(true) }); len(x.setCookie) != 0 {
		t.Errorf("set %q", x.setCookie)
	}
}

// TestSEC24LabelsAreBounded: a label may come from a header, which may be long.
func TestSEC24LabelsAreBounded(t *testing.T) {
	w := server(t, func(c *core.Config) {
		c.Describe = func(core.Exchange) string { return strings.Repeat("é", 5000) }
	})
	login(t, w, "ann")
	infos, err := w.m.List(t.Context(), "ann")
	if err != nil || len(infos) != 1 || len(infos[0].Label) == 0 || len(infos[0].Label) > 256 {
		t.Errorf("%v, %v", infos, err)
	}
}
