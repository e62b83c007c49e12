package adaptertest

import (
	"fmt"
	"net/url"
	"strings"
)

// tokenCases are about tokens that are not spelled as we spell them.
var tokenCases = []testCase{
	{
		name: "L1_SEC6_malformed_tokens_ask_nobody",
		why:  "A value that cannot be a token must not reach the store, where it might mean something else.",
		run:  malformedTokens,
	},
	{
		name: "L1_AD2_SEC33_every_byte_in_a_token",
		why:  "Base64url is parsed strictly: any other byte makes the cookie foreign, or the server refuses the request.",
		run:  everyByte,
	},
	{
		name: "L1_AD2_SEC34_one_spelling_per_token",
		why:  "A second spelling of a token would escape revocation lists and logs.",
		run:  otherSpellings,
	},
	{
		name:   "L1_SEC5_tokens_come_in_the_cookie_only",
		why:    "A token in a URL ends up in logs, histories and Referer headers.",
		cookie: "where else tokens of headers are looked for is a case of its own",
		run:    tokenElsewhere,
	},
	{
		name:   "L1_AD4_SEC35_many_cookies_are_bounded",
		why:    "Thousands of other cookies cost no more than skipping them.",
		cookie: "it is about other cookies",
		run:    manyCookies,
	},
}

func malformedTokens(h *harness) {
	s := h.open(setup{})
	for _, token := range []string{
		"", " ", "../", "../../etc/passwd", "\x00", "{}", `""`, `"abc"`, "a b", "~", "~2~", "~9~x",
		strings.Repeat("A", 63), strings.Repeat("A", 65), strings.Repeat("/", 64), strings.Repeat("=", 64),
		strings.Repeat("A", 64), // the zero ID
	} {
		r := s.rawGet("/get", h.line(token))
		if r.status != 400 { // the server itself may refuse control characters
			r.wants(200, absent).setsNothing()
		}
	}
	for _, long := range []string{strings.Repeat("A", 8<<10), strings.Repeat("~", 8<<10), strings.Repeat("{}", 4<<10)} {
		if r := s.rawGet("/get", h.line(long)); r.status != 431 { // the server's own limit
			r.wants(200, absent).setsNothing()
		}
	}
	if n := h.faults.count(opLoad); n != 0 && h.store != nil {
		h.Errorf("the store was asked %d times for values that cannot be tokens", n)
	}
}

func tokenElsewhere(h *harness) {
	c := h.open(setup{}).client()
	c.set("k", "v")
	token := c.token()
	read := func(r Request) error { return r.Text(200, r.Param("seen")+value(r.Session(), "k")) }
	s := h.open(setup{routes: []Route{get("/in/"+token, read), post("/read", read)}}) // whose path is the token
	bare := s.client()
	bare.get(query("/get", cookieName, token, "session", token)).wants(200, absent)
	bare.get("/in/"+token).wants(200, absent)
	for _, name := range []string{"Authorization", "X-Session", "X-Session-Token", "X-Auth-Token", "Proxy-Authorization", cookieName} {
		bare.get("/get", name, token).wants(200, absent)
		bare.get("/get", name, "Bearer "+token).wants(200, absent)
		bare.get("/get", name, cookieName+"="+token).wants(200, absent)
	}
	form := url.Values{cookieName: {token}, "session": {token}, "token": {token}, "seen": {"the form and "}}.Encode()
	s.raw(fmt.Sprintf("POST /read HTTP/1.1\r\nHost: %s\r\nConnection: close\r\nContent-Type: application/x-www-form-urlencoded\r\n"+
		"Content-Length: %d\r\n\r\n%s", s.addr, len(form), form)).wants(200, "the form and "+absent).setsNothing()
	bare.post(query("/set", cookieName, token, "value", "x")).sets()
	if bare.token() == token {
		h.Errorf("a token from the query was adopted")
	}
	c.has("k", "v")
	s.with(token).has("k", "v") // in the cookie it is valid
}

func everyByte(h *harness) {
	s := h.open(setup{})
	c := s.client()
	c.set("k", "v")
	token := c.token()
	for b := range 256 {
		if token[10] == byte(b) || b == ';' || b == '\n' || b == '\r' {
			continue // the token itself, and what ends a cookie or a line
		}
		for _, sent := range []string{
			token[:10] + string([]byte{byte(b)}) + token[11:],
			token[:10] + string([]byte{byte(b)}) + token[10:],
		} {
			r := s.rawGet("/get", h.line(sent))
			if refused := r.err != nil || r.status == 400; !refused {
				r.wants(200, absent).setsNothing()
			}
		}
	}
	c.has("k", "v")
}

func otherSpellings(h *harness) {
	s := h.open(setup{})
	c := s.client()
	c.set("k", "v")
	token := c.token()
	spellings := respelled(token)
	for _, other := range spellings {
		if other != token {
			s.rawGet("/get", h.line(other)).wants(200, absent).setsNothing()
		}
	}
	// Blanks around the token belong to the header.
	blanks := "Cookie:  " + cookieName + " = " + token + " "
	if h.inHeader() {
		blanks = "Authorization:  bearer   " + token + " "
	}
	s.rawGet("/get", blanks).wants(200, "v")
	c.has("k", "v")
}

// respelled returns what might pass for other spellings of a token, and the token
// itself.
func respelled(token string) (spellings []string) {
	spellings = []string{
		token + "=", token + "==", token + "A", token[:len(token)-1], `"` + token + `"`, `"` + token, "'" + token + "'",
		fmt.Sprintf("%%%02X%s", token[0], token[1:]), token + "%0A", token + "\\", token + ",", "=" + token, token + "+", token + "~",
		"~1~" + token, "~01~" + token, "~2~" + token,
	}
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	for i := range len(alphabet) {
		spellings = append(spellings, token[:len(token)-1]+alphabet[i:i+1])
	}
	return spellings
}

func manyCookies(h *harness) {
	s := h.open(setup{})
	c := s.client()
	c.set("k", "v")
	ours := cookieName + "=" + c.token()
	for _, line := range []string{
		strings.Repeat("a=b; ", 300) + ours,
		ours + strings.Repeat("; a=b", 300),
		strings.Repeat("; ;;=;", 200) + ";" + ours,
		strings.Repeat("a=b; ", 3500) + ours,
		"big=" + strings.Repeat("x", 5000) + "; " + ours,
	} {
		if r := s.rawGet("/get", "Cookie: "+line); r.err == nil && r.status < 400 { // Fiber's limit is 4,096 bytes unless the app raises it
			r.wants(200, "v").setsNothing()
		}
	}
	parts := make([]string, 100)
	for i := range parts {
		parts[i] = fmt.Sprintf("%s-%d=x", cookieName, i+1)
	}
	s.rawGet("/get", "Cookie: "+ours+"; "+strings.Join(parts, "; ")).wants(200, "v").setsNothing()
	s.rawGet("/get", "Cookie: "+cookieName+"=~99~A; "+strings.Join(parts, "; ")).wants(200, absent).setsNothing()
}
