package compare

import (
	"net/http"
	"strings"
)

const message = "Saved."

var flashCases = []comparison{
	{
		"flash-redirect", "A flash is shown after the redirect",
		"A form is sent, its handler adds a flash and redirects, and the page that follows shows flashes.",
		func(c *check) verdict {
			b := flashed(c)
			return shows(b, "not shown")
		},
	},
	{
		"flash-once", "… and once",
		"The page is loaded again.",
		func(c *check) verdict {
			b := flashed(c)
			b.get("/flashes")
			return met(!strings.Contains(b.get("/flashes").body, message), "shown again")
		},
	},
	{
		"flash-error-page", "A flash survives an error page",
		"The page reads the flash, saves where that is a call, and then fails: it answers 500. It is loaded again.",
		func(c *check) verdict {
			b := flashed(c)
			if r := b.try("GET", "/flashes", "as", "error"); r.status != 500 {
				c.Fatalf("status %d, want 500", r.status)
			}
			return shows(b, "lost")
		},
	},
	{
		"flash-second-redirect", "A flash survives a second redirect",
		"The handler of the next page reads the flash, as a layout would, and redirects once more.",
		func(c *check) verdict {
			b := flashed(c)
			b.get("/flashes", "as", "redirect")
			return shows(b, "lost")
		},
	},
	{
		"flash-head", "A flash survives HEAD",
		"Something asks for the page with HEAD before the browser loads it.",
		func(c *check) verdict {
			b := flashed(c)
			b.ok(b.try("HEAD", "/flashes"))
			return shows(b, "lost")
		},
	},
	{
		"flash-prefetch", "A flash survives a prefetch",
		"The browser fetches the page in advance, which it says with Sec-Purpose: prefetch, and then loads it.",
		func(c *check) verdict {
			b := flashed(c)
			b.ok(b.send("GET", "/flashes", nil, http.Header{"Sec-Purpose": {"prefetch"}}))
			return shows(b, "lost to the prefetched page")
		},
	},
	{
		"flash-two-pages", "Two pages that overlap show a flash once",
		"Two tabs load the page at the same time: both have read the session before the first answers.",
		func(c *check) verdict {
			shown := 0
			for _, r := range flashed(c).during(2, "/held-flashes", nil, func() {}) {
				shown += strings.Count(r.body, message)
			}
			return met(shown == 1, "shown %d times", shown)
		},
	},
	{
		"flash-overlap", "A flash that is added while another is shown is kept",
		"A slow page is showing a flash while a second tab sends a form that adds another.",
		func(c *check) verdict {
			b := flashed(c)
			const second = "Sent."
			shown := b.during(1, "/held-flashes", nil, func() { b.post("/flash", "text", second) })[0].body
			shown += b.get("/flashes").body
			return met(strings.Contains(shown, second), "the second flash is lost")
		},
	},
}

// flashed is a browser whose form has been handled, and which has not yet followed the
// redirect.
func flashed(c *check) *browser {
	c.Helper()
	b := c.start().browser()
	b.post("/put", "key", "k", "value", "v")
	if r := b.post("/flash", "text", message); r.status != http.StatusSeeOther {
		c.Fatalf("status %d, want a redirect", r.status)
	}
	return b
}

func shows(b *browser, note string) verdict {
	b.Helper()
	return met(strings.Contains(b.get("/flashes").body, message), "%s", note)
}
