package adaptertest

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
)

// recorder is a reporter that keeps what a case says.
type recorder struct {
	ctx context.Context

	mu       sync.Mutex
	failed   bool
	lines    []string
	cleanups []func()
}

func (r *recorder) Helper()                  {}
func (r *recorder) Context() context.Context { return r.ctx }

func (r *recorder) Logf(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lines = append(r.lines, fmt.Sprintf(format, args...))
}

func (r *recorder) Errorf(format string, args ...any) {
	r.Logf(format, args...)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failed = true
}

func (r *recorder) Fatalf(format string, args ...any) {
	r.Errorf(format, args...)
	runtime.Goexit()
}

func (r *recorder) Failed() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.failed
}

func (r *recorder) Cleanup(f func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.cleanups = append(r.cleanups, f)
}

// Record runs the case called name and returns whether it failed, and what it said.
func Record(t *testing.T, name string, newApp NewApp, b Backend) (failed bool, said string) {
	t.Helper()
	cases := allCases()
	i := slices.IndexFunc(cases, func(c testCase) bool { return c.name == name })
	if i < 0 {
		t.Fatalf("there is no case %q", name)
	}
	r := &recorder{ctx: t.Context()}
	done := make(chan struct{})
	go func() { // of its own, for Fatalf ends it
		defer close(done)
		runCase(t, r, cases[i], newApp, b)
	}()
	<-done
	for _, f := range slices.Backward(r.cleanups) {
		f()
	}
	return r.Failed(), strings.Join(r.lines, "\n")
}

// Why returns the explanation of a case.
func Why(name string) string {
	for _, c := range allCases() {
		if c.name == name {
			return c.why
		}
	}
	return ""
}
