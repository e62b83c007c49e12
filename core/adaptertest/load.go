package adaptertest

import (
	"bytes"
	"net/http"
	"strings"
	"time"

	"github.com/satchel-go/satchel/core"
)

// loadCases are about what a request's cookies are taken for.
var loadCases = []testCase{
	{
		name: "L1_SEC2_unissued_token_is_not_adopted",
		why:  "A token that the server never issued must not become a session: whoever planted it would share it.",
		run:  unissuedToken,
	},
	{
		name: "L1_SEC10_every_refusal_looks_alike",
		why:  "A client must not learn from the answer why its token was refused.",
		run:  refusalsLookAlike,
	},
	{
		name: "L1_SEC8_token_of_another_namespace_or_cookie",
		why:  "One application's token must mean nothing to another on the same store.",
		run:  foreignTokens,
	},
	{
		name: "L2_SEC31_two_cookies_of_our_name",
		why:  "Of two different cookies of our name one was planted, and nobody can tell which.",
		run:  twoCookies,
	},
	{
		name: "L2_SEC31_the_same_cookie_twice",
		why:  "Two equal cookies leave no doubt about the session.",
		run: func(h *harness) {
			s := h.open(setup{})
			c := s.client()
			c.set("k", "v")
			line := "Cookie: " + cookieName + "=" + c.token()
			s.rawGet("/get", line, line).wants(200, "v").setsNothing()
		},
	},
	{
		name: "L2_SEC32_names_match_octet_for_octet",
		why:  "A look-alike name is not ours: subdomains can set it without the prefix's protection.",
		run:  lookAlikeNames,
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
		why:     "A request that is late while another logs in must not overwrite the login's cookie.",
		run:     superseded,
		limited: supersededClientSide,
	},
	{
		name: "L4_login_with_a_superseded_token",
		why:  "Somebody who logs in gets a session, whatever cookie they came with.",
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
		s.looksLike(want, "GET", what+" token", cookieName+"="+token)
	}
	if h.store != nil {
		for what, damage := range map[string]func([]byte) []byte{
			"empty": func([]byte) []byte { return nil }, "cut": func(b []byte) []byte { return b[:len(b)-1] },
			"longer": func(b []byte) []byte { return append(b, 0) }, "of a newer release": func(b []byte) []byte { b[0] = 0x7f; return b },
		} {
			h.faults.corrupt(func(e core.Entry) core.Entry { e.Data = damage(bytes.Clone(e.Data)); return e })
			s.looksLike(want, "GET", "record "+what, cookieName+"="+live.token())
			h.faults.up()
		}
		h.wantEvents(3, core.EventRejected, core.ReasonCorrupt)
		h.wantEvents(1, core.EventRejected, core.ReasonNewer)
	}
	live.has("k", "v")
}

// sameHeader compares two responses' headers but for what the time and the
// connection add.
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

// flip returns token with another character at i.
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
	name := h.open(setup{core: func(c *core.Config) { c.Cookie.Name = "__Host-admin" }})
	name.rawGet("/get", "Cookie: __Host-admin="+c.token()).wants(200, absent)
	c.has("k", "v")
}

func twoCookies(h *harness) {
	s := h.open(setup{})
	a, b := s.client(), s.client()
	a.set("k", "a")
	b.set("k", "b")
	ours := func(c *client) string { return cookieName + "=" + c.token() }
	for _, lines := range [][]string{
		{"Cookie: " + ours(a) + "; " + ours(b)},
		{"Cookie: " + ours(b) + "; " + ours(a)},
		{"Cookie: " + ours(a), "Cookie: " + ours(b)},
		{"Cookie: " + ours(b), "Cookie: x=y; " + ours(a)},
		{"Cookie: " + ours(a) + "; " + cookieName + "="},
		{"Cookie: " + cookieName + "=; " + ours(a)},
	} {
		s.rawGet("/get", lines...).wants(200, absent).setsNothing()
	}
	a.has("k", "a")
	b.has("k", "b")
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
		if refused := r.err != nil || r.status == 400; !refused { // as a server may, of bytes outside ASCII
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
