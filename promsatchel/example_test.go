package promsatchel_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/httpadapter"
	"github.com/satchel-go/satchel/core/memstore"
	"github.com/satchel-go/satchel/promsatchel"
)

// Most applications call prometheus.MustRegister, and serve promhttp.Handler.
func ExampleNew() {
	metrics := promsatchel.New(promsatchel.Config{})
	registry := prometheus.NewRegistry()
	registry.MustRegister(metrics)
	sessions, err := core.New(core.ServerSide(metrics.Store(memstore.New(memstore.Config{}))), core.Config{
		Observer: core.Observers(core.SlogObserver(nil), metrics.Observe),
	})
	if err != nil {
		panic(err)
	}
	login := func(_ http.ResponseWriter, r *http.Request) { httpadapter.Session(r).Login("ann") }
	httpadapter.Middleware(sessions)(http.HandlerFunc(login)).
		ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(context.Background(), "POST", "https://example.com/login", nil))

	families, err := registry.Gather()
	if err != nil {
		panic(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if c := m.GetCounter().GetValue(); c > 0 {
				fmt.Println(f.GetName(), m.GetLabel()[0].GetValue(), c)
			}
			if g := m.GetGauge(); g != nil {
				fmt.Println(f.GetName(), g.GetValue())
			}
		}
	}
	// Output:
	// satchel_session_events_total absent 1
	// satchel_session_events_total login 1
	// satchel_sessions 1
}
