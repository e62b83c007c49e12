package adaptertest

import (
	"errors"
	"html/template"
	"io"
	"strings"

	"github.com/satchel-go/satchel/core"
)

// flashPage reads the flashes while it is being sent.
var flashPage = template.Must(template.New("flashes").Parse(
	`<html>{{.Before}}{{range .S.Flashes}}<p>{{.Kind}}:{{.Text}}</p>{{end}}</html>`))

type pageData struct {
	S      *core.Session
	Before string
}

// lateCases are about what happens after the first byte (promise C6).
var lateCases = []testCase{
	{
		name: "C6_AD11_streaming_template_shows_a_flash_once",
		why:  "Templates read flashes after the header was sent; the next page must not show them again.",
		run: func(h *harness) {
			s := h.open(setup{routes: lateRoutes()})
			c := s.client()
			c.post("/flash?kind=info&text=hello").wantsStatus(200)
			c.post("/flash?kind=error&text=b")
			c.get("/page").wants(200, "<html><p>info:hello</p><p>error:b</p></html>")
			c.get("/page").wants(200, "<html></html>").setsNothing()
			c.get("/flashes").wants(200, absent)
			h.wantEvents(0, core.EventTooLate, "")
		},
	},
	{
		name: "C7_SEC37_Vary_on_streamed_pages",
		why:  "A page that reads the session after its header still belongs to one client: a shared cache must not give it to others.",
		run: func(h *harness) {
			s := h.open(setup{routes: lateRoutes()})
			c := s.client()
			c.post("/flash?kind=info&text=hello").wantsStatus(200)
			for _, what := range []string{"with a flash", "without one", "without a session"} {
				if what == "without a session" {
					c = s.client()
				}
				if vary := c.get("/page").wantsStatus(200).header.Get("Vary"); vary != h.vary() {
					h.Errorf("%s: Vary is %q, want Cookie", what, vary)
				}
			}
		},
	},
	{
		name: "C6_template_that_fills_the_buffer",
		why:  "Only so much of the body is held back; a flash that is read too late is shown again rather than lost.",
		run:  bigPage,
	},
	{
		name: "AD7_C4_timeout_inside_leaves_no_session_without_its_cookie",
		why:  "After a timeout, a framework may send what it has copied before the commit.",
		run:  timeoutInside,
	},
	{
		name: "C6_commit_before_a_timeout_inside_is_handed_out_or_told",
		why:  "What Commit has stored needs its cookie, also in an answer that is not the handler's.",
		run:  commitThenTimeout,
	},
	{
		name: "C6_flush_ends_the_holding_back",
		why:  "A handler that flushes wants its bytes to arrive now.",
		run: func(h *harness) {
			s := h.open(setup{routes: lateRoutes()})
			c := s.client()
			c.post("/flash?kind=info&text=hello")
			c.get("/flushed").wants(200, "firstinfo:hello")
			if h.clientSide() {
				h.waitFor("the event", h.toldTooLate)
			}
			again := absent
			if h.toldTooLate() {
				again = "info:hello"
			}
			c.get("/flashes").wants(200, again)
		},
	},
	{
		name: "C6_late_write_is_kept_or_reported",
		why:  "A change after the header is saved if it needs no cookie; otherwise an event reports it. It is never lost silently.",
		run:  lateWrite,
	},
	{
		name: "C6_write_between_body_and_return",
		why:  "Handlers that count or log after answering expect their changes to be kept.",
		run:  writeAfterBody,
	},
	{
		name: "C6_AD7_late_write_of_a_new_session_is_reported",
		why:  "A new session needs a cookie; after the header there is none.",
		run: func(h *harness) {
			s := h.open(setup{routes: lateRoutes()})
			c := s.client()
			c.get("/late").wants(200, "begun late").setsNothing()
			h.waitFor("the event", h.toldTooLate)
			if n := h.events.count(core.EventCreated, ""); n != 0 {
				h.Errorf("a session was stored that no client can have")
			}
			c.has("late", absent)
		},
	},
	{
		name: "C6_explicit_commit_after_the_header",
		why:  "Commit says ErrTooLate if a change needs a cookie, and saves it otherwise.",
		run:  lateCommit,
	},
	{
		name: "C6_AD22_SEC61_after_the_request_writes_are_reported",
		why:  "A goroutine that outlives its request cannot change the session, because the response was sent long ago.",
		run:  afterwards,
	},
	{
		name: "C6_strict_mode_panics",
		why:  "In tests, a late change must be a failure that cannot be overlooked.",
		run:  strictLate,
	},
	{
		name: "C6_strict_mode_finds_changes_in_place",
		why:  "Get returns a snapshot: changing it stores nothing, and the developer should learn so.",
		run: func(h *harness) {
			s := h.open(setup{core: func(c *core.Config) { c.Strict = true }, routes: []Route{
				post("/list", func(r Request) error { r.Session().Set("list", []int{1, 2}); return r.Text(200, "") }),
				post("/in-place", func(r Request) error {
					list, _ := core.Get[[]int](r.Session(), "list")
					list[0] = 7
					return r.Text(200, "changed")
				}),
			}})
			c := s.client()
			c.post("/list").wantsStatus(200)
			if r := c.try("POST", "/in-place"); r.err == nil {
				r.wantsStatus(500)
			}
		},
	},
}

func lateRoutes() []Route {
	return []Route{
		get("/page", func(r Request) error { return r.Template(flashPage, pageData{S: r.Session()}) }),
		get("/big", func(r Request) error {
			return r.Template(flashPage, pageData{S: r.Session(), Before: strings.Repeat("x", 40<<10)})
		}),
		get("/flushed", func(r Request) error {
			s := r.Session()
			return r.Stream("text/plain", func(w io.Writer, flush func() error) error {
				_, _ = io.WriteString(w, "first")
				_ = flush()
				_, err := io.WriteString(w, texts(s.Flashes()))
				return err
			})
		}),
		get("/late", func(r Request) error {
			s := r.Session()
			return r.Stream("text/plain", func(w io.Writer, flush func() error) error {
				_, _ = io.WriteString(w, "begun")
				_ = flush()
				s.Set("late", "kept")
				_, err := io.WriteString(w, " late")
				return err
			})
		}),
		get("/late-commit", func(r Request) error {
			s, ctx := r.Session(), r.Context()
			return r.Stream("text/plain", func(w io.Writer, flush func() error) error {
				_ = flush()
				s.Set("late", "kept")
				verdict := "saved"
				if err := s.Commit(ctx); errors.Is(err, core.ErrTooLate) {
					verdict = "too late"
				} else if err != nil {
					verdict = err.Error()
				}
				_, err := io.WriteString(w, verdict)
				return err
			})
		}),
	}
}

func bigPage(h *harness) {
	s := h.open(setup{routes: lateRoutes()})
	c := s.client()
	c.post("/flash?kind=info&text=hello")
	r := c.get("/big").wantsStatus(200)
	if !strings.Contains(r.body, "info:hello") || len(r.body) < 40<<10 {
		h.Errorf("the page is incomplete: %d bytes", len(r.body))
	}
	told := func() int { return h.events.count(core.EventTooLate, core.ReasonLateFlash) }
	got := c.get("/flashes").wantsStatus(200).body
	if shown, again := got == absent, got == "info:hello"; !shown && (!again || !h.clientSide() || told() != 1) {
		h.Errorf("the next page shows %q, and %d events tell why", got, told())
	}
}
