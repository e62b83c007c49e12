// Package metrics is what otelsatchel and promsatchel share: what is measured, the
// closed sets of attributes under which it is, and a store that measures its calls.
package metrics

import "strings"

// Instrument is one kind of measurement, in the terms of OpenTelemetry.
type Instrument struct {
	Name, Unit, Help string
	Bounds           []float64 // the upper bounds of a histogram's buckets
}

// The instruments.
var (
	Events   = Instrument{"satchel.session.events", "{event}", "What happened to sessions.", nil}
	Load     = Instrument{"satchel.session.load.duration", "s", "How long loading the sessions of requests took, where a backend was asked.", seconds}
	Commit   = Instrument{"satchel.session.commit.duration", "s", "How long commits took that store something, with their retries.", seconds}
	Size     = Instrument{"satchel.session.size", "By", "The size of sessions when they were stored.", sizes}
	Calls    = Instrument{"satchel.store.operation.duration", "s", "How long calls of the store took.", seconds}
	Sessions = Instrument{"satchel.sessions", "{session}", "How many sessions the store has.", nil}
	Moved    = Instrument{"satchel.migration.moved", "{session}", "Sessions that a migration has moved.", nil}
	ReadOld  = Instrument{"satchel.migration.read_old", "{request}", "Requests that presented a session of a migration's old backend.", nil}
	Failed   = Instrument{"satchel.migration.failed", "{session}", "Moves that failed. The next request tries again.", nil}
)

var (
	seconds = []float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5}
	sizes   = []float64{256, 512, 1 << 10, 2 << 10, 4 << 10, 8 << 10, 16 << 10, 32 << 10, 64 << 10, 256 << 10, 1 << 20}
)

// The attributes.
const (
	Manager      = "satchel.manager"
	Event        = "satchel.event"
	Reason       = "satchel.reason"
	Outcome      = "satchel.outcome"
	Operation    = "satchel.store.operation"
	StoreOutcome = "satchel.store.outcome"
	ErrorType    = "error.type"
)

// Other stands for what this release does not know.
const Other = "_OTHER"

// Prometheus returns the name under which OpenTelemetry's exporter shows i to
// Prometheus. Only counters get the ending "_total".
func (i Instrument) Prometheus(counter bool) string {
	name := Label(i.Name)
	switch i.Unit {
	case "s":
		name += "_seconds"
	case "By":
		name += "_bytes"
	}
	if counter {
		name += "_total"
	}
	return name
}

// Label returns the name of an attribute in Prometheus.
func Label(attribute string) string { return strings.ReplaceAll(attribute, ".", "_") }
