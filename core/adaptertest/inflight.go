package adaptertest

import (
	"errors"
	"strings"

	"github.com/satchel-go/satchel/core"
)

// gatedRoutes do something before and after a gate.
func gatedRoutes(g *gate) []Route {
	waiting := func(name string, before, after func(Request)) Route {
		return post(name, func(r Request) error {
			before(r)
			g.pass()
			after(r)
			return r.Text(200, "passed")
		})
	}
	read := func(r Request) { value(r.Session(), "k") }
	return []Route{
		waiting("/slow-set", read, func(r Request) { r.Session().Set(key(r), r.Param("value")) }),
		waiting("/slow-clear", read, func(r Request) { r.Session().Clear() }),
		waiting("/slow-renew", read, func(r Request) { r.Session().Renew() }),
		waiting("/slow-flash", read, func(r Request) { r.Session().Flash("info", "late") }),
		waiting("/slow-flashes", func(r Request) { r.Session().Flashes() }, read),
		waiting("/slow-read", read, read),
	}
}

// slowTargets are what can be in flight across the end of a session.
var slowTargets = []string{"/slow-set?value=x", "/slow-renew", "/slow-flash", "/slow-flashes", "/slow-read"}

// duringFlight ends a session while each of its slow requests is in flight. It
// checks that the session is gone and that the slow response set no cookie.
func duringFlight(h *harness, end func(*site, *client)) {
	for _, target := range slowTargets {
		g := h.newGate()
		s := h.open(setup{routes: gatedRoutes(g)})
		c := s.client()
		c.login("ann")
		c.post("/flash?kind=info&text=pending")
		if strings.Contains(target, "read") {
			h.clock.advance(10 * 60 * tick) // a touch is due
		}
		copied, id := c.twin(), c.id()
		if r := copied.during(g, target, func() { end(s, c) }); r.status != 200 || len(r.ours()) != 0 {
			h.Errorf("%s in flight: %d, Set-Cookie %q, want 200 and none", target, r.status, r.ours())
		}
		copied.get("/who").wants(200, "user= new=true ended=false")
		if h.store == nil {
			continue
		}
		if e, err := h.store.Load(core.Fresh(h.Context()), id); !errors.Is(err, core.ErrNotFound) {
			h.Errorf("%s in flight: an entry of %d bytes is in the store again, or the store cannot say: %v", target, len(e.Data), err)
		}
	}
	h.wantEvents(3, core.EventDropped, core.ReasonEnded) // set, renew and flash; reading drops nothing
}

func logoutWins(h *harness) {
	duringFlight(h, func(_ *site, c *client) { c.post("/logout").wants(200, "out").sets() })
}

func revocationWins(h *harness) {
	duringFlight(h, func(s *site, c *client) {
		if err := s.m.Revoke(h.Context(), c.id()); err != nil {
			h.Fatalf("Revoke: %v", err)
		}
	})
}

func logoutLoses(h *harness) {
	g := h.newGate()
	c := h.open(setup{routes: gatedRoutes(g)}).client()
	c.login("ann")
	c.during(g, "/slow-set?value=x", func() {
		c.post("/logout").sets()
		if c.token() != "" {
			h.Errorf("the logout left the cookie with the client")
		}
	}).wants(200, "passed")
	c.get("/who").wants(200, "user=ann new=false ended=false")
}

// unsupportedRevoke checks that ending one session is refused with an error, unless the
// backend lacks no more than a list of sessions.
func (h *harness) unsupportedRevoke() {
	h.Helper()
	if h.reachesIDs() {
		revocationWins(h)
		return
	}
	s := h.open(setup{})
	c := s.client()
	c.login("ann")
	if err := s.m.Revoke(h.Context(), c.id()); !errors.Is(err, core.ErrUnsupported) {
		h.Errorf("Revoke: %v, want ErrUnsupported", err)
	}
	c.get("/who").wants(200, "user=ann new=false ended=false")
}
