package adaptertest

import (
	"fmt"
	"io"
	"net"

	"github.com/satchel-go/satchel/core"
)

// flashStatusCases are about which responses can show a flash (promise F1).
var flashStatusCases = []testCase{
	{
		name: "F1_responses_that_show_it",
		why:  "A page that a person sees takes the flash, also an error page of their own making.",
		run: func(h *harness) {
			for _, status := range []int{200, 201, 206, 400, 403, 404, 422} {
				c := withFlash(h)
				c.get(fmt.Sprintf("/flashes?status=%d", status)).wants(status, "info:hello")
				c.get("/flashes").wants(200, absent)
			}
		},
	},
	{
		name: "F1_responses_that_do_not",
		why:  "Nobody sees the body of a redirect, and a server error was not meant: the flash stays.",
		run: func(h *harness) {
			for _, status := range []int{204, 205, 304, 500, 503} {
				c := withFlash(h)
				c.get(fmt.Sprintf("/flashes?status=%d", status)).wantsStatus(status).setsNothing()
				c.get("/flashes").wants(200, "info:hello")
			}
		},
	},
	{
		name: "F1_redirect_chains_lose_nothing",
		why:  "Layouts read flashes in every handler, also in those that redirect in the end.",
		run: func(h *harness) {
			c := withFlash(h)
			for range 3 {
				c.get("/flashes?to=/flashes").wantsStatus(303).setsNothing()
			}
			c.get("/flashes").wants(200, "info:hello")
			c.get("/flashes").wants(200, absent)
		},
	},
	{
		name: "F1_HEAD_shows_nothing",
		why:  "Link checkers send HEAD requests with no one to read the answer.",
		run: func(h *harness) {
			c := withFlash(h)
			c.do("HEAD", "/flashes").wants(200, "").setsNothing()
			c.get("/flashes").wants(200, "info:hello")
		},
	},
	{
		name: "F1_prefetch_shows_nothing",
		why:  "A page that the browser fetches in advance may never be seen.",
		run: func(h *harness) {
			for _, header := range [][2]string{
				{"Sec-Purpose", "prefetch"}, {"Sec-Purpose", "prefetch;prerender"}, {"Purpose", "prefetch"}, {"X-Moz", "Prefetch"},
			} {
				c := withFlash(h)
				c.get("/flashes", header[0], header[1]).wants(200, "info:hello").setsNothing()
				c.get("/flashes").wants(200, "info:hello")
			}
		},
	},
	{
		name: "F1_hijack_shows_nothing",
		why:  "A WebSocket's request has no page.",
		run: func(h *harness) {
			s := h.open(setup{routes: []Route{get("/socket", func(r Request) error {
				r.Session().Flashes()
				return r.Hijack(func(conn net.Conn) {
					_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi")
				})
			})}})
			c := s.client()
			c.post("/flash?kind=info&text=hello")
			s.rawGet("/socket", "Cookie: "+c.cookieHeader()).wants(200, "hi")
			c.get("/flashes").wants(200, "info:hello")
		},
	},
	{
		name: "F1_panic_and_returned_error_keep_it",
		why:  "An error page that the framework made has not shown it.",
		run: func(h *harness) {
			s := h.open(setup{routes: []Route{
				get("/read-panic", func(r Request) error { r.Session().Flashes(); panic("adaptertest: on purpose") }),
				get("/read-fail", func(r Request) error { r.Session().Flashes(); return r.Fail(500) }),
			}})
			c := s.client()
			c.post("/flash?kind=info&text=hello")
			c.try("GET", "/read-panic")
			c.get("/read-fail").wantsStatus(500)
			c.get("/flashes").wants(200, "info:hello")
		},
	},
	{
		name: "F1_added_by_a_failing_handler_is_dropped",
		why:  "A 500 rolls back what was added as well: it did not happen.",
		run: func(h *harness) {
			c := withFlash(h)
			c.post("/flash?kind=info&text=bad&status=500").wantsStatus(500)
			h.wantEvents(1, core.EventRolledBack, "")
			c.get("/flashes").wants(200, "info:hello")
		},
	},
}

// withFlash returns a client with an unread flash, info:hello.
func withFlash(h *harness) *client {
	h.Helper()
	c := h.open(setup{}).client()
	c.post("/flash?kind=info&text=hello").wants(200, "flashed").sets()
	return c
}
