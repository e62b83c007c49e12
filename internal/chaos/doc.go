// Package chaos judges the whole system under faults, from outside: probes in several
// frameworks on one store, browsers with several tabs, and faults of real processes. It
// knows HTTP, the probe's routes and the promises, and nothing of the core. "make chaos"
// runs it.
//
// A browser's life is a row of sessions. In each, tabs share a cookie jar and record
// every operation: when it began and ended, and what came of it. The referee
// ([Session.Judge]) then looks for an order of all operations on a key that explains
// every answer, and for broken promises.
package chaos
