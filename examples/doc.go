// Package examples holds programs that use Satchel: a small application in
// echo5, echo, gin, fiber3, fiber and nethttp, and a server to test with in probe.
//
//	go run ./examples/echo5
package examples
