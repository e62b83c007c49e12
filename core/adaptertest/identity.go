package adaptertest

import (
	"fmt"

	"github.com/satchel-go/satchel/core"
)

// identityCases are about login, logout and renewal.
var identityCases = []testCase{
	{
		name: "I1_SEC3_login_gives_a_new_token_and_keeps_the_data",
		why:  "An attacker who planted or saw the token before the login must not share the login; the cart stays.",
		run: func(h *harness) {
			s := h.open(setup{})
			c := s.client()
			c.set("cart", "3 pears")
			old, id := c.token(), c.id()
			c.login("ann")
			if c.token() == old {
				h.Errorf("the token is still the one from before the login")
			}
			if c.id() != id {
				h.Errorf("the session's public ID changed")
			}
			c.has("cart", "3 pears")
			c.get("/who").wants(200, "user=ann new=false ended=false")
		},
	},
	{
		name:    "I1_SEC3_old_token_is_dead_at_once",
		why:     "Against session fixation, the token from before the login must not be logged in.",
		run:     func(h *harness) { oldToken(h, "/login?user=ann", absent) },
		limited: func(h *harness) { oldToken(h, "/login?user=ann", "v") },
	},
	{
		name:    "I1_SEC3_so_it_is_with_a_repeated_login",
		why:     "When a user enters the password again, a thief with the old token must lose access.",
		run:     func(h *harness) { repeatedLogin(h, "user= new=true ended=true") },
		limited: func(h *harness) { repeatedLogin(h, asAnn) },
	},
	{
		name:    "I1_old_token_is_dead_after_Renew",
		why:     "Renew is for changes of privileges: the token from before must not have them.",
		run:     func(h *harness) { oldToken(h, "/renew", absent) },
		limited: func(h *harness) { oldToken(h, "/renew", "v") },
	},
	{
		name: "I1_another_users_values_are_not_inherited",
		why:  "On a shared computer the next user must not see the last one's data.",
		run: func(h *harness) {
			c := h.open(setup{}).client()
			c.login("ann")
			c.set("private", "ann's")
			c.post("/flash?kind=info&text=for+ann")
			c.login("ann")
			c.has("private", "ann's") // the same user keeps the session's data
			id := c.id()
			c.login("ben")
			c.has("private", absent)
			c.get("/flashes").wants(200, absent)
			if c.id() == id {
				h.Errorf("two users share a session ID")
			}
		},
	},
	{
		name: "I1_remembers_when",
		why:  "Sensitive pages ask for a fresh login.",
		run: func(h *harness) {
			s := h.open(setup{routes: []Route{get("/when", func(r Request) error {
				s := r.Session()
				return r.Text(200, fmt.Sprint(s.CreatedAt().IsZero(), s.AuthenticatedAt().IsZero(), s.AuthenticatedAt().Equal(h.clock.Now())))
			})}})
			c := s.client()
			c.get("/when").wants(200, "true true false")
			c.set("k", "v")
			c.get("/when").wants(200, "false true false")
			c.login("ann")
			c.get("/when").wants(200, "false false true")
			h.clock.advance(tick)
			c.get("/when").wants(200, "false false false")
		},
	},
	{
		name: "I3_logout_with_a_flash_sets_one_cookie",
		why:  "The redirect after a logout shows \"signed out\", with a session that is new and anonymous.",
		run: func(h *harness) {
			c := h.open(setup{}).client()
			c.login("ann")
			c.set("k", "v")
			old, id := c.token(), c.id()
			c.post("/logout?flash=Signed+out.&to=/flashes").wantsStatus(303).sets()
			if c.token() == "" || c.token() == old {
				h.Errorf("the message after the logout has no session of its own")
			}
			c.get("/who").wants(200, "user= new=false ended=false")
			if c.id() == id {
				h.Errorf("the session after the logout is the one from before")
			}
			c.get("/flashes").wants(200, "info:Signed out.")
			c.has("k", absent)
		},
	},
	{
		name: "I3_logout_removes_the_cookie",
		why:  "After a logout, nothing is left with the client.",
		run: func(h *harness) {
			c := h.open(setup{}).client()
			c.login("ann")
			c.post("/logout").wants(200, "out").sets()
			if c.token() != "" {
				h.Errorf("the cookie is still there")
			}
			h.wantEvents(1, core.EventLogout, "")
			c.get("/who").wants(200, "user= new=true ended=false")
		},
	},
	{
		name: "I3_the_logout_cookie_restores_nothing",
		why:  "What the client receives at the logout must not work as a session, however it is sent back.",
		run: func(h *harness) {
			s := h.open(setup{})
			c := s.client()
			c.login("ann")
			s.rawGet("/who", h.line(c.post("/logout").sets().token())).wants(200, anonymous)
			farewell := s.client()
			farewell.login("ann")
			farewell.post("/logout?flash=bye").sets()
			farewell.is("user= new=false ended=false")
		},
	},
	{
		name:    "K2_SEC15_logout_kills_on_the_server",
		why:     "A copy of the cookie, in a log or in a thief's hands, is worthless after the logout.",
		run:     func(h *harness) { replayAfterLogout(h, "user= new=true ended=false") },
		limited: func(h *harness) { replayAfterLogout(h, "user=ann new=false ended=false") },
	},
	{
		name: "I3_SEC21_a_destroyed_session_is_unusable",
		why:  "What a handler writes after the logout belongs to the new session, never to the old one.",
		run:  destroyed,
	},
	{
		name: "K2_logout_that_cannot_be_carried_out_fails",
		why:  "A user who sees \"signed out\" must be signed out.",
		run: func(h *harness) {
			c := h.open(setup{}).client()
			c.login("ann")
			before := c.token()
			h.faults.down(opDelete)
			c.post("/logout").refusal(503, unavailableBody)
			h.faults.up()
			if c.token() != before {
				h.Errorf("the cookie is gone, the session is not")
			}
			c.get("/who").wants(200, "user=ann new=false ended=false")
		},
		limited: func(h *harness) {
			c := h.open(setup{}).client()
			c.login("ann")
			h.faults.down(opSave, opTouch, opDelete)
			c.post("/logout").wants(200, "out").sets() // it calls no backend
			h.faults.up()
			c.get("/who").wants(200, "user= new=true ended=false")
		},
	},
}

// oldToken checks what the token from before a request is good for afterwards.
func oldToken(h *harness, target, want string) {
	h.Helper()
	s := h.open(setup{})
	c := s.client()
	c.set("k", "v")
	old := c.token()
	c.post(target).wantsStatus(200).sets()
	second := s.with(old)
	second.has("k", want)
	if r := second.get("/who"); want == absent {
		r.wants(200, "user= new=true ended=true")
	} else {
		r.wants(200, "user= new=false ended=false") // in any case it is not logged in
	}
	c.has("k", "v")
}

// repeatedLogin checks what the token from before the same user's second login is
// good for afterwards.
func repeatedLogin(h *harness, want string) {
	h.Helper()
	s := h.open(setup{})
	c := s.client()
	c.login("ann")
	c.set("k", "v")
	old, id := c.token(), c.id()
	h.clock.advance(tick)
	c.post("/login?user=ann").wantsStatus(200).sets()
	if c.token() == old {
		h.Errorf("the token is still the one from before the second login")
	}
	s.with(old).is(want)
	c.is(asAnn)
	c.has("k", "v")
	if c.id() != id {
		h.Errorf("the session's public ID changed")
	}
}

func replayAfterLogout(h *harness, want string) {
	h.Helper()
	s := h.open(setup{})
	c := s.client()
	c.login("ann")
	copied := c.token()
	c.post("/logout").wants(200, "out").sets()
	s.with(copied).get("/who").wants(200, want)
}

func destroyed(h *harness) {
	s := h.open(setup{routes: []Route{post("/destroy", func(r Request) error {
		s := r.Session()
		s.Logout()
		before := value(s, "k") + " " + who(s)
		s.Set("k", "new")
		return r.Text(200, before)
	})}})
	c := s.client()
	c.login("ann")
	c.set("k", "old")
	old := c.token()
	c.post("/destroy").wants(200, "- user= new=true ended=false").sets()
	c.has("k", "new")
	c.get("/who").wants(200, "user= new=false ended=false")
	if !h.clientSide() {
		s.with(old).has("k", absent)
	}
}
