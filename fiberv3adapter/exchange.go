package fiberv3adapter

import (
	"context"
	"net"
	"strings"

	"github.com/gofiber/fiber/v3"
	"github.com/gofiber/utils/v2"
	"github.com/valyala/fasthttp"

	"github.com/satchel-go/satchel/core"
)

// exchange is one request and its response, as the core sees them. It is a
// single allocation, never reused, and drops the Ctx when the request ends.
// Fiber returns views of buffers that it reuses, so whatever leaves this file is
// a copy.
type exchange struct {
	slot    core.Slot
	onError func(fiber.Ctx, error) error
	c       fiber.Ctx
	ctx     context.Context

	response *fasthttp.Response
	outer    *fasthttp.Response // with the response's header before the handler
}

var _ core.Exchange = (*exchange)(nil)

// load loads the session.
func (x *exchange) load(m *core.Manager, c fiber.Ctx) error {
	x.c, x.response, x.ctx = c, c.Response(), c.Context()
	x.outer = fasthttp.AcquireResponse() // of a pool
	x.response.Header.CopyTo(&x.outer.Header)
	return x.slot.Load(m, x)
}

// release lets go of what Fiber and fasthttp reuse.
func (x *exchange) release() {
	if x.outer != nil {
		fasthttp.ReleaseResponse(x.outer)
	}
	x.c, x.response, x.outer = nil, nil, nil
}

// finish commits and ends the request.
func (x *exchange) finish() {
	if err := x.slot.Commit(x.status()); err != nil {
		x.answer(err)
	}
	x.slot.Finish()
	x.release()
}

// status returns the status that the client will see. A handler that hijacks the
// connection may have suppressed the response; only a 101 is sure to be sent.
func (x *exchange) status() int {
	if x.timedOut() {
		x.slot.Session().KeepFlashes() // the handler has read them for another page
		return x.response.StatusCode()
	}
	status := x.response.StatusCode()
	if x.c.RequestCtx().Hijacked() && status != fiber.StatusSwitchingProtocols {
		return core.StatusHijacked
	}
	return status
}

// timedOut reports whether fasthttp sends the response that a timeout has left. It is no
// longer the Ctx's, which the handler may still be using, and nothing is sent before the
// middleware returns.
func (x *exchange) timedOut() bool {
	sent := x.c.RequestCtx().LastTimeoutErrorResponse()
	if sent != nil {
		x.response = sent
	}
	return sent != nil
}

// answer answers an error of the session. Nothing is sent before the middleware
// returns, so what ResetResponse dropped is all there is to take back. After a timeout
// the Ctx may still be in use, so OnError is not asked.
func (x *exchange) answer(err error) {
	if x.timedOut() {
		r := core.ErrorResponseFor(err)
		x.response.SetStatusCode(r.Status)
		x.response.Header.SetContentType(r.ContentType)
		x.response.Header.Set(fiber.HeaderXContentTypeOptions, "nosniff")
		x.response.SetBodyString(r.Body)
		return
	}
	if err := x.onError(x.c, err); err != nil {
		handle(x.c, err)
	}
}

// close is for defer: after a handler panicked, it rolls the session's changes
// back. After finish it does nothing.
func (x *exchange) close() {
	if x.c != nil {
		x.timedOut()
	}
	x.slot.Abort()
	x.release()
}

// Context implements [core.Exchange].
func (x *exchange) Context() context.Context { return x.ctx }

// Method implements [core.Exchange].
func (x *exchange) Method() string {
	return x.c.Method() // of the app's list, so no copy is needed
}

// RequestPath implements [core.Exchange].
func (x *exchange) RequestPath() string { return utils.CopyString(x.c.Path()) }

// Secure implements [core.Exchange].
func (x *exchange) Secure() bool { return x.c.RequestCtx().IsTLS() }

// RemoteIP implements [core.Exchange].
func (x *exchange) RemoteIP() string {
	addr := x.c.RequestCtx().RemoteAddr().String()
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return addr
	}
	return host
}

// RequestHeader implements [core.Exchange].
func (x *exchange) RequestHeader(name string) string { return utils.CopyString(x.c.Get(name)) }

// ResponseHeader implements [core.Exchange].
func (x *exchange) ResponseHeader(name string) string {
	var joined strings.Builder
	for i, value := range x.response.Header.PeekAll(name) {
		if i > 0 {
			joined.WriteString(", ")
		}
		joined.Write(value)
	}
	return joined.String()
}

// SetResponseHeader implements [core.Exchange].
func (x *exchange) SetResponseHeader(name, value string) {
	h := &x.response.Header
	h.Del(name) // Set would replace the first line and leave the others
	h.Set(name, value)
}

// ReplaceSetCookies implements [core.Exchange]. Handlers inside have returned by
// then, and see nothing of the lines.
func (x *exchange) ReplaceSetCookies(lines []string, ours func(line string) bool) (matched int) {
	h := &x.response.Header
	for _, value := range h.Cookies() {
		if ours(utils.UnsafeString(value)) {
			matched++
		}
	}
	if matched > 0 && len(lines) > 0 {
		var others []string
		for _, value := range h.Cookies() {
			if line := string(value); !ours(line) {
				others = append(others, line)
			}
		}
		h.DelAllCookies()
		lines = append(others, lines...)
	}
	for _, line := range lines {
		h.Add(fiber.HeaderSetCookie, line)
	}
	return matched
}

// ResetResponse implements [core.Exchange]: it restores the header from before
// the handler and drops the body, even a stream.
func (x *exchange) ResetResponse() {
	res := x.response
	res.ResetBody()
	x.outer.Header.CopyTo(&res.Header)
}
