package adaptertest

import (
	"fmt"
	"html/template"
	"io"
	"net"
	"os"
	"path/filepath"
	"sync/atomic"

	"github.com/satchel-go/satchel/core"
)

// way is one way for a handler to answer. The client's status and body show
// whether the answer arrived.
type way struct {
	name   string
	status int
	body   string
	answer func(h *harness, r Request) error
}

var page = template.Must(template.New("page").Parse("<p>{{.}}</p>"))

// ways lists every way to answer that commits the session.
var ways = []way{
	{"no_body", 200, "", func(*harness, Request) error { return nil }},
	{"status_201", 201, "", func(_ *harness, r Request) error { return r.Status(201) }},
	{"status_204", 204, "", func(_ *harness, r Request) error { return r.Status(204) }},
	{"status_304", 304, "", func(_ *harness, r Request) error { return r.Status(304) }},
	{"redirect_302", 302, "*", func(_ *harness, r Request) error { return r.Redirect(302, "/get") }},
	{"redirect_303", 303, "*", func(_ *harness, r Request) error { return r.Redirect(303, "/get") }},
	{"text", 200, "text", func(_ *harness, r Request) error { return r.Text(200, "text") }},
	{"empty_text", 200, "", func(_ *harness, r Request) error { return r.Text(200, "") }},
	{"json", 201, "*", func(_ *harness, r Request) error { return r.JSON(201, map[string]int{"n": 1}) }},
	{"raw", 200, "raw", func(_ *harness, r Request) error { return r.Raw("raw") }},
	{"template", 200, "<p>x</p>", func(_ *harness, r Request) error { return r.Template(page, "x") }},
	{"stream", 200, "data: 0\n\ndata: 1\n\ndata: 2\n\n", func(_ *harness, r Request) error {
		return r.Stream("text/event-stream", func(w io.Writer, flush func() error) error {
			for i := range 3 {
				if _, err := fmt.Fprintf(w, "data: %d\n\n", i); err != nil {
					return err
				}
				if err := flush(); err != nil {
					return err
				}
			}
			return nil
		})
	}},
	{"flush_first", 200, "late", func(_ *harness, r Request) error {
		return r.Stream("text/plain", func(w io.Writer, flush func() error) error {
			if err := flush(); err != nil {
				return err
			}
			_, err := io.WriteString(w, "late")
			return err
		})
	}},
	{"file", 200, "a file", func(h *harness, r Request) error {
		name := filepath.Join(h.t.TempDir(), "file.txt")
		if err := os.WriteFile(name, []byte("a file"), 0o600); err != nil {
			return err
		}
		return r.File(name)
	}},
	{"fail_404", 404, "*", func(_ *harness, r Request) error { return r.Fail(404) }},
	{"fail_422", 422, "*", func(_ *harness, r Request) error { return r.Fail(422) }},
	{"early_hints", 200, "hinted", func(_ *harness, r Request) error {
		_ = r.EarlyHints("</style.css>; rel=preload") // not every framework can
		return r.Text(200, "hinted")
	}},
}

// waysMeet is the differences between frameworks that a way meets, in its case's name.
var waysMeet = map[string]string{
	"no_body": "AD13_AD20_", "raw": "AD13_", "stream": "AD6_AD13_", "flush_first": "AD6_AD13_", "file": "AD6_", "fail_404": "AD18_",
}

// waysCases returns a case for each way, and those that need a special client.
func waysCases() []testCase {
	cases := []testCase{
		{
			name: "C7_SEC57_commits_on_HEAD",
			why:  "A HEAD has the header of its GET, but no body that could cause the commit.",
			run: func(h *harness) {
				s := h.open(setup{routes: []Route{get("/head", setThen(func(r Request) error { return r.Text(200, "body") }))}})
				c := s.client()
				c.do("HEAD", "/head").wants(200, "").sets()
				c.has("k", "v")
			},
		},
		{
			name: "C7_SEC57_commits_on_101",
			why:  "A 101 is the final response: its cookie is the last chance.",
			run: func(h *harness) {
				s := h.open(setup{routes: []Route{get("/upgrade", setThen(func(r Request) error { return r.Status(101) }))}})
				r := s.raw("GET /upgrade HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: test\r\n\r\n")
				r.wantsStatus(101).sets()
				s.with(r.token()).has("k", "v")
			},
		},
		{
			name: "C7_AD6_SEC57_commits_on_hijack",
			why:  "From then on the connection belongs to the handler, so changes are stored before.",
			run:  hijacked,
		},
	}
	for _, w := range ways {
		cases = append(cases, testCase{
			name: "C7_" + waysMeet[w.name] + "SEC57_commits_on_" + w.name,
			why:  "The session is committed before the first byte of the header, however the handler answers.",
			run:  func(h *harness) { commitsOn(h, w) },
		})
	}
	return cases
}

// setThen sets a value and answers.
func setThen(f func(Request) error) func(Request) error {
	return func(r Request) error {
		r.Session().Set("k", "v")
		return f(r)
	}
}

func commitsOn(h *harness, w way) {
	s := h.open(setup{routes: []Route{get("/way", setThen(func(r Request) error { return w.answer(h, r) }))}})
	c := s.client()
	r := c.get("/way").wantsStatus(w.status).sets()
	if w.body != "*" && r.body != w.body {
		h.Errorf("body is %q, want %q", r.body, w.body)
	}
	c.has("k", "v")
	h.wantEvents(1, core.EventCreated, "")
	h.wantEvents(0, core.EventTooLate, "")
}

func hijacked(h *harness) {
	var before atomic.Int64 // events of the commit, when the handler gets the connection
	s := h.open(setup{routes: []Route{get("/hijack", func(r Request) error {
		r.Session().Set("k", "hijacked")
		return r.Hijack(func(conn net.Conn) {
			before.Store(int64(h.events.count(core.EventSaved, "") + h.events.count(core.EventTooLate, core.ReasonNoCookie)))
			_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi")
		})
	})}})
	c := s.client()
	c.set("k", "v")
	s.rawGet("/hijack", h.line(c.token())).wants(200, "hi").setsNothing()
	if before.Load() != 1 {
		h.Errorf("the handler had the connection before the session was committed")
	}
	if h.clientSide() {
		h.waitFor("the event", func() bool { return h.events.count(core.EventTooLate, core.ReasonNoCookie) == 1 })
		c.has("k", "v")
		return
	}
	h.waitFor("the save", func() bool { return h.events.count(core.EventSaved, "") == 1 })
	c.has("k", "hijacked")
	h.wantEvents(0, core.EventTooLate, "")
}
