// Package adaptertest checks that an adapter for a web framework does everything
// that it must. One line in the adapter's tests runs the whole suite:
//
//	func TestConformance(t *testing.T) { adaptertest.Run(t, "echo", echoapp.New) }
//
// The adapter's author writes an [App], a server of that framework that runs the
// suite's handlers; package httpapp in httpadapter is the model. The suite talks
// to it over TCP, as a browser would and, where bytes matter, as no browser
// would. It does not know which framework it drives.
//
// Cases are named after what they check, such as
// TestConformance/echo/memory/K2_SEC16_logout_wins. A name begins with
//
//   - a promise of package core: L load, C commit, K concurrency, T timeouts, F
//     flash, I identity, E failure and size;
//   - or an AD number, for framework behaviour that has caught session authors out;
//   - and the rows of the security checklist (SEC) that the case shows, sometimes
//     only these.
//
// A failing case prints what the promise is and why it matters.
//
// The suite runs on several backends, [Memory] and [Cookie] by default. It does
// not skip promises that a [Backend] declares it cannot keep. Instead, their cases
// check what happens then, and log "promise-limit: BACKEND ID REASON".
//
// On a backend with a window ([core.Traits.Window]), cases about the ends of sessions and
// tokens run twice: with GETs after the window, and at once with POSTs.
//
// The suite has its own clock, and requests overlap because handlers wait for each
// other: nothing depends on the machine's speed. Run it with the race detector.
package adaptertest

import (
	"context"
	"html/template"
	"io"
	"net"
	"time"

	"github.com/satchel-go/satchel/core"
)

// Config describes an [App].
type Config struct {
	// Managers lists the Managers whose middleware is mounted on all routes that
	// are not Plain, outermost first. One that appears twice is mounted twice.
	Managers []*core.Manager

	// OnError, if set, is passed to the middleware's OnError option, and answers
	// instead of the adapter.
	OnError func(r Request, err error) error

	// Skip, if set, is passed to the middleware's Skip option. Without that option, the
	// App itself leaves these requests out.
	Skip func(r Request) bool

	// ErrorStatus, if set, makes the framework's own error handler answer errors
	// that handlers return with the text "app error" and this status, even if the response
	// has begun. Without such an error handler, the App answers so where handlers return
	// an error. If ErrorStatus is not set, an error of package core is answered with the
	// status of [core.ErrorResponseFor].
	ErrorStatus int

	// Compress puts all requests behind the sessions, those of unknown routes too, and
	// behind middleware inside that compresses. The framework's own will do. It may leave
	// its writer in place when it returns.
	Compress bool

	// OuterHeader is set on every response by middleware outside ours.
	OuterHeader map[string]string

	Routes []Route
}

// Route is a handler, written once for all frameworks.
type Route struct {
	Method  string // as in HTTP; GET also answers HEAD
	Path    string
	Plain   bool // outside the session middleware
	Handler func(Request) error

	// Timeout, unless zero, puts the framework's timeout middleware around Handler,
	// inside the session's. Frameworks without one give the request's context this
	// deadline.
	Timeout time.Duration
}

// App is a server of one framework. It recovers from panics in handlers outside
// the session middleware and answers with a 500, by the framework's own means if
// it has them.
type App interface {
	Serve(net.Listener) error
	Shutdown(context.Context) error
}

// NewApp makes an App of one framework with its adapter.
type NewApp func(Config) App

// Request is a handler's view of a request in any framework. Each method does
// what a handler of that framework would ordinarily write.
//
// Where the framework's own context is a [context.Context], a Request also has the
// method OwnContext() context.Context, which returns it.
type Request interface {
	Session() *core.Session                     // the adapter's Session
	TrySession() (*core.Session, bool)          // the adapter's TrySession
	SessionOf(m *core.Manager) *core.Session    // the adapter's SessionOf
	Context() context.Context                   // of the request, for code that has only a context
	Method() string                             //
	Param(name string) string                   // from the query or, failing that, the form; may be a view of a reused buffer
	RequestHeader(name string) string           //
	SetHeader(name, value string)               // of the response
	ResponseHeader(name string) []string        // its lines in the response, as a cache inside the middleware sees them
	SetCookie(name, value string)               // the application's own cookie, set natively
	Status(status int) error                    // an answer without a body
	Text(status int, body string) error         //
	JSON(status int, v any) error               //
	Redirect(status int, to string) error       //
	Fail(status int) error                      // the framework's own error with this status, returned or aborted with
	Template(t *template.Template, v any) error // executed straight into the response, status 200
	Raw(body string) error                      // written to the lowest writer that handlers can reach, without a status
	File(name string) error                     // a file, by the framework's own means

	// Stream sends what f writes, and flushes when f calls flush. Frameworks that
	// stream after the handler returns call f then.
	Stream(contentType string, f func(w io.Writer, flush func() error) error) error

	// Hijack takes over the connection and calls f with it; the framework
	// writes no header.
	Hijack(f func(net.Conn)) error

	// EarlyHints sends a 103 with this Link header, if the framework can.
	EarlyHints(link string) error
}
