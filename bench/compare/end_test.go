package compare

import (
	"strconv"
	"time"
)

// timeout is short, since it is waited for, and long beside what requests take.
const timeout = 2 * time.Second

var endCases = []comparison{
	{
		"idle", "An idle timeout: use keeps a session, idleness ends it",
		"With a timeout of 2 s, a page that only reads is loaded every 0.3 s for 3 s, and then nothing for 3 s. The cookie is sent whatever its Max-Age.",
		func(c *check) verdict {
			for range 3 { // again, if the machine was too busy
				b := c.start(idleTimeout(timeout)).browser()
				b.post("/put", "key", "k", "value", "v")
				inTime, alive := true, true
				for last, end := time.Now(), time.Now().Add(timeout+time.Second); time.Now().Before(end); {
					time.Sleep(300 * time.Millisecond)
					alive = b.try("GET", "/get", "key", "k").body == "v"
					inTime = inTime && time.Since(last) < timeout/2
					last = time.Now()
				}
				if !inTime {
					continue
				}
				if !alive {
					return verdict{no, "it ended although it was used: the timeout counts from the last save"}
				}
				time.Sleep(timeout + time.Second)
				return met(b.try("GET", "/get", "key", "k").body != "v", "it does not end")
			}
			c.Fatal("the machine is too busy to measure")
			return verdict{}
		},
	},
	{
		"absolute", "An absolute lifetime: a session ends however much it is used",
		"With a lifetime of 2 s, a page that writes is loaded every 0.3 s for 4 s. The cookie is sent whatever its Max-Age.",
		func(c *check) verdict {
			b := c.start(lifetime(timeout)).browser()
			b.post("/put", "key", "k", "value", "v")
			for end := time.Now().Add(2 * timeout); time.Now().Before(end); time.Sleep(300 * time.Millisecond) {
				b.try("POST", "/add")
			}
			return met(b.try("GET", "/get", "key", "k").body != "v", "each save prolongs it")
		},
	},
	{
		"ttl", "What is in Redis expires by itself",
		"After a session was stored, every key in Redis is asked for its time to live.",
		func(c *check) verdict {
			c.onlyRedis()
			s := c.start()
			s.browser().post("/login", "user", "ann")
			keys := s.keysInRedis()
			for _, key := range keys {
				if ttl, ok := s.do("PTTL", key).(int64); !ok || ttl <= 0 {
					return verdict{no, "a key has no time to live"}
				}
			}
			return met(len(keys) > 0, "nothing is stored")
		},
	},
	{
		"end-one", "A session can be ended from outside, by an ID",
		"A user is logged in on two devices. The server ends one session by the ID that the library gives it.",
		func(c *check) verdict {
			s := c.start()
			phone, laptop := s.browser(), s.browser()
			phone.post("/login", "user", "ann")
			laptop.post("/login", "user", "ann")
			s.browser().post("/end", "id", phone.get("/id").body)
			if laptop.get("/user").body == "" {
				return verdict{no, "the other device's session ended, too"}
			}
			return met(phone.get("/user").body == "", "it goes on")
		},
	},
	{
		"end-user", "All sessions of a user can be ended",
		"A user is logged in on two devices, another user on a third. The server ends the first user's sessions.",
		func(c *check) verdict {
			s := c.start()
			phone, laptop, bob := s.browser(), s.browser(), s.browser()
			phone.post("/login", "user", "ann")
			laptop.post("/login", "user", "ann")
			bob.post("/login", "user", "bob")
			s.browser().post("/end-user", "user", "ann")
			if bob.get("/user").body == "" {
				return verdict{no, "another user's session ended, too"}
			}
			return met(phone.get("/user").body == "" && laptop.get("/user").body == "", "they go on")
		},
	},
	{
		"end-all", "All sessions can be ended, and nothing else",
		"Two users are logged in, and the application has a key of its own in the same Redis. One of two processes ends all sessions, and the other is asked.",
		func(c *check) verdict {
			s := c.start()
			ann, bob := s.browser(), s.browser()
			ann.post("/login", "user", "ann")
			bob.post("/login", "user", "bob")
			s.do("SET", "cache:1", "x")
			s.browser().post("/end-all")
			other := s.another(s.env.keys...)
			for _, user := range []*browser{ann, bob} {
				if user.get("/user").body != "" {
					return verdict{no, "they go on"}
				}
				if other.with(user.cookies()).get("/user").body != "" {
					return verdict{no, "they go on in the other process"}
				}
			}
			return met(s.do("EXISTS", "cache:1") == int64(1), "the application's own key in Redis is deleted, too")
		},
	},
	{
		"list", "A user's sessions can be listed",
		"A user is logged in on two devices, another user on a third.",
		func(c *check) verdict {
			s := c.start()
			for _, user := range []string{"ann", "ann", "bob"} {
				s.browser().post("/login", "user", user)
			}
			n, err := strconv.Atoi(s.browser().get("/list", "user", "ann").body)
			return met(err == nil && n == 2, "%d sessions, not 2", n)
		},
	},
}
