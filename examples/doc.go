// Package examples holds programs that use Satchel: the smallest application
// worth reading in echo, gin, fiber and nethttp, and a server to test with in probe.
//
//	go run ./examples/echo
package examples
