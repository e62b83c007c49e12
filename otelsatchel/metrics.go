// Package otelsatchel measures sessions with OpenTelemetry: what happens to them, how
// long loads, commits and calls of the store take, how large they are, and how many.
//
//	metrics := otelsatchel.New(otelsatchel.Config{})
//	sessions, err := core.New(core.ServerSide(metrics.Store(store)), core.Config{
//		Observer: core.Observers(core.SlogObserver(nil), metrics.Observe),
//	})
//
// Either of the two does without the other. docs/metrics.md lists the instruments.
//
// # Attributes
//
// Every attribute has a closed set of values, so clients cannot make series: a Manager
// has at most 60 without those of its store's calls, and a store that does as
// [core.Store] says at most 50. What a later release of core tells, and this one does not
// know, is "_OTHER". No token, value, path, user or ID is in any of them.
//
// # Traces
//
// There are no spans of our own: a load is one call of the store, which the store's own
// instrumentation shows, such as go-redis' redisotel. Events that deserve attention, Warn
// and above, become events of the request's span. If the client gets an error because of
// one, that is the span's status.
package otelsatchel

import (
	"context"
	"log/slog"
	"reflect"
	"strings"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/internal/metrics"
)

// scope is the name of the instrumentation.
const scope = "github.com/satchel-go/satchel/otelsatchel"

// Config sets what is measured, and where that goes. The zero value is ready to use.
type Config struct {
	// MeterProvider makes the instruments. Default: the one of otel.SetMeterProvider,
	// which may be called later.
	MeterProvider metric.MeterProvider

	// Name tells the measurements of several Managers apart, as the attribute
	// satchel.manager. Without a Name there is no such attribute.
	Name string

	// SessionID adds the attribute session.id to the request's span: the ID that events
	// have, which gives no access. It may be personal data, and is not what
	// OpenTelemetry's conventions of that name mean, which is a client's analytics.
	SessionID bool

	// UserID adds the attribute enduser.id to the request's span, which is personal data.
	UserID bool
}

// Metrics measure the sessions of one Manager, or of several together. Make them with
// [New], once. They are safe for concurrent use. Nil Metrics measure nothing.
type Metrics struct {
	config  Config
	events  []atomic.Int64 // of each series; collected, for that costs an event least
	load    metric.Float64Histogram
	commit  metric.Float64Histogram
	size    metric.Int64Histogram
	calls   metric.Float64Histogram
	sources metrics.Sources

	// What each series is recorded with, made once: a set costs an allocation.
	ofEvent  []metric.MeasurementOption
	ofLoad   [][]metric.RecordOption
	ofCommit [][]metric.RecordOption
	ofCall   [][]metric.RecordOption
	ofAll    []metric.RecordOption
}

// New returns Metrics that record with c. What OpenTelemetry says is wrong goes to
// otel.Handle, and what can be measured is.
func New(c Config) *Metrics {
	if c.MeterProvider == nil {
		c.MeterProvider = otel.GetMeterProvider()
	}
	m := &Metrics{config: c}
	meter := c.MeterProvider.Meter(scope)
	m.load = histogram(meter, metrics.Load)
	m.commit = histogram(meter, metrics.Commit)
	m.calls = histogram(meter, metrics.Calls)
	m.size = made(meter.Int64Histogram(metrics.Size.Name, metric.WithUnit(metrics.Size.Unit),
		metric.WithDescription(metrics.Size.Help), metric.WithExplicitBucketBoundaries(metrics.Size.Bounds...)))
	m.prepare()
	m.collect(meter)
	return m
}

// made returns an instrument. If there is an error, it is one that does nothing or as
// much as the provider can.
func made[T any](instrument T, err error) T {
	if err != nil {
		otel.Handle(err)
	}
	return instrument
}

func histogram(meter metric.Meter, i metrics.Instrument) metric.Float64Histogram {
	return made(meter.Float64Histogram(i.Name, metric.WithUnit(i.Unit), metric.WithDescription(i.Help),
		metric.WithExplicitBucketBoundaries(i.Bounds...)))
}

// prepare makes the attributes of all series.
func (m *Metrics) prepare() {
	for _, o := range metrics.Occasions() {
		m.ofEvent = append(m.ofEvent, m.attributes(metrics.Event, string(o.Kind), metrics.Reason, string(o.Reason)))
	}
	m.events = make([]atomic.Int64, len(m.ofEvent))
	record := func(pairs ...string) []metric.RecordOption { return []metric.RecordOption{m.attributes(pairs...)} }
	for _, outcome := range metrics.Loads {
		m.ofLoad = append(m.ofLoad, record(metrics.Outcome, outcome))
	}
	for _, outcome := range metrics.Commits {
		m.ofCommit = append(m.ofCommit, record(metrics.Outcome, outcome))
	}
	for _, c := range metrics.AllCalls() {
		m.ofCall = append(m.ofCall, record(metrics.Operation, c.Operation, metrics.StoreOutcome, c.Outcome, metrics.ErrorType, c.ErrorType))
	}
	m.ofAll = record()
}

// attributes returns the Manager's name and pairs of names and values, without those
// that are empty.
func (m *Metrics) attributes(pairs ...string) metric.MeasurementOption {
	return metric.WithAttributeSet(attribute.NewSet(m.list(pairs...)...))
}

func (m *Metrics) list(pairs ...string) (all []attribute.KeyValue) {
	pairs = append([]string{metrics.Manager, m.config.Name}, pairs...)
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			all = append(all, attribute.String(pairs[i], pairs[i+1]))
		}
	}
	return all
}

// collect registers what is asked for its state whenever measurements are collected.
func (m *Metrics) collect(meter metric.Meter) {
	count := func(i metrics.Instrument) metric.Int64ObservableCounter {
		return made(meter.Int64ObservableCounter(i.Name, metric.WithUnit(i.Unit), metric.WithDescription(i.Help)))
	}
	events, moved, readOld, failed := count(metrics.Events), count(metrics.Moved), count(metrics.ReadOld), count(metrics.Failed)
	sessions := made(meter.Int64ObservableGauge(metrics.Sessions.Name,
		metric.WithUnit(metrics.Sessions.Unit), metric.WithDescription(metrics.Sessions.Help)))
	set := m.attributes()
	made(meter.RegisterCallback(func(ctx context.Context, o metric.Observer) error {
		for i := range m.events {
			if n := m.events[i].Load(); n > 0 || metrics.OccasionAt(i).Alerting() {
				o.ObserveInt64(events, n, m.ofEvent[i])
			}
		}
		if n, known := m.sources.Sessions(ctx); known {
			o.ObserveInt64(sessions, int64(n), set)
		}
		if stats, ok := m.sources.Migration(); ok {
			o.ObserveInt64(moved, int64(stats.Moved), set)
			o.ObserveInt64(readOld, int64(stats.ReadOld), set)
			o.ObserveInt64(failed, int64(stats.Failed), set)
		}
		return nil
	}, events, moved, readOld, failed, sessions))
}

// Observe is a [core.Observer]: set it as the Config's Observer, or pass it to
// core.Observers. It allocates nothing, but for what goes into a span.
func (m *Metrics) Observe(ctx context.Context, e core.Event) {
	if m == nil {
		return
	}
	if i, ok := metrics.EventOf(&e); ok {
		m.events[i].Add(1)
	}
	if i, ok := metrics.LoadOf(&e); ok {
		m.load.Record(ctx, e.Took.Seconds(), m.ofLoad[i]...)
	}
	if i, ok := metrics.CommitOf(&e); ok {
		m.commit.Record(ctx, e.Took.Seconds(), m.ofCommit[i]...)
	}
	if bytes, ok := metrics.SizeOf(&e); ok {
		m.size.Record(ctx, int64(bytes), m.ofAll...)
	}
	if m.config.SessionID || m.config.UserID {
		m.identify(ctx, &e)
	}
	if e.Level() >= slog.LevelWarn {
		m.trace(ctx, &e)
	}
}

// trace adds e to the request's span.
func (m *Metrics) trace(ctx context.Context, e *core.Event) {
	span := trace.SpanFromContext(ctx)
	if !span.IsRecording() {
		return
	}
	i, ok := metrics.EventOf(e)
	if !ok {
		return
	}
	o := metrics.OccasionAt(i)
	var kind string
	if e.Err != nil {
		kind = metrics.TypeOf(e.Err)
	}
	span.AddEvent("satchel.session."+strings.ReplaceAll(string(o.Kind), " ", "_"),
		trace.WithAttributes(m.list(metrics.Reason, string(o.Reason), metrics.ErrorType, kind)...))
	if e.Answered {
		span.SetStatus(codes.Error, "session "+string(o.Kind))
	}
}

// identify names the session and the user to the request's span, as far as asked for.
func (m *Metrics) identify(ctx context.Context, e *core.Event) {
	switch e.Kind {
	case core.EventLoaded, core.EventCreated, core.EventLogin, core.EventRenewed:
	default:
		return // it may be about another session
	}
	span := trace.SpanFromContext(ctx)
	if !span.IsRecording() {
		return
	}
	if m.config.SessionID {
		span.SetAttributes(attribute.String("session.id", e.ID.String()))
	}
	if m.config.UserID && e.User != "" {
		span.SetAttributes(attribute.String("enduser.id", e.User))
	}
}

// Store returns store with its calls measured. It keeps all abilities of store. If store
// is a [core.Counter], its sessions are counted whenever measurements are collected.
//
// Around an encrypted store, the time of the encryption is measured too, inside it is
// not. A store that Metrics of the same Name and MeterProvider measure already is
// returned as it is.
func (m *Metrics) Store(store core.Store) core.Store {
	if m == nil {
		return store
	}
	return m.sources.Store(store, (*recorder)(m))
}

// Migration shows the progress of a migration: the sums, if there are several.
func (m *Metrics) Migration(migration *core.Migration) {
	if m != nil {
		m.sources.AddMigration(migration)
	}
}

// recorder is Metrics as a store that is measured knows them.
type recorder Metrics

// Called implements [metrics.Recorder].
func (r *recorder) Called(place int, took time.Duration) {
	r.calls.Record(context.Background(), took.Seconds(), r.ofCall[place]...)
}

// Same implements [metrics.Recorder].
func (r *recorder) Same(other metrics.Recorder) bool {
	o, ok := other.(*recorder)
	return ok && (o == r || o.config.Name == r.config.Name && same(o.config.MeterProvider, r.config.MeterProvider))
}

// same reports whether a and b are equal, if they can be compared.
func same(a, b metric.MeterProvider) bool {
	return reflect.TypeOf(a) == reflect.TypeOf(b) && reflect.TypeOf(a).Comparable() && a == b
}
