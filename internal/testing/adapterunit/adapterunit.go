// Package adapterunit tests what package adaptertest does not: which session the
// adapters' functions return, how they are mounted, what they say to wrong use,
// and what they allocate. What a framework's two versions share is in [Echo] and [Fiber].
package adapterunit

import (
	"context"
	"net/http"
	"testing"

	"github.com/satchel-go/satchel/core"
)

// Framework is a framework with its adapter. C is the type of a handler's
// argument, L that of a middleware.
type Framework[C, L any] struct {
	Name string // the adapter's package

	// The adapter's functions.
	Session     func(C) *core.Session
	SessionOf   func(C, *core.Manager) *core.Session
	TrySession  func(C) (*core.Session, bool)
	WithSession func(C, *core.Session)
	Middleware  func(*core.Manager) L                           // with options that are nil
	OnError     func(m *core.Manager, f func(C, error) error) L // the middleware with this option

	// Serve answers one request with handler behind the middleware, and
	// ServeUnknown one that matches no route. Bare returns a function that does
	// what Serve does but allocates nothing itself.
	Serve        func(tb testing.TB, handler func(C) error, cookie string, around ...L) Reply
	ServeUnknown func(tb testing.TB, around ...L) Reply
	Bare         func(tb testing.TB, handler func(C) error, cookie string, around L) func()

	// What handlers do.
	Text      func(c C, status int, body string) error
	Fail      func(c C, status int) error // in the framework's way of returning an error
	Context   func(C) context.Context
	SetHeader func(c C, name, value string)
	Writer    func(C) http.ResponseWriter // nil if handlers have none

	// Middleware: any, one that does nothing, and the framework's own that recovers from panics.
	Around   func(f func(c C, next func() error) error) L
	Nothing  L
	Recovery func() L
}

// Run runs all tests but Allocations.
func (f Framework[C, L]) Run(t *testing.T) {
	for _, test := range []struct {
		name string
		run  func(*testing.T)
	}{
		{"WithoutMiddleware", f.testWithoutMiddleware},
		{"WithSession", f.testWithSession},
		{"Sessions", f.testSessions},
		{"MountedTwice", f.testMountedTwice},
		{"LoadRefused", f.testLoadRefused},
		{"CommitRefused", f.testCommitRefused},
		{"OnError", f.testOnError},
		{"PanicWhileHolding", f.testPanicWhileHolding},
		{"HeldBody", f.testHeldBody},
		{"NotFound", f.testNotFound},
		{"MiddlewareWithoutManager", f.testMiddlewareWithoutManager},
		{"MiddlewareOfTwoManagersWithOneCookie", f.testMiddlewareOfTwoManagersWithOneCookie},
		{"SessionOfWrongManager", f.testSessionOfWrongManager},
		{"WithSessionWithoutSession", f.testWithSessionWithoutSession},
		{"UseAfterTheRequest", f.testUseAfterTheRequest},
	} {
		t.Run(test.name, test.run)
	}
	if f.Writer != nil {
		t.Run("WriterIsRestored", f.testWriterIsRestored)
	}
}

func (f Framework[C, L]) outerHeader() L {
	return f.Around(func(c C, next func() error) error {
		f.SetHeader(c, "X-Outer", "yes")
		return next()
	})
}

// catch reports what a handler panics with, and lets the panic go on.
func (f Framework[C, L]) catch(said *any) L {
	return f.Around(func(_ C, next func() error) error {
		defer func() { *said = recover(); panic(*said) }()
		return next()
	})
}

// Stored returns the cookie of a session that fill has filled.
func (f Framework[C, L]) Stored(tb testing.TB, m *core.Manager, fill func(*core.Session)) string {
	tb.Helper()
	return f.Serve(tb, func(c C) error {
		fill(f.Session(c))
		return f.Text(c, 200, "ok")
	}, "", f.Middleware(m)).Cookie(tb)
}
