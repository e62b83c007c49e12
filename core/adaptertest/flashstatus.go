package adaptertest

import (
	"fmt"
	"io"
	"net"
	"strings"
)

// flashStatusCases are about which responses can show a flash (promise F1).
var flashStatusCases = []testCase{
	{
		name: "F1_responses_that_show_it",
		why:  "A page that a person sees takes the flash, even an error page that the person caused.",
		run: func(h *harness) {
			for _, status := range []int{200, 201, 206, 400, 403, 404, 422, 499} {
				c := withFlash(h)
				c.get(fmt.Sprintf("/flashes?status=%d", status)).wants(status, "info:hello")
				c.get("/flashes").wants(200, absent)
			}
		},
	},
	{
		name: "F1_responses_that_do_not",
		why:  "Nobody sees the body of a redirect, and a server error was not intended: the flash stays.",
		run: func(h *harness) {
			for _, status := range []int{204, 205, 304, 500, 503} {
				c := withFlash(h)
				c.get(fmt.Sprintf("/flashes?status=%d", status)).wantsStatus(status).setsNothing()
				c.get("/flashes").wants(200, "info:hello")
			}
		},
	},
	{
		name: "F1_HEAD_shows_nothing",
		why:  "Link checkers send HEAD requests, and nobody reads the answer.",
		run: func(h *harness) {
			c := withFlash(h)
			c.do("HEAD", "/flashes").wants(200, "").setsNothing()
			c.get("/flashes").wants(200, "info:hello")
		},
	},
	{
		name: "F1_prefetch_shows_nothing",
		why:  "A page that is fetched in advance may be seen later or never: it must neither take a flash nor show one again.",
		run:  fetchedInAdvance,
	},
	{
		name: "F1_parts_of_a_page_show_nothing",
		why:  "The error page for an icon that is missing is seen by nobody.",
		run: func(h *harness) {
			for dest, shows := range map[string]bool{
				"image": false, "script": false, "style": false, "font": false, "audio": false, "video": false, "track": false,
				"manifest": false, "report": false, "worker": false, "serviceworker": false, "sharedworker": false,
				"audioworklet": false, "paintworklet": false,
				"document": true, "iframe": true, "frame": true, "embed": true, "object": true, "empty": true, "unknown": true,
			} {
				c := withFlash(h)
				c.get("/flashes?status=404", "Sec-Fetch-Dest", dest).wants(404, "info:hello")
				want := "info:hello"
				if shows {
					want = absent
				}
				c.get("/flashes").wants(200, want)
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
			s.rawGet("/socket", h.line(c.token())).wants(200, "hi")
			c.get("/flashes").wants(200, "info:hello")
		},
	},
}

func fetchedInAdvance(h *harness) {
	for _, header := range [][2]string{
		{"Sec-Purpose", "prefetch"},
		{"Sec-Purpose", "prefetch;prerender"},
		{"Sec-Purpose", "prefetch, preview"},
		{"X-Sec-Purpose", "prefetch"},
		{"Purpose", "prefetch"},
		{"X-Moz", "Prefetch"},
		{"HX-Preloaded", "true"},
	} {
		s := h.open(setup{routes: []Route{get("/page", func(r Request) error {
			r.SetHeader("Vary", "Accept")
			if r.Param("add") != "" {
				r.Session().Flash("info", "own")
			}
			if r.Param("commit") != "" {
				if err := r.Session().Commit(r.Context()); err != nil {
					return err
				}
			}
			peeked := texts(r.Session().PeekFlashes())
			if got := texts(r.Session().Flashes()); got != peeked {
				return r.Text(500, got+", not "+peeked)
			}
			return r.Text(200, peeked)
		})}})
		c := s.client()
		c.post("/flash?kind=info&text=hello").wants(200, "flashed").sets()
		r := c.get("/page", header[0], header[1]).wants(200, absent).setsNothing()
		if vary := strings.Join(r.header.Values("Vary"), ", "); vary != "Accept, "+h.vary()+", Sec-Purpose" {
			h.Errorf("%s: Vary is %q", header[0], vary)
		}
		c.get("/page?add=1", header[0], header[1]).wants(200, "info:own")
		c.get("/page?add=1&commit=1", header[0], header[1]).wants(200, "info:own")
		c.get("/flashes").wants(200, "info:hello|info:own|info:own")
		if vary := c.get("/page").header.Get("Vary"); strings.Contains(vary, "Sec-Purpose") {
			h.Errorf("Vary of a page that is shown is %q", vary)
		}
	}
	c := withFlash(h)
	c.get("/flashes", "Purpose", "preview").wants(200, "info:hello")
	c.get("/flashes").wants(200, absent)
}

// withFlash returns a client with an unread flash, info:hello.
func withFlash(h *harness) *client {
	h.Helper()
	c := h.open(setup{}).client()
	c.post("/flash?kind=info&text=hello").wants(200, "flashed").sets()
	return c
}
