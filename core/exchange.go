package core

import (
	"context"
	"sync/atomic"
)

// Exchange is the port that an adapter implements: one HTTP request and its
// response, as the core sees them. One goroutine at a time uses an Exchange, and
// only until [Slot.Finish] returns; except for Context.
//
// The core may keep strings that an Exchange returns: an adapter whose framework
// reuses its buffers copies them.
type Exchange interface {
	// Context returns the context that the request had at [Slot.Load], always the same.
	// Any goroutine may call it, and also after the request.
	Context() context.Context

	// Method returns the request's method, as sent.
	Method() string

	// Secure reports whether the request reached this server over TLS. It ignores
	// forwarding headers, which the core reads itself.
	Secure() bool

	// RemoteIP returns the peer's address without its port, or "" if unknown.
	RemoteIP() string

	// RequestPath returns the path of the request, without its query.
	RequestPath() string

	// RequestHeader returns the first value of the named request header.
	RequestHeader(name string) string

	// RequestHeaderLines returns the values of all lines of the named request
	// header as they arrived, in order, and nil if there is none. The name's case
	// does not matter. The core parses Cookie by itself, so that every framework
	// gives one verdict. The slice must not be changed. It is not asked for Host.
	RequestHeaderLines(name string) []string

	// ResponseHeader returns the named response header's values, joined with
	// ", ". The core does not call it for Set-Cookie.
	ResponseHeader(name string) string

	// SetResponseHeader replaces the named response header. The core does not
	// call it for Set-Cookie. Like a cookie, a header for which [Carrier.Answers] is
	// true must not be seen by handlers that ask for the response header afterwards.
	SetResponseHeader(name, value string)

	// ReplaceSetCookies adds lines to the response's Set-Cookie lines, in place of
	// those for which ours returns true. It keeps the others. Without lines it changes
	// nothing. It returns how many lines ours matched. ours does not keep its argument.
	//
	// The core calls it only when the response is about to begin. Handlers that ask
	// for the response header afterwards must not see these lines, because a cache
	// among them would hand one client's session to another.
	ReplaceSetCookies(lines []string, ours func(line string) bool) (matched int)

	// ResetResponse drops all headers and all of the body that the handler has
	// prepared and not sent, so that an error response can take their place.
	ResetResponse()
}

var requests atomic.Uint64

// requestOf describes a request for events.
func requestOf(ex Exchange) *Request {
	return &Request{Number: requests.Add(1), Method: ex.Method(), Path: ex.RequestPath()}
}
