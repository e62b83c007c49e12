// Package recorder has a test that may fail. It runs conformance suites with
// something broken, to show that they notice.
package recorder

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
)

// Recorder records what is reported to it. It is safe for concurrent use.
type Recorder struct {
	testing.TB
	ctx context.Context //nolint:containedctx // of the test

	mu       sync.Mutex
	failed   bool
	lines    []string
	cleanups []func()
}

// Run runs f on a Recorder, which may end f's goroutine, and then f's cleanups. What a
// Recorder does not record, tb does.
func Run(tb testing.TB, f func(*Recorder)) *Recorder {
	tb.Helper()
	ctx, cancel := context.WithCancel(tb.Context())
	r := &Recorder{TB: tb, ctx: ctx}
	done := make(chan struct{})
	go func() { // a separate goroutine, since Fatalf ends it
		defer close(done)
		f(r)
	}()
	<-done
	cancel()
	for _, cleanup := range slices.Backward(r.cleanups) {
		cleanup()
	}
	return r
}

// Context returns a context that is over before the cleanups.
func (r *Recorder) Context() context.Context { return r.ctx }

// Logf records a line.
func (r *Recorder) Logf(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lines = append(r.lines, fmt.Sprintf(format, args...))
}

// Errorf records a line, and that the test has failed.
func (r *Recorder) Errorf(format string, args ...any) {
	r.Logf(format, args...)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failed = true
}

// Fatalf is Errorf, and ends the goroutine.
func (r *Recorder) Fatalf(format string, args ...any) {
	r.Errorf(format, args...)
	runtime.Goexit()
}

// Cleanup makes Run call f at the end.
func (r *Recorder) Cleanup(f func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.cleanups = append(r.cleanups, f)
}

// Failed reports whether the test has failed.
func (r *Recorder) Failed() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.failed
}

// Said returns all recorded lines.
func (r *Recorder) Said() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return strings.Join(r.lines, "\n")
}
