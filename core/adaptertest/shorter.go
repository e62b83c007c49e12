package adaptertest

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/satchel-go/satchel/core"
)

// shorterCases are about timeouts that change while sessions are alive: Config's, or
// a session's own.
var shorterCases = []testCase{
	{
		name: "T1_shorter_lifetime_reaches_sessions",
		why:  "Timeouts are shortened because sessions live too long: that means those which are there.",
		run: func(h *harness) {
			long, short := h.shortened()
			c, own, dead := long.client(), long.client(), long.client()
			for _, c := range []*client{c, own, dead} {
				c.login("ann")
			}
			own.post("/timeouts?lifetime=240h").wants(200, "timed")
			h.clock.advance(2*time.Hour - 2*tick) // which leaves time for a window
			c.on(short).is(asAnn)
			h.clock.advance(3 * tick)
			c.on(short).is(anonymous)
			own.on(short).is(asAnn)
			c.on(long).is(asAnn) // nothing is ended that would come back if the change is taken back
			if list, err := short.m.List(h.Context(), "ann"); !errors.Is(err, core.ErrUnsupported) && (err != nil || len(list) != 1) {
				h.Errorf("List: %d sessions, %v; want the one with a lifetime of its own", len(list), err)
			}
		},
	},
	{
		name: "T1_shorter_idle_timeout_counts_from_the_first_request",
		why:  "When a session was last used under the longer timeout is not known exactly, so none ends too early, and from then on all end in time.",
		run: func(h *harness) {
			long, short := h.shortened()
			for _, first := range []string{"/get", "/blank"} { // also a request that does not use the session
				c, used, own := long.client(), long.client(), long.client()
				for _, c := range []*client{c, used, own} {
					c.login("ann")
				}
				own.post("/timeouts?idle=24h").wants(200, "timed")
				h.clock.advance(40 * time.Minute)
				for _, c := range []*client{c, used, own} {
					c.on(short).get(first).wantsStatus(200)
				}
				h.clock.advance(9 * time.Minute)
				used.on(short).is(asAnn)
				h.clock.advance(time.Minute + tick)
				c.on(short).is(anonymous)
				used.on(short).is(asAnn)
				own.on(short).is(asAnn)
			}
		},
	},
	{
		name:   "T3_cookie_follows_longer_timeouts",
		why:    "A session that lives longer than its cookie is lost all the same.",
		cookie: "only cookies have an end of their own",
		run: func(h *harness) {
			s := h.open(setup{routes: timeoutRoutes()})
			c := s.client()
			c.post("/login?user=ann&remember=1").sets()
			token := c.token()
			r := c.post("/timeouts?lifetime=1440h").wants(200, "timed").sets()
			golden(h, r.ours()[0], `__Host-session=[^;]+; Path=/; Max-Age=5184000; Expires=[^;]+ GMT; HttpOnly; Secure; SameSite=Lax`)
			if !h.clientSide() && c.token() != token {
				h.Errorf("the token was replaced, which requests in flight would notice")
			}
			c.is(asAnn)
			h.clock.advance(13 * 24 * time.Hour)
			c.is(asAnn)
			r = c.post("/timeouts?lifetime=1200h").wants(200, "timed").sets()
			golden(h, r.ours()[0], `__Host-session=[^;]+; Path=/; Max-Age=3196800; Expires=[^;]+ GMT; HttpOnly; Secure; SameSite=Lax`)
			plain := s.client()
			plain.login("ben")
			if r := plain.post("/timeouts?lifetime=1440h").wants(200, "timed"); !h.clientSide() {
				r.setsNothing() // goes with the browser
			}
		},
	},
	{
		name:   "T3_cookie_of_an_endless_session_is_sent_again",
		why:    "Browsers keep no cookie for more than 400 days, however often the session is used.",
		cookie: "only cookies have an end of their own",
		run: func(h *harness) {
			c := h.open(setup{core: func(c *core.Config) {
				c.Remembered = core.Timeouts{Idle: core.NoTimeout, Lifetime: core.NoTimeout}
			}}).client()
			c.post("/login?user=ann&remember=1").sets()
			for round := range 5 {
				for _, days := range []time.Duration{50, 49} {
					h.clock.advance(days * 24 * time.Hour)
					for range 2 {
						if r := c.get("/who").wants(200, asAnn); len(r.ours()) != 0 {
							h.Errorf("the cookie is sent after less than 100 days: %q", r.ours())
						}
					}
				}
				h.clock.advance(25 * time.Hour)
				if h.clientSide() { // only a write may, for the cookie holds what was written
					if r := c.get("/who").wants(200, asAnn); len(r.ours()) != 0 {
						h.Errorf("a request that only reads sets the session: %q", r.ours())
					}
					c.post(fmt.Sprintf("/set?value=%d", round)).wants(200, "set").sets()
					continue
				}
				c.get("/blank").setsNothing()
				r := c.get("/who").wants(200, asAnn).sets()
				golden(h, r.ours()[0], `__Host-session=[^;]+; Path=/; Max-Age=34560000; Expires=[^;]+ GMT; HttpOnly; Secure; SameSite=Lax`)
			}
		},
	},
}

// on returns the client on another site, with the same jar.
func (c *client) on(other *site) *client {
	return &client{site: other, http: c.http, jar: c.jar, seen: c.seen}
}

// shortened returns a server, and another on the same sessions whose timeouts are
// shorter.
func (h *harness) shortened() (long, short *site) {
	h.Helper()
	at := func(idle, lifetime time.Duration) *site {
		return h.open(setup{routes: timeoutRoutes(), core: func(c *core.Config) { c.IdleTimeout, c.Lifetime = idle, lifetime }})
	}
	return at(3*time.Hour, 12*time.Hour), at(10*time.Minute, 2*time.Hour)
}

func timeoutRoutes() []Route {
	duration := func(r Request, name string) time.Duration {
		d, _ := time.ParseDuration(strings.TrimSpace(r.Param(name))) // zero otherwise
		return d
	}
	return []Route{post("/timeouts", func(r Request) error {
		r.Session().SetTimeouts(duration(r, "idle"), duration(r, "lifetime"))
		return r.Text(200, "timed")
	})}
}
