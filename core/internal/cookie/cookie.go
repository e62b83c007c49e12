// Package cookie reads and writes the session cookie. It finds a token in a
// request's Cookie header and writes Set-Cookie lines with a new one.
package cookie

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

// MaxParts is the largest number of cookies that a token may be split over.
const MaxParts = 20

// What the second cookie's name may end in: it holds a touch, or a copy of the session.
const (
	TouchSuffix = "-touch"
	CopySuffix  = "-copy"
)

// secondPart is the number of that cookie in the set of parts, and SecondBit its bit.
const (
	secondPart = MaxParts
	SecondBit  = 1 << secondPart
)

// maxBytes is the number of bytes that browsers allow for a cookie's name and
// value (RFC 6265bis section 5.6).
const maxBytes = 4096

// Attributes are the attributes of a cookie. The caller has checked them.
type Attributes struct {
	Name, Domain, Path, SameSite string
	Secure, Partitioned          bool
	MaxParts                     int       // the largest number of cookies for a token
	Second                       string    // what the second cookie's name ends in
	Former                       []*Cookie // what this cookie was before
}

// Cookie is a cookie with a fixed name and attributes. A token that is too long
// for one cookie is split over several, named NAME, NAME-1, NAME-2 and so on.
// A second one, named NAME-touch or NAME-copy, means something only beside a token. A
// Cookie is immutable and safe for concurrent use.
type Cookie struct {
	names    [MaxParts + 1]string // of the parts, and of the second cookie
	maxParts int
	path     string // "; Path=/; Domain=…"
	flags    string // "; HttpOnly; Secure; SameSite=Lax"
	former   []*Cookie
}

// New returns the cookie with these attributes, and HttpOnly.
func New(a Attributes) *Cookie {
	c := &Cookie{maxParts: a.MaxParts, former: a.Former}
	c.names[0] = a.Name
	for i := 1; i < MaxParts; i++ {
		c.names[i] = a.Name + "-" + strconv.Itoa(i)
	}
	c.names[secondPart] = a.Name + a.Second
	c.path = "; Path=" + a.Path
	if a.Domain != "" {
		c.path += "; Domain=" + strings.TrimPrefix(a.Domain, ".")
	}
	c.flags = "; HttpOnly"
	if a.Secure {
		c.flags += "; Secure"
	}
	c.flags += "; SameSite=" + a.SameSite
	if a.Partitioned {
		c.flags += "; Partitioned"
	}
	return c
}

// line returns a Set-Cookie line. Without until, the cookie ends when the browser
// closes.
func (c *Cookie) line(name, value string, now, until time.Time) string {
	if until.IsZero() {
		return name + "=" + value + c.path + c.flags
	}
	buf := make([]byte, 0, len(name)+len(value)+len(c.path)+len(c.flags)+80)
	buf = append(buf, name...)
	buf = append(buf, '=')
	buf = append(buf, value...)
	buf = append(buf, c.path...)
	buf = append(buf, "; Max-Age="...)
	buf = strconv.AppendInt(buf, max(0, int64((until.Sub(now)+time.Second-1)/time.Second)), 10)
	buf = append(buf, "; Expires="...)
	buf = until.UTC().AppendFormat(buf, "Mon, 02 Jan 2006 15:04:05 GMT")
	return string(append(buf, c.flags...))
}

// deletion returns a line that makes browsers delete the cookie, which they match
// by name, domain and path.
func (c *Cookie) deletion(name string) string {
	return name + "=" + c.path + "; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT" + c.flags
}

// Deletions appends the lines that delete the cookies in parts, a bit set.
func (c *Cookie) Deletions(lines []string, parts uint32) []string {
	for i := range c.names {
		if parts&(1<<i) != 0 {
			lines = append(lines, c.deletion(c.names[i]))
		}
	}
	return lines
}

// Sets reports whether a Set-Cookie line is for this cookie, one of its parts or its
// second one, or for those of a former one.
func (c *Cookie) Sets(line string) bool {
	return c.lineParts(line) != 0 || slices.ContainsFunc(c.former, func(f *Cookie) bool { return f.lineParts(line) != 0 })
}

// lineParts returns the part that a Set-Cookie line is for, as a bit set.
func (c *Cookie) lineParts(line string) uint32 {
	name, _, _ := strings.Cut(line, ";")
	name, _, ok := strings.Cut(name, "=")
	name = strings.Trim(name, " \t") // as browsers do
	if !ok || !strings.HasPrefix(name, c.names[0]) {
		return 0
	}
	if i, ours := c.part(name); ours {
		return 1 << i
	}
	return 0
}

// HasFormer reports whether there is a former cookie to delete.
func (c *Cookie) HasFormer() bool { return len(c.former) > 0 }

// FormerDeletions returns the lines that delete the former cookies in place of
// which lines, and those in the set parts, are from now on. A former cookie with
// another name goes with its parts in header, the lines of the Cookie header, as soon
// as there is a token in its place.
func (c *Cookie) FormerDeletions(lines []string, parts uint32, header []string) (deletions []string) {
	for _, line := range lines {
		parts |= c.lineParts(line)
	}
	for _, f := range c.former {
		switch {
		case f.names[0] == c.names[0]:
			deletions = f.Deletions(deletions, parts)
		case parts&1 != 0:
			deletions = f.Deletions(deletions, f.Find(header).Parts|1)
		}
	}
	return deletions
}

// Lines returns the Set-Cookie lines that set token and delete the presented parts
// that it does not need, and a presented second one. Without until, the cookie ends when
// the browser closes. Lines returns false for a token longer than Capacity.
func (c *Cookie) Lines(token string, presented uint32, now, until time.Time) ([]string, bool) {
	name := c.names[0]
	if len(name)+len(token) <= maxBytes { // one cookie is nearly always enough
		lines := make([]string, 0, 1)
		lines = append(lines, c.line(name, token, now, until))
		return c.Deletions(lines, presented&^1), true
	}
	values, ok := c.split(token)
	if !ok {
		return nil, false
	}
	lines := make([]string, 0, len(values))
	used := uint32(0)
	for i, value := range values {
		lines = append(lines, c.line(c.names[i], value, now, until))
		used |= 1 << i
	}
	return c.Deletions(lines, presented&^used), true
}

// HasSecond reports whether the second cookie is among the presented parts.
func HasSecond(presented uint32) bool { return presented&SecondBit != 0 }

// SecondLine returns the Set-Cookie line that sets the second cookie. It returns false for
// a value that is too long for a cookie.
func (c *Cookie) SecondLine(value string, now, until time.Time) (string, bool) {
	name := c.names[secondPart]
	return c.line(name, value, now, until), len(name)+len(value) <= maxBytes
}

// split cuts a token that is too long for one cookie into as few values as
// possible. The first value starts with their number: "~3~…".
func (c *Cookie) split(token string) ([]string, bool) {
	for n := 2; n <= c.maxParts; n++ {
		head := "~" + strconv.Itoa(n) + "~"
		values := make([]string, 0, n)
		rest := token
		for i := range n {
			value := ""
			if i == 0 {
				value = head
			}
			room := maxBytes - len(c.names[i]) - len(value)
			cut := min(room, len(rest))
			values = append(values, value+rest[:cut])
			rest = rest[cut:]
		}
		if rest == "" {
			return values, true
		}
	}
	return nil, false
}

// Capacity returns the length of the longest token that fits.
func (c *Cookie) Capacity() int {
	total := 0
	for i := range c.maxParts {
		total += maxBytes - len(c.names[i])
	}
	if c.maxParts > 1 {
		total -= len("~~") + len(strconv.Itoa(c.maxParts))
	}
	return total
}

// Largest returns the most characters that the cookies of a token and its touch take in
// a Cookie header. Touches have some 150.
func (c *Cookie) Largest() int { return c.maxParts*(maxBytes+len("=; ")) + 150 }
