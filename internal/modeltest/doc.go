// Package modeltest runs overlapping requests through the core, in an order
// that the test chooses, and compares all that happens with a small model of
// the promises. See docs/testing.md.
//
// A schedule says which actors there are (requests with their handlers, jobs,
// operators, the clock), what goes wrong for them, and whose turn it is at
// every load, save, touch and delete. One actor runs at a time, so a schedule
// always ends the same way. The model is told of every effect on the store in
// the order in which they happen; it keeps its own idea of what is stored, of
// what each request may see, of who has which right, and complains with the ID of the
// promise that was broken. It knows nothing of the core but its public API.
package modeltest
