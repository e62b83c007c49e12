package adaptertest

import (
	"context"
	"html/template"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/satchel-go/satchel/core"
)

// insideCases are about the code between the middleware and the handler, and
// about cookies of our name that others set (promise C7).
var insideCases = []testCase{
	{
		name: "C7_SEC37_cache_inside_gets_no_cookie",
		why:  "A response cache inside the middleware that keeps the header it has sent would hand one user's session to the next.",
		run:  cacheInside,
	},
	{
		name: "C7_SEC57_no_cookie_before_the_final_status",
		why:  "Early hints belong to no session, and until the response begins nobody inside needs the cookie.",
		run:  noCookieInHints,
	},
	{
		name:   "C7_SEC30_our_name_is_ours_when_we_set_it",
		why:    "Of two Set-Cookie lines for one name, browsers keep the last: the session would be lost.",
		cookie: "others set a cookie of our name",
		run: func(h *harness) {
			s := h.open(setup{routes: cookieOfOurName()})
			c := s.client()
			r := c.post("/named?set=1").wantsStatus(200).sets()
			if all := r.header.Values("Set-Cookie"); len(all) != 2 || strings.Contains(strings.Join(all, ""), "theirs") {
				h.Errorf("the cookies that were sent are %q, want the session's and the application's own", all)
			}
			c.has("k", "v")
			h.wantEvents(1, core.EventCookieClash, "")
		},
	},
	{
		name:   "C7_SEC30_our_name_passes_when_we_set_nothing",
		why:    "A reverse proxy to another program may pass that program's cookie on; it is reported all the same.",
		cookie: "others set a cookie of our name",
		run: func(h *harness) {
			s := h.open(setup{routes: cookieOfOurName()})
			r := s.raw("POST /named HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").wantsStatus(200).sets()
			if !strings.HasPrefix(strings.Join(r.ours(), ""), cookieName+"=theirs") {
				h.Errorf("Set-Cookie is %q", r.ours())
			}
			h.wantEvents(1, core.EventCookieClash, "")
		},
	},
	{
		name:   "C7_SEC30_our_name_passes_when_we_only_touch",
		why:    "A request that only read must not undo what a program behind it has written under our name.",
		cookie: "others set a cookie of our name",
		run: func(h *harness) {
			s := h.open(setup{routes: cookieOfOurName()})
			c := s.client()
			c.set("k", "v")
			h.clock.advance(10 * time.Minute)
			r := s.raw("POST /named?get=1 HTTP/1.1\r\nHost: x\r\nCookie: "+c.cookieHeader()+
				"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").wants(200, "named")
			if lines := append(r.ours(), r.touches()...); len(lines) != 1 || !strings.HasPrefix(lines[0], cookieName+"=theirs") {
				h.Errorf("Set-Cookie is %q", lines)
			}
			h.wantEvents(1, core.EventCookieClash, "")
		},
	},
}

func cookieOfOurName() []Route {
	return []Route{post("/named", func(r Request) error {
		r.SetCookie(cookieName, "theirs")
		r.SetCookie("mine", "1")
		if r.Param("set") != "" {
			r.Session().Set("k", "v")
		}
		if r.Param("get") != "" {
			_, _ = core.Get[string](r.Session(), "k")
		}
		return r.Text(200, "named")
	})}
}

// cached is what a cache keeps of a response.
type cached struct {
	mu    sync.Mutex
	lines [][]string
}

// look keeps the cookies and tokens that code inside the middleware sees.
func (c *cached) look(r Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lines = append(c.lines, slices.Concat(r.ResponseHeader("Set-Cookie"), r.ResponseHeader(answerHeader)))
}

func (c *cached) take() [][]string {
	c.mu.Lock()
	defer c.mu.Unlock()
	lines := c.lines
	c.lines = nil
	return lines
}

func cacheInside(h *harness) {
	var kept cached
	answers := map[string]func(r Request) error{
		"text":     func(r Request) error { return r.Text(200, "text") },
		"json":     func(r Request) error { return r.JSON(200, "json") },
		"status":   func(r Request) error { return r.Status(204) },
		"redirect": func(r Request) error { return r.Redirect(303, "/get") },
		"raw":      func(r Request) error { return r.Raw("raw") },
		"template": func(r Request) error { return r.Template(template.Must(template.New("").Parse("x")), nil) },
		"stream": func(r Request) error {
			return r.Stream("text/plain", func(w io.Writer, flush func() error) error {
				_, _ = io.WriteString(w, "x")
				return flush()
			})
		},
	}
	var routes []Route
	for name, answer := range answers {
		routes = append(routes, post("/"+name, func(r Request) error {
			s := r.Session()
			r.SetCookie("mine", "1")
			s.Set("k", "v")
			s.Renew()
			if err := s.Commit(r.Context()); err != nil {
				return err
			}
			kept.look(r)
			s.Set("k2", "v")
			err := answer(r)
			kept.look(r)
			kept.look(r)
			return err
		}))
	}
	s := h.open(setup{routes: routes})
	for name := range answers {
		c := s.client()
		for _, when := range []string{"a new session", "a renewed one", "a renewed one again"} {
			r := c.post("/" + name).sets()
			if n := len(r.header.Values("Set-Cookie")) + len(r.header.Values(answerHeader)); n != 2 {
				h.Errorf("%s: the client got %d cookies and tokens, want 2: %v", name, n, r.header)
			}
			looks := kept.take()
			if len(looks) != 3 {
				h.Errorf("%s: the handler looked %d times", name, len(looks))
			}
			for _, lines := range looks {
				if len(lines) != 1 || !strings.HasPrefix(lines[0], "mine=1") {
					h.Errorf("%s of %s: code inside the middleware sees %q, want its own cookie alone", name, when, lines)
				}
			}
		}
		c.has("k2", "v")
	}
}

func noCookieInHints(h *harness) {
	s := h.open(setup{routes: []Route{get("/hints", func(r Request) error {
		s := r.Session()
		s.Set("k", "v")
		if err := s.Commit(r.Context()); err != nil {
			return err
		}
		_ = r.EarlyHints("</style.css>; rel=preload") // not every framework can
		return r.Text(200, "hinted")
	})}})
	c := s.client()
	var mu sync.Mutex
	var hinted []string
	c.trace = &httptrace.ClientTrace{Got1xxResponse: func(_ int, header textproto.MIMEHeader) error {
		mu.Lock()
		defer mu.Unlock()
		hinted = slices.Concat(hinted, http.Header(header).Values("Set-Cookie"), http.Header(header).Values(answerHeader))
		return nil
	}}
	c.get("/hints").wants(200, "hinted").sets()
	c.has("k", "v")
	mu.Lock()
	defer mu.Unlock()
	if len(hinted) > 0 {
		h.Errorf("early hints set %q", hinted)
	}
}

// traced returns ctx with the client's trace, if it has one.
func (c *client) traced(ctx context.Context) context.Context {
	if c.trace == nil {
		return ctx
	}
	return httptrace.WithClientTrace(ctx, c.trace)
}
