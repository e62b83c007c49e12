package fasthttpsession

import (
	"bytes"
	"context"
	"net"
	"slices"
	"strings"

	"github.com/valyala/fasthttp"

	"github.com/satchel-go/satchel/core"
)

//recipe:exchange

// exchange is one request and its response, as the core sees them. fasthttp
// uses its buffers again: every string in here is a copy.
type exchange struct {
	rc    *fasthttp.RequestCtx
	ctx   context.Context
	outer fasthttp.ResponseHeader // what the response had before the handler
}

var _ core.Exchange = (*exchange)(nil)

func (x *exchange) Context() context.Context         { return x.ctx }
func (x *exchange) Method() string                   { return string(x.rc.Method()) }
func (x *exchange) Secure() bool                     { return x.rc.IsTLS() }
func (x *exchange) RequestHeader(name string) string { return string(x.rc.Request.Header.Peek(name)) }
func (x *exchange) SetResponseHeader(name, v string) { x.rc.Response.Header.Set(name, v) }
func (x *exchange) ResponseHeader(name string) string {
	return join(x.rc.Response.Header.PeekAll(name))
}
func (x *exchange) RemoteIP() string    { return hostOf(x.rc.RemoteAddr()) }
func (x *exchange) RequestPath() string { return string(x.rc.Path()) }

// status is the one that the client will see. Who takes over the connection
// may have silenced the response; only a 101 is sure to be sent.
func (x *exchange) status() int {
	if status := x.rc.Response.StatusCode(); !x.rc.Hijacked() || status == fasthttp.StatusSwitchingProtocols {
		return status
	}
	return core.StatusHijacked
}

// CookieLines reads the header as it arrived: fasthttp's own methods know one
// line, and rewrite it.
func (x *exchange) CookieLines() (lines []string) {
	folding := false
	for line := range bytes.Lines(x.rc.Request.Header.RawHeaders()) {
		text := string(bytes.Trim(line, " \t\r\n"))
		if line[0] == ' ' || line[0] == '\t' { // an old way to go on with the line before
			if folding {
				lines[len(lines)-1] += " " + text
			}
			continue
		}
		name, value, ok := strings.Cut(text, ":")
		if folding = ok && len(name) == len("Cookie") && strings.EqualFold(name, "Cookie"); folding {
			lines = append(lines, strings.Trim(value, " \t"))
		}
	}
	return lines
}

// ReplaceSetCookie leaves the application's own cookies alone.
func (x *exchange) ReplaceSetCookie(old, line string) {
	h := &x.rc.Response.Header
	if old != "" {
		var lines []string
		h.VisitAllCookie(func(_, value []byte) { lines = append(lines, string(value)) })
		if i := slices.Index(lines, old); i >= 0 {
			h.DelAllCookies()
			for _, other := range slices.Delete(lines, i, i+1) {
				h.Add("Set-Cookie", other)
			}
		}
	}
	if line != "" {
		h.Add("Set-Cookie", line)
	}
}

func (x *exchange) ResetResponse() {
	x.rc.Response.ResetBody()
	x.outer.CopyTo(&x.rc.Response.Header)
}

//recipe:end

func join(values [][]byte) string { return string(bytes.Join(values, []byte(", "))) }

func hostOf(addr net.Addr) string {
	host, _, err := net.SplitHostPort(addr.String())
	if err != nil {
		return addr.String()
	}
	return host
}
