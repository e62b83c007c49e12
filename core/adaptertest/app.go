// Package adaptertest is what every adapter must do: a suite that an adapter
// for another framework proves itself with. One line in the adapter's tests
// runs all of it:
//
//	func TestConformance(t *testing.T) { adaptertest.Run(t, "echo", echoapp.New) }
//
// The adapter's author writes an [App], a server of that framework, in which
// the suite's handlers run; see httpadapter's httpapp for the model. The suite
// talks to it over TCP, as a browser would and, where bytes matter, as no browser
// would. Nothing in it knows which framework it drives.
//
// Cases are called after what they check, TestConformance/echo/memory/K2_SEC16_logout_wins:
// a promise of package core (L load, C commit, K concurrency, T timeouts, F
// flash, I identity, E failure and size), or one of the AD numbers, for what
// frameworks do that has caught session authors out, and the rows of the
// security checklist (SEC) that the case shows; some show a row and no more. A
// failing case prints what the promise is and why it matters.
//
// All of it runs on several backends, [Memory] and [Cookie] by default. What a [Backend] declares that
// it cannot keep is not skipped: the case checks what happens instead, and
// logs "promise-limit: BACKEND ID REASON".
//
// The clock is the suite's, and requests overlap because handlers wait for
// each other: nothing depends on the machine's speed. Run it with the race detector.
package adaptertest

import (
	"context"
	"html/template"
	"io"
	"net"

	"github.com/satchel-go/satchel/core"
)

// Config is what an [App] is made of.
type Config struct {
	// Managers has the Managers whose middleware is mounted on all routes that
	// are not Plain, outermost first. One that appears twice is mounted twice.
	Managers []*core.Manager

	// OnError, if set, is given to the middleware's OnError option: it answers
	// instead of the adapter.
	OnError func(r Request, err error) error

	// ErrorStatus, if set, makes the framework's own error handler, where it
	// has one, answer errors that handlers return with the text "app error"
	// and this status. Frameworks without one answer so where handlers return
	// an error to the App.
	ErrorStatus int

	// OuterHeader is set on every response by a middleware outside ours.
	OuterHeader map[string]string

	Routes []Route
}

// Route is a handler, written once for all frameworks.
type Route struct {
	Method  string // as in HTTP; a GET also answers HEAD
	Path    string
	Plain   bool // outside the session middleware
	Handler func(Request) error
}

// App is a server of one framework. Panics in handlers are recovered outside
// the session middleware and answered with a 500, by the framework's own means where it has them.
type App interface {
	Serve(net.Listener) error
	Shutdown(context.Context) error
}

// NewApp makes an App of one framework with its adapter.
type NewApp func(Config) App

// Request is a handler's view of a request in any framework. Each method does
// what a handler of that framework would ordinarily write.
type Request interface {
	Session() *core.Session                     // the adapter's Session
	TrySession() (*core.Session, bool)          // the adapter's TrySession
	SessionOf(m *core.Manager) *core.Session    // the adapter's SessionOf
	Context() context.Context                   // of the request, for code that has only that
	Method() string                             //
	Param(name string) string                   // from the query, or else the form
	RequestHeader(name string) string           //
	SetHeader(name, value string)               // of the response
	SetCookie(name, value string)               // a cookie of the application's own, natively
	Status(status int) error                    // an answer without a body
	Text(status int, body string) error         //
	JSON(status int, v any) error               //
	Redirect(status int, to string) error       //
	Fail(status int) error                      // the framework's own error with that status, returned or aborted with
	Template(t *template.Template, v any) error // executed straight into the response, status 200
	Raw(body string) error                      // written to the lowest writer that handlers can reach, without a status
	File(name string) error                     // a file, by the framework's own means

	// Stream sends what f writes, flushing when it says so. Frameworks that
	// stream after the handler has returned call f then.
	Stream(contentType string, f func(w io.Writer, flush func() error) error) error

	// Hijack takes over the connection and calls f with it; the framework
	// writes no header.
	Hijack(f func(net.Conn)) error

	// EarlyHints sends a 103 with this Link header, if the framework can.
	EarlyHints(link string) error
}
