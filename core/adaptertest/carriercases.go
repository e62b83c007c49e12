package adaptertest

import (
	"fmt"
	"net/url"
	"strings"

	"github.com/satchel-go/satchel/core"
)

// carrierCases are about tokens that travel in headers.
var carrierCases = []testCase{
	{
		name:   "L1_SEC5_tokens_come_in_the_header_only",
		why:    "Whoever looks in two places must say which one wins, and each such rule has had a hole.",
		run:    elsewhereThanInTheHeader,
		header: true,
	},
	{
		name:   "L2_SEC31_two_tokens_in_the_header",
		why:    "Which of two tokens counts would depend on the framework, and on the proxies before it.",
		run:    twoTokens,
		header: true,
	},
	{
		name:   "C7_SEC25_golden_answer_header",
		why:    "The token comes once, in an answer that no cache keeps, and nothing else changes.",
		run:    goldenAnswer,
		header: true,
	},
	{
		name:   "C7_other_origins_may_read_the_answer",
		why:    "Without Access-Control-Expose-Headers, a script of another origin never sees its new token.",
		run:    exposedAnswer,
		header: true,
	},
	{
		name:   "C7_token_in_the_body",
		why:    "Some clients want the token in JSON. It is there once the handler has committed, and the header has it too.",
		header: true,
		run: func(h *harness) {
			s := h.open(setup{routes: []Route{post("/token", func(r Request) error {
				s := r.Session()
				s.Login("ann")
				if s.IssuedToken() != "" {
					return r.Text(500, "before the commit")
				}
				if err := s.Commit(r.Context()); err != nil {
					return err
				}
				return r.JSON(200, s.IssuedToken())
			})}})
			c := s.client()
			r := c.post("/token").sets()
			if got := strings.Trim(strings.TrimSpace(r.body), `"`); got != c.token() || got == "" {
				h.Errorf("the body has %q, the header %q", got, c.token())
			}
			c.is(asAnn)
		},
	},
	{
		name:   "C7_web_and_mobile_in_one_app",
		why:    "One store serves browsers and apps: the same users, and no token of the one is worth anything to the other.",
		run:    webAndMobile,
		header: true,
	},
}

func elsewhereThanInTheHeader(h *harness) {
	c := h.open(setup{}).client()
	c.set("k", "v")
	token := c.token()
	read := func(r Request) error { return r.Text(200, r.Param("seen")+value(r.Session(), "k")) }
	s := h.open(setup{routes: []Route{get("/in/"+token, read), post("/read", read)}})
	want := s.rawGet("/get").wants(200, absent)
	for _, target := range []string{query("/get", "access_token", token, "token", token, cookieName, token), "/in/" + token} {
		s.rawGet(target).wants(200, absent).setsNothing()
	}
	form := url.Values{"access_token": {token}, cookieName: {token}, "seen": {"the form and "}}.Encode()
	s.raw(fmt.Sprintf("POST /read HTTP/1.1\r\nHost: %s\r\nConnection: close\r\nContent-Type: application/x-www-form-urlencoded\r\n"+
		"Content-Length: %d\r\n\r\n%s", s.addr, len(form), form)).wants(200, "the form and "+absent).setsNothing()
	loads := h.faults.count(opLoad)
	for _, line := range []string{
		"Cookie: " + cookieName + "=" + token, "Cookie: Authorization=" + token, "Proxy-Authorization: Bearer " + token,
		"X-Session: " + token, "Session-Token: " + token, "X-Authorization: Bearer " + token,
		"Authorization: " + token, "Authorization: Basic " + token, "Authorization: DPoP " + token, "Authorization: Bearer" + token,
		"Authorization: Bearer", "Authorization: Bearer ", "Authorization: Bearer\t" + token, "Authorization: Bearer \"" + token + "\"",
		"Authorization: Bearer=" + token, "Authorization: Bearer " + token + "\x00", "Authorization: Bearer " + token + "\u00e9",
		"Authorization: Bearer " + token[:9] + "\r\n " + token[9:], "Authorization: Bearer " + token[:9] + "%2D" + token[9:],
		"Authorization: Bearer " + strings.Repeat("A", 8001), "Authorization: Bearer " + strings.Repeat("A", 20001), "Authorization: Bearer " + strings.Repeat(".", 3000),
	} {
		r := s.rawGet("/get", line)
		if refused := r.err != nil || r.status == 400 || r.status == 431; refused { // by the server itself
			continue
		}
		if r.wants(200, absent).setsNothing(); !sameHeader(r.header, want.header) {
			h.Errorf("%.60q is answered with %v, and without it %v", line, r.header, want.header)
		}
	}
	if n := h.faults.count(opLoad) - loads; n != 0 && h.store != nil {
		h.Errorf("the store was asked %d times for values that cannot be tokens", n)
	}
	for _, scheme := range []string{"Bearer ", "bearer ", "BEARER  ", "bEaReR   "} {
		s.rawGet("/get", "Authorization: "+scheme+token).wants(200, "v").setsNothing()
	}
	s.rawGet("/get", "authorization: Bearer "+token).wants(200, "v").setsNothing()
}

func twoTokens(h *harness) {
	s := h.open(setup{})
	a, b := s.client(), s.client()
	a.set("k", "a")
	b.set("k", "b")
	x, y := h.line(a.token()), h.line(b.token())
	want := s.rawGet("/get").wants(200, absent)
	lists := [][]string{
		{x, y},
		{y, x},
		{x, x},
		{x, "Authorization: Basic eDp5"},
		{"Authorization: Basic eDp5", x},
		{x, "Authorization:"},
		{x, "authorization: Bearer z"},
		{x + ", Bearer " + b.token()},
		{x + "," + b.token()},
		{x + " " + b.token()},
		{x + ", Basic eDp5"},
	}
	for _, lines := range lists {
		if r := s.rawGet("/get", lines...).wants(200, absent).setsNothing(); !sameHeader(r.header, want.header) {
			h.Errorf("%q is answered with %v, and no token with %v", lines, r.header, want.header)
		}
	}
	h.wantEvents(len(lists), core.EventRejected, core.ReasonDuplicate)
	a.has("k", "a")
	b.has("k", "b")
}

func goldenAnswer(h *harness) {
	s := h.open(setup{})
	c := s.client()
	r := c.post("/set?value=v&status=418").sets()
	for name, want := range map[string]string{"Cache-Control": "no-store", "Vary": "Authorization", "Set-Cookie": "", "Access-Control-Expose-Headers": ""} {
		if got := strings.Join(r.header.Values(name), " | "); got != want {
			h.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	gone := c.post("/logout")
	if got := gone.header.Values(answerHeader); len(got) != 1 || got[0] != "" || gone.header.Get("Cache-Control") != "no-store" {
		h.Errorf("a logout answers %s: %q with Cache-Control %q, want it empty and no-store", answerHeader, got, gone.header.Get("Cache-Control"))
	}
	if c.get("/blank").setsNothing(); c.token() != "" {
		h.Errorf("the client still has %q", c.token())
	}
}

func exposedAnswer(h *harness) {
	const header = "Access-Control-Expose-Headers"
	inside := []Route{post("/cors", func(r Request) error { // like CORS middleware inside
		r.SetHeader(header, r.Param("expose"))
		r.SetHeader("Access-Control-Allow-Credentials", r.Param("credentials"))
		r.Session().Set("k", "v")
		return r.Text(200, "cors")
	})}
	s := h.open(setup{routes: inside})
	outside := h.open(setup{app: func(c *Config) { c.OuterHeader = map[string]string{header: "X-Total"} }})
	origin := []string{"Origin", "https://spa.example"}
	wants := func(r *reply, want string) {
		h.Helper()
		if got := strings.Join(r.sets().header.Values(header), " | "); got != want {
			h.Errorf("%s is %q, want %q", header, got, want)
		}
	}
	wants(s.client().post("/set?value=v", origin...), answerHeader)
	wants(s.client().post("/set?value=v"), "")
	wants(s.client().post("/cors?expose=X-Total", origin...), "X-Total, "+answerHeader)
	wants(s.client().post("/cors?expose=session-token", origin...), "session-token")
	wants(s.client().post("/cors?expose=*", origin...), "*")
	wants(s.client().post("/cors?expose=*&credentials=true", origin...), "*, "+answerHeader)
	wants(outside.client().post("/set?value=v", origin...), "X-Total, "+answerHeader)
}

func webAndMobile(h *harness) {
	web := h.manager(func(c *core.Config) { c.Carrier, c.Cookie = core.Carrier{}, core.Cookie{} })
	mobile := h.manager(nil)
	who := func(r Request) error {
		return r.Text(200, r.SessionOf(web).UserID()+" "+r.SessionOf(mobile).UserID())
	}
	s := h.serve(Config{Managers: []*core.Manager{web, mobile}, Routes: []Route{
		get("/both", who),
		post("/web", func(r Request) error { r.SessionOf(web).Login("ann"); return who(r) }),
		post("/mobile", func(r Request) error { r.SessionOf(mobile).Login("ann"); return who(r) }),
		post("/out", func(r Request) error { r.SessionOf(mobile).Logout(); return who(r) }),
	}})
	send := func(method, target string, lines ...string) *reply {
		h.Helper()
		return s.raw(fmt.Sprintf("%s %s HTTP/1.1\r\nHost: %s\r\nContent-Length: 0\r\nConnection: close\r\n%s\r\n", method, target, s.addr, strings.Join(append(lines, ""), "\r\n")))
	}
	browser := send("POST", "/web").wants(200, "ann ")
	_, cookie, _ := parseSetCookie(browser.header.Get("Set-Cookie"))
	app := send("POST", "/mobile").wants(200, " ann")
	token := app.token()
	if browser.header.Get(answerHeader) != "" || app.header.Get("Set-Cookie") != "" || cookie == "" || token == "" {
		h.Errorf("the browser got %v, the app %v", browser.header, app.header)
	}
	inCookie := func(token string) string { return "Cookie: " + cookieName + "=" + token }
	send("GET", "/both", inCookie(cookie)).wants(200, "ann ")
	send("GET", "/both", h.line(token)).wants(200, " ann")
	send("GET", "/both", inCookie(cookie), h.line(token)).wants(200, "ann ann")
	send("GET", "/both", inCookie(token), h.line(cookie)).wants(200, " ")
	if list, err := web.List(h.Context(), "ann"); !h.clientSide() && (err != nil || len(list) != 2) {
		h.Errorf("the user has %d sessions, %v; want 2", len(list), err)
	}
	send("POST", "/out", inCookie(cookie), h.line(token)).wants(200, "ann ")
	send("GET", "/both", inCookie(cookie)).wants(200, "ann ")
	if !h.clientSide() {
		send("GET", "/both", h.line(token)).wants(200, " ")
	}
}
