package core

import (
	"fmt"
	"net/textproto"
	"strings"
	"time"

	"github.com/satchel-go/satchel/core/internal/cookie"
)

// Carrier says how tokens travel between clients and a Manager. The zero Carrier is
// the cookie, for browsers. [Bearer] and [Header] are for clients that send a header of
// their own: native apps, other programs, scripts of another origin. A Manager has one
// carrier and looks nowhere else, and a token that was made for one is unknown to
// another. So no script can use a cookie's token, and no request that a foreign page
// forges has a header's. Carriers can be compared.
//
// The client keeps the token that an answer carries and sends it with each request,
// until an answer carries another, or an empty one: then it forgets it. The sessions of
// a [ClientSide] backend have a second header, with -Touch after the answer's name, in
// answers and in requests. It prolongs a session that is only read. A client treats it
// like the token.
type Carrier struct {
	header          bool   // the headers are these, in canonical form
	request, answer string // of requests and of answers
}

// Bearer carries tokens in the request header Authorization, as RFC 6750 says, and in
// the answer's header Session-Token.
var Bearer = Carrier{header: true, request: authorization, answer: "Session-Token"}

const authorization = "Authorization"

// touchHeader ends the name of the header that holds a touch.
const touchHeader = "-Touch"

// Header carries tokens in a header of this name, such as X-Session, in requests and in
// answers. For Authorization there is [Bearer].
func Header(name string) Carrier {
	name = textproto.CanonicalMIMEHeaderKey(name)
	return Carrier{header: true, request: name, answer: name}
}

// AnswerIn returns c with another header in answers.
func (c Carrier) AnswerIn(name string) Carrier {
	c.answer = textproto.CanonicalMIMEHeaderKey(name)
	return c
}

// Answers reports whether c hands out tokens in the response header name, which is in
// canonical form. It is for adapters, which hide that header from caches inside.
func (c Carrier) Answers(name string) bool {
	return c.answer != "" && (name == c.answer || strings.TrimSuffix(name, touchHeader) == c.answer)
}

// String returns "cookie", or the request's header.
func (c Carrier) String() string {
	if c == (Carrier{}) {
		return "cookie"
	}
	return c.request
}

// validate returns an error for headers that cannot carry a token.
func (c Carrier) validate() error {
	for _, name := range [...]string{c.request, c.answer} {
		switch {
		case !isToken(name) || strings.Contains(name, "_"): // which nginx drops
			return fmt.Errorf("core: Config.Carrier: a header cannot be called %q: use letters, digits and hyphens, as in X-Session", name)
		case name == c.request && c.request == authorization && c.answer != authorization:
		case otherUses[name] || strings.HasPrefix(name, "Sec-") || strings.HasPrefix(name, "Proxy-") || strings.HasPrefix(name, "Access-Control-"):
			return fmt.Errorf("core: Config.Carrier: the header %s has another meaning: use core.Bearer, or a name such as X-Session", name)
		}
	}
	return nil
}

// otherUses are headers which browsers, proxies and servers use themselves.
var otherUses = map[string]bool{
	authorization: true, "Cookie": true, "Set-Cookie": true, "Host": true, "Connection": true, "Upgrade": true, "Te": true, "Trailer": true,
	"Transfer-Encoding": true, "Content-Length": true, "Content-Type": true, "Content-Encoding": true, "Expect": true, "Origin": true,
	"Referer": true, "User-Agent": true, "Date": true, "Vary": true, "Cache-Control": true, "Location": true, "Etag": true,
	"Accept": true, "Accept-Encoding": true, "Forwarded": true, "X-Forwarded-Proto": true, "X-Forwarded-For": true, "Www-Authenticate": true,
}

// carrier reads tokens from requests and writes them into answers. Its lines are what
// an answer tells the client: Set-Cookie lines, or header lines.
type carrier interface {
	// read finds the tokens in a request.
	read(ex Exchange) cookie.Presented

	// tokenLines returns the lines with which the client gets token, in place of what it
	// has presented. The error is a [SizeError] if the token is too long.
	tokenLines(token string, presented uint32, now, until time.Time) ([]string, error)

	// secondLine returns the line with a touch or a copy, and false if that is too long.
	secondLine(value string, now, until time.Time) (string, bool)

	// deletions returns the lines with which the client forgets what it has presented.
	deletions(presented uint32) []string

	// write puts lines into the answer, in place of those that it has of this carrier, and
	// returns their number. Without lines it only counts.
	write(ex Exchange, lines []string) (matched int)

	// capacity is the length of the longest token, and largest that of all that a
	// request can bring.
	capacity() int
	largest() int

	// names returns what scopes and messages call the carrier, the request header with
	// tokens, and what holds touches.
	names() (scope, header, touch string)
}

// carrier returns the carrier of sessions with this configuration. The name of the second
// cookie ends in second.
func (c *Config) carrier(second string) carrier {
	if c.Carrier != (Carrier{}) {
		return newHeaderCarrier(c.Carrier, c.MaxHeaderToken)
	}
	wire := c.Cookie.wire(!c.InsecureAllowHTTP, second)
	return &cookieCarrier{wire, wire.Sets, c.Cookie.Name}
}

// cookieCarrier is the cookie as a carrier.
type cookieCarrier struct {
	*cookie.Cookie
	ours func(line string) bool // Sets
	name string
}

func (c *cookieCarrier) read(ex Exchange) cookie.Presented {
	return c.Find(ex.RequestHeaderLines("Cookie"))
}

func (c *cookieCarrier) tokenLines(token string, presented uint32, now, until time.Time) ([]string, error) {
	lines, ok := c.Lines(token, presented, now, until)
	if !ok {
		return nil, &SizeError{Total: len(token), Limit: c.Capacity()}
	}
	return lines, nil
}

func (c *cookieCarrier) secondLine(value string, now, until time.Time) (string, bool) {
	return c.SecondLine(value, now, until)
}

func (c *cookieCarrier) deletions(presented uint32) []string { return c.Deletions(nil, presented) }

func (c *cookieCarrier) write(ex Exchange, lines []string) int {
	return ex.ReplaceSetCookies(lines, c.ours)
}

func (c *cookieCarrier) capacity() int { return c.Capacity() }
func (c *cookieCarrier) largest() int  { return c.Largest() }

func (c *cookieCarrier) names() (scope, header, touch string) {
	return c.name, "Cookie", "cookie " + c.name + cookie.TouchSuffix
}
