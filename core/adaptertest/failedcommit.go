package adaptertest

import (
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/satchel-go/satchel/core"
)

// failedCommitCases are about promise C3: a failed commit replaces the response
// with an error.
var failedCommitCases = append(failedWays(),
	testCase{
		name: "C3_AD14_SEC58_OnError_answers_once",
		why:  "An application may show its own page when a session could not be stored.",
		run: func(h *harness) {
			answered := 0
			s := h.open(setup{app: func(c *Config) {
				c.OuterHeader = map[string]string{"X-Outer": "kept"}
				c.OnError = func(r Request, err error) error {
					answered++
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
			if answered != 1 {
				h.Errorf("OnError was called %d times, want once", answered)
			}
		},
	},
	testCase{
		name: "C3_OnError_with_a_status_alone",
		why:  "An error page without a body has none: the handler's body does not take its place.",
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
		name: "C3_OnError_answers_JSON_inside_JSON",
		why:  "A framework that keeps one JSON writer for a request sends the handler's body after the error's.",
		run: func(h *harness) {
			r := jsonInsideJSON(h, func(r Request, _ error) error { return r.JSON(507, "full") }).wantsStatus(507)
			if body := strings.TrimSpace(r.body); body != `"full"` {
				h.Errorf("the answer is %q", r.body)
			}
		},
	},
	testCase{
		name: "C3_framework_error_handler_answers_JSON_inside_JSON",
		why:  "An error that OnError returns is answered by the framework, inside the handler's own answer.",
		run: func(h *harness) {
			jsonInsideJSON(h, func(r Request, _ error) error { return r.Fail(507) }).wantsStatus(507)
		},
	},
	testCase{
		name: "C3_outer_headers_stay_and_the_handlers_go",
		why:  "Security headers that outer middleware set belong to the error as well; the handler's do not.",
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
				h.Errorf("X-Outer is %q, want it kept", got)
			}
			if got := append(r.header.Values("Set-Cookie"), r.ours()...); len(got) != 0 {
				h.Errorf("cookies and tokens %q in the error response", got)
			}
		},
	},
	testCase{
		name: "C3_SEC58_handler_writes_on",
		why:  "Anything written after the error page would be read as part of it.",
		run: func(h *harness) {
			s := h.open(setup{routes: []Route{post("/on", setThen(func(r Request) error {
				for _, text := range []string{"one", "two", "three"} {
					_ = r.Text(201, text) // the answer may return an error, or not
				}
				return nil
			}))}})
			h.faults.down(opSave)
			s.client().post("/on").refusal(503, unavailableBody)
		},
	},
	testCase{
		name: "C3_value_that_cannot_be_encoded",
		why:  "A programming mistake must show as an error at once, not as a value that is missing later.",
		run: func(h *harness) {
			bad := badValues()
			s := h.open(setup{routes: []Route{post("/bad", func(r Request) error {
				s := r.Session()
				s.Set("k", "changed")
				s.Set(key(r), bad[key(r)])
				return r.Text(200, "done")
			})}})
			c := s.client()
			c.set("k", "v")
			for name := range bad {
				c.post(query("/bad", "key", name)).refusal(500, internalErrorBody)
				c.has("k", "v")
				told := func(e core.Event) bool {
					var failure *core.ValueError
					return errors.As(e.Err, &failure) && failure.Key == name
				}
				if !slices.ContainsFunc(h.events.list(), told) {
					h.Errorf("no event names the key %q: %v", name, h.events.list())
				}
			}
		},
	},
	testCase{
		name: "C3_explicit_commit_reports_to_the_handler",
		why:  "A handler that calls Commit itself decides what to answer; the rest of its response is sent.",
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

// jsonInsideJSON returns the response if a commit fails at the first byte of a
// handler's JSON, and onError answers that.
func jsonInsideJSON(h *harness, onError func(Request, error) error) *reply {
	s := h.open(setup{
		app:    func(c *Config) { c.OnError = onError },
		routes: []Route{post("/json", setThen(func(r Request) error { return r.JSON(201, "handler's") }))},
	})
	h.faults.down(opSave)
	r := s.client().post("/json").setsNothing()
	if strings.Contains(r.body, "handler's") {
		h.Errorf("the error has the body %q", r.body)
	}
	return r
}

// failedWays returns a case for each way to answer. The client must see none of
// the answer.
func failedWays() []testCase {
	var cases []testCase
	for _, w := range ways {
		if strings.HasPrefix(w.name, "early") {
			continue // the 103 was already sent, with the handler's header
		}
		cases = append(cases, testCase{
			name: "C3_AD30_SEC58_save_fails_on_" + w.name,
			why:  "A failed commit gives an error response without a cookie and without anything that the handler wrote.",
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
		_ = w.answer(h, r) // the answer may return an error, or not
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
	if got := append(r.header.Values("Set-Cookie"), r.ours()...); len(got) != 0 {
		h.Errorf("cookies and tokens %q in the error response", got)
	}
	h.wantEvents(1, core.EventFailed, "")
	h.faults.up()
	if c.token() != before {
		h.Errorf("the client's cookie changed")
	}
	c.has("k", "v")
}

// badValues returns values that a session could not give back.
func badValues() map[string]any {
	type ring struct{ Next *ring }
	cyclic := &ring{}
	cyclic.Next = cyclic
	type dropped struct {
		ID int `json:"-"`
	}
	return map[string]any{
		"function": func() {}, "cyclic": cyclic, "error": errors.New("hidden"), "interface": struct{ Err error }{},
		"dropped": dropped{1}, "second": time.Unix(0, 0).In(time.FixedZone("LMT", 17)),
	}
}
