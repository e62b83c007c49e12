// Package promsatchel measures sessions for Prometheus: what happens to them, how long
// loads, commits and calls of the store take, how large they are, and how many.
//
//	metrics := promsatchel.New(promsatchel.Config{})
//	prometheus.MustRegister(metrics)
//	sessions, err := core.New(core.ServerSide(metrics.Store(store)), core.Config{
//		Observer: core.Observers(core.SlogObserver(nil), metrics.Observe),
//	})
//
// Either of the two does without the other. docs/metrics.md lists what is measured.
// Names and labels are those that otelsatchel has through OpenTelemetry's exporter, so
// dashboards serve both.
//
// Every label has a closed set of values, so clients cannot make series: a Manager has
// at most 60 without those of its store's calls, and a store that does as [core.Store]
// says at most 50. A histogram counts once; Prometheus keeps a line for each of its
// buckets. What a later release of core tells, and this one does not know, is "_OTHER".
// No token, value, path, user or ID is in any label.
package promsatchel

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/internal/metrics"
)

// Config sets what is measured. The zero value is ready to use.
type Config struct {
	// Name tells the measurements of several Managers apart, as the label
	// satchel_manager. Metrics that are registered together need different ones.
	Name string
}

// Metrics are a [prometheus.Collector] that measures the sessions of one Manager, or of
// several together. Make them with [New], and register them. They are safe for
// concurrent use. Nil Metrics measure nothing, and cannot be registered.
type Metrics struct {
	events  family[prometheus.Counter]
	load    family[prometheus.Observer]
	commit  family[prometheus.Observer]
	size    family[prometheus.Observer]
	calls   family[prometheus.Observer]
	sources metrics.Sources

	sessions, moved, readOld, failed *prometheus.Desc
}

var _ prometheus.Collector = (*Metrics)(nil)

// family is a vector of Prometheus', with its series by place. A series begins when it
// is first used.
type family[T any] struct {
	prometheus.Collector
	with   func(labels ...string) T
	labels [][]string
	series []atomic.Pointer[T]
}

// at returns the series at place.
func (f *family[T]) at(place int) T {
	if t := f.series[place].Load(); t != nil {
		return *t
	}
	t := f.with(f.labels[place]...) // which is the same one each time
	f.series[place].Store(&t)
	return t
}

// New returns Metrics to register.
func New(c Config) *Metrics {
	name := prometheus.Labels{metrics.Label(metrics.Manager): c.Name} // "" is the same as none
	histograms := func(i metrics.Instrument, attributes ...string) *prometheus.HistogramVec {
		return prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: i.Prometheus(false), Help: i.Help, ConstLabels: name, Buckets: i.Bounds,
		}, labels(attributes))
	}
	desc := func(i metrics.Instrument, counter bool) *prometheus.Desc {
		return prometheus.NewDesc(i.Prometheus(counter), i.Help, nil, name)
	}
	m := &Metrics{
		sessions: desc(metrics.Sessions, false),
		moved:    desc(metrics.Moved, true), readOld: desc(metrics.ReadOld, true), failed: desc(metrics.Failed, true),
	}
	events := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: metrics.Events.Prometheus(true), Help: metrics.Events.Help, ConstLabels: name,
	}, labels([]string{metrics.Event, metrics.Reason}))
	var ofEvent, ofCall [][]string
	for _, o := range metrics.Occasions() {
		ofEvent = append(ofEvent, []string{string(o.Kind), string(o.Reason)})
	}
	for _, c := range metrics.AllCalls() {
		ofCall = append(ofCall, []string{c.Operation, c.Outcome, c.ErrorType})
	}
	m.events = newFamily(events, events.WithLabelValues, ofEvent)
	m.load = observers(histograms(metrics.Load, metrics.Outcome), each(metrics.Loads))
	m.commit = observers(histograms(metrics.Commit, metrics.Outcome), each(metrics.Commits))
	m.size = observers(histograms(metrics.Size), [][]string{{}})
	m.calls = observers(histograms(metrics.Calls, metrics.Operation, metrics.StoreOutcome, metrics.ErrorType), ofCall)
	for i, o := range metrics.Occasions() {
		if o.Alerting() {
			m.events.at(i)
		}
	}
	return m
}

func labels(attributes []string) (all []string) {
	for _, a := range attributes {
		all = append(all, metrics.Label(a))
	}
	return all
}

// each returns the values of one label, for each series.
func each(values []string) (all [][]string) {
	for _, v := range values {
		all = append(all, []string{v})
	}
	return all
}

func observers(vec *prometheus.HistogramVec, labels [][]string) family[prometheus.Observer] {
	return newFamily(vec, vec.WithLabelValues, labels)
}

func newFamily[T any](c prometheus.Collector, with func(...string) T, labels [][]string) family[T] {
	return family[T]{Collector: c, with: with, labels: labels, series: make([]atomic.Pointer[T], len(labels))}
}

func (m *Metrics) families() []prometheus.Collector {
	return []prometheus.Collector{m.events, m.load, m.commit, m.size, m.calls}
}

// Describe implements [prometheus.Collector].
func (m *Metrics) Describe(to chan<- *prometheus.Desc) {
	for _, f := range m.families() {
		f.Describe(to)
	}
	for _, d := range []*prometheus.Desc{m.sessions, m.moved, m.readOld, m.failed} {
		to <- d
	}
}

// Collect implements [prometheus.Collector]. It asks stores that can count how many
// sessions they have, and waits no longer than a second for that.
func (m *Metrics) Collect(to chan<- prometheus.Metric) {
	for _, f := range m.families() {
		f.Collect(to)
	}
	if n, known := m.sources.Sessions(context.Background()); known {
		to <- prometheus.MustNewConstMetric(m.sessions, prometheus.GaugeValue, float64(n))
	}
	if stats, ok := m.sources.Migration(); ok {
		for desc, n := range map[*prometheus.Desc]uint64{m.moved: stats.Moved, m.readOld: stats.ReadOld, m.failed: stats.Failed} {
			to <- prometheus.MustNewConstMetric(desc, prometheus.CounterValue, float64(n))
		}
	}
}

// Observe is a [core.Observer]: set it as the Config's Observer, or pass it to
// core.Observers. It allocates only the first time that a series is used.
func (m *Metrics) Observe(_ context.Context, e core.Event) {
	if m == nil {
		return
	}
	if i, ok := metrics.EventOf(&e); ok {
		m.events.at(i).Inc()
	}
	if i, ok := metrics.LoadOf(&e); ok {
		m.load.at(i).Observe(e.Took.Seconds())
	}
	if i, ok := metrics.CommitOf(&e); ok {
		m.commit.at(i).Observe(e.Took.Seconds())
	}
	if bytes, ok := metrics.SizeOf(&e); ok {
		m.size.at(0).Observe(float64(bytes))
	}
}

// Store returns store with its calls measured. It keeps all abilities of store. If store
// is a [core.Counter], its sessions are counted whenever measurements are collected.
//
// Around an encrypted store, the time of the encryption is measured too, inside it is
// not. A store that m measures already is returned as it is.
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
	r.calls.at(place).Observe(took.Seconds())
}

// Same implements [metrics.Recorder].
func (r *recorder) Same(other metrics.Recorder) bool { return metrics.Recorder(r) == other }
