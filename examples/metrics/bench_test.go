package metrics_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel/metric/noop"
	sdk "go.opentelemetry.io/otel/sdk/metric"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/httpadapter"
	"github.com/satchel-go/satchel/core/memstore"
	"github.com/satchel-go/satchel/otelsatchel"
	"github.com/satchel-go/satchel/promsatchel"
)

// measured are the ways to measure, and none.
var measured = []struct {
	name string
	make func() (core.Observer, func(core.Store) core.Store)
}{
	{"none", func() (core.Observer, func(core.Store) core.Store) {
		return nil, func(s core.Store) core.Store { return s }
	}},
	{"idle", func() (core.Observer, func(core.Store) core.Store) { // an Observer that does nothing
		return core.Observers(), func(s core.Store) core.Store { return s }
	}},
	{"noop", func() (core.Observer, func(core.Store) core.Store) {
		m := otelsatchel.New(otelsatchel.Config{MeterProvider: noop.NewMeterProvider()})
		return m.Observe, m.Store
	}},
	{"otel", func() (core.Observer, func(core.Store) core.Store) {
		m := otelsatchel.New(otelsatchel.Config{MeterProvider: sdk.NewMeterProvider(sdk.WithReader(sdk.NewManualReader()))})
		return m.Observe, m.Store
	}},
	{"prom", func() (core.Observer, func(core.Store) core.Store) {
		m := promsatchel.New(promsatchel.Config{})
		return m.Observe, m.Store
	}},
}

var number = core.NewKey[int]("number")

func page(sessions *core.Manager) http.Handler {
	return httpadapter.Middleware(sessions)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s := httpadapter.Session(r)
		n, _ := number.Get(s)
		if r.Method == http.MethodPost {
			number.Set(s, n+1)
		}
		_, _ = io.WriteString(w, "page")
	}))
}

// BenchmarkRequest is a whole request over a connection on this machine, with its
// session in memory. It reports what measuring adds, as a ratio to no Observer: the ways
// take turns, and of each the fastest turn counts, so that other load on the machine
// matters little.
func BenchmarkRequest(b *testing.B) {
	const turn = 50
	for name, method := range map[string]string{"read": "GET", "write": "POST"} {
		b.Run(name, func(b *testing.B) {
			sends := make([]func(), len(measured))
			fastest := make([]time.Duration, len(measured))
			for i, way := range measured {
				observe, wrap := way.make()
				store := memstore.New(memstore.Config{})
				b.Cleanup(func() { _ = store.Close() })
				sessions, err := core.New(core.ServerSide(wrap(store)), core.Config{Observer: observe, InsecureAllowHTTP: true})
				if err != nil {
					b.Fatal(err)
				}
				sends[i] = overConnection(b, page(sessions), method)
				fastest[i] = time.Hour
			}
			for b.Loop() {
				for i, send := range sends {
					begun := time.Now()
					for range turn {
						send()
					}
					fastest[i] = min(fastest[i], time.Since(begun))
				}
			}
			b.ReportMetric(float64(fastest[0].Nanoseconds())/turn, "ns/none")
			for i, way := range measured[1:] {
				b.ReportMetric(float64(fastest[i+1])/float64(fastest[0]), way.name+"/none")
			}
		})
	}
}

// overConnection returns a function that sends one request of a session.
func overConnection(b *testing.B, h http.Handler, method string) func() {
	server := httptest.NewServer(h)
	b.Cleanup(server.Close)
	cookie, then := "", method
	method = http.MethodPost // which makes the session
	send := func() {
		r, err := http.NewRequestWithContext(b.Context(), method, server.URL, nil)
		if err != nil {
			b.Fatal(err)
		}
		r.Header.Set("Cookie", cookie)
		res, err := server.Client().Do(r)
		if err != nil {
			b.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, res.Body)
		_ = res.Body.Close()
		if cookie == "" {
			cookie, _, _ = strings.Cut(res.Header.Get("Set-Cookie"), ";")
		}
	}
	send()
	method = then
	return send
}
