package adaptertest

import (
	"context"
	"time"

	"github.com/satchel-go/satchel/core"
)

// timeoutCases are about idle timeout, absolute lifetime and touching.
var timeoutCases = []testCase{
	{
		name: "T1_SEC11_idle_timeout",
		why:  "The server ends a session that was not used, whatever the client keeps.",
		run: func(h *harness) {
			c := h.open(setup{}).client()
			c.set("k", "v")
			h.clock.advance(30*time.Minute - tick)
			c.has("k", "v")
			h.clock.advance(30*time.Minute + tick)
			c.has("k", absent)
		},
	},
	{
		name: "T1_activity_moves_the_idle_timeout",
		why:  "Somebody who keeps working is not logged out.",
		run: func(h *harness) {
			c := h.open(setup{}).client()
			c.set("k", "v")
			for range 8 {
				h.clock.advance(20 * time.Minute)
				c.has("k", "v")
			}
		},
	},
	{
		name: "T1_SEC12_lifetime_survives_activity_and_renewal",
		why:  "A stolen session must end some day, however busy the thief is.",
		run: func(h *harness) {
			c := h.open(setup{}).client()
			c.set("k", "v")
			for range 35 { // 11 h 40 min
				h.clock.advance(20 * time.Minute)
				c.post("/renew").wants(200, "renewed")
				c.has("k", "v")
			}
			c.set("k", "w")
			h.clock.advance(20*time.Minute + tick)
			c.has("k", absent)
		},
	},
	{
		name: "T1_SEC12_login_restarts_the_lifetime",
		why:  "Whoever proves who they are starts anew.",
		run: func(h *harness) {
			c := h.open(setup{core: func(c *core.Config) { c.IdleTimeout = 12 * time.Hour }}).client()
			c.set("k", "v")
			h.clock.advance(11 * time.Hour)
			c.login("ann")
			h.clock.advance(11 * time.Hour)
			c.has("k", "v")
			h.clock.advance(time.Hour + tick)
			c.has("k", absent)
		},
	},
	{
		name: "T1_SEC14_an_old_cookie_does_not_come_back",
		why:  "The expiry is inside what is authenticated: an attribute that the client edits changes nothing.",
		run: func(h *harness) {
			s := h.open(setup{})
			c := s.client()
			c.login("ann")
			old := c.token()
			h.clock.advance(31 * time.Minute)
			s.with(old).get("/who").wants(200, "user= new=true ended=false").setsNothing()
			c.get("/who").wants(200, "user= new=true ended=false")
		},
	},
	{
		name: "T1_timeouts_of_one_session",
		why:  "Administrators may have shorter sessions than others.",
		run: func(h *harness) {
			s := h.open(setup{routes: []Route{post("/short", func(r Request) error {
				r.Session().SetTimeouts(5*time.Minute, time.Hour)
				return r.Text(200, "short")
			})}})
			c, other := s.client(), s.client()
			c.set("k", "v")
			other.set("k", "v")
			c.post("/short").wants(200, "short")
			h.clock.advance(5*time.Minute + tick)
			c.has("k", absent)
			other.has("k", "v")
		},
	},
	{
		name: "T1_NotBefore_ends_what_began_earlier",
		why:  "After a leak everything that is older goes, wherever it is kept.",
		run: func(h *harness) {
			c := h.open(setup{}).client()
			c.set("k", "v")
			cut := h.clock.Now().Add(time.Minute)
			h.clock.advance(2 * time.Minute)
			later := h.open(setup{core: func(c *core.Config) { c.NotBefore = cut }})
			later.with(c.token()).has("k", absent)
			fresh := later.client()
			fresh.set("k", "new")
			fresh.has("k", "new")
		},
	},
	{
		name: "T2_touch_is_throttled",
		why:  "One write per fraction of the idle timeout is enough, however many requests there are.",
		run:  throttled,
	},
	{
		name: "T2_only_use_counts",
		why:  "A request that does not look at its session is no activity, nor is a poller that says so.",
		run: func(h *harness) {
			s := h.open(setup{routes: []Route{get("/poll", func(r Request) error {
				r.Session().SkipTouch()
				return r.Text(200, value(r.Session(), "k"))
			})}})
			c := s.client()
			c.set("k", "v")
			for range 5 {
				h.clock.advance(5 * time.Minute)
				c.get("/poll").wants(200, "v").setsNothing()
				c.get("/blank").wants(200, "blank").setsNothing()
			}
			h.wantEvents(0, core.EventTouched, "")
			h.clock.advance(5*time.Minute + tick)
			c.has("k", absent)
		},
	},
	{
		name: "T2_failed_touch_fails_no_request",
		why:  "A page that was only read is shown though its visit could not be noted.",
		run: func(h *harness) {
			c := h.open(setup{}).client()
			c.set("k", "v")
			h.clock.advance(5 * time.Minute)
			h.faults.down(opTouch)
			if h.clientSide() {
				h.faults.down(opSave) // touching is sealing anew there
			}
			c.has("k", "v")
			if h.events.count(core.EventUnavailable, "") == 0 {
				h.Errorf("no event tells of the failed touch")
			}
			h.faults.up()
			c.has("k", "v")
			h.wantEvents(1, core.EventTouched, "")
		},
	},
	{
		name: "T3_Remember_outlives_the_browser",
		why:  "A remembered session has a persistent cookie and longer timeouts; the server enforces them.",
		run:  remembered,
	},
	{
		name: "T3_next_login_forgets",
		why:  "Who logs in without the tick mark is not remembered for the last one's sake.",
		run: func(h *harness) {
			c := h.open(setup{}).client()
			c.post("/login?user=ann&remember=1").sets()
			r := c.post("/login?user=ann").sets()
			if _, _, attributes := parseSetCookie(r.ours()[0]); attributes["max-age"] != "" {
				h.Errorf("the cookie is still persistent: %s", r.ours()[0])
			}
			h.clock.advance(30*time.Minute + tick)
			c.get("/who").wants(200, "user= new=true ended=false")
		},
	},
	{
		name: "L1_Check_ends_a_session",
		why:  "A deleted user's session ends at its next request, and the client's cookie goes.",
		run:  checked,
	},
}

func throttled(h *harness) {
	c := h.open(setup{}).client()
	c.set("k", "v")
	for range 10 {
		c.get("/get").setsNothing()
	}
	h.wantEvents(0, core.EventTouched, "")
	h.clock.advance(3*time.Minute - tick)
	c.get("/get").setsNothing()
	h.wantEvents(0, core.EventTouched, "")
	h.clock.advance(2 * tick)
	for range 10 {
		c.has("k", "v")
	}
	h.wantEvents(1, core.EventTouched, "")
	saves := 1
	if h.clientSide() {
		saves = 2 // touching is sealing anew there
	}
	if n := h.faults.count(opSave); n != saves {
		h.Errorf("%d saves, want %d", n, saves)
	}
}

func remembered(h *harness) {
	c := h.open(setup{}).client()
	r := c.post("/login?user=ann&remember=1").sets()
	golden(h, r.ours()[0], `__Host-session=[^;]+; Path=/; Max-Age=2592000; Expires=[^;]+ GMT; HttpOnly; Secure; SameSite=Lax`)
	for range 2 {
		h.clock.advance(13 * 24 * time.Hour)
		c.get("/who").wants(200, "user=ann new=false ended=false")
	}
	h.clock.advance(4*24*time.Hour + tick)
	c.get("/who").wants(200, "user= new=true ended=false") // 30 days are over

	c.post("/login?user=ben&remember=1").sets()
	h.clock.advance(14*24*time.Hour + tick)
	c.get("/who").wants(200, "user= new=true ended=false") // 14 idle days are over
}

func checked(h *harness) {
	s := h.open(setup{core: func(c *core.Config) {
		c.Check = func(_ context.Context, s *core.Session) error {
			switch s.UserID() {
			case "gone":
				return core.ErrNotFound
			case "unknown":
				return core.ErrUnavailable
			}
			return nil
		}
	}})
	kept, gone, unknown := s.client(), s.client(), s.client()
	kept.login("ann")
	gone.login("gone")
	unknown.login("unknown")
	token := gone.token()
	kept.get("/who").wants(200, "user=ann new=false ended=false")
	gone.get("/who").wants(200, "user= new=true ended=false").sets()
	if gone.token() != "" {
		h.Errorf("the ended session's cookie is still with the client")
	}
	unknown.get("/who").refusal(503, unavailableBody)
	s.with(token).get("/who").wants(200, "user= new=true ended=false")
	if h.events.count(core.EventRejected, core.ReasonCheck) == 0 {
		h.Errorf("no event tells why the session was ended")
	}
}
