package core

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/satchel-go/satchel/core/internal/cookie"
)

// SameSite says on which cross-site requests browsers send the cookie
// (RFC 6265bis section 5.6.7).
type SameSite int

const (
	// SameSiteLax sends it when the user follows a link, but not with cross-site
	// forms, images or scripts. It is the default.
	SameSiteLax SameSite = iota
	// SameSiteStrict never sends it cross-site: users who follow a link from
	// another site arrive logged out.
	SameSiteStrict
	// SameSiteNone always sends it. The application itself must prevent
	// cross-site request forgery.
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

// Cookie holds the name and attributes of the session cookie. The cookie is
// always HttpOnly, and Secure unless [Config.InsecureAllowHTTP] is set (ASVS 3.3.1,
// 3.3.4).
type Cookie struct {
	// Name is the cookie's name. The names NAME-1, NAME-2 and so on, NAME-touch and
	// NAME-copy belong to it too. Default __Host-session, which browsers accept only over TLS,
	// from this host and for all paths. With a Domain or Path, the default is
	// __Secure-session. With InsecureAllowHTTP, it is session.
	Name string

	// Domain lets subdomains share the cookie. It needs a Name without the prefix
	// __Host-. By default only this host gets the cookie.
	Domain string

	// Path is the path below which browsers send the cookie. Default "/".
	Path string

	// SameSite is SameSiteLax by default.
	SameSite SameSite

	// Partitioned gives an embedded site a separate cookie for each site that embeds
	// it (CHIPS). Use it with SameSiteNone.
	Partitioned bool

	// MaxParts is the largest number of cookies of 4,096 bytes that a client-side
	// session may be split into. Default 1, at most 20. Its touches take another
	// cookie, of some 130 bytes. By default, many proxies and servers accept at most
	// 8 KB of headers; nginx and Fiber, 4 KB. Split cookies that clients already have
	// are read, and deleted when they are no longer needed, whatever MaxParts is.
	MaxParts int

	// Former lists the cookies that this one replaces, each as it was configured,
	// after a change of Name, Domain, Path or Partitioned. Browsers keep a cookie for
	// each combination of these and send them all; two of one name lock the client
	// out (promise L2). A response that sets or deletes the cookie deletes the former
	// ones, and so does the answer to a request with two. Keep it until browsers have
	// dropped the former cookies: for the longest lifetime. The name of a former
	// cookie must not be used for anything else.
	Former []Cookie
}

const (
	defaultParts = 1
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
	c.Former = slices.Clone(c.Former)
	for i := range c.Former {
		c.Former[i] = c.Former[i].withDefaults(insecure)
	}
	return c
}

func (c Cookie) isZero() bool {
	return c.Name == "" && c.Domain == "" && c.Path == "" && c.SameSite == 0 && !c.Partitioned && c.MaxParts == 0 && len(c.Former) == 0
}

// validate returns an error if browsers would refuse the cookie. Call it after
// withDefaults.
func (c Cookie) validate(insecure bool) error {
	lower := strings.ToLower(c.Name) // browsers match prefixes in any case
	host := strings.HasPrefix(lower, hostPrefix)
	switch {
	case !isToken(c.Name) || strings.Contains(c.Name, "~"):
		return fmt.Errorf("core: Cookie.Name %q: use letters, digits and -_. only", c.Name)
	case len(c.Name) > 128:
		return fmt.Errorf("core: Cookie.Name has %d characters: use 128 or fewer", len(c.Name))
	case strings.HasSuffix(lower, cookie.TouchSuffix):
		return fmt.Errorf("core: Cookie.Name %q ends like the cookie that keeps the activity of a client-side session: choose a name that does not end in %s", c.Name, cookie.TouchSuffix)
	case strings.HasSuffix(lower, cookie.CopySuffix):
		return fmt.Errorf("core: Cookie.Name %q ends like the cookie with a Hybrid's copy: choose a name that does not end in %s", c.Name, cookie.CopySuffix)
	case endsInNumber(c.Name):
		return fmt.Errorf("core: Cookie.Name %q ends like a part of a split cookie: choose a name that does not end in a hyphen and a number", c.Name)
	case host && c.Domain != "":
		return fmt.Errorf("core: Cookie.Name %q cannot be combined with Domain %q: browsers refuse it; drop the Domain, or use the prefix __Secure-", c.Name, c.Domain)
	case host && c.Path != "/":
		return fmt.Errorf("core: Cookie.Name %q cannot be combined with Path %q: browsers refuse it; use Path \"/\", or the prefix __Secure-", c.Name, c.Path)
	case insecure && (host || strings.HasPrefix(lower, securePrefix)):
		return fmt.Errorf("core: Cookie.Name %q cannot be combined with InsecureAllowHTTP: browsers refuse it; use a name without the prefix", c.Name)
	case c.SameSite < SameSiteLax || c.SameSite > SameSiteNone:
		return fmt.Errorf("core: Cookie.SameSite is %d: use SameSiteLax, SameSiteStrict or SameSiteNone", int(c.SameSite))
	case insecure && c.SameSite == SameSiteNone:
		return fmt.Errorf("core: SameSiteNone cannot be combined with InsecureAllowHTTP: browsers refuse it without Secure; use SameSiteLax")
	case insecure && c.Partitioned:
		return fmt.Errorf("core: Cookie.Partitioned cannot be combined with InsecureAllowHTTP: browsers refuse it without Secure; set only one of them")
	case !strings.HasPrefix(c.Path, "/") || !isAttribute(c.Path):
		return fmt.Errorf("core: Cookie.Path %q: start it with a slash; use only visible ASCII characters, no semicolons or commas", c.Path)
	case c.Domain != "" && !isDomain(c.Domain):
		return fmt.Errorf("core: Cookie.Domain %q: use a host name such as example.com, without scheme, port or path", c.Domain)
	case c.Domain != "" && !strings.Contains(strings.Trim(c.Domain, "."), "."):
		return fmt.Errorf("core: Cookie.Domain %q has no dot: browsers refuse the cookie; leave it empty for this host, or use a domain such as example.com", c.Domain)
	case c.MaxParts < 1 || c.MaxParts > cookie.MaxParts:
		return fmt.Errorf("core: Cookie.MaxParts is %d: choose between 1 and %d", c.MaxParts, cookie.MaxParts)
	}
	return c.validateFormer(insecure)
}

func (c Cookie) validateFormer(insecure bool) error {
	for i, f := range c.Former {
		switch {
		case len(f.Former) > 0:
			return fmt.Errorf("core: Cookie.Former[%d] has a Former itself: list all former cookies in the one of today's cookie", i)
		case f.Name == c.Name && domainKey(f.Domain) == domainKey(c.Domain) && f.Path == c.Path && f.Partitioned == c.Partitioned:
			return fmt.Errorf("core: Cookie.Former[%d], %s, is today's cookie: list only cookies that differ in Name, Domain, Path or Partitioned", i, f.Name)
		}
		if err := f.validate(insecure); err != nil {
			return fmt.Errorf("core: Cookie.Former[%d]: %w", i, err)
		}
	}
	return nil
}

// domainKey returns what browsers compare of a Domain.
func domainKey(domain string) string { return strings.ToLower(strings.TrimPrefix(domain, ".")) }

// isToken reports whether s is a token of RFC 9110 section 5.6.2.
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

// wire returns the reader and writer of this cookie.
func (c Cookie) wire(secure bool, second string) *cookie.Cookie {
	var former []*cookie.Cookie
	for _, f := range c.Former {
		former = append(former, f.wire(secure, second))
	}
	return cookie.New(cookie.Attributes{
		Name: c.Name, Domain: c.Domain, Path: c.Path, SameSite: c.SameSite.String(),
		Secure: secure, Partitioned: c.Partitioned, MaxParts: c.MaxParts, Second: second, Former: former,
	})
}

// tokenLines returns the lines that give the client a session's new token.
func (m *Manager) tokenLines(token string, r *Record, presented uint32, now time.Time) ([]string, error) {
	if m.copies != nil {
		presented &^= cookie.SecondBit // which withCopy replaces or deletes
	}
	return m.carrier.tokenLines(token, presented, now, m.cookieUntil(r, now))
}

// cookieUntil returns how long the browser keeps r's cookies. Zero means that they
// go with the browser.
func (m *Manager) cookieUntil(r *Record, now time.Time) (until time.Time) {
	if !r.Remembered {
		return until
	}
	until = r.Deadline
	if limit := now.Add(foreverIdle); until.IsZero() || until.After(limit) {
		until = limit
	}
	return until
}
