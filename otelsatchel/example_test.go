package otelsatchel_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"

	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/httpadapter"
	"github.com/satchel-go/satchel/core/memstore"
	"github.com/satchel-go/satchel/otelsatchel"
)

// Applications leave MeterProvider empty, and call otel.SetMeterProvider.
func ExampleNew() {
	reader := metric.NewManualReader()
	metrics := otelsatchel.New(otelsatchel.Config{MeterProvider: metric.NewMeterProvider(metric.WithReader(reader))})
	sessions, err := core.New(core.ServerSide(metrics.Store(memstore.New(memstore.Config{}))), core.Config{
		Observer: core.Observers(core.SlogObserver(nil), metrics.Observe),
	})
	if err != nil {
		panic(err)
	}
	login := func(_ http.ResponseWriter, r *http.Request) { httpadapter.Session(r).Login("ann") }
	httpadapter.Middleware(sessions)(http.HandlerFunc(login)).
		ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(context.Background(), "POST", "https://example.com/login", nil))

	var all metricdata.ResourceMetrics
	if err := reader.Collect(context.Background(), &all); err != nil {
		panic(err)
	}
	for _, m := range all.ScopeMetrics[0].Metrics {
		switch data := m.Data.(type) {
		case metricdata.Sum[int64]:
			for _, p := range data.DataPoints {
				if p.Value > 0 {
					event, _ := p.Attributes.Value("satchel.event")
					fmt.Println(m.Name, event.AsString(), p.Value)
				}
			}
		case metricdata.Gauge[int64]:
			fmt.Println(m.Name, data.DataPoints[0].Value)
		}
	}
	// Unordered output:
	// satchel.session.events absent 1
	// satchel.session.events login 1
	// satchel.sessions 1
}
