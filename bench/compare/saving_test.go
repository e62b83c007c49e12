package compare

import (
	"fmt"
	"net/http"
	"strings"
)

var savingCases = []comparison{
	{
		"forgotten-save", "Nothing is lost when the author forgets to save",
		"A handler sets a value and answers.",
		func(c *check) verdict {
			b := c.start().browser()
			b.post("/forget", "key", "k", "value", "v")
			return met(b.get("/get", "key", "k").body == "v", "lost, without an error")
		},
	},
	{
		"one-cookie", "Two parts of a handler can save: one Set-Cookie",
		"A handler calls two helpers. Each opens the session, sets a value and saves as documented.",
		func(c *check) verdict {
			b := c.start().browser()
			r := b.post("/twice")
			if b.get("/get", "key", "first").body == "" || b.get("/get", "key", "second").body == "" {
				return verdict{no, "a value is lost"}
			}
			return met(len(r.cookies) == 1, "%d lines for one cookie", len(r.cookies))
		},
	},
	{
		"error-stores-nothing", "A handler that fails with 500 stores nothing",
		"A handler sets a value and then answers 500. Where saving is a call, it fails before that.",
		func(c *check) verdict { return storesNothing(c, "/fail") },
	},
	{
		"panic-stores-nothing", "A handler that panics stores nothing",
		"A handler sets a value and then panics; the framework's recovery answers 500.",
		func(c *check) verdict { return storesNothing(c, "/panic") },
	},
	{
		"failed-save", "A save that fails is never a success",
		"Redis goes away while a handler that has loaded the session is about to write and answer.",
		func(c *check) verdict {
			c.onlyRedis()
			s := c.start(behindProxy)
			b := s.browser()
			b.post("/put", "key", "k", "value", "v")
			r := b.during(1, "/held-put", []string{"key", "k", "value", "w"}, s.proxy.Refuse)[0]
			switch {
			case r.status < 500:
				return verdict{no, fmt.Sprintf("status %d, as if it were saved", r.status)}
			case strings.Contains(r.body, page):
				return verdict{no, fmt.Sprintf("status %d, followed by the page as if it were saved", r.status)}
			}
			return verdict{mark: yes}
		},
	},
	{
		"flush-first", "A handler may flush before it writes",
		"A new visitor's value is set, and the handler flushes the header and then writes the body.",
		func(c *check) verdict {
			b := c.start().browser()
			r := b.post("/flush", "key", "k", "value", "v")
			if len(r.cookies) == 0 {
				return verdict{no, "no cookie is sent, and the value is lost"}
			}
			return met(b.get("/get", "key", "k").body == "v", "the value is lost")
		},
	},
	{
		"late-change", "A change after the body has begun is kept or reported",
		"A handler of a visitor who has a session sends the first part of a stream, and changes the session then.",
		func(c *check) verdict {
			b := c.start().browser()
			b.post("/put", "key", "k", "value", "v")
			return lateChange(b)
		},
	},
	{
		"late-start", "… and a session that begins so late, too",
		"The same for a new visitor, whose cookie can no longer be sent.",
		func(c *check) verdict { return lateChange(c.start().browser()) },
	},
}

func storesNothing(c *check, path string) verdict {
	c.Helper()
	b := c.start().browser()
	b.post("/put", "key", "before", "value", "x")
	if r := b.try("POST", path, "key", "k", "value", "v"); r.status != http.StatusInternalServerError {
		c.Fatalf("status %d, want 500: %s", r.status, r.body)
	}
	if b.get("/get", "key", "before").body != "x" {
		c.Fatal("the session from before is gone")
	}
	return met(b.get("/get", "key", "k").body == "", "the value is stored")
}

func lateChange(b *browser) verdict {
	b.Helper()
	name := fmt.Sprint("late", gateNumber.Add(1))
	r, err := b.exchange("POST", "/late", []string{"key", "late", "value", "v", "gate", name}, nil, func() {
		b.app.gates.let(name)
	})
	if err != nil {
		b.Fatal(err)
	}
	b.ok(r)
	if b.get("/get", "key", "late").body == "v" {
		return verdict{yes, "kept"}
	}
	if b.reported.Load() {
		return verdict{yes, "reported"}
	}
	return verdict{no, "lost, without an error"}
}
