package adaptertest

import (
	"errors"
	"io"
	"strings"

	"github.com/satchel-go/satchel/core"
)

// frameworkErrorCases are about the status that the client sees, and about
// who answers errors and when: AD12 to AD25 of the table in frameworkCases.
var frameworkErrorCases = []testCase{
	{
		name: "AD12_C4_the_status_that_counts_is_the_clients",
		why:  "A commit that saw another status keeps what should be rolled back.",
		run: func(h *harness) {
			s := h.open(setup{app: func(c *Config) { c.ErrorStatus = 500 }, routes: errorRoutes()})
			c := s.client()
			c.post("/returns-error").wants(500, "app error").setsNothing()
			c.has("k", absent)
			h.wantEvents(1, core.EventRolledBack, "")
		},
	},
	{
		name: "AD13_SEC57_answers_without_a_hook",
		why:  "Hooks before the response do not fire for every way to answer: no body, raw writes, flushes.",
		run: func(h *harness) {
			for _, w := range ways {
				switch w.name {
				case "no_body", "raw", "flush_first", "stream":
					commitsOnFresh(h, w)
				}
			}
		},
	},
	{
		name: "AD14_SEC58_error_at_the_first_byte",
		why:  "A commit that fails inside a write must be able to answer, exactly once.",
		run: func(h *harness) {
			answered := 0
			s := h.open(setup{app: func(c *Config) {
				c.OnError = func(r Request, err error) error {
					answered++
					return r.Text(core.Refuse(err).Status, "once")
				}
			}})
			h.faults.down(opSave)
			s.client().post("/set?value=v").wants(503, "once").setsNothing()
			if answered != 1 {
				h.Errorf("OnError was called %d times, want once", answered)
			}
		},
	},
	{
		name: "AD15_errors_that_become_a_4xx_commit",
		why:  "The error handler decides the status; with a 4xx the session is stored, and its cookie is in that response.",
		run: func(h *harness) {
			s := h.open(setup{app: func(c *Config) { c.ErrorStatus = 422 }, routes: errorRoutes()})
			c := s.client()
			c.post("/returns-error").wants(422, "app error").sets()
			c.has("k", "v")
		},
	},
	{
		name: "AD16_error_response_carries_the_cookie",
		why:  "Whatever stands outside, the commit happens before the error's header is written.",
		run: func(h *harness) {
			s := h.open(setup{app: func(c *Config) { c.OuterHeader = map[string]string{"X-Outer": "1"} }, routes: errorRoutes()})
			c := s.client()
			r := c.post("/fails-404").wantsStatus(404).sets()
			if r.header.Get("X-Outer") != "1" {
				h.Errorf("the outer middleware's header is gone")
			}
			c.has("k", "v")
		},
	},
	{
		name: "AD17_errors_are_answered_once",
		why:  "An error that the adapter has passed to the error handler must not be answered again.",
		run: func(h *harness) {
			for _, status := range []int{418, 500} {
				s := h.open(setup{app: func(c *Config) { c.ErrorStatus = status }, routes: errorRoutes()})
				r := s.client().post("/returns-error").wants(status, "app error")
				if n := strings.Count(r.body, "app error"); n != 1 {
					h.Errorf("the error was answered %d times", n)
				}
			}
		},
	},
	{
		name: "AD17_error_after_the_body_changes_nothing",
		why:  "A handler that has answered and returns an error all the same has answered.",
		run: func(h *harness) {
			s := h.open(setup{routes: []Route{get("/both", setThen(func(r Request) error {
				return r.Stream("text/plain", func(w io.Writer, flush func() error) error {
					_, _ = io.WriteString(w, "begun")
					return flush()
				})
			}))}})
			c := s.client()
			c.get("/both").wants(200, "begun").sets()
			c.has("k", "v")
		},
	},
	{
		name: "AD18_changes_between_status_and_body",
		why:  "A framework that only records the status must not commit at that moment.",
		run: func(h *harness) {
			s := h.open(setup{routes: []Route{post("/abort", func(r Request) error {
				r.Session().Set("k", "v")
				return r.Fail(403)
			})}})
			c := s.client()
			c.post("/abort").wantsStatus(403).sets()
			c.has("k", "v")
		},
	},
	{
		name: "AD19_status_alone_and_unknown_routes",
		why:  "A bare 204 reaches no writer method, a 404 for an unknown route is written after everybody.",
		run: func(h *harness) {
			s := h.open(setup{routes: []Route{post("/bare", setThen(func(r Request) error { return r.Status(204) }))}})
			c := s.client()
			c.get("/no/such/route").wantsStatus(404).setsNothing()
			c.post("/bare").wants(204, "").sets()
			c.has("k", "v")
			c.get("/no/such/route").wantsStatus(404).setsNothing()
			c.has("k", "v")
		},
	},
	{
		name: "AD20_handlers_that_write_nothing",
		why:  "The commit comes at the end then.",
		run: func(h *harness) {
			s := h.open(setup{routes: []Route{post("/nothing", setThen(func(Request) error { return nil }))}})
			c := s.client()
			c.post("/nothing").wants(200, "").sets()
			c.has("k", "v")
		},
	},
	{
		name: "AD21_pending_errors_count_as_500",
		why:  "An error that somebody outside will turn into a 500 must not leave the handler's changes.",
		run: func(h *harness) {
			s := h.open(setup{routes: errorRoutes()})
			c := s.client()
			c.set("k", "before")
			c.post("/returns-error").wantsStatus(500).setsNothing()
			c.has("k", "before")
		},
	},
	{
		name: "AD22_SEC61_context_that_outlives_the_request",
		why:  "A goroutine with a copy of the context must find a session that is over, not another client's.",
		run:  afterwards,
	},
	{
		name: "AD23_no_handler_after_a_failed_load",
		why:  "A handler that runs without its session would take the user for a stranger.",
		run:  downAtLoad,
	},
	{
		name: "AD24_C4_buffered_status_changes_after_the_handler",
		why:  "The commit must see what the error handler makes of the response, also where responses are buffered.",
		run: func(h *harness) {
			for status, want := range map[int]string{500: absent, 400: "v"} {
				s := h.open(setup{app: func(c *Config) { c.ErrorStatus = status }, routes: errorRoutes()})
				c := s.client()
				c.post("/returns-error").wants(status, "app error")
				c.has("k", want)
			}
		},
	},
	{
		name: "AD25_SEC31_header_lines_are_read_as_they_came",
		why:  "A framework that rewrites Cookie lines makes one verdict of several; one that joins Set-Cookie lines loses cookies.",
		run: func(h *harness) {
			s := h.open(setup{})
			c := s.client()
			c.set("k", "v")
			token := c.token()
			s.rawGet("/get", `Cookie: `+cookieName+`="`+token+`"; `+cookieName+` =`+token).wants(200, absent).setsNothing()
			s.rawGet("/get", "Cookie: "+cookieName+"=", "Cookie: "+cookieName+"="+token).wants(200, absent).setsNothing()
			s.rawGet("/get", "Cookie: x=1", "Cookie: y=2; "+cookieName+" = "+token).wants(200, "v").setsNothing()
			appCookies(h)
		},
	},
}

func errorRoutes() []Route {
	return []Route{
		post("/returns-error", setThen(func(Request) error { return errors.New("adaptertest: on purpose") })),
		post("/fails-404", setThen(func(r Request) error { return r.Fail(404) })),
	}
}

// commitsOnFresh is commitsOn without its events, for several ways in a row.
func commitsOnFresh(h *harness, w way) {
	h.Helper()
	s := h.open(setup{routes: []Route{get("/way", setThen(func(r Request) error { return w.answer(h, r) }))}})
	c := s.client()
	c.get("/way").wants(w.status, w.body).sets()
	c.has("k", "v")
}
