package compare

import "strconv"

var valueCases = []comparison{
	{
		"struct", "A struct comes back without registering its type",
		"A handler stores a struct, and another reads it.",
		func(c *check) verdict {
			return stored(c, "/put-point", "/point", "{3 4} true")
		},
	},
	{
		"interface", "A value behind an interface comes back as what it was",
		"A handler stores a registered type as a value of an interface, and another reads it.",
		func(c *check) verdict {
			return stored(c, "/put-shape", "/shape", "compare.circle {5}")
		},
	},
	{
		"three-kilobytes", "A session of 2,800 bytes is kept",
		"A handler stores a text of 2,800 bytes, and another reads it.",
		func(c *check) verdict { return keeps(c, 2800) },
	},
	{
		"large", "A session of 100 KiB is kept, by default",
		"A handler stores a text of 100 KiB, and another reads it.",
		func(c *check) verdict { return keeps(c, 100<<10) },
	},
}

func keeps(c *check, size int) verdict {
	c.Helper()
	b := c.start().browser()
	if r := b.try("POST", "/put-large", "bytes", strconv.Itoa(size)); r.status >= 400 {
		return met(false, "refused with %d", r.status)
	}
	return met(b.get("/length").body == strconv.Itoa(size), "lost, without an error")
}

func stored(c *check, put, get, want string) verdict {
	c.Helper()
	b := c.start().browser()
	if r := b.try("POST", put); r.status >= 400 {
		return met(false, "refused with %d", r.status)
	}
	got := b.get(get).body
	return met(got == want, "it comes back as %q", got)
}
