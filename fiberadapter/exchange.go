package fiberadapter

import (
	"context"
	"net"
	"slices"
	"strings"

	"github.com/gofiber/fiber/v2"
	"github.com/gofiber/fiber/v2/utils"
	"github.com/valyala/fasthttp"

	"github.com/satchel-go/satchel/core"
)

// exchange is one request and its response, as the core sees them. It is one
// allocation, never reused, and lets go of the Ctx when the request ends. What Fiber
// returns are views of buffers that are used again: whatever leaves this file is a copy.
type exchange struct {
	session core.Session
	m       *core.Manager
	onError func(*fiber.Ctx, error) error
	c       *fiber.Ctx
	ctx     context.Context
	outer   fasthttp.ResponseHeader // what the response had before
}

var _ core.Exchange = (*exchange)(nil)

// load loads the session.
func (x *exchange) load(c *fiber.Ctx) error {
	x.c, x.ctx = c, c.UserContext()
	c.Response().Header.CopyTo(&x.outer) // allocates only if something is set
	return x.m.LoadInto(&x.session, x)
}

// finish commits and ends the request.
func (x *exchange) finish() {
	if err := x.m.Commit(x, &x.session, x.status()); err != nil {
		x.answer(err)
	}
	x.m.Finish(&x.session)
	x.c = nil
}

// status is the one that the client will see. Who hijacks the connection may
// have silenced the response; only a 101 is sure to be sent.
func (x *exchange) status() int {
	status := x.c.Response().StatusCode()
	if x.c.Context().Hijacked() && status != fiber.StatusSwitchingProtocols {
		return core.StatusHijacked
	}
	return status
}

// answer answers an error of the session. Nothing is sent before the
// middleware returns, so there is nothing to take back but what ResetResponse has dropped.
func (x *exchange) answer(err error) {
	if err := x.onError(x.c, err); err != nil {
		handle(x.c, err)
	}
}

// close is for defer: after a handler that panicked, it rolls the session's
// changes back. After finish it does nothing.
func (x *exchange) close() {
	x.m.Abort(x, &x.session)
	x.c = nil
}

// Context implements [core.Exchange].
func (x *exchange) Context() context.Context { return x.ctx }

// Method implements [core.Exchange].
func (x *exchange) Method() string {
	method := x.c.Method()
	if i := slices.Index(fiber.DefaultMethods, method); i >= 0 {
		return fiber.DefaultMethods[i] // as good as a copy
	}
	return utils.CopyString(method)
}

// RequestPath implements [core.RequestPather].
func (x *exchange) RequestPath() string { return utils.CopyString(x.c.Path()) }

// Secure implements [core.Exchange].
func (x *exchange) Secure() bool { return x.c.Context().IsTLS() }

// RemoteIP implements [core.Exchange].
func (x *exchange) RemoteIP() string {
	addr := x.c.Context().RemoteAddr().String()
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
	for i, value := range x.c.Response().Header.PeekAll(name) {
		if i > 0 {
			joined.WriteString(", ")
		}
		joined.Write(value)
	}
	return joined.String()
}

// SetResponseHeader implements [core.Exchange].
func (x *exchange) SetResponseHeader(name, value string) {
	h := &x.c.Response().Header
	h.Del(name) // Set would replace the first line and leave the others
	h.Set(name, value)
}

// ReplaceSetCookie implements [core.Exchange].
func (x *exchange) ReplaceSetCookie(old, line string) {
	h := &x.c.Response().Header
	if old != "" {
		var lines []string
		h.VisitAllCookie(func(_, value []byte) { lines = append(lines, string(value)) })
		if i := slices.Index(lines, old); i >= 0 {
			h.DelAllCookies()
			for _, other := range slices.Delete(lines, i, i+1) {
				h.Add(fiber.HeaderSetCookie, other)
			}
		}
	}
	if line != "" {
		h.Add(fiber.HeaderSetCookie, line)
	}
}

// ResetResponse implements [core.Exchange]: the header is again what it was
// before the handler, and the body is gone, a stream included.
func (x *exchange) ResetResponse() {
	res := x.c.Response()
	res.ResetBody()
	x.outer.CopyTo(&res.Header)
}
