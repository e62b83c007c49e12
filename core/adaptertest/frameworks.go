package adaptertest

import (
	"io"
	"net"

	"github.com/satchel-go/satchel/core"
)

// frameworkCases are about framework behaviour that has caught session authors
// out. The numbers stand for
//
//	AD1   two cookies of one name: frameworks hand out the first
//	AD2   frameworks unescape cookie values, or drop bytes from them
//	AD3   names that frameworks clean, encode or compare without case
//	AD4   thousands of cookies, and cookies larger than browsers keep
//	AD5   __Host- with a Domain, which http.Cookie.Valid accepts
//	AD6   writers that lose what the real one can do: flush, hijack, read from
//	AD7   cookies that are set after the first byte
//	AD8   1xx responses, and 101, which is a final one
//	AD9   connections that are taken over: no cookie can be set
//	AD10  streaming helpers that ask the writer for more than Flusher
//	AD11  templates that read flashes after the header was sent
//	AD12  the status that the client sees is not the first that was set
//	AD13  answers for which hooks before the response do not run
//	AD14  hooks that can neither return an error nor write
//	AD15  error handlers that run after the middleware
//	AD16  outer middleware that restores the writer before the error handler runs
//	AD17  errors that are answered twice
//	AD18  WriteHeader that only records the status
//	AD19  answers that reach no writer method, and those of unknown routes
//	AD20  handlers that write nothing
//	AD21  pending errors that change the status later
//	AD22  contexts that outlive the request
//	AD23  handlers that run although the load failed
//	AD24  buffered responses whose status changes after the handler
//	AD25  Set-Cookie and Cookie lines that are joined or rewritten
//	AD26  strings that are views of reused buffers
//	AD27  body streams that run after the context was released
//	AD28  pooled objects that carry one request's session to the next
//	AD29  request heads that are too large for the server
//	AD30  failed writes that leave locks held; sessions used after a save
//	AD31  middleware that is mounted twice
//	AD32  the session in the framework's context and in context.Context
//	AD33  one refusal for all frameworks
var frameworkCases = []testCase{
	{
		name:   "AD5_SEC26_SEC27_prefix_rules_are_checked_at_the_start",
		why:    "Browsers silently drop such cookies.",
		cookie: "it is about the names of cookies",
		run: func(h *harness) {
			for _, edit := range []func(*core.Config){
				func(c *core.Config) { c.Cookie = core.Cookie{Name: "__Host-session", Domain: "example.com"} },
				func(c *core.Config) { c.Cookie = core.Cookie{Name: "__Host-session", Path: "/a"} },
				func(c *core.Config) { c.Cookie.Name, c.InsecureAllowHTTP = "__Host-session", true },
				func(c *core.Config) { c.Cookie.SameSite, c.InsecureAllowHTTP = core.SameSiteNone, true },
			} {
				c := h.config()
				edit(&c)
				if _, err := core.New(h.backend, c); err == nil {
					h.Errorf("core.New accepts a cookie that browsers refuse: %+v", c.Cookie)
				}
			}
		},
	},
	{
		name: "AD8_SEC57_early_hints_are_not_the_response",
		why:  "The session cookie belongs to the response, not to the hints before it.",
		run: func(h *harness) {
			s := h.open(setup{routes: []Route{get("/hints", func(r Request) error {
				_ = r.EarlyHints("</style.css>; rel=preload")
				r.Session().Set("k", "v") // there is still time
				return r.Text(200, "hinted")
			})}})
			c := s.client()
			c.get("/hints").wants(200, "hinted").sets()
			c.has("k", "v")
		},
	},
	{
		name: "AD9_hijacked_connections_cannot_set_a_cookie",
		why:  "A change that needs a cookie is refused with an event; nothing is stored that no client can reach.",
		run:  hijackNeedsCookie,
	},
	{
		name: "AD10_streams_reach_the_client_as_they_are_flushed",
		why:  "Streaming helpers ask for CloseNotifier, FlushError and StringWriter; the client waits for each event.",
		run:  eventStream,
	},
}

func hijackNeedsCookie(h *harness) {
	s := h.open(setup{routes: []Route{get("/take", func(r Request) error {
		r.Session().Set("k", "v")
		return r.Hijack(func(conn net.Conn) {
			_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi")
		})
	})}})
	s.rawGet("/take").wants(200, "hi").setsNothing()
	h.waitFor("the event", func() bool { return h.events.count(core.EventTooLate, core.ReasonNoCookie) == 1 })
	h.wantEvents(0, core.EventCreated, "")
}

func eventStream(h *harness) {
	g := h.newGate()
	s := h.open(setup{routes: []Route{get("/events", setThen(func(r Request) error {
		return r.Stream("text/event-stream", func(w io.Writer, flush func() error) error {
			if _, err := io.WriteString(w, "data: 1\n\n"); err != nil {
				return err
			}
			if err := flush(); err != nil {
				return err
			}
			g.pass() // the client must have the first event by now
			_, err := io.WriteString(w, "data: 2\n\n")
			return err
		})
	}))}})
	c := s.client()
	resp := c.begin("/events")
	defer resp.Body.Close() //nolint:errcheck // read to its end
	first := make([]byte, len("data: 1\n\n"))
	if _, err := io.ReadFull(resp.Body, first); err != nil || string(first) != "data: 1\n\n" {
		h.Fatalf("the first event is %q, %v", first, err)
	}
	g.open()
	rest, err := io.ReadAll(resp.Body)
	if err != nil || string(rest) != "data: 2\n\n" {
		h.Errorf("the second event is %q, %v", rest, err)
	}
	(&reply{harness: h, header: resp.Header}).sets()
	c.has("k", "v")
}
