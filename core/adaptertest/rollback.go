package adaptertest

import (
	"errors"
	"fmt"

	"github.com/satchel-go/satchel/core"
)

// rollbackCases are about promise C4: a failed request leaves nothing behind
// except a logout.
var rollbackCases = []testCase{
	{
		name: "C4_SEC59_server_error_rolls_back",
		why:  "A handler that ends in a 500 has not done its work: half of it must not stay.",
		run: func(h *harness) {
			for _, status := range []string{"500", "502", "503", "599"} {
				rollsBack(h, func(c *client) { c.post("/fail?status=" + status).setsNothing() })
			}
		},
	},
	{
		name: "C4_SEC59_panic_rolls_back",
		why:  "A handler that panicked has not done its work: half of it must not stay.",
		run: func(h *harness) {
			rollsBack(h, func(c *client) {
				if r := c.try("POST", "/panic"); r.err == nil {
					r.wantsStatus(500).setsNothing()
				}
			})
		},
	},
	{
		name: "C4_AD21_returned_error_rolls_back",
		why:  "An error that the framework turns into a 500 rolls back, although the handler wrote nothing.",
		run: func(h *harness) {
			rollsBack(h, func(c *client) { c.post("/error").wantsStatus(500).setsNothing() })
		},
	},
	{
		name: "C4_panic_before_any_session",
		why:  "A visitor's request that panics creates nothing.",
		run: func(h *harness) {
			s := h.open(setup{routes: failingRoutes()})
			c := s.client()
			if r := c.try("POST", "/panic"); r.err == nil {
				r.wantsStatus(500).setsNothing()
			}
			if n := h.faults.count(opSave); n != 0 {
				h.Errorf("%d saves", n)
			}
			c.get("/get").wants(200, absent)
		},
	},
	{
		name: "C4_login_is_rolled_back",
		why:  "A login that ends in a 500 has not happened: the client keeps the session it had.",
		run: func(h *harness) {
			c := h.open(setup{}).client()
			c.set("k", "v")
			before := c.token()
			c.post("/login?user=ann&status=500").wantsStatus(500).setsNothing()
			if c.token() != before {
				h.Errorf("the token changed")
			}
			c.get("/who").wants(200, "user= new=false ended=false")
			c.has("k", "v")
		},
	},
	{
		name: "C4_logout_is_never_rolled_back",
		why:  "A user who pressed logout is logged out, whatever happened to the page.",
		run:  logoutStays,
	},
	{
		name: "C4_KeepOnServerError",
		why:  "An application may choose to keep what its failing handlers wrote.",
		run: func(h *harness) {
			c := h.open(setup{core: func(c *core.Config) { c.KeepOnServerError = true }}).client()
			c.post("/set?value=v&status=500").wants(500, "set").sets()
			c.has("k", "v")
		},
	},
	{
		name: "C4_committed_before_the_error_stays",
		why:  "What the handler has committed itself is not undone.",
		run: func(h *harness) {
			s := h.open(setup{routes: []Route{post("/half", func(r Request) error {
				s := r.Session()
				s.Set("a", "kept")
				if err := s.Commit(r.Context()); err != nil {
					return err
				}
				s.Set("b", "dropped")
				return r.Fail(500)
			})}})
			c := s.client()
			c.post("/half").wantsStatus(500).sets()
			c.has("a", "kept")
			c.has("b", absent)
		},
	},
	{
		name: "C4_client_errors_commit",
		why:  "A form with mistakes is answered with a 4xx, and its flashes are needed.",
		run: func(h *harness) {
			for _, status := range []int{400, 403, 404, 409, 422, 499} {
				c := h.open(setup{}).client()
				c.post(fmt.Sprintf("/set?value=v&status=%d", status)).wants(status, "set").sets()
				c.has("k", "v")
			}
		},
	},
}

func failingRoutes() []Route {
	change := func(r Request) {
		s := r.Session()
		s.Set("k", "changed")
		s.Flash("info", "changed")
	}
	return []Route{
		post("/panic", func(r Request) error { change(r); panic("adaptertest: on purpose") }),
		post("/error", func(r Request) error { change(r); return errors.New("adaptertest: on purpose") }),
		post("/fail", func(r Request) error { change(r); return r.Text(status(r), "failed") }),
		post("/logout-panic", func(r Request) error { r.Session().Logout(); panic("adaptertest: on purpose") }),
		post("/logout-error", func(r Request) error { r.Session().Logout(); return errors.New("on purpose") }),
		post("/logout-fail", func(r Request) error { r.Session().Logout(); return r.Text(500, "failed") }),
	}
}

// rollsBack checks that fail leaves a session as it was.
func rollsBack(h *harness, fail func(*client)) {
	h.Helper()
	c := h.open(setup{routes: failingRoutes()}).client()
	c.set("k", "v")
	saves, told := h.faults.count(opSave), h.events.count(core.EventRolledBack, "")
	fail(c)
	if n := h.faults.count(opSave); n != saves {
		h.Errorf("%d saves in a request that failed", n-saves)
	}
	h.wantEvents(told+1, core.EventRolledBack, "")
	c.has("k", "v")
	c.get("/flashes").wants(200, absent)
}

func logoutStays(h *harness) {
	s := h.open(setup{routes: failingRoutes()})
	for _, target := range []string{"/logout-panic", "/logout-error", "/logout-fail"} {
		c := s.client()
		c.login("ann")
		old := c.token()
		r := c.try("POST", target)
		if !h.clientSide() {
			s.with(old).get("/who").wants(200, "user= new=true ended=false")
		} else if r.err == nil && target != "/logout-panic" {
			r.sets() // a client-side logout consists only of the deletion
		}
		if target != "/logout-panic" && c.token() != "" {
			h.Errorf("%s: the client still has its cookie", target)
		}
	}
}
