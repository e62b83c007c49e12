package core

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// SameSite says on which cross-site requests browsers send the cookie
// (RFC 6265bis section 5.6.7).
type SameSite int

const (
	// SameSiteLax sends it when the user follows a link, not with cross-site
	// forms, images or scripts. The default.
	SameSiteLax SameSite = iota
	// SameSiteStrict never sends it cross-site: links from elsewhere arrive logged out.
	SameSiteStrict
	// SameSiteNone always sends it. The application has to fend off
	// cross-site request forgery by itself.
	SameSiteNone
)

// String returns the attribute's value.
func (s SameSite) String() string {
	switch s {
	case SameSiteLax:
		return "Lax"
	case SameSiteStrict:
		return "Strict"
	case SameSiteNone:
		return "None"
	}
	return "SameSite(" + strconv.Itoa(int(s)) + ")"
}

// Cookie has the name and the attributes of the session cookie. It is always
// HttpOnly, and Secure unless [Config.InsecureAllowHTTP] is set (ASVS 3.3.1, 3.3.4).
type Cookie struct {
	// Name of the cookie. Default __Host-session, which browsers accept only
	// over TLS, from this host and for all paths; with InsecureAllowHTTP, session.
	Name string

	// Domain lets subdomains share the cookie. It needs a Name without the
	// prefix __Host-. Default: this host alone.
	Domain string

	// Path is where browsers send the cookie. Default "/".
	Path string

	// SameSite is SameSiteLax by default.
	SameSite SameSite

	// Partitioned keeps a cookie of an embedded site apart for each site that
	// embeds it (CHIPS). It goes with SameSiteNone.
	Partitioned bool

	// MaxParts is over how many cookies of 4,096 bytes a client-side session
	// may be split. Default 5, at most 20. Many proxies and servers accept no more than 8 KB
	// of headers by default, Fiber 4 KB.
	MaxParts int
}

// maxCookie is how many bytes of name and value browsers keep of a cookie
// (RFC 6265bis section 5.6).
const maxCookie = 4096

const (
	defaultParts = 5
	maxParts     = 20
	hostPrefix   = "__host-"
	securePrefix = "__secure-"
)

func (c Cookie) withDefaults(insecure bool) Cookie {
	if c.Name == "" {
		c.Name = "__Host-session"
		if c.Domain != "" || c.Path != "" && c.Path != "/" {
			c.Name = "__Secure-session"
		}
		if insecure {
			c.Name = "session"
		}
	}
	if c.Path == "" {
		c.Path = "/"
	}
	if c.MaxParts == 0 {
		c.MaxParts = defaultParts
	}
	return c
}

// validate refuses what browsers would not keep, after withDefaults.
func (c Cookie) validate(insecure bool) error {
	lower := strings.ToLower(c.Name) // browsers match prefixes in any case
	host := strings.HasPrefix(lower, hostPrefix)
	switch {
	case !isToken(c.Name) || strings.Contains(c.Name, "~"):
		return fmt.Errorf("core: Cookie.Name %q: use letters, digits and -_. only", c.Name)
	case len(c.Name) > 128:
		return fmt.Errorf("core: Cookie.Name has %d characters: use 128 or fewer", len(c.Name))
	case endsInNumber(c.Name):
		return fmt.Errorf("core: Cookie.Name %q ends like the parts of a split cookie: do not end it in a hyphen and a number", c.Name)
	case host && c.Domain != "":
		return fmt.Errorf("core: Cookie.Name %q does not go with Domain %q: browsers refuse it; drop the Domain, or use the prefix __Secure-", c.Name, c.Domain)
	case host && c.Path != "/":
		return fmt.Errorf("core: Cookie.Name %q does not go with Path %q: browsers refuse it; use Path \"/\", or the prefix __Secure-", c.Name, c.Path)
	case insecure && (host || strings.HasPrefix(lower, securePrefix)):
		return fmt.Errorf("core: Cookie.Name %q does not go with InsecureAllowHTTP: browsers refuse it; use a name without prefix", c.Name)
	case c.SameSite < SameSiteLax || c.SameSite > SameSiteNone:
		return fmt.Errorf("core: Cookie.SameSite is %d: use SameSiteLax, SameSiteStrict or SameSiteNone", int(c.SameSite))
	case insecure && c.SameSite == SameSiteNone:
		return fmt.Errorf("core: SameSiteNone does not go with InsecureAllowHTTP: browsers refuse it without Secure; use SameSiteLax")
	case insecure && c.Partitioned:
		return fmt.Errorf("core: Cookie.Partitioned does not go with InsecureAllowHTTP: browsers refuse it without Secure")
	case !strings.HasPrefix(c.Path, "/") || !isAttribute(c.Path):
		return fmt.Errorf("core: Cookie.Path %q: start it with a slash; no semicolons or control characters", c.Path)
	case c.Domain != "" && !isDomain(c.Domain):
		return fmt.Errorf("core: Cookie.Domain %q: use a host name such as example.com, without scheme, port or path", c.Domain)
	case c.MaxParts < 1 || c.MaxParts > maxParts:
		return fmt.Errorf("core: Cookie.MaxParts is %d: choose between 1 and %d", c.MaxParts, maxParts)
	}
	return nil
}

// isToken reports whether s is a token as RFC 9110 section 5.6.2 has it.
func isToken(s string) bool {
	for i := range len(s) {
		c := s[i]
		alnum := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
		if !alnum && strings.IndexByte("!#$%&'*+-.^_`|~", c) < 0 {
			return false
		}
	}
	return s != ""
}

func isAttribute(s string) bool {
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c >= 0x7f || c == ';' || c == ',' {
			return false
		}
	}
	return true
}

func isDomain(s string) bool {
	if len(s) > 253 {
		return false
	}
	for label := range strings.SplitSeq(strings.TrimPrefix(s, "."), ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		for i := range len(label) {
			c := label[i] | 0x20
			if (c < 'a' || c > 'z') && (label[i] < '0' || label[i] > '9') && label[i] != '-' {
				return false
			}
		}
	}
	return true
}

func endsInNumber(name string) bool {
	digits := strings.TrimRight(name, "0123456789")
	return digits != name && strings.HasSuffix(digits, "-")
}

// cookieWriter writes Set-Cookie lines. Its parts are made once.
type cookieWriter struct {
	names    *partNames
	maxParts int
	path     string // "; Path=/; Domain=…"
	flags    string // "; HttpOnly; Secure; SameSite=Lax"
}

func newCookieWriter(c Cookie, secure bool) *cookieWriter {
	w := &cookieWriter{names: newPartNames(c.Name), maxParts: c.MaxParts}
	w.path = "; Path=" + c.Path
	if c.Domain != "" {
		w.path += "; Domain=" + strings.TrimPrefix(c.Domain, ".")
	}
	w.flags = "; HttpOnly"
	if secure {
		w.flags += "; Secure"
	}
	w.flags += "; SameSite=" + c.SameSite.String()
	if c.Partitioned {
		w.flags += "; Partitioned"
	}
	return w
}

// line returns a Set-Cookie line. Without until, the cookie goes with the browser.
func (w *cookieWriter) line(name, value string, now, until time.Time) string {
	if until.IsZero() {
		return name + "=" + value + w.path + w.flags
	}
	buf := make([]byte, 0, len(name)+len(value)+len(w.path)+len(w.flags)+80)
	buf = append(buf, name...)
	buf = append(buf, '=')
	buf = append(buf, value...)
	buf = append(buf, w.path...)
	buf = append(buf, "; Max-Age="...)
	buf = strconv.AppendInt(buf, max(0, int64((until.Sub(now)+time.Second-1)/time.Second)), 10)
	buf = append(buf, "; Expires="...)
	buf = until.UTC().AppendFormat(buf, "Mon, 02 Jan 2006 15:04:05 GMT")
	return string(append(buf, w.flags...))
}

// deletion returns a line that makes browsers drop the cookie: they match it
// by name, domain and path.
func (w *cookieWriter) deletion(name string) string {
	return name + "=" + w.path + "; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT" + w.flags
}

// deletions returns the deletion lines of the cookies in the set of parts.
func (w *cookieWriter) deletions(lines []string, parts uint32) []string {
	for i := range w.names.names {
		if parts&(1<<i) != 0 {
			lines = append(lines, w.deletion(w.names.names[i]))
		}
	}
	return lines
}

// lines returns the Set-Cookie lines that hand out token, and delete those
// of the presented parts that it does not need.
func (w *cookieWriter) lines(token string, presented uint32, now, until time.Time) ([]string, error) {
	name := w.names.names[0]
	if len(name)+len(token) <= maxCookie { // one cookie: all but always
		lines := make([]string, 0, 1)
		lines = append(lines, w.line(name, token, now, until))
		return w.deletions(lines, presented&^1), nil
	}
	values, err := w.split(token)
	if err != nil {
		return nil, err
	}
	lines := make([]string, 0, len(values))
	used := uint32(0)
	for i, value := range values {
		lines = append(lines, w.line(w.names.names[i], value, now, until))
		used |= 1 << i
	}
	return w.deletions(lines, presented&^used), nil
}

// split cuts a token that is too long for one cookie into values for as many
// as it needs. The first says how many there are: "~3~…".
func (w *cookieWriter) split(token string) ([]string, error) {
	for n := 2; n <= w.maxParts; n++ {
		head := "~" + strconv.Itoa(n) + "~"
		values := make([]string, 0, n)
		rest := token
		for i := range n {
			value := ""
			if i == 0 {
				value = head
			}
			room := maxCookie - len(w.names.names[i]) - len(value)
			cut := min(room, len(rest))
			values = append(values, value+rest[:cut])
			rest = rest[cut:]
		}
		if rest == "" {
			return values, nil
		}
	}
	return nil, &SizeError{Total: len(token), Limit: w.capacity()}
}

// capacity is the length of the longest token that can be handed out.
func (w *cookieWriter) capacity() int {
	total := 0
	for i := range w.maxParts {
		total += maxCookie - len(w.names.names[i])
	}
	if w.maxParts > 1 {
		total -= len("~~") + len(strconv.Itoa(w.maxParts))
	}
	return total
}

// tokenLines returns the Set-Cookie lines for a session's new token.
func (m *Manager) tokenLines(token string, r *Record, presented uint32, now time.Time) ([]string, error) {
	var until time.Time
	if r.Remembered {
		until = r.Deadline
		if limit := now.Add(foreverIdle); until.IsZero() || until.After(limit) {
			until = limit
		}
	}
	return m.cookies.lines(token, presented, now, until)
}
