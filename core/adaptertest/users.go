package adaptertest

import (
	"errors"
	"fmt"
	"strings"

	"github.com/satchel-go/satchel/core"
)

// usersCases are about a user's sessions: listing, ending, limiting.
var usersCases = []testCase{
	{
		name:    "I2_list_of_ones_own_sessions",
		why:     "Users want to see where they are logged in.",
		run:     listOwn,
		limited: func(h *harness) { h.unsupportedLists() },
	},
	{
		name:    "I2_SEC17_revoke_ones_own_only",
		why:     "A user ends their other sessions, and learns nothing about anybody else's.",
		run:     revokeOwn,
		limited: func(h *harness) { h.unsupportedLists() },
	},
	{
		name:    "I2_SEC17_revoke_a_user",
		why:     "After a password reset nobody is logged in as that user any more.",
		run:     revokeUser,
		limited: func(h *harness) { h.unsupportedLists() },
	},
	{
		name: "I2_SEC17_revoke_all",
		why:  "After a leak everybody logs in again, whatever the backend.",
		run: func(h *harness) {
			s := h.open(setup{})
			a, b := s.client(), s.client()
			a.login("ann")
			b.set("k", "v")
			if err := s.m.RevokeAll(h.Context()); err != nil {
				h.Fatalf("RevokeAll: %v", err)
			}
			a.get("/who").wants(200, "user= new=true ended=false")
			b.has("k", absent)
			a.login("ann") // in the same instant
			a.get("/who").wants(200, "user=ann new=false ended=false")
		},
	},
	{
		name:    "I2_work_on_a_session_from_outside",
		why:     "A background job tells the user by a flash on their next page.",
		run:     fromOutside,
		limited: func(h *harness) { h.unsupportedLists() },
	},
	{
		name:    "I2_SEC18_limit_ends_the_oldest",
		why:     "The limit is exact: nobody has more sessions than it, and the newest works.",
		run:     limitOldest,
		limited: func(h *harness) { h.unsupportedLimit() },
	},
	{
		name:    "I2_SEC18_limit_refuses",
		why:     "A login beyond the limit is answered with 409, or by the application.",
		run:     limitRefuses,
		limited: func(h *harness) { h.unsupportedLimit() },
	},
	{
		name:    "I2_SEC18_parallel_logins_never_exceed",
		why:     "Logins at the same time must not slip past the limit together.",
		run:     parallelLogins,
		limited: func(h *harness) { h.unsupportedLimit() },
	},
}

func userRoutes() []Route {
	verdict := func(r Request, err error) error {
		switch {
		case errors.Is(err, core.ErrNotFound):
			return r.Text(404, "not found")
		case errors.Is(err, core.ErrUnsupported):
			return r.Text(501, "unsupported")
		case err != nil:
			return err
		}
		return r.Text(200, "revoked")
	}
	return []Route{
		get("/sessions", func(r Request) error {
			infos, err := r.Session().List(r.Context())
			if err != nil {
				return verdict(r, err)
			}
			lines := make([]string, len(infos))
			for i, info := range infos {
				lines[i] = fmt.Sprintf("%s %v", info.User, info.Current)
			}
			return r.Text(200, strings.Join(lines, "|"))
		}),
		post("/revoke", func(r Request) error {
			id, err := core.ParseID(r.Param("id"))
			if err != nil {
				return r.Text(400, "no ID")
			}
			return verdict(r, r.Session().RevokeOwn(r.Context(), id))
		}),
		post("/revoke-others", func(r Request) error { return verdict(r, r.Session().RevokeOthers(r.Context())) }),
	}
}

// loggedIn returns n clients that are logged in as user.
func (s *site) loggedIn(user string, n int) []*client {
	s.Helper()
	clients := make([]*client, n)
	for i := range clients {
		clients[i] = s.client()
		clients[i].login(user)
	}
	return clients
}

const (
	anonymous = "user= new=true ended=false"
	asAnn     = "user=ann new=false ended=false"
)

func (c *client) is(want string) {
	c.Helper()
	c.get("/who").wants(200, want)
}

func listOwn(h *harness) {
	s := h.open(setup{routes: userRoutes()})
	ann := s.loggedIn("ann", 3)
	ben := s.loggedIn("ben", 1)[0]
	ann[1].get("/sessions").wants(200, "ann false|ann true|ann false")
	ben.get("/sessions").wants(200, "ben true")
	s.client().get("/sessions").wants(200, "")
	ann[0].post("/logout")
	ann[1].get("/sessions").wants(200, "ann true|ann false")
	h.clock.advance(31 * 60 * tick)
	ann[2].login("ann")
	ann[2].get("/sessions").wants(200, "ann true")
}

func revokeOwn(h *harness) {
	s := h.open(setup{routes: userRoutes()})
	ann := s.loggedIn("ann", 3)
	ben := s.loggedIn("ben", 1)[0]
	target := func(c *client) string { return "/revoke?id=" + c.id().String() }
	ben.post(target(ann[0])).wants(404, "not found")
	s.client().post(target(ann[0])).wants(404, "not found")
	ann[0].is(asAnn)
	ann[0].post(target(ann[1])).wants(200, "revoked")
	ann[1].is(anonymous)
	ann[0].post("/revoke-others").wants(200, "revoked")
	ann[2].is(anonymous)
	ann[0].is(asAnn)
	ann[0].post(target(ann[0])).wants(200, "revoked").sets()
	ann[0].is(anonymous)
	ben.is("user=ben new=false ended=false")
}

func revokeUser(h *harness) {
	s := h.open(setup{routes: userRoutes()})
	ann := s.loggedIn("ann", 5)
	ben := s.loggedIn("ben", 1)[0]
	if err := s.m.RevokeUser(h.Context(), "ann"); err != nil {
		h.Fatalf("RevokeUser: %v", err)
	}
	for _, c := range ann {
		c.is(anonymous)
	}
	ben.is("user=ben new=false ended=false")
	if infos, err := s.m.List(h.Context(), "ann"); err != nil || len(infos) != 0 {
		h.Errorf("List after RevokeUser: %v, %v", infos, err)
	}
}

// unsupportedLists checks that what needs a list of sessions says so.
func (h *harness) unsupportedLists() {
	h.Helper()
	s := h.open(setup{routes: userRoutes()})
	c := s.loggedIn("ann", 1)[0]
	c.get("/sessions").wants(501, "unsupported")
	c.post("/revoke-others").wants(501, "unsupported")
	c.post("/revoke?id="+c.id().String()).wants(501, "unsupported")
	for what, err := range map[string]error{
		"Revoke":     s.m.Revoke(h.Context(), c.id()),
		"RevokeUser": s.m.RevokeUser(h.Context(), "ann"),
		"View":       s.m.View(h.Context(), c.id(), func(*core.Session) error { return nil }),
	} {
		if !errors.Is(err, core.ErrUnsupported) {
			h.Errorf("%s: %v, want ErrUnsupported", what, err)
		}
	}
	c.is(asAnn)
}

func fromOutside(h *harness) {
	s := h.open(setup{routes: userRoutes()})
	c := s.loggedIn("ann", 1)[0]
	err := s.m.UpdateUser(h.Context(), "ann", func(s *core.Session) error {
		s.Flash("info", "your export is ready")
		return nil
	})
	if err != nil {
		h.Fatalf("UpdateUser: %v", err)
	}
	c.get("/flashes").wants(200, "info:your export is ready")
	err = s.m.View(h.Context(), c.id(), func(s *core.Session) error {
		if s.UserID() != "ann" {
			h.Errorf("View shows the user %q", s.UserID())
		}
		return nil
	})
	if err != nil {
		h.Errorf("View: %v", err)
	}
	c.is(asAnn)
}
