package adaptertest

import (
	"errors"
	"fmt"
	"strings"
	"time"

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
		name:    "I2_last_seen_until_the_end",
		why:     "Users look for a device that they do not know by when it was last used. A session that is only read is in use, until its lifetime ends.",
		run:     lastSeen,
		limited: func(h *harness) { h.unsupportedLists() },
	},
	{
		name:    "I2_SEC17_revoke_ones_own_only",
		why:     "Users can end their other sessions, and learn nothing about those of other users.",
		run:     revokeOwn,
		limited: func(h *harness) { h.unsupportedLists() },
	},
	{
		name:    "I2_SEC17_revoke_a_user",
		why:     "After a password reset no session is logged in as that user.",
		run:     revokeUser,
		limited: func(h *harness) { h.unsupportedLists() },
	},
	{
		name:    "I2_SEC17_a_lost_index_hides_no_session",
		why:     "A list or a revocation that misses a session because the index was lost leaves it to a thief, and reports success.",
		run:     lostIndex,
		limited: func(h *harness) { h.unsupportedLists() },
	},
	{
		name: "I2_SEC17_revoke_all",
		why:  "After a leak every user must log in again, whatever the backend.",
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
		why:     "A background job informs the user with a flash on their next page.",
		run:     fromOutside,
		limited: func(h *harness) { h.unsupportedLists() },
	},
	{
		name:    "I2_SEC24_one_account_has_a_ceiling",
		why:     "Without a limit of the application's, one account could fill the store and lock others out.",
		run:     ceiling,
		limited: func(h *harness) { h.open(setup{core: func(c *core.Config) { c.MaxUserSessions = 3 }}) }, // no error, though nobody counts
	},
	{
		name:    "I2_SEC18_limit_ends_the_oldest",
		why:     "The limit is exact: no user has more sessions, and the newest one works.",
		run:     limitOldest,
		limited: func(h *harness) { h.unsupportedLimit() },
	},
	{
		name:    "I2_SEC18_limit_refuses",
		why:     "A login beyond the limit is answered with a 409, or by the application.",
		run:     limitRefuses,
		limited: func(h *harness) { h.unsupportedLimit() },
	},
	{
		name:    "I2_SEC18_expired_sessions_do_not_count",
		why:     "A session that has expired must neither keep its user out nor push out one that lives.",
		run:     limitOfTheLiving,
		limited: func(h *harness) { h.unsupportedLimit() },
	},
	{
		name:    "I2_SEC18_parallel_logins_never_exceed",
		why:     "Simultaneous logins must not exceed the limit together.",
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

// lastSeen reads a remembered session until the end of its thirty days. Its idle
// timeout is fourteen days, and a touch is due after an hour.
func lastSeen(h *harness) {
	s := h.open(setup{})
	c := s.client()
	c.post("/login?user=ann&remember=1").sets()
	end := h.clock.Now().Add(30 * 24 * time.Hour)
	check := func() {
		h.Helper()
		c.is(asAnn)
		infos, err := s.m.List(h.Context(), "ann")
		if err != nil || len(infos) != 1 {
			h.Fatalf("List: %v, %v", infos, err)
		}
		if ago := h.clock.Now().Sub(infos[0].LastSeen); ago < 0 || ago > time.Hour {
			h.Errorf("%v before its end, a session in use was last seen %v ago", end.Sub(h.clock.Now()), ago)
		}
	}
	for _, hours := range []time.Duration{13 * 24, 4 * 24, 1, 25, 5 * 24, 6 * 24} {
		h.clock.advance(hours * time.Hour)
		check()
		touched := h.events.count(core.EventTouched, "")
		for _, d := range []time.Duration{tick, 58 * time.Minute} {
			h.clock.advance(d)
			check()
		}
		if n := h.events.count(core.EventTouched, "") - touched; n != 0 {
			h.Errorf("%d touches within an hour", n)
		}
	}
	h.clock.advance(end.Sub(h.clock.Now()) - tick)
	check()
	h.clock.advance(tick)
	c.is(anonymous)
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
	if n, err := s.m.RevokeUser(h.Context(), "an"); err != nil || n != 0 {
		h.Errorf("RevokeUser of a user without sessions: %d ended, %v", n, err)
	}
	if n, err := s.m.RevokeUser(h.Context(), "ann"); err != nil || n != len(ann) {
		h.Fatalf("RevokeUser: %d ended, %v; want %d", n, err, len(ann))
	}
	for _, c := range ann {
		c.is(anonymous)
	}
	ben.is("user=ben new=false ended=false")
	if infos, err := s.m.List(h.Context(), "ann"); err != nil || len(infos) != 0 {
		h.Errorf("List after RevokeUser: %v, %v", infos, err)
	}
}

// lostIndex loses the index of a user's sessions again and again.
func lostIndex(h *harness) {
	index, ok := core.StoreAs[core.UserIndex](h.store)
	if _, mends := index.(core.Mender); !ok || !mends {
		return // it loses nothing
	}
	s := h.open(setup{routes: userRoutes()})
	lose := func() {
		h.Helper()
		ids, err := index.List(h.Context(), "ann")
		if lost := (*core.IncompleteError)(nil); errors.As(err, &lost) {
			err = lost.Restored(h.Context())
		}
		for _, id := range ids {
			err = errors.Join(err, index.Release(h.Context(), "ann", id))
		}
		if err != nil {
			h.Fatalf("lose the index: %v", err)
		}
	}
	ben := s.loggedIn("ben", 1)[0]
	var ann []*client
	for range 4 {
		ann = append(ann, s.loggedIn("ann", 1)...)
		h.clock.advance(tick) // what is found again is in the order of the logins
	}
	lose()
	ann[1].get("/sessions").wants(200, "ann false|ann true|ann false|ann false")
	ann[2].get("/sessions").wants(200, "ann false|ann false|ann true|ann false")
	lose()
	ann[1].post("/revoke?id="+ann[0].id().String()).wants(200, "revoked")
	ann[0].is(anonymous)
	lose()
	ann[1].post("/revoke-others").wants(200, "revoked")
	ann[2].is(anonymous)
	ann[3].is(anonymous)
	ann[1].is(asAnn)

	ann = append(ann, s.loggedIn("ann", 3)...)
	lose()
	h.clock.advance(10 * 60 * tick)
	ann[4].is(asAnn) // its touch puts back this one alone
	ann[4].get("/sessions").wants(200, "ann true|ann false|ann false|ann false")
	lose()
	h.clock.advance(10 * 60 * tick)
	ann[4].is(asAnn)
	ann[4].post("/revoke-others").wants(200, "revoked")
	for _, i := range []int{1, 5, 6} {
		ann[i].is(anonymous)
	}
	ann[1] = ann[4]
	ben.is("user=ben new=false ended=false")

	more := s.loggedIn("ann", 1)[0]
	lose()
	h.clock.advance(10 * 60 * tick)
	more.is(asAnn) // each touch puts the session back that it touches
	ann[1].is(asAnn)
	if n, err := s.m.RevokeUser(h.Context(), "ann"); err != nil || n != 2 {
		h.Errorf("RevokeUser: %d ended, %v; want 2", n, err)
	}
	more.is(anonymous)
	ann[1].is(anonymous)
	ben.is("user=ben new=false ended=false")
}

// unsupportedLists checks that everything that needs a list of sessions returns
// ErrUnsupported. A backend without one may reach sessions by ID.
func (h *harness) unsupportedLists() {
	h.Helper()
	s := h.open(setup{routes: userRoutes()})
	c := s.loggedIn("ann", 1)[0]
	c.get("/sessions").wants(501, "unsupported")
	c.post("/revoke-others").wants(501, "unsupported")
	if _, err := s.m.RevokeUser(h.Context(), "ann"); !errors.Is(err, core.ErrUnsupported) {
		h.Errorf("RevokeUser: %v, want ErrUnsupported", err)
	}
	nothing := func(*core.Session) error { return nil }
	view := func() error { return s.m.View(h.Context(), c.id(), nothing) }
	if h.reachesIDs() {
		if err := view(); err != nil {
			h.Errorf("View: %v", err)
		}
		c.is(asAnn)
		c.post("/revoke?id="+c.id().String()).wants(200, "revoked")
		c.is(anonymous)
		return
	}
	c.post("/revoke?id="+c.id().String()).wants(501, "unsupported")
	_, done := s.m.Done(h.Context(), c.id())
	for what, err := range map[string]error{
		"Revoke": s.m.Revoke(h.Context(), c.id()), "View": view(), "Update": s.m.Update(h.Context(), c.id(), nothing), "Done": done,
	} {
		if !errors.Is(err, core.ErrUnsupported) {
			h.Errorf("%s: %v, want ErrUnsupported", what, err)
		}
	}
	c.is(asAnn)
}

// reachesIDs reports whether the backend reaches sessions by ID.
func (h *harness) reachesIDs() bool {
	_, ok := h.backend.(core.Registry)
	return ok
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
