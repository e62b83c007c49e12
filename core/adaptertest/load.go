package adaptertest

import (
	"bytes"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/satchel-go/satchel/core"
)

// loadCases are about how a request's cookies are interpreted.
var loadCases = []testCase{
	{
		name: "L1_SEC2_unissued_token_is_not_adopted",
		why:  "A token that the server never issued must not become a session, which an attacker who planted it would share.",
		run:  unissuedToken,
	},
	{
		name: "L1_SEC10_every_refusal_looks_alike",
		why:  "A client must not learn from the answer why its token was refused.",
		run:  refusalsLookAlike,
	},
	{
		name: "L1_SEC8_token_of_another_namespace_or_cookie",
		why:  "One application's token must mean nothing to another application on the same store.",
		run:  foreignTokens,
	},
	{
		name:   "L2_SEC31_the_same_cookie_twice",
		why:    "Two equal cookies leave no doubt about the session.",
		cookie: "a header may come once",
		run: func(h *harness) {
			s := h.open(setup{})
			c := s.client()
			c.set("k", "v")
			line := "Cookie: " + cookieName + "=" + c.token()
			s.rawGet("/get", line, line).wants(200, "v").setsNothing()
		},
	},
	{
		name:   "L2_former_cookies_go_with_ours",
		why:    "After a change of its Domain, a browser has two cookies of one name, and is locked out until one is deleted.",
		cookie: "only cookies have a Domain",
		run:    formerCookies,
	},
	{
		name:   "L2_AD3_SEC32_names_match_octet_for_octet",
		why:    "A look-alike name is not ours: subdomains can set it without the prefix's protection.",
		cookie: "it is about the names of cookies",
		run:    lookAlikeNames,
	},
	{
		name: "L4_request_without_session_deletes_nothing",
		why:  "A late request with an old cookie must not delete the one that a login has just set.",
		run: func(h *harness) {
			s := h.open(setup{})
			c := s.with(strings.Repeat("A", 63) + "B")
			c.get("/get").wants(200, absent).setsNothing()
			c.post("/logout").wants(200, "out").setsNothing()
			c.post("/delete").wants(200, "deleted").setsNothing()
			c.post("/set?value=v").sets() // but it may start a new one
			c.has("k", "v")
		},
	},
	{
		name:    "L4_superseded_token_reads_empty_and_writes_nothing",
		why:     "A slow request that overlaps a login must not overwrite the login's cookie.",
		run:     superseded,
		limited: supersededClientSide,
	},
	{
		name: "L4_login_with_a_superseded_token",
		why:  "A user who logs in gets a session, whatever cookie their browser sent.",
		run: func(h *harness) {
			s := h.open(setup{})
			late := s.client()
			late.set("k", "v")
			c := late.twin()
			c.login("ann")
			late.login("ben")
			late.get("/who").wants(200, "user=ben new=false ended=false")
			c.get("/who").wants(200, "user=ann new=false ended=false")
		},
	},
}

func unissuedToken(h *harness) {
	s := h.open(setup{})
	planted := strings.Repeat("Pl4nt-d_", 8)
	victim := s.with(planted)
	victim.get("/get").wants(200, absent).setsNothing()
	victim.post("/set?value=secret").sets()
	if victim.token() == planted {
		h.Errorf("the planted token was adopted")
	}
	s.with(planted).has("k", absent)
	victim.has("k", "secret")
}

func refusalsLookAlike(h *harness) {
	s := h.open(setup{})
	gone := s.client()
	gone.set("k", "v")
	expired := gone.token()
	h.clock.advance(31 * time.Minute)
	live := s.client()
	live.set("k", "v")
	elsewhere := h.open(setup{core: func(c *core.Config) { c.Namespace = "other" }}).client()
	elsewhere.set("k", "v")

	want := s.client().get("/get").wants(200, absent)
	for what, token := range map[string]string{
		"malformed": "no-token", "unknown": strings.Repeat("B", 64), "expired": expired,
		"tampered": flip(live.token(), 40), "foreign": elsewhere.token(),
		"empty": "", "quoted": `"` + live.token() + `"`,
	} {
		s.looksLike(want, "GET", what+" token", h.line(token))
	}
	if h.store != nil {
		for what, damage := range map[string]func([]byte) []byte{
			"empty": func([]byte) []byte { return nil }, "cut": func(b []byte) []byte { return b[:len(b)-1] },
			"longer": func(b []byte) []byte { return append(b, 0) }, "of a newer release": func(b []byte) []byte { b[0] = 0x7f; return b },
		} {
			h.faults.corrupt(func(e core.Entry) core.Entry { e.Data = damage(bytes.Clone(e.Data)); return e })
			s.looksLike(want, "GET", "record "+what, h.line(live.token()))
			h.faults.up()
		}
		h.wantEvents(3, core.EventRejected, core.ReasonCorrupt)
		h.wantEvents(1, core.EventRejected, core.ReasonNewer)
	}
	live.has("k", "v")
}

// sameHeader compares two responses' headers, apart from what depends on the time
// and the connection.
func sameHeader(a, b http.Header) bool {
	a, b = a.Clone(), b.Clone()
	for _, name := range []string{"Date", "Connection"} {
		a.Del(name)
		b.Del(name)
	}
	if len(a) != len(b) {
		return false
	}
	for name := range a {
		if strings.Join(a[name], "\n") != strings.Join(b[name], "\n") {
			return false
		}
	}
	return true
}

// flip returns token with a different character at i.
func flip(token string, i int) string {
	other := byte('A')
	if token[i] == other {
		other = 'B'
	}
	return token[:i] + string(other) + token[i+1:]
}

func foreignTokens(h *harness) {
	c := h.open(setup{}).client()
	c.set("k", "v")
	namespace := h.open(setup{core: func(c *core.Config) { c.Namespace = "other" }})
	namespace.with(c.token()).has("k", absent)
	name := h.open(setup{core: func(c *core.Config) { c.Carrier, c.Cookie.Name = core.Carrier{}, "__Host-admin" }})
	name.rawGet("/get", "Cookie: __Host-admin="+c.token()).wants(200, absent)
	inHeader := func(c *core.Config) { c.Carrier, c.Cookie = core.Header("X-Session"), core.Cookie{} }
	config := h.config()
	inHeader(&config)
	if _, err := core.New(h.backend, config); !errors.Is(err, core.ErrUnsupported) {
		header := h.open(setup{core: inHeader})
		header.rawGet("/get", "X-Session: "+c.token(), h.line(c.token())).wants(200, absent)
	}
	c.has("k", "v")
}

func lookAlikeNames(h *harness) {
	s := h.open(setup{})
	c := s.client()
	c.set("k", "v")
	for _, name := range []string{
		"%5F%5FHost-session", "__host-session", "__HOST-SESSION", "\u00a0__Host-session", "__Host-session\u00a0",
		"\u2009__Host-session", "$__Host-session", "__Host-session[]", "__Host-session.", "_Host-session",
	} {
		r := s.rawGet("/get", "Cookie: "+name+"="+c.token())
		if refused := r.err != nil || r.status == 400; !refused { // servers may refuse bytes outside ASCII
			r.wants(200, absent).setsNothing()
		}
	}
	c.has("k", "v")
}

func superseded(h *harness) {
	s := h.open(setup{})
	late := s.client()
	late.set("k", "v")
	c := late.twin()
	c.login("ann")
	before := late.token()
	late.get("/get").wants(200, absent).setsNothing()
	late.get("/who").wants(200, "user= new=true ended=true").setsNothing()
	h.wantEvents(0, core.EventDropped, "")
	late.post("/set?value=late").wants(200, "set").setsNothing()
	h.wantEvents(1, core.EventDropped, core.ReasonSuperseded)
	if late.token() != before {
		h.Errorf("the late request's cookie was replaced")
	}
	c.has("k", "v")
	c.get("/who").wants(200, "user=ann new=false ended=false")
}

func supersededClientSide(h *harness) {
	s := h.open(setup{})
	late := s.client()
	late.set("k", "v")
	c := late.twin()
	c.login("ann")
	late.has("k", "v")
	late.get("/who").wants(200, "user= new=false ended=false") // but it is not logged in
	c.get("/who").wants(200, "user=ann new=false ended=false")
}

// formerCookies changes the cookie's Domain and checks the lines that browsers get.
func formerCookies(h *harness) {
	const name = "app"
	s := h.open(setup{core: func(c *core.Config) {
		c.Cookie = core.Cookie{Name: name, Domain: "example.com", Former: []core.Cookie{{Name: name}}}
	}})
	wants := func(what string, r *reply, attributes ...string) (value string) {
		h.Helper()
		lines := r.header.Values("Set-Cookie")
		if len(lines) != len(attributes) {
			h.Errorf("%s: %q, want %d lines", what, lines, len(attributes))
			return ""
		}
		for i, line := range lines {
			var rest string
			value, rest, _ = strings.Cut(strings.TrimPrefix(line, name+"="), ";")
			if !strings.HasPrefix(rest, attributes[i]) || (value == "") != strings.Contains(rest, "Max-Age=0") {
				h.Errorf("%s: line %d is %q, want %q", what, i+1, line, attributes[i])
			}
		}
		if cache := r.header.Get("Cache-Control"); len(lines) > 0 && cache != "no-store" {
			h.Errorf("%s: Cache-Control %q", what, cache)
		}
		return value
	}
	send := func(method, target string, values ...string) *reply {
		h.Helper()
		head := []string{method + " " + target + " HTTP/1.1", "Host: " + s.addr, "Connection: close", "Content-Length: 0"}
		for _, value := range values {
			head = append(head, "Cookie: "+name+"="+value)
		}
		return s.raw(strings.Join(head, "\r\n") + "\r\n\r\n")
	}
	const deletesFormer, sets, deletes = " Path=/; Max-Age=0", " Path=/; Domain=example.com; ", " Path=/; Domain=example.com; Max-Age=0"
	token := wants("a login", send("POST", "/login?user=ann").wants(200, "in"), deletesFormer, sets)
	wants("a request that only reads", send("GET", "/who", token).wants(200, asAnn))
	wants("two cookies", send("GET", "/who", token, "x").wants(200, anonymous), deletesFormer)
	wants("two cookies, and an error", send("POST", "/set?value=v&status=500", token, "x").wants(500, "set"), deletesFormer)
	wants("two cookies, and a login", send("POST", "/login?user=ben", token, "x").wants(200, "in"), deletesFormer, sets)
	wants("an unknown cookie", send("GET", "/who", "x").wants(200, anonymous))
	wants("a logout", send("POST", "/logout", token).wants(200, "out"), deletesFormer, deletes)
}
