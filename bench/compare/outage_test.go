package compare

import "fmt"

var outageCases = []comparison{
	{
		"outage-told", "The client is told, and not taken for a stranger",
		"A logged-in user loads a page that uses the session while Redis refuses connections.",
		func(c *check) verdict {
			c.onlyRedis()
			b := c.start(behindProxy).ann()
			b.proxy.Refuse()
			r := b.try("GET", "/user")
			return met(r.status >= 500, "status %d, with an empty session", r.status)
		},
	},
	{
		"outage-survives", "After it, users are still logged in",
		"During the outage the user loads a page and sends a form. Then Redis is back, with its data.",
		func(c *check) verdict {
			c.onlyRedis()
			b := c.start(behindProxy).ann()
			before := b.cookies()
			b.proxy.Refuse()
			b.try("GET", "/user")
			b.try("POST", "/put", "key", "k", "value", "v")
			b.proxy.Heal()
			user := ""
			for range 50 { // clients may hold back for a moment
				if r := b.try("GET", "/user"); r.status == 200 {
					user = r.body
					break
				}
				pause()
			}
			if user == "ann" {
				return verdict{mark: yes}
			}
			if len(b.cookies()) == 0 {
				return verdict{no, "the cookie was deleted"}
			}
			return met(false, "logged out: %s", map[bool]string{true: "the session in Redis is gone", false: "the cookie was replaced"}[fmt.Sprint(before) == fmt.Sprint(b.cookies())])
		},
	},
	{
		"outage-cut", "… also when the first half of a form's work meets it",
		"A slow request has found Redis down when it began. Redis is back by the time it saves.",
		func(c *check) verdict {
			c.onlyRedis()
			b := c.start(behindProxy).ann()
			b.proxy.Refuse()
			r := b.try("GET", "/get", "key", "k") // what the slow request would get
			if r.status >= 500 {
				return verdict{mark: yes} // it gets no further
			}
			b.ok(b.during(1, "/held-put", []string{"key", "k", "value", "v"}, b.proxy.Heal)[0])
			return met(b.get("/user").body == "ann", "logged out: the empty session overwrote the real one")
		},
	},
	{
		"outage-plain", "Pages that do not use the session still work",
		"A logged-in user loads a page whose handler leaves the session alone.",
		func(c *check) verdict {
			c.onlyRedis()
			b := c.start(behindProxy).ann()
			b.proxy.Refuse()
			r := b.try("GET", "/plain")
			return met(r.status == 200 && r.body == page, "status %d", r.status)
		},
	},
	{
		"outage-cookie", "Users keep their sessions during the outage",
		"A logged-in user loads a page that uses the session while Redis refuses connections.",
		func(c *check) verdict {
			b := c.start(behindProxy).ann()
			b.proxy.Refuse()
			return met(b.try("GET", "/user").body == "ann", "without Redis there is no session")
		},
	},
}
