package core

import (
	"context"
	"sync/atomic"
)

// Exchange is the port that an adapter implements: one HTTP request and its
// response, as the core needs to see them. An Exchange is used by one
// goroutine at a time, and only until [Manager.Finish] returns.
//
// Strings that it returns may be kept: an adapter whose framework reuses its
// buffers copies them.
type Exchange interface {
	// Context returns the request's context.
	Context() context.Context

	// Method returns the request's method, as sent.
	Method() string

	// Secure reports whether the request reached this server over TLS.
	// Forwarding headers are the core's business.
	Secure() bool

	// RemoteIP returns the peer's address without its port, "" if unknown.
	RemoteIP() string

	// CookieLines returns the values of the request's Cookie header lines as
	// they arrived, in order. The core parses them itself, so that every
	// framework gives one verdict.
	CookieLines() []string

	// RequestHeader returns the first value of the named request header.
	RequestHeader(name string) string

	// ResponseHeader returns the named response header's values, joined with
	// ", ". It is not asked for Set-Cookie.
	ResponseHeader(name string) string

	// SetResponseHeader replaces the named response header. It is not called
	// for Set-Cookie.
	SetResponseHeader(name, value string)

	// ReplaceSetCookie removes the Set-Cookie line equal to old, if old is not
	// empty, and adds the line new, if new is not empty. Lines that the
	// application has set stay as they are.
	ReplaceSetCookie(old, new string)

	// ResetResponse drops every response header and all body that the handler
	// has prepared and that has not been sent, so that an error response can
	// take its place.
	ResetResponse()
}

// RequestPather is the ability of an [Exchange] to tell events the path of the
// request, without its query. An adapter should have it.
type RequestPather interface {
	RequestPath() string
}

var requests atomic.Uint64

// requestOf describes a request for events.
func requestOf(ex Exchange) Request {
	r := Request{Number: requests.Add(1), Method: ex.Method()}
	if p, ok := ex.(RequestPather); ok {
		r.Path = p.RequestPath()
	}
	return r
}
