package redistest

import (
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"sync/atomic"
	"testing"
)

var shared = sync.OnceValues(func() (*Server, error) {
	// It writes nothing, so the directory for temporary files will do.
	return Launch(os.TempDir())
})

var sharedStarted atomic.Bool

// Shared returns the one server of this test binary, started on first use. Tests
// on it run in parallel and use a [UniquePrefix] to stay apart. They must not
// empty, stop or configure it. It ends with the test binary, however that ends.
func Shared(tb testing.TB) *Server {
	tb.Helper()
	sharedStarted.Store(true)
	s, err := shared()
	if err != nil {
		tb.Fatal(err)
	}
	return &Server{tb: tb, settings: s.settings, port: s.port, dir: s.dir, proc: s.proc}
}

// Main runs the tests, kills the [Shared] server and returns the exit code. Call
// it in TestMain: os.Exit(redistest.Main(m)). Without it, the server ends just
// after the test binary.
func Main(m interface{ Run() int }) int {
	code := m.Run()
	if sharedStarted.Load() {
		if s, err := shared(); err == nil {
			s.Kill()
		}
	}
	return code
}

var prefixes atomic.Uint64

// process-wide, so that binaries that share a server by other means differ.
var prefixSeed = rand.Uint32()

// UniquePrefix returns a unique key prefix, ending in a colon.
func UniquePrefix(tb testing.TB) string {
	tb.Helper()
	return fmt.Sprintf("t%08x-%d:", prefixSeed, prefixes.Add(1))
}
