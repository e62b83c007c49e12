package compare

import "strings"

var costCases = []comparison{
	{
		"anonymous", "A visitor who only reads gets no cookie, and nothing is stored",
		"A visitor without a cookie loads a page that looks for a value in the session.",
		func(c *check) verdict {
			s := c.start()
			b := s.browser()
			r := b.get("/get", "key", "k")
			var seen []string
			if len(r.cookies) > 0 {
				seen = append(seen, "a cookie is set")
			}
			if len(s.keysInRedis()) > 0 {
				seen = append(seen, "a session is stored")
			}
			return met(len(seen) == 0, "%s", strings.Join(seen, ", "))
		},
	},
	{
		"untouched", "A page that does not use the session does not ask Redis",
		"A logged-in user loads a page whose handler leaves the session alone. The commands that reach Redis are counted.",
		func(c *check) verdict { return commands(c, "/plain", 0) },
	},
	{
		"one-read", "A page that only reads asks Redis once",
		"A logged-in user loads a page that looks for a value. The commands that reach Redis are counted.",
		func(c *check) verdict { return commands(c, "/get", 1) },
	},
	{
		"caches", "A response that sets the cookie tells caches so",
		"The Cache-Control header of a response that sets the session cookie.",
		func(c *check) verdict {
			b := c.start().browser()
			header := strings.Join(b.post("/put", "key", "k", "value", "v").header.Values("Cache-Control"), ", ")
			for _, word := range []string{"no-store", "no-cache", "private"} {
				if strings.Contains(header, word) {
					return verdict{mark: yes}
				}
			}
			return verdict{no, "no Cache-Control"}
		},
	},
	{
		"second-process", "Another process with the same store and keys knows the session",
		"A second instance of the application is asked with the first one's cookie.",
		func(c *check) verdict {
			b := c.start().ann()
			return met(b.another(b.env.keys...).with(b.cookies()).get("/user").body == "ann", "it does not")
		},
	},
	{
		"key-rotation", "Keys can be changed without logging anyone out",
		"The application is started again with a new secret key in front of the old one.",
		func(c *check) verdict {
			b := c.start().ann()
			if b.another(secret()).with(b.cookies()).try("GET", "/user").body == "ann" {
				return verdict{notApplicable, "there are no keys"}
			}
			return met(b.another(secret(), b.env.keys[0]).with(b.cookies()).get("/user").body == "ann", "everybody is logged out")
		},
	},
}

func commands(c *check, path string, most int) verdict {
	c.onlyRedis()
	b := c.start(behindProxy).ann()
	b.get(path, "key", "k") // whatever happens only once
	b.proxy.Reset()
	b.get(path, "key", "k")
	names := b.proxy.Commands()
	return met(len(names) <= most, "%s", strings.Join(names, ", "))
}
