package adaptertest

import (
	"errors"
	"time"

	"github.com/satchel-go/satchel/core"
)

// unsupportedLimit checks that core.New refuses a limit that cannot be kept.
func (h *harness) unsupportedLimit() {
	h.Helper()
	c := h.config()
	c.SessionLimit = 2
	if _, err := core.New(h.backend, c); !errors.Is(err, core.ErrUnsupported) {
		h.Errorf("core.New with a SessionLimit: %v, want ErrUnsupported", err)
	}
}

func limitOldest(h *harness) {
	s := h.open(setup{core: func(c *core.Config) { c.SessionLimit = 2 }, routes: userRoutes()})
	ann := s.loggedIn("ann", 3)
	ann[0].is(anonymous)
	ann[1].is(asAnn)
	ann[2].is(asAnn)
	ann[1].login("ann") // again, in the same session
	ann[2].is(asAnn)
	h.wantEvents(1, core.EventRevoked, core.ReasonLimit)
}

func ceiling(h *harness) {
	s := h.open(setup{core: func(c *core.Config) { c.MaxUserSessions = 3 }, routes: userRoutes()})
	ann, ben := s.loggedIn("ann", 5), s.loggedIn("ben", 1)[0]
	ann[0].is(anonymous)
	ann[1].is(anonymous)
	ann[2].is(asAnn)
	ann[4].is(asAnn)
	ben.is("user=ben new=false ended=false")
	h.wantEvents(2, core.EventRevoked, core.ReasonLimit)
	open := h.open(setup{core: func(c *core.Config) { c.MaxUserSessions = -1 }, routes: userRoutes()})
	carol := open.loggedIn("carol", 5)
	carol[0].is("user=carol new=false ended=false")
}

func limitRefuses(h *harness) {
	refuse := func(c *core.Config) { c.SessionLimit, c.LimitPolicy = 2, core.RefuseLogin }
	s := h.open(setup{core: refuse, routes: userRoutes()})
	ann := s.loggedIn("ann", 2)
	third := s.client()
	third.set("k", "v")
	third.post("/login?user=ann").refusal(409, tooManySessionBody)
	third.is("user= new=false ended=false")
	third.has("k", "v")
	own := h.open(setup{core: refuse, app: func(c *Config) {
		c.OnError = func(r Request, err error) error {
			return r.Text(core.ErrorResponseFor(err).Status, "log out elsewhere first")
		}
	}})
	own.client().post("/login?user=ann").wants(409, "log out elsewhere first").setsNothing()
	ann[0].post("/logout")
	third.login("ann")
	ann[1].is(asAnn)
}

func limitOfTheLiving(h *harness) {
	refuse := h.open(setup{core: func(c *core.Config) { c.SessionLimit, c.LimitPolicy = 1, core.RefuseLogin }})
	first, second := refuse.client(), refuse.client()
	first.login("ann")
	second.post("/login?user=ann").wantsStatus(409)
	h.clock.advance(30 * time.Minute)
	second.login("ann") // in the minute in which the store still has the first
	second.is(asAnn)
	first.is(anonymous)

	s := h.open(setup{core: func(c *core.Config) { c.SessionLimit = 2 }, routes: userRoutes()})
	oldest, idle, newest := s.client(), s.client(), s.client()
	oldest.login("ben")
	idle.login("ben")
	h.clock.advance(20 * time.Minute)
	oldest.get("/who").wantsStatus(200)
	h.clock.advance(10 * time.Minute)
	oldest.get("/sessions").wants(200, "ben true")
	newest.login("ben")
	oldest.is("user=ben new=false ended=false")
	newest.get("/sessions").wants(200, "ben false|ben true")
}

func parallelLogins(h *harness) {
	const limit = 3
	s := h.open(setup{core: func(c *core.Config) { c.SessionLimit = limit }, routes: userRoutes()})
	clients := make([]*client, 40)
	var replies []<-chan *reply
	for i := range clients {
		clients[i] = s.client()
		replies = append(replies, clients[i].async("/login?user=ann"))
	}
	for _, r := range replies {
		h.result(r).wantsStatus(200)
	}
	alive := 0
	for _, c := range clients {
		if c.get("/who").body == asAnn {
			alive++
		}
	}
	if alive != limit {
		h.Errorf("%d sessions are alive, want %d", alive, limit)
	}
}
