package compare

import (
	"strconv"
	"time"
)

var overlapCases = []comparison{
	{
		"lost-updates", "Ten overlapping increments count ten",
		"Ten requests of one visitor add one to a counter. All have read the session before the first writes.",
		func(c *check) verdict {
			b := c.start().browser()
			b.post("/put", "key", "a", "value", "x")
			const n = 10
			for _, r := range b.during(n, "/held-add", nil, func() {}) {
				b.ok(r)
			}
			count, err := strconv.Atoi(b.get("/count").body)
			if err != nil {
				c.Fatal(err)
			}
			return met(count == n, "%d of %d increments lost", n-count, n)
		},
	},
	{
		"lost-keys", "Overlapping writes of different keys are both kept",
		"While a slow request is about to set one value, another sets a second one.",
		func(c *check) verdict {
			b := c.start().browser()
			b.post("/put", "key", "first", "value", "1")
			b.ok(b.during(1, "/held-put", []string{"key", "slow", "value", "2"}, func() {
				b.post("/put", "key", "fast", "value", "3")
			})[0])
			lost := ""
			for _, key := range []string{"first", "slow", "fast"} {
				if b.get("/get", "key", key).body == "" {
					lost += " " + key
				}
			}
			return met(lost == "", "the value of the%s request is lost", lost)
		},
	},
	{
		"logout-wins", "A logout holds against a request in flight that writes",
		"A logged-in user logs out while a slow request of theirs is about to write. Then the browser asks who it is.",
		func(c *check) verdict { return logoutWins(c, "/held-put") },
	},
	{
		"logout-wins-read", "… and against one that only reads",
		"The same with a slow request that only reads. Where there is an idle timeout, it is set.",
		func(c *check) verdict { return logoutWins(c, "/held-get", idleTimeout(30*time.Minute)) },
	},
}

func logoutWins(c *check, slow string, settings ...setting) verdict {
	b := c.start(settings...).ann()
	if user := b.get("/user").body; user != "ann" {
		c.Fatalf("the login gave user %q", user)
	}
	before := b.cookies()
	b.during(1, slow, []string{"key", "k", "value", "v"}, func() { b.post("/logout") })
	if user := b.get("/user").body; user != "" {
		return verdict{no, "the request in flight logged the user in again"}
	}
	if c.lib.backend == "cookie" {
		return verdict{mark: yes} // of copies speaks another case
	}
	return met(b.with(before).get("/user").body == "", "the request in flight brought the session back: its old cookie is logged in")
}
