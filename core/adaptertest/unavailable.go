package adaptertest

import (
	"context"
	"strconv"
	"time"

	"github.com/satchel-go/satchel/core"
)

// The refusal is byte for byte the same in every adapter.
const (
	refusalType        = "text/plain; charset=utf-8"
	unavailableBody    = "Service Unavailable\n"
	internalErrorBody  = "Internal Server Error\n"
	tooManySessionBody = "Too many sessions\n"
)

// refusal checks that r is the default answer of all adapters, and that it sets no
// cookies.
func (r *reply) refusal(status int, body string) {
	r.Helper()
	r.wants(status, body).setsNothing()
	if got := r.header.Get("Content-Type"); got != refusalType {
		r.Errorf("Content-Type of the refusal is %q, want %q", got, refusalType)
	}
	if got := r.header.Get("X-Content-Type-Options"); got != "nosniff" {
		r.Errorf("X-Content-Type-Options of the refusal is %q, want nosniff", got)
	}
	if got := r.header.Get("X-Handler"); got != "" {
		r.Errorf("the refusal has one of the handler's headers: %q", got)
	}
}

// unavailableCases are about a backend that cannot answer at load.
var unavailableCases = []testCase{
	{
		name: "L3_AD23_AD33_down_at_load",
		why:  "It is unknown whether there is a session: an empty one would look logged out, and the next write would make that permanent.",
		run:  downAtLoad,
	},
	{
		name: "L3_slow_at_load",
		why:  "A request waits for a slow store as long as the Config says, not as long as the store's client library does.",
		run: func(h *harness) {
			s := h.open(setup{core: func(c *core.Config) { c.LoadTimeout = 200 * time.Millisecond }})
			c := s.client()
			c.set("k", "v")
			h.faults.hook(opLoad, func(ctx context.Context) error {
				return h.untilOver(ctx)
			})
			c.get("/get").refusal(503, unavailableBody)
			h.faults.up()
			c.has("k", "v")
		},
	},
	{
		name: "L3_OnError_answers",
		why:  "An application may show its own page when sessions are unavailable.",
		run: func(h *harness) {
			s := h.open(setup{app: func(c *Config) {
				c.OnError = func(r Request, err error) error {
					r.SetHeader("X-On-Error", "yes")
					return r.Text(core.ErrorResponseFor(err).Status, "my page")
				}
			}})
			c := s.client()
			c.set("k", "v")
			h.faults.down(opLoad)
			r := c.get("/get").wants(503, "my page").setsNothing()
			if r.header.Get("X-On-Error") != "yes" {
				h.Errorf("OnError could not set a header")
			}
			h.faults.up()
			c.has("k", "v")
		},
	},
	{
		name: "L3_ServeWhenUnavailable",
		why:  "A site may prefer pages without sessions to no pages, and must lose nothing by it.",
		run:  serveWhenUnavailable,
	},
	{
		name: "L3_skipped_requests_need_no_store",
		why:  "Pictures and scripts need no session, and should survive an outage of the store.",
		run:  skipped,
	},
}

func skipped(h *harness) {
	s := h.open(setup{
		app: func(c *Config) { c.Skip = func(r Request) bool { return r.Param("picture") != "" } },
		routes: []Route{get("/try", func(r Request) error {
			_, ok := r.TrySession()
			return r.Text(200, strconv.FormatBool(ok))
		})},
	})
	c := s.client()
	c.set("k", "v")
	c.get("/try").wants(200, "true")
	h.faults.down(opLoad)
	r := c.get("/try?picture=1").wants(200, "false").setsNothing()
	if vary := r.header.Get("Vary"); vary != "" {
		h.Errorf("Vary of an answer without a session is %q", vary)
	}
	c.get("/try").refusal(503, unavailableBody)
	h.faults.up()
	c.has("k", "v")
}

func downAtLoad(h *harness) {
	handled := 0
	s := h.open(setup{routes: []Route{get("/count", func(r Request) error { handled++; return r.Text(200, "") })}})
	c := s.client()
	c.set("k", "v")
	before := c.token()
	h.faults.down(opLoad)
	c.get("/get").refusal(503, unavailableBody)
	c.post("/set?value=x").refusal(503, unavailableBody)
	c.get("/count").refusal(503, unavailableBody)
	if handled != 0 {
		h.Errorf("the handler ran although the session could not be loaded")
	}
	c.get("/plain").wants(200, "plain")
	s.client().get("/get").wants(200, absent) // without a cookie the store is not needed
	if n := h.faults.count(opDelete); n != 0 || c.token() != before {
		h.Errorf("something was deleted: %d deletions, token kept: %v", n, c.token() == before)
	}
	if h.events.count(core.EventUnavailable, "") == 0 {
		h.Errorf("no event reports the outage")
	}
	h.faults.up()
	c.has("k", "v")
}

func serveWhenUnavailable(h *harness) {
	s := h.open(setup{core: func(c *core.Config) { c.ServeWhenUnavailable = true }})
	c := s.client()
	c.set("k", "v")
	h.faults.down(opLoad)
	c.get("/get").wants(200, absent).setsNothing()
	c.get("/who").wants(200, "user= new=true ended=false").setsNothing()
	c.post("/set?value=x").wants(200, "set").setsNothing()
	h.wantEvents(1, core.EventDropped, core.ReasonReadOnly)
	c.post("/login?user=ann").refusal(503, unavailableBody) // it must not look like a login
	h.faults.up()
	c.has("k", "v")
}
