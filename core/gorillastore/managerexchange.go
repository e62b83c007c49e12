package gorillastore

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/gorilla/sessions"

	"github.com/satchel-go/satchel/core"
)

// exchange is the [core.Exchange] of a request without Satchel's middleware.
// Nothing reaches the client but what Save writes into the header.
type exchange struct {
	r       *http.Request
	w       http.ResponseWriter // nil until Save
	options *sessions.Options   // nil: the cookie stays as it is
	cookies string              // in place of the request's, if not empty
	written string              // the cookies of the response after we have set ours
	err     error               // the options do not fit the cookie
}

var _ core.Exchange = (*exchange)(nil)

// cookiesOf returns the response's cookies as the Cookie header of the next
// request will have them.
func cookiesOf(w http.ResponseWriter) string {
	var pairs []string
	for _, line := range w.Header()["Set-Cookie"] {
		if c, err := http.ParseSetCookie(line); err == nil && c.MaxAge >= 0 {
			pairs = append(pairs, c.Name+"="+c.Value)
		}
	}
	return strings.Join(pairs, "; ")
}

// isName reports whether gorilla's registry takes a session of this name: it
// has to be a token, as the name of a cookie.
func isName(name string) bool {
	return (&http.Cookie{Name: name}).Valid() == nil //nolint:gosec // it is never sent
}

// Context implements [core.Exchange]. Requests that come through Fiber's adaptor
// have a context that Fiber uses again: nobody may wait for its end, as timeouts
// derived from it would.
func (x *exchange) Context() context.Context {
	ctx := x.r.Context()
	if ctx.Value(http.ServerContextKey) == nil { // not from a server of net/http
		return context.WithoutCancel(ctx)
	}
	return ctx
}

// Method implements [core.Exchange].
func (x *exchange) Method() string { return x.r.Method }

// RequestPath implements [core.RequestPather].
func (x *exchange) RequestPath() string { return strings.Clone(x.r.URL.Path) }

// Secure implements [core.Exchange].
func (x *exchange) Secure() bool { return x.r.TLS != nil }

// RemoteIP implements [core.Exchange].
func (x *exchange) RemoteIP() string {
	host, _, err := net.SplitHostPort(x.r.RemoteAddr)
	if err != nil {
		return x.r.RemoteAddr
	}
	return host
}

// CookieLines implements [core.Exchange]. They are copies, since requests that
// come through Fiber's adaptor have views of a buffer.
func (x *exchange) CookieLines() []string {
	if x.cookies != "" {
		return []string{x.cookies}
	}
	lines := slices.Clone(x.r.Header["Cookie"])
	for i := range lines {
		lines[i] = strings.Clone(lines[i])
	}
	return lines
}

// RequestHeader implements [core.Exchange].
func (x *exchange) RequestHeader(name string) string { return strings.Clone(x.r.Header.Get(name)) }

// ResponseHeader implements [core.Exchange].
func (x *exchange) ResponseHeader(name string) string {
	return strings.Join(x.w.Header().Values(name), ", ")
}

// SetResponseHeader implements [core.Exchange].
func (x *exchange) SetResponseHeader(name, value string) { x.w.Header().Set(name, value) }

// ReplaceSetCookie implements [core.Exchange]. Lines are told apart by their
// cookie's name alone: another copy of the request may have set it before.
func (x *exchange) ReplaceSetCookie(old, line string) {
	h := x.w.Header()
	lines := h["Set-Cookie"]
	for _, our := range [...]string{old, line} {
		if name, _, ok := strings.Cut(our, "="); ok {
			lines = slices.DeleteFunc(lines, func(l string) bool { return strings.HasPrefix(l, name+"=") })
		}
	}
	if line != "" && x.options != nil {
		line = x.withOptions(line)
	}
	if line != "" {
		lines = append(lines, line)
	}
	delete(h, "Set-Cookie")
	if len(lines) > 0 {
		h["Set-Cookie"] = lines
	}
	x.written = cookiesOf(x.w)
}

// ResetResponse implements [core.Exchange]. Save does not answer errors.
func (x *exchange) ResetResponse() {}

// withOptions returns the Set-Cookie line with the options of a gorilla
// session, except for what would make it less safe: "" if browsers would refuse it.
func (x *exchange) withOptions(line string) string {
	c, err := http.ParseSetCookie(line)
	if err != nil {
		x.err = fmt.Errorf("the cookie: %w", err)
		return ""
	}
	o := x.options
	c.Path, c.Domain = o.Path, o.Domain
	if o.MaxAge > 0 && c.MaxAge >= 0 { // not of a line that deletes
		c.MaxAge = o.MaxAge
	}
	if o.SameSite > http.SameSiteDefaultMode {
		c.SameSite = o.SameSite
	}
	c.Secure = c.Secure || o.Secure
	c.HttpOnly = c.HttpOnly || o.HttpOnly
	c.Partitioned = c.Partitioned || o.Partitioned
	switch {
	case strings.HasPrefix(c.Name, "__Host-") && (c.Path != "/" || c.Domain != ""):
		x.err = fmt.Errorf("the cookie %s allows no Path but / and no Domain: change Options, or Cookie.Name in core.Config", c.Name)
	case c.SameSite == http.SameSiteNoneMode && !c.Secure:
		x.err = fmt.Errorf("the cookie %s would need Secure with SameSite=None: change Options", c.Name)
	}
	if x.err != nil {
		return ""
	}
	return setCookie(c)
}

// setCookie writes c with what Options decide first and what is there for
// safety last: gin-contrib's conformance tests look at the first attribute.
func setCookie(c *http.Cookie) string {
	var b strings.Builder
	attribute := func(name, value string) {
		if value != "" {
			b.WriteString("; " + name + "=" + value)
		}
	}
	flag := func(name string, on bool) {
		if on {
			b.WriteString("; " + name)
		}
	}
	b.WriteString(c.Name + "=" + c.Value)
	attribute("Path", c.Path)
	attribute("Domain", strings.TrimPrefix(c.Domain, "."))
	if c.MaxAge != 0 { // browsers need no Expires beside it
		attribute("Max-Age", strconv.Itoa(max(0, c.MaxAge)))
	}
	attribute("SameSite", sameSites[c.SameSite])
	flag("HttpOnly", c.HttpOnly)
	flag("Secure", c.Secure)
	flag("Partitioned", c.Partitioned)
	return b.String()
}

var sameSites = map[http.SameSite]string{
	http.SameSiteLaxMode: "Lax", http.SameSiteStrictMode: "Strict", http.SameSiteNoneMode: "None",
}
