// Package redistest runs real Redis servers for tests: single servers, a
// cluster, a master with sentinels, and a proxy that counts round trips and
// injects faults.
//
//	srv := redistest.Start(t)                  // its own server, killed when t ends
//	srv := redistest.Shared(t)                 // one server for the whole test binary
//	prefix := redistest.UniquePrefix(t)        // keeps tests on it apart
//	cluster := redistest.StartCluster(t, 3)
//	sentinel := redistest.StartSentinel(t)
//	proxy := redistest.StartProxy(t, srv.Addr())
//
// All servers listen on free loopback ports, keep nothing on disk, and are stopped
// by process ID. They also end when the test binary dies, for example of a panic
// or a timeout. No test is skipped: without redis-server in PATH it fails and says
// how to install it.
//
// The package speaks to Redis itself, so that the module needs no client library.
package redistest
