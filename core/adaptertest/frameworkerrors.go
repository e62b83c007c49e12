package adaptertest

import (
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/satchel-go/satchel/core"
)

// frameworkErrorCases are about the status that the client sees, and about what
// answers errors and when: AD12 to AD25 of the table at frameworkCases.
var frameworkErrorCases = []testCase{
	{
		name: "AD12_AD15_AD17_AD24_C4_the_status_that_counts_is_the_clients",
		why:  "The error handler decides the status: a commit that sees another one keeps what should be rolled back, or drops what should stay.",
		run: func(h *harness) {
			for _, status := range []int{500, 400, 422} {
				s := h.open(setup{app: func(c *Config) { c.ErrorStatus = status }, routes: errorRoutes()})
				c := s.client()
				if r := c.post("/returns-error").wants(status, "app error"); status < 500 {
					r.sets()
					c.has("k", "v")
				} else {
					r.setsNothing()
					c.has("k", absent)
				}
			}
			h.wantEvents(1, core.EventRolledBack, "")
		},
	},
	{
		name: "AD16_error_response_carries_the_cookie",
		why:  "Whatever middleware is outside, the commit happens before the error's header is written.",
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
		name: "AD16_wrappers_stay_in_place",
		why:  "Who puts the real writer back over another's wrapper sends bodies that do not fit their headers.",
		run:  wrappersStay,
	},
	{
		name: "AD17_failed_commit_is_answered_once",
		why:  "Writing fails when the commit does; a handler that returns that error must not cause a second answer.",
		run: func(h *harness) {
			s := h.open(setup{app: func(c *Config) { c.ErrorStatus = 500 }})
			h.faults.down(opSave)
			s.client().post("/set?value=v").refusal(503, unavailableBody)
		},
	},
	{
		name: "AD17_errors_of_the_core_have_their_status",
		why:  "A handler that passes on what Commit returned means the same answer as a commit after it.",
		run:  coreErrors,
	},
	{
		name: "AD17_error_after_the_body_changes_nothing",
		why:  "A handler that has answered and then returns an error has still answered.",
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
		name: "AD19_status_alone_and_unknown_routes",
		why:  "A bare 204 reaches no writer method, and a 404 for an unknown route is written after all handlers.",
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
		name:   "AD25_SEC31_header_lines_are_read_as_they_came",
		why:    "A framework that rewrites Cookie lines can hide a duplicate; one that joins Set-Cookie lines loses cookies.",
		cookie: "it is about the lines of Cookie",
		run: func(h *harness) {
			s := h.open(setup{})
			c := s.client()
			c.set("k", "v")
			token := c.token()
			s.rawGet("/get", `Cookie: `+cookieName+`="`+token+`"; `+cookieName+` =`+token).wants(200, absent).setsNothing()
			s.rawGet("/get", "Cookie: "+cookieName+"=", h.line(token)).wants(200, absent).setsNothing()
			s.rawGet("/get", "Cookie: x=1", "Cookie: y=2; "+cookieName+" = "+token).wants(200, "v").setsNothing()
			appCookies(h)
		},
	},
	{
		name: "AD25_every_line_of_a_header_is_told",
		why:  "Whoever reads one Authorization line of two, or both as one, may take another than the proxy has checked.",
		run:  headerLines,
	},
}

func headerLines(h *harness) {
	asked := []string{"authorization", "X-Two", "Cookie", "X-Absent"}
	described := make(chan [][]string, 1)
	s := h.open(setup{
		core: func(c *core.Config) {
			c.Describe = func(ex core.Exchange) string {
				var told [][]string
				for _, name := range asked {
					told = append(told, ex.RequestHeaderLines(name))
				}
				described <- told
				return ""
			}
		},
		routes: []Route{get("/login", func(r Request) error {
			for _, name := range asked {
				_ = r.RequestHeader(name) // which may make the framework rewrite it
			}
			r.Session().Login("ann")
			return r.Text(200, "in")
		})},
	})
	s.rawGet("/login", "Authorization: Bearer a, b", "x-two: 1", `Cookie: x="1"; y =2`, "AUTHORIZATION:Basic  c \t", "X-Two:", "X-TWO: 1", "cookie: z").wants(200, "in")
	want := [][]string{{"Bearer a, b", "Basic  c"}, {"1", "", "1"}, {`x="1"; y =2`, "z"}, nil}
	if told := <-described; !slices.EqualFunc(told, want, slices.Equal) {
		h.Errorf("lines are %q, want %q", told, want)
	}
}

func coreErrors(h *harness) {
	failures := map[string]error{}
	for status, errs := range map[int][]error{
		503: {core.ErrUnavailable, core.ErrConflict},
		409: {core.ErrSessionLimit, core.ErrEnded},
		500: {core.ErrTooLarge, core.ErrReadOnly, errors.New("another")},
	} {
		for i, err := range errs {
			failures[fmt.Sprint(status, "-", i)] = fmt.Errorf("inner detail: %w", err)
		}
	}
	fail := post("/fail", func(r Request) error { return failures[r.Param("with")] })
	s := h.open(setup{routes: []Route{fail}})
	own := h.open(setup{routes: []Route{fail}, app: func(c *Config) { c.ErrorStatus = 418 }})
	for name := range failures {
		want, _ := strconv.Atoi(name[:3])
		r := s.client().post(query("/fail", "with", name)).wantsStatus(want)
		if want != 500 && strings.Contains(r.body, "inner detail") {
			h.Errorf("the answer tells what failed: %q", r.body)
		}
		own.client().post(query("/fail", "with", name)).wants(418, "app error")
	}
}

// wrappersStay sends what the framework and outer middleware write after the
// middleware through the writers that were left in place.
func wrappersStay(h *harness) {
	routes := append(errorRoutes(), get("/panics", setThen(func(Request) error { panic("adaptertest: on purpose") })))
	c := h.open(setup{app: func(c *Config) { c.Compress = true }, routes: routes}).client()
	zipped := func(method, target string) *reply {
		r := c.do(method, target, "Accept-Encoding", "gzip")
		r.unzip()
		return r
	}
	zipped("POST", "/set?value=v").wants(200, "set").sets()
	zipped("GET", "/get").wants(200, "v")
	zipped("POST", "/fails-404").wantsStatus(404)
	for _, r := range []*reply{zipped("GET", "/no/such/route"), zipped("DELETE", "/get")} {
		if r.status != 404 && r.status != 405 || r.body == "" {
			h.Errorf("the framework's own page is %d %q", r.status, r.body)
		}
	}
	zipped("POST", "/returns-error").wantsStatus(500).setsNothing()
	zipped("GET", "/panics").wantsStatus(500).setsNothing()
	h.faults.down(opSave)
	zipped("POST", "/set?value=w").refusal(503, unavailableBody)
	h.faults.up()
	c.has("k", "v")
}

// unzip decompresses the body as a browser does.
func (r *reply) unzip() {
	r.Helper()
	if r.header.Get("Content-Encoding") != "gzip" || r.body == "" {
		return
	}
	zip, err := gzip.NewReader(strings.NewReader(r.body))
	if err == nil {
		var body []byte
		body, err = io.ReadAll(zip)
		r.body = string(body)
	}
	if err != nil {
		r.Errorf("the body of the %d cannot be decoded: %v: %.100q", r.status, err, r.body)
	}
}

func errorRoutes() []Route {
	return []Route{
		post("/returns-error", setThen(func(Request) error { return errors.New("adaptertest: on purpose") })),
		post("/fails-404", setThen(func(r Request) error { return r.Fail(404) })),
	}
}
