package compare

import (
	"encoding/base64"
	"strings"
)

var identityCases = []comparison{
	{
		"login-changes-token", "A login changes the token",
		"A visitor with a session logs in as the documentation says. Someone who knows the cookie from before asks who they are.",
		func(c *check) verdict {
			b := c.start().browser()
			b.post("/put", "key", "k", "value", "v")
			before := b.cookies()
			b.post("/login", "user", "ann")
			if b.get("/user").body != "ann" {
				c.Fatal("the login has no effect")
			}
			return met(b.with(before).get("/user").body == "", "the cookie from before the login is logged in (session fixation)")
		},
	},
	{
		"old-token-dies", "A second login ends the first one's token",
		"A user logs in again, as after a password prompt. Someone who copied the cookie before tries it.",
		func(c *check) verdict {
			b := c.start().ann()
			before := b.cookies()
			b.post("/login", "user", "ann")
			return met(b.with(before).get("/user").body == "", "the copied cookie stays logged in")
		},
	},
	{
		"invented-id", "An invented token is never adopted",
		"Two browsers send the same token: one that somebody made up, and one of a session that has ended. The first stores something; the other looks for it.",
		func(c *check) verdict {
			b := c.start().ann()
			name, ended := b.cookie()
			tokens := map[string]string{"an invented token": "attackers-own-choice-of-a-token-0123456789"}
			if c.lib.backend != "cookie" { // a cookie that holds the session is a copy, not an ID
				b.post("/logout")
				tokens["the token of an ended session"] = ended
			}
			var adopted []string
			for _, what := range []string{"an invented token", "the token of an ended session"} {
				token, ok := tokens[what]
				if !ok {
					continue
				}
				jar := map[string]string{name: token}
				b.with(jar).try("POST", "/put", "key", "k", "value", "v") // an error is an answer, too
				if b.with(jar).try("GET", "/get", "key", "k").body == "v" {
					adopted = append(adopted, what)
				}
			}
			return met(len(adopted) == 0, "adopted: %s", strings.Join(adopted, ", "))
		},
	},
	{
		"hijack", "Who reads Redis cannot take over a session",
		"A user is logged in. Every key in Redis, and every part of one, is tried as the cookie.",
		func(c *check) verdict {
			c.onlyRedis()
			b := c.start().ann()
			name, _ := b.cookie()
			for _, key := range b.keysInRedis() {
				for _, token := range parts(key) {
					if b.with(map[string]string{name: token}).try("GET", "/user").body == "ann" {
						return verdict{no, "a key in Redis has the cookie's value"}
					}
				}
			}
			return verdict{mark: yes}
		},
	},
	{
		"unreadable", "Who sees the cookie cannot read the session",
		"A text is stored in the session, and looked for in the cookie, also behind base64.",
		func(c *check) verdict {
			b := c.start().browser()
			const text = "what-nobody-should-read"
			b.post("/put", "key", "k", "value", text)
			_, value := b.cookie()
			return met(!readable(value, text, 3), "the cookie is signed, not encrypted")
		},
	},
	{
		"copied-cookie", "After a logout, a copy of the cookie is dead",
		"Someone has copied a user's cookie. The user logs out.",
		func(c *check) verdict {
			b := c.start().ann()
			before := b.cookies()
			b.post("/logout")
			if b.get("/user").body != "" {
				c.Fatal("the logout has no effect")
			}
			return met(b.with(before).get("/user").body == "", "the copy stays logged in")
		},
	},
	{
		"logout-cookie", "The logout's own cookie is worth nothing",
		"The value in the Set-Cookie line of the logout is sent back.",
		func(c *check) verdict {
			b := c.start().ann()
			name, _ := b.cookie()
			for _, cookie := range b.post("/logout").cookies {
				if cookie.Name == name && b.with(map[string]string{name: cookie.Value}).try("GET", "/user").body == "ann" {
					return verdict{no, "it is logged in"}
				}
			}
			return verdict{mark: yes}
		},
	},
	{
		"tampered", "A tampered cookie is a visitor without a session",
		"One character of the cookie is changed, and then the whole of it. The page is asked for.",
		func(c *check) verdict {
			b := c.start().ann()
			name, value := b.cookie()
			at := len(value) / 2
			other := "A"
			if value[at] == 'A' {
				other = "B"
			}
			for _, tampered := range []string{value[:at] + other + value[at+1:], "nonsense"} {
				r := b.with(map[string]string{name: tampered}).try("GET", "/user")
				if r.status != 200 {
					return met(false, "status %d, until the cookie is gone", r.status)
				}
				if r.body != "" {
					c.Fatalf("logged in as %q", r.body)
				}
			}
			return verdict{mark: yes}
		},
	},
	{
		"flags", "The cookie is HttpOnly, Secure and SameSite by default",
		"The Set-Cookie line of a new session.",
		func(c *check) verdict {
			b := c.start().browser()
			r := b.post("/put", "key", "k", "value", "v")
			line := strings.ToLower(strings.Join(r.header.Values("Set-Cookie"), "\n"))
			var missing []string
			for _, flag := range []string{"HttpOnly", "Secure"} {
				if !strings.Contains(line, "; "+strings.ToLower(flag)) {
					missing = append(missing, "no "+flag)
				}
			}
			switch {
			case strings.Contains(line, "samesite=none"):
				missing = append(missing, "SameSite=None")
			case !strings.Contains(line, "samesite="):
				missing = append(missing, "no SameSite")
			}
			return met(len(missing) == 0, "%s", strings.Join(missing, ", "))
		},
	},
}

// readable reports whether text is in value, or in what base64 in it decodes to.
func readable(value, text string, depth int) bool {
	if strings.Contains(value, text) {
		return true
	}
	if depth == 0 {
		return false
	}
	for _, part := range strings.FieldsFunc(value, func(r rune) bool { return r == '|' || r == '.' }) {
		if inner, err := base64.URLEncoding.DecodeString(part); err == nil && readable(string(inner), text, depth-1) {
			return true
		}
	}
	return false
}

// parts returns what of a key in Redis may be a token: all of it, and what follows each
// separator.
func parts(key string) []string {
	all := []string{key}
	for i, r := range key {
		if strings.ContainsRune(":_-/{}", r) {
			all = append(all, key[i+1:])
		}
	}
	return all
}
