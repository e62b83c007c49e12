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
		why:  "The server ends a session that has been idle too long, whatever the client keeps.",
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
		name: "T1_work_that_crosses_the_idle_limit_is_kept",
		why:  "A form that was sent in time is stored, though the idle timeout passes while it is handled.",
		run: func(h *harness) {
			for _, late := range []time.Duration{2 * tick, 59 * tick} {
				c := h.across(late, "/slow-set", 200)
				c.has("k", "v")
				c.is(asAnn)
				h.clock.advance(29 * time.Minute) // the write has moved the expiry
				c.has("k", "v")
			}
		},
	},
	{
		name: "T1_reading_across_the_idle_limit_counts",
		why:  "A page that was asked for in time is activity, like any other.",
		run:  func(h *harness) { h.across(2*tick, "/slow-read", 200).is(asAnn) },
	},
	{
		name: "T1_SEC13_work_that_ends_too_late_is_refused",
		why:  "What is lost with an expired session must not be answered as if it were stored.",
		run: func(h *harness) {
			if h.clientSide() { // the response itself is what stores it
				h.across(2*time.Minute, "/slow-set", 200).has("k", "v")
				return
			}
			for _, target := range []string{"/slow-set", "/slow-flash", "/slow-renew"} {
				c := h.across(62*tick, target, 409)
				c.is(anonymous)
				c.has("k", absent)
			}
			h.wantEvents(3, core.EventDropped, core.ReasonExpired)
			h.across(62*tick, "/slow-read", 200).is(anonymous) // nothing is lost
			h.across(62*tick, "/slow-logout", 200).is(anonymous)
			h.across(62*tick, "/slow-login", 200).is(asAnn)
		},
	},
	{
		name: "T1_SEC11_SEC14_no_grace_for_requests_that_come_too_late",
		why:  "The minute after the idle timeout is for requests that came before it, and for no others.",
		run: func(h *harness) {
			c := h.open(setup{}).client()
			c.login("ann")
			copied := c.twin()
			h.clock.advance(30 * time.Minute)
			copied.is(anonymous)
			c.post("/set?value=v").sets() // a new session
			c.is("user= new=false ended=false")
			copied.is(anonymous)
		},
	},
	{
		name: "K2_a_logout_after_the_idle_limit_wins",
		why:  "A form that was sent before the idle timeout must not undo a logout that was answered after it.",
		run: func(h *harness) {
			g := h.newGate()
			c := h.open(setup{routes: []Route{post("/slow-set", func(r Request) error {
				value(r.Session(), "k")
				g.pass()
				r.Session().Set("k", "v")
				return r.Text(200, "passed")
			})}}).client()
			c.login("ann")
			copied := c.twin()
			h.clock.advance(30*time.Minute - tick)
			r := c.during(g, "/slow-set", func() {
				h.clock.advance(2 * tick)
				c.post("/logout").wants(200, "out")
			}).wantsStatus(200)
			if h.clientSide() { // as with any overlapping logout, the last response counts
				c.is(asAnn)
				return
			}
			r.setsNothing()
			c.is(anonymous)
			copied.is(anonymous)
			h.wantEvents(1, core.EventLogout, "")
		},
	},
	{
		name: "T1_SEC12_lifetime_survives_activity_and_renewal",
		why:  "A stolen session must end some day, however much the thief uses it.",
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
		why:  "A login starts the lifetime anew, because the user has proven who they are.",
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
		why:  "After a leak, NotBefore ends every older session, wherever it is kept.",
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
		why:  "A request that does not use its session is not activity, nor is a poller that calls SkipTouch.",
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
		why:  "A page that only reads is shown even if its touch fails.",
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
				h.Errorf("no event reports the failed touch")
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
		why:  "A login without Remember is not remembered because the last one was.",
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
	if !h.inHeader() {
		golden(h, r.ours()[0], `__Host-session=[^;]+; Path=/; Max-Age=2592000; Expires=[^;]+ GMT; HttpOnly; Secure; SameSite=Lax`)
	}
	for range 2 {
		h.clock.advance(13 * 24 * time.Hour)
		c.get("/who").wants(200, "user=ann new=false ended=false")
	}
	h.clock.advance(4*24*time.Hour + tick)
	c.get("/who").wants(200, "user= new=true ended=false") // 30 days have passed

	c.post("/login?user=ben&remember=1").sets()
	h.clock.advance(14*24*time.Hour + tick)
	c.get("/who").wants(200, "user= new=true ended=false") // 14 idle days have passed
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
		h.Errorf("no event says why the session was ended")
	}
}

// across sends a request just before the idle timeout of a session of ann's, which
// answers late after that, with status. It returns her client.
func (h *harness) across(late time.Duration, target string, status int) *client {
	h.Helper()
	g := h.newGate()
	slow := func(name string, then func(*core.Session)) Route {
		return post(name, func(r Request) error {
			s := r.Session()
			value(s, "k")
			g.pass()
			then(s)
			return r.Text(200, "passed")
		})
	}
	c := h.open(setup{routes: []Route{
		slow("/slow-set", func(s *core.Session) { s.Set("k", "v") }),
		slow("/slow-read", func(*core.Session) {}),
		slow("/slow-flash", func(s *core.Session) { s.Flash("info", "v") }),
		slow("/slow-renew", func(s *core.Session) { s.Renew() }),
		slow("/slow-login", func(s *core.Session) { s.Login("ann") }),
		slow("/slow-logout", func(s *core.Session) { s.Logout() }),
	}}).client()
	c.login("ann")
	h.clock.advance(30*time.Minute - tick)
	done := c.async(target)
	h.await(g)
	h.clock.advance(late)
	g.open()
	r := h.result(done).wantsStatus(status)
	if status != 200 {
		r.setsNothing()
	}
	return c
}
