package fasthttpsession

import (
	"bytes"
	"context"
	"net"
	"strings"

	"github.com/valyala/fasthttp"

	"github.com/satchel-go/satchel/core"
)

// exchange is one request and its response, as the core sees them. fasthttp
// reuses its buffers, so every string in here is a copy.
type exchange struct {
	slot  core.Slot
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

// status returns the status that the client will see. A handler that hijacks
// the connection may suppress the response; only a 101 is sure to be sent. After a
// timeout fasthttp sends a copy, to which this adapter adds nothing.
func (x *exchange) status() int {
	status := x.rc.Response.StatusCode()
	if x.rc.LastTimeoutErrorResponse() != nil || x.rc.Hijacked() && status != fasthttp.StatusSwitchingProtocols {
		return core.StatusHijacked
	}
	return status
}

// RequestHeaderLines reads the header as it arrived: fasthttp's own methods
// know one line, and rewrite that of Cookie.
func (x *exchange) RequestHeaderLines(header string) (lines []string) {
	folding := false
	for line := range bytes.Lines(x.rc.Request.Header.RawHeaders()) {
		text := string(bytes.Trim(line, " \t\r\n"))
		if line[0] == ' ' || line[0] == '\t' { // obsolete syntax: continues the line before
			if folding {
				lines[len(lines)-1] += " " + text
			}
			continue
		}
		name, value, ok := strings.Cut(text, ":")
		if folding = ok && len(name) == len(header) && strings.EqualFold(name, header); folding {
			lines = append(lines, strings.Trim(value, " \t"))
		}
	}
	return lines
}

//recipe:exchange

// ReplaceSetCookies leaves the application's own cookies alone.
func (x *exchange) ReplaceSetCookies(lines []string, ours func(string) bool) (matched int) {
	h := &x.rc.Response.Header
	var others []string
	for _, value := range h.Cookies() {
		if line := string(value); ours(line) {
			matched++
		} else {
			others = append(others, line)
		}
	}
	if len(lines) == 0 {
		return matched
	}
	h.DelAllCookies()
	for _, line := range append(others, lines...) {
		h.Add("Set-Cookie", line)
	}
	return matched
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
