// Package metrics_test has the code of docs/metrics.md, and tests that what
// otelsatchel and promsatchel export is alike, bounded, and what the dashboard and the
// alerts in docs/grafana ask for.
package metrics_test

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	exporter "go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/sdk/metric"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/memstore"
	"github.com/satchel-go/satchel/internal/testing/redistest"
	"github.com/satchel-go/satchel/otelsatchel"
	"github.com/satchel-go/satchel/promsatchel"
)

func TestMain(m *testing.M) { os.Exit(redistest.Main(m)) }

func withOpenTelemetry(store core.Store) (*core.Manager, error) {
	metrics := otelsatchel.New(otelsatchel.Config{})
	return core.New(core.ServerSide(metrics.Store(store)), core.Config{
		Observer: core.Observers(core.SlogObserver(nil), metrics.Observe),
	})
}

func withPrometheus(store core.Store) (*core.Manager, error) {
	metrics := promsatchel.New(promsatchel.Config{})
	if err := prometheus.Register(metrics); err != nil {
		return nil, err
	}
	http.Handle("GET /metrics", promhttp.Handler()) // not on a public port
	return core.New(core.ServerSide(metrics.Store(store)), core.Config{
		Observer: core.Observers(core.SlogObserver(nil), metrics.Observe),
	})
}

func TestPageRuns(t *testing.T) {
	for _, with := range []func(core.Store) (*core.Manager, error){withOpenTelemetry, withPrometheus} {
		store := memstore.New(memstore.Config{})
		t.Cleanup(func() { _ = store.Close() })
		if _, err := with(store); err != nil {
			t.Error(err)
		}
	}
}

// The code of the page is code of this package, so what it says is tested.
func TestPageHasThisCode(t *testing.T) {
	code, err := os.ReadFile("main_test.go")
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile("../../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)```go\n(.*?)```").FindAllSubmatch(page, -1)
	if len(blocks) != 2 {
		t.Errorf("%d blocks of code", len(blocks))
	}
	for _, block := range blocks {
		if !strings.Contains(string(code), "\n"+string(block[1])) {
			t.Errorf("this is nowhere in examples/metrics:\n%s", block[1])
		}
	}
}

// exports are the two ways to Prometheus, which measure the same Manager.
type exports struct {
	testing.TB
	otel, prom *prometheus.Registry
	byOtel     *otelsatchel.Metrics
	byProm     *promsatchel.Metrics
}

func newExports(tb testing.TB, name string) *exports {
	tb.Helper()
	x := &exports{TB: tb, otel: prometheus.NewPedanticRegistry(), prom: prometheus.NewPedanticRegistry()}
	// The scope's labels are on every series, and no query names them.
	reader, err := exporter.New(exporter.WithRegisterer(x.otel), exporter.WithoutScopeInfo(), exporter.WithoutTargetInfo())
	if err != nil {
		tb.Fatal(err)
	}
	x.byOtel = otelsatchel.New(otelsatchel.Config{MeterProvider: metric.NewMeterProvider(metric.WithReader(reader)), Name: name})
	x.byProm = promsatchel.New(promsatchel.Config{Name: name})
	if err := x.prom.Register(x.byProm); err != nil {
		tb.Fatal(err)
	}
	return x
}

func (x *exports) store(store core.Store) core.Store { return x.byOtel.Store(x.byProm.Store(store)) }

func (x *exports) observer() core.Observer { return core.Observers(x.byOtel.Observe, x.byProm.Observe) }

// series returns what a registry exports: each family with its type, help and buckets,
// and each series with its value, which for a histogram is its count.
func (x *exports) series(r *prometheus.Registry) (families, series map[string]string) {
	x.Helper()
	gathered, err := r.Gather()
	if err != nil {
		x.Fatal(err)
	}
	families, series = map[string]string{}, map[string]string{}
	for _, f := range gathered {
		var buckets []float64
		for _, m := range f.Metric {
			var labels []string
			for _, l := range m.Label {
				if l.GetValue() != "" { // which is the same as none
					labels = append(labels, fmt.Sprintf("%s=%q", l.GetName(), l.GetValue()))
				}
			}
			value := m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
			series[fmt.Sprintf("%s{%s}", f.GetName(), strings.Join(labels, ","))] = fmt.Sprint(value)
			buckets = buckets[:0]
			for _, b := range m.GetHistogram().GetBucket() {
				buckets = append(buckets, b.GetUpperBound())
			}
		}
		if n := len(buckets); n > 0 && buckets[n-1] > 1e300 {
			buckets = buckets[:n-1] // only one of the two writes out the last one
		}
		families[f.GetName()] = fmt.Sprintln(f.GetType(), f.GetHelp(), buckets)
	}
	return families, series
}

var errDown = errors.New("dial tcp 10.0.0.1:6379: connection refused")
