package adaptertest

import (
	"errors"

	"github.com/satchel-go/satchel/core"
)

// lateTokenCases are about requests that come with the token from before a login or
// a renewal.
var lateTokenCases = []testCase{
	{
		name:    "I1_SEC3_logout_with_the_previous_token",
		why:     "A user who clicks Sign out while another tab renews the session must be signed out.",
		run:     lateLogout,
		limited: lateLogoutClientSide,
	},
	{
		name: "I1_SEC3_logout_with_the_previous_token_says_goodbye",
		why:  "The page after such a logout shows its flash, as after any other.",
		run: func(h *harness) {
			c, late := h.open(setup{}).renewed("/renew")
			late.post("/logout?flash=bye").wants(200, "out").sets()
			late.is("user= new=false ended=false")
			late.get("/flashes").wants(200, "info:bye")
			c.is(anonymous)
		},
		limited: lateLogoutClientSide,
	},
	{
		name: "I1_SEC3_logout_with_the_previous_token_never_fails_silently",
		why:  "If the session cannot be ended, the user must not be told that it was.",
		run: func(h *harness) {
			c, late := h.open(setup{}).renewed("/renew")
			h.faults.down(opDelete)
			late.post("/logout").wantsStatus(503).setsNothing()
			h.faults.up()
			c.is(asAnn)
			late.post("/logout").wants(200, "out").sets()
			c.is(anonymous)
		},
		limited: lateLogoutClientSide,
	},
	{
		name: "I1_SEC3_logout_with_an_older_token",
		why:  "A token that was replaced twice, or long ago, is good for nothing.",
		run: func(h *harness) {
			s := h.open(setup{})
			c, late := s.renewed("/renew")
			c.post("/renew").sets()
			late.post("/logout").wants(200, "out").setsNothing()
			c.is(asAnn)
			c, late = s.renewed("/renew")
			h.clock.advance(30 * tick)
			late.post("/logout").wants(200, "out").setsNothing()
			c.is(asAnn)
		},
		limited: lateLogoutClientSide,
	},
	{
		name: "I1_SEC3_logout_that_a_renewal_overtakes",
		why:  "A logout whose request lost its session to a renewal ends that session nevertheless.",
		run: func(h *harness) {
			g := h.newGate()
			s := h.open(setup{routes: []Route{post("/slow-logout", func(r Request) error {
				g.pass()
				s := r.Session()
				s.Set("k", "late")
				if err := s.Commit(r.Context()); !errors.Is(err, core.ErrEnded) {
					h.Errorf("Commit: %v, want ErrEnded", err)
				}
				s.Logout()
				return r.Text(200, "out")
			})}})
			c := s.client()
			c.login("ann")
			slow := c.twin().async("/slow-logout")
			h.await(g)
			c.post("/renew").sets()
			g.open()
			h.result(slow).wants(200, "out").sets()
			c.is(anonymous)
		},
		limited: lateLogoutClientSide,
	},
	{
		name: "L4_lost_answer_of_a_login_locks_out_for_half_a_minute",
		why:  "A client that never got its new token must soon be able to store what its next login needs.",
		run: func(h *harness) {
			c, late := h.open(setup{}).renewed("/renew")
			h.clock.advance(29 * tick)
			late.post("/set?value=v").wants(200, "set").setsNothing()
			late.has("k", absent)
			h.clock.advance(tick)
			late.post("/set?value=v").wants(200, "set").sets()
			late.has("k", "v")
			late.is("user= new=false ended=false")
			c.is(asAnn)
		},
		limited: func(h *harness) {
			_, late := h.open(setup{}).renewed("/renew")
			late.post("/set?value=v").wants(200, "set").sets()
			late.has("k", "v")
		},
	},
	{
		name:    "I1_double_click_on_sign_in_keeps_the_cart",
		why:     "Whichever answer of a double click the browser keeps, the visitor's cart must be in it.",
		run:     doubleClick,
		limited: func(h *harness) { h.loginAcross(func(*site, *client) {}, "3 pears") },
	},
	{
		name: "I1_login_takes_nothing_from_a_session_that_was_ended",
		why:  "What was logged out, revoked, expired or given to another user must not come back with a login.",
		run: func(h *harness) {
			h.loginAcross(func(_ *site, c *client) { c.post("/logout").sets() }, absent)
			h.loginAcross(func(_ *site, c *client) { c.login("ben") }, absent)
			h.loginAcross(func(_ *site, c *client) { c.post("/renew").sets() }, absent)
			h.loginAcross(func(_ *site, c *client) { c.login("ann"); c.post("/logout").sets() }, absent)
			h.loginAcross(func(*site, *client) { h.clock.advance(35 * 60 * tick) }, absent)
			h.loginAcross(func(_ *site, c *client) { c.login("ann"); h.clock.advance(35 * 60 * tick) }, absent)
		},
		limited: func(h *harness) { h.loginAcross(func(_ *site, c *client) { c.post("/logout").sets() }, "3 pears") },
	},
	{
		name: "I1_SEC2_planted_token_gains_nothing_from_a_double_click",
		why:  "Fixation: of two logins on a planted token, the attacker must get as little as of one.",
		run: func(h *harness) {
			var attacker *client
			victim := h.loginAcross(func(_ *site, c *client) {
				attacker = c.twin()
				c.login("ann")
			}, "3 pears")
			victim.set("secret", "ann's")
			attacker.has("cart", absent)
			attacker.has("secret", absent)
			attacker.is("user= new=true ended=true")
			attacker.post("/late-renew").setsNothing()
			victim.is(asAnn)
			h.clock.advance(31 * tick)
			attacker.is(anonymous)
			attacker.set("cart", "planted")
			victim.has("cart", "3 pears")
		},
		limited: func(h *harness) { h.loginAcross(func(_ *site, c *client) { c.login("ann") }, "3 pears") },
	},
	{
		name:    "I2_SEC17_previous_token_ends_no_others",
		why:     "The previous token may be from before the login: it must not end the user's other sessions.",
		run:     lateRevocation,
		limited: func(h *harness) { h.unsupportedLists() },
	},
}

// renewed returns a client that is logged in as ann and has got a new token by
// target, and one that still has the token from before.
func (s *site) renewed(target string) (c, late *client) {
	s.Helper()
	c = s.client()
	c.login("ann")
	late = c.twin()
	c.post(target).wantsStatus(200).sets()
	return c, late
}

func lateLogout(h *harness) {
	s := h.open(setup{})
	for _, target := range []string{"/renew", "/login?user=ann", "/login?user=ann&remember=1"} {
		c, late := s.renewed(target)
		late.post("/logout").wants(200, "out").sets()
		if late.token() != "" {
			h.Errorf("%s: the late logout left the cookie with the client", target)
		}
		c.is(anonymous)
	}
	h.wantEvents(3, core.EventLogout, "")

	late := s.client()
	late.set("k", "v")
	c := late.twin()
	c.login("ann")
	other := s.client()
	other.login("ann")
	late.post("/logout").wants(200, "out").sets()
	c.is(anonymous)
	other.is(asAnn) // it ends that one session
}

// lateLogoutClientSide checks that a logout at least deletes the client's cookie.
func lateLogoutClientSide(h *harness) {
	c, late := h.open(setup{}).renewed("/renew")
	late.post("/logout").wants(200, "out").sets()
	if late.token() != "" {
		h.Errorf("the late logout left the cookie with the client")
	}
	c.is(asAnn)
}

func lateRevocation(h *harness) {
	ended := func(r Request, err error) error {
		if errors.Is(err, core.ErrEnded) {
			return r.Text(200, "ended")
		}
		return r.Text(500, "not refused")
	}
	s := h.open(setup{routes: []Route{
		post("/late-revoke", func(r Request) error {
			id, err := core.ParseID(r.Param("id"))
			if err != nil {
				return err
			}
			return ended(r, r.Session().RevokeOwn(r.Context(), id))
		}),
		post("/late-revoke-others", func(r Request) error {
			return ended(r, r.Session().RevokeOthers(r.Context()))
		}),
	}})
	other := s.client()
	other.login("ann")
	for _, target := range []string{"/renew", "/login?user=ann"} {
		c, late := s.renewed(target)
		late.post("/late-revoke?id="+other.id().String()).wants(200, "ended").setsNothing()
		late.post("/late-revoke?id="+c.id().String()).wants(200, "ended").setsNothing()
		late.post("/late-revoke-others").wants(200, "ended").setsNothing()
		c.is(asAnn)
	}
	other.is(asAnn)
}

// loginAcross lets something happen to a visitor's session while a request that logs
// ann in is in flight. It returns the client of that request, with cart as its cart.
func (h *harness) loginAcross(happens func(*site, *client), cart string) *client {
	h.Helper()
	g := h.newGate()
	s := h.open(setup{routes: []Route{
		post("/slow-login", func(r Request) error {
			value(r.Session(), "cart")
			g.pass()
			r.Session().Login("ann")
			return r.Text(200, "in")
		}),
		post("/late-renew", func(r Request) error { r.Session().Renew(); return r.Text(200, "renewed") }),
	}})
	c := s.client()
	c.set("cart", "3 pears")
	slow := c.twin()
	done := slow.async("/slow-login")
	h.await(g)
	happens(s, c)
	g.open()
	h.result(done).wants(200, "in").sets()
	slow.is(asAnn)
	slow.has("cart", cart)
	return slow
}

func doubleClick(h *harness) {
	h.loginAcross(func(_ *site, c *client) {
		c.post("/flash?kind=info&text=pending")
		c.login("ann")
		c.set("later", "v")
		c.is(asAnn)
		c.has("cart", "3 pears")
	}, "3 pears").has("later", absent)

	g := h.newGate()
	s := h.open(setup{routes: []Route{post("/slow-login", func(r Request) error {
		r.Session().PeekFlashes()
		g.pass()
		r.Session().Set("own", "v")
		r.Session().Login("ann")
		return r.Text(200, "in")
	})}})
	c := s.client()
	c.set("cart", "3 pears")
	c.post("/flash?kind=info&text=pending")
	second := c.twin()
	done := second.async("/slow-login")
	h.await(g)
	c.login("ann")
	g.open()
	h.result(done).wants(200, "in").sets()
	second.has("cart", "3 pears")
	second.has("own", "v")
	second.get("/flashes").wants(200, absent)
	c.get("/flashes").wants(200, "info:pending")
	if second.id() == c.id() {
		h.Errorf("two logins share a session")
	}
}
