package adaptertest

import (
	"strings"
	"time"

	"github.com/satchel-go/satchel/core"
)

// touchCases are about requests that only read: they move the expiry and change
// nothing else. Client-side, the touch travels in a cookie of its own.
var touchCases = []testCase{
	{
		name: "T2_reading_leaves_the_session_cookie_alone",
		why:  "A response that sets the session's cookie without having written brings back what others have changed since.",
		run:  readingLeavesTheCookie,
	},
	{
		name: "T2_a_page_that_only_reads_undoes_no_write",
		why:  "A page that was loading while the cart was filled must not empty the cart.",
		run: func(h *harness) {
			c, finish := h.readingPage()
			c.set("cart", "full")
			c.post("/flash?kind=info&text=added")
			finish()
			c.has("cart", "full")
			c.get("/flashes").wants(200, "info:added")
		},
	},
	{
		name: "T2_a_page_that_only_reads_undoes_no_logout",
		why:  "A page that was loading while its user logged out must not log the browser in again.",
		run: func(h *harness) {
			c, finish := h.readingPage()
			c.post("/logout").wants(200, "out")
			finish()
			c.is(anonymous)
			c.has("k", absent)
		},
	},
	{
		name: "T2_a_page_that_only_reads_undoes_no_login",
		why:  "A page that was loading while its user logged in must not undo the login.",
		run: func(h *harness) {
			c, finish := h.readingPage()
			c.login("ben")
			finish()
			c.is("user=ben new=false ended=false")
		},
	},
	{
		name: "T1_SEC11_touches_are_for_their_token_only",
		why:  "A touch must not bring an older state of the session back to life, nor another session.",
		run:  touchesOfOthers,
	},
	{
		name: "T1_damaged_and_duplicate_touches_are_absent",
		why:  "Of two touches one was planted, and a touch that was changed says nothing: the session ends as if there were none.",
		run:  damagedTouches,
	},
	{
		name: "E2_SEC36_logout_deletes_the_touch",
		why:  "After a logout, nothing of a session stays with the client.",
		run: func(h *harness) {
			c := h.open(setup{}).client()
			c.login("ann")
			h.clock.advance(10 * time.Minute)
			c.get("/who").wants(200, "user=ann new=false ended=false")
			c.post("/logout").wants(200, "out")
			if header := c.lines(); header != "" {
				h.Errorf("left after the logout: %.100s", header)
			}
		},
	},
}

// readingPage returns a browser that is logged in and in which a page is loading
// that only reads. It has a touch to make, and comes last: when finish is called.
func (h *harness) readingPage() (c *client, finish func()) {
	h.Helper()
	g := h.newGate()
	c = h.open(setup{routes: []Route{post("/page", func(r Request) error {
		user := r.Session().UserID()
		g.pass()
		return r.Text(200, user)
	})}}).client()
	c.login("ann")
	c.set("k", "v")
	h.clock.advance(10 * time.Minute)
	page := c.async("/page")
	h.await(g)
	return c, func() {
		h.Helper()
		g.open()
		if r := h.result(page); len(r.ours()) != 0 {
			h.Errorf("a page that only reads sets %q", r.ours())
		}
	}
}

func readingLeavesTheCookie(h *harness) {
	c := h.open(setup{}).client()
	c.set("k", "v")
	token := c.token()
	for range 8 {
		h.clock.advance(20 * time.Minute)
		r := c.get("/get").wants(200, "v")
		if !h.clientSide() {
			r.setsNothing()
			continue
		}
		if lines := r.touches(); len(lines) != 1 {
			h.Errorf("%d touches, want 1", len(lines))
		} else if !h.inHeader() {
			golden(h, lines[0], touchName+`=[^;]{50,600}; Path=/; HttpOnly; Secure; SameSite=Lax`)
		}
		c.get("/get").setsNothing()
	}
	if c.token() != token {
		h.Errorf("eight pages that only read have replaced the session's cookie")
	}
	c.post("/set?value=w").wants(200, "set")
	if _, left := c.jar[touchName]; left {
		h.Errorf("a write has left the touch of the token that it replaced")
	}
	c.has("k", "w")
}

// touched returns a browser whose session was stored an hour ago, by the handler
// at target, and has lived on by touches.
func (s *site) touched(target string) *client {
	s.Helper()
	c := s.client()
	c.post(target).wantsStatus(200)
	for range 3 {
		s.clock.advance(20 * time.Minute)
		c.get("/get").wantsStatus(200)
	}
	return c
}

func touchesOfOthers(h *harness) {
	s := h.open(setup{})
	old := s.client()
	old.set("k", "old")
	c := old.twin()
	h.clock.advance(time.Second)
	c.set("k", "new") // of the same session, a second later
	for range 3 {
		h.clock.advance(20 * time.Minute)
		c.has("k", "new")
	}
	other := s.touched("/set?value=other")
	c.has("k", absent)
	if !h.clientSide() {
		return
	}
	c = s.touched("/set?value=one")
	before := c.twin()
	c.post("/set?value=two").wants(200, "set")
	h.clock.advance(20 * time.Minute)
	c.has("k", "two")
	h.clock.advance(11 * time.Minute)
	for what, mixed := range map[string]struct{ record, touch *client }{
		"an old record with the new touch":          {before, c},
		"a new record with the old touch":           {c, before},
		"a new record with another session's touch": {c, other},
		"an old record with another's touch":        {before, other},
	} {
		m := mixed.record.twin()
		m.jar[touchName] = mixed.touch.jar[touchName]
		if r := m.get("/get"); r.body != absent {
			h.Errorf("%s is alive: %s", what, r.body)
		}
	}
	c.has("k", "two")
	orphan := s.client()
	orphan.jar[touchName] = c.jar[touchName]
	orphan.get("/get").wants(200, absent).setsNothing()
	swapped := s.client()
	swapped.jar[cookieName], swapped.jar[touchName] = c.jar[touchName], c.jar[cookieName]
	swapped.is(anonymous)
}

func damagedTouches(h *harness) {
	s := h.open(setup{})
	c, another := s.touched("/set?value=v"), s.client()
	if !h.clientSide() {
		c.rawTouch("x", "y").wants(200, "v")
		return
	}
	another.jar = c.twin().jar
	h.clock.advance(4 * time.Minute)
	another.has("k", "v") // a later touch of the same token
	touch := c.jar[touchName]
	c.rawTouch(touch, touch).wants(200, "v")
	for what, r := range map[string]*reply{
		"two touches":       c.rawTouch(touch, another.jar[touchName]),
		"one and an empty":  c.rawTouch(touch, ""),
		"changed":           c.rawTouch(flip(touch, len(touch)/2)),
		"cut":               c.rawTouch(touch[:len(touch)-4]),
		"quoted":            c.rawTouch(`"` + touch + `"`),
		"of many kilobytes": c.rawTouch(strings.Repeat("A", 8000)),
		"none":              c.rawGet("/get", h.line(c.token())),
	} {
		if tooMuch := r.status == 431 || r.err != nil; !tooMuch && (r.status != 200 || r.body != absent) {
			h.Errorf("%s: %d %q, want no session", what, r.status, r.body)
		}
	}
	c.has("k", "v")
	fresh := s.client()
	fresh.set("k", "w") // needs no touch, whatever comes along
	fresh.rawTouch("x", touch).wants(200, "w")
	h.wantEvents(0, core.EventRejected, core.ReasonDuplicate)
}

// rawTouch reads k with the client's token and these touches.
func (c *client) rawTouch(touches ...string) *reply {
	c.Helper()
	lines := []string{c.line(c.token())}
	for _, touch := range touches {
		if c.inHeader() {
			lines = append(lines, touchAnswer+": "+touch)
		} else {
			lines[0] += "; " + touchName + "=" + touch
		}
	}
	return c.rawGet("/get", lines...)
}
