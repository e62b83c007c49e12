// Package modeltest runs overlapping requests through the core, in an order
// that the test chooses, and compares all that happens with a small model of
// the promises. See docs/testing.md.
//
// A schedule says which actors there are: requests with their handlers, jobs,
// operators, the clock. It says what goes wrong for them, and whose turn it is at
// every load, save, touch and delete. One actor runs at a time, so a schedule
// always ends the same way.
//
// The model learns of every effect on the store, in order. It keeps its own idea
// of what is stored, what each request may see, and which token has which right.
// Its complaints name the broken promise. It knows only the core's public API.
package modeltest
