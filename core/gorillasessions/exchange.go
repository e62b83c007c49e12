package gorillasessions

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

// exchange is the [core.Exchange] of a request without Satchel's middleware. The
// client gets only what Save writes into the header.
type exchange struct {
	slot    core.Slot
	r       *http.Request
	ctx     context.Context
	w       http.ResponseWriter // nil until Save
	options *sessions.Options   // nil if they do not change the cookie
	cookies string              // replaces the request's cookies unless empty
	written string              // the response's cookies, once ours is among them
	err     error               // why the options do not fit the cookie
}

var _ core.Exchange = (*exchange)(nil)

// newExchange returns the exchange of r. Fiber reuses the context of requests that come
// through its adaptor. Nothing may wait for that context to end, as timeouts derived
// from it would.
func newExchange(r *http.Request) *exchange {
	ctx := r.Context()
	if ctx.Value(http.ServerContextKey) == nil { // not from a server of net/http
		ctx = context.WithoutCancel(ctx)
	}
	return &exchange{r: r, ctx: ctx}
}

// load loads m's session.
func (x *exchange) load(m *core.Manager) (*core.Session, error) {
	err := x.slot.Load(m, x)
	return x.slot.Session(), err
}

// cookiesOf returns the Cookie header with which a browser would send the response's
// cookies back.
func cookiesOf(w http.ResponseWriter) string {
	var pairs []string
	for _, line := range w.Header()["Set-Cookie"] {
		if c, err := http.ParseSetCookie(line); err == nil && c.MaxAge >= 0 {
			pairs = append(pairs, c.Name+"="+c.Value)
		}
	}
	return strings.Join(pairs, "; ")
}

// isName reports whether gorilla's registry accepts the name of a session. Like the
// name of a cookie, it must be a token.
func isName(name string) bool {
	return (&http.Cookie{Name: name}).Valid() == nil //nolint:gosec // it is never sent
}

// Context implements [core.Exchange].
func (x *exchange) Context() context.Context { return x.ctx }

// Method implements [core.Exchange].
func (x *exchange) Method() string { return x.r.Method }

// RequestPath implements [core.Exchange].
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

// RequestHeaderLines implements [core.Exchange]. It returns copies, because the
// strings of requests that come through Fiber's adaptor are views of a buffer.
func (x *exchange) RequestHeaderLines(name string) []string {
	if x.cookies != "" && strings.EqualFold(name, "Cookie") {
		return []string{x.cookies}
	}
	lines := slices.Clone(x.r.Header.Values(name))
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

// ReplaceSetCookies implements [core.Exchange]. It reports no line as another's. If
// there is one of our name, an earlier Save has set it, perhaps through a copy of the
// request.
func (x *exchange) ReplaceSetCookies(lines []string, ours func(string) bool) int {
	if len(lines) == 0 {
		return 0
	}
	h := x.w.Header()
	all := slices.DeleteFunc(slices.Clone(h["Set-Cookie"]), ours)
	for _, line := range lines {
		if x.options != nil {
			line = x.withOptions(line)
		}
		if line != "" {
			all = append(all, line)
		}
	}
	delete(h, "Set-Cookie")
	if len(all) > 0 {
		h["Set-Cookie"] = all
	}
	x.written = cookiesOf(x.w)
	return 0
}

// ResetResponse implements [core.Exchange]. It does nothing: Save leaves the answer to
// its caller.
func (x *exchange) ResetResponse() {}

// withOptions returns the Set-Cookie line with the options of a gorilla session,
// except for those that would make it less safe. It returns "" if browsers would
// refuse the result.
func (x *exchange) withOptions(line string) string {
	c, err := http.ParseSetCookie(line)
	if err != nil {
		x.err = fmt.Errorf("the cookie: %w", err)
		return ""
	}
	o := x.options
	c.Path, c.Domain = o.Path, o.Domain
	if o.MaxAge > 0 && c.MaxAge >= 0 { // unless the line deletes the cookie
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

// setCookie writes c with the attributes from Options first and those for safety
// last, because gin-contrib's conformance tests look at the first attribute.
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
