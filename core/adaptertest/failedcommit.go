package adaptertest

import (
	"errors"
	"strings"

	"github.com/satchel-go/satchel/core"
)

// failedCommitCases are about promise C3: a commit that fails replaces the
// response by an error.
var failedCommitCases = append(failedWays(),
	testCase{
		name: "C3_OnError_answers",
		why:  "An application may show its own page when a session could not be stored.",
		run: func(h *harness) {
			s := h.open(setup{app: func(c *Config) {
				c.OuterHeader = map[string]string{"X-Outer": "kept"}
				c.OnError = func(r Request, err error) error {
					if !errors.Is(err, core.ErrUnavailable) {
						return r.Text(500, err.Error())
					}
					return r.Text(507, "my page")
				}
			}})
			h.faults.down(opSave)
			r := s.client().post("/set?value=v").wants(507, "my page").setsNothing()
			if r.header.Get("X-Outer") != "kept" {
				h.Errorf("the header of an outer middleware is gone")
			}
		},
	},
	testCase{
		name: "C3_OnError_with_a_status_alone",
		why:  "An error page without a body has none: the handler's does not take its place.",
		run: func(h *harness) {
			s := h.open(setup{
				app:    func(c *Config) { c.OnError = func(r Request, _ error) error { return r.Status(507) } },
				routes: []Route{post("/body", setThen(func(r Request) error { return r.Text(201, "handler's") }))},
			})
			h.faults.down(opSave)
			r := s.client().post("/body").wantsStatus(507).setsNothing()
			if strings.Contains(r.body, "handler's") {
				h.Errorf("the error has the handler's body: %q", r.body)
			}
		},
	},
	testCase{
		name: "C3_outer_headers_stay_and_the_handlers_go",
		why:  "Security headers that an outer middleware set belong to the error as well; the handler's do not.",
		run: func(h *harness) {
			s := h.open(setup{
				app: func(c *Config) { c.OuterHeader = map[string]string{"X-Outer": "kept"} },
				routes: []Route{post("/header", func(r Request) error {
					r.SetHeader("X-Handler", "gone")
					r.SetHeader("X-Outer", "changed")
					r.SetCookie("app", "gone")
					r.Session().Set("k", "v")
					return r.JSON(201, "done")
				})},
			})
			h.faults.down(opSave)
			r := s.client().post("/header")
			r.refusal(503, unavailableBody)
			if got := r.header.Get("X-Outer"); got != "kept" {
				h.Errorf("X-Outer is %q, want kept", got)
			}
			if got := r.header.Values("Set-Cookie"); len(got) != 0 {
				h.Errorf("Set-Cookie %q in the error response", got)
			}
		},
	},
	testCase{
		name: "C3_SEC58_handler_writes_on",
		why:  "What is written behind the error page is read as part of it.",
		run: func(h *harness) {
			s := h.open(setup{routes: []Route{post("/on", setThen(func(r Request) error {
				for _, text := range []string{"one", "two", "three"} {
					_ = r.Text(201, text) // it may be told, or not
				}
				return nil
			}))}})
			h.faults.down(opSave)
			s.client().post("/on").refusal(503, unavailableBody)
		},
	},
	testCase{
		name: "C3_value_that_cannot_be_encoded",
		why:  "A programming mistake is an error that is seen, not a value that is missing later.",
		run: func(h *harness) {
			s := h.open(setup{routes: []Route{post("/bad", func(r Request) error {
				s := r.Session()
				s.Set("k", "changed")
				s.Set("bad", func() {})
				return r.Text(200, "done")
			})}})
			c := s.client()
			c.set("k", "v")
			c.post("/bad").refusal(500, internalErrorBody)
			c.has("k", "v")
			var failure *core.ValueError
			for _, e := range h.events.list() {
				if errors.As(e.Err, &failure) && failure.Key == "bad" {
					return
				}
			}
			h.Errorf("no event names the key: %v", h.events.list())
		},
	},
	testCase{
		name: "C3_explicit_commit_reports_to_the_handler",
		why:  "A handler that commits itself decides what to answer; the rest of its response goes out.",
		run: func(h *harness) {
			s := h.open(setup{routes: []Route{post("/own", func(r Request) error {
				s := r.Session()
				s.Set("k", "x")
				if err := s.Commit(r.Context()); !errors.Is(err, core.ErrUnavailable) {
					return r.Text(500, "Commit returned no ErrUnavailable")
				}
				return r.Text(202, "later")
			})}})
			c := s.client()
			c.set("k", "v")
			h.faults.down(opSave)
			c.post("/own").wants(202, "later").setsNothing()
			h.faults.up()
			c.has("k", "v")
		},
	},
)

// failedWays has a case for each way to answer: none of it may be seen.
func failedWays() []testCase {
	var cases []testCase
	for _, w := range ways {
		if strings.HasPrefix(w.name, "early") {
			continue // the 103 has gone, with the handler's header
		}
		cases = append(cases, testCase{
			name: "C3_SEC58_save_fails_on_" + w.name,
			why:  "An error response, no cookie, and nothing of what the handler wrote.",
			run:  func(h *harness) { failsOn(h, w) },
		})
	}
	return cases
}

func failsOn(h *harness, w way) {
	s := h.open(setup{routes: []Route{get("/way", func(r Request) error {
		r.SetHeader("X-Handler", "gone")
		r.SetCookie("app", "gone")
		r.Session().Set("k", "changed")
		_ = w.answer(h, r) // it may be told, or not
		return nil
	}), get("/fail", func(r Request) error {
		r.Session().Set("k", "changed")
		return w.answer(h, r)
	})}})
	c := s.client()
	c.set("k", "v")
	before := c.token()
	h.faults.down(opSave)
	target := "/way"
	if strings.HasPrefix(w.name, "fail") {
		target = "/fail" // the error has to be returned
	}
	r := c.get(target)
	r.refusal(503, unavailableBody)
	if got := r.header.Values("Set-Cookie"); len(got) != 0 {
		h.Errorf("Set-Cookie %q in the error response", got)
	}
	h.wantEvents(1, core.EventFailed, "")
	h.faults.up()
	if c.token() != before {
		h.Errorf("the client's cookie changed")
	}
	c.has("k", "v")
}
