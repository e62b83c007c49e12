package metrics_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

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

func cookieOf(h http.Header) string { line, _, _ := strings.Cut(h.Get("Set-Cookie"), ";"); return line }

// BenchmarkRequest is a whole request over a connection on this machine, with its
// session in memory: what measuring adds is to be less than a twentieth.
func BenchmarkRequest(b *testing.B) {
	for _, way := range measured {
		observe, wrap := way.make()
		store := memstore.New(memstore.Config{})
		b.Cleanup(func() { _ = store.Close() })
		sessions, err := core.New(core.ServerSide(wrap(store)), core.Config{Observer: observe, InsecureAllowHTTP: true})
		if err != nil {
			b.Fatal(err)
		}
		server := httptest.NewServer(page(sessions))
		b.Cleanup(server.Close)
		send := func(method, cookie string) http.Header {
			r, err := http.NewRequestWithContext(b.Context(), method, server.URL, nil)
			if err != nil {
				b.Fatal(err)
			}
			if cookie != "" {
				r.Header.Set("Cookie", cookie)
			}
			res, err := server.Client().Do(r)
			if err != nil {
				b.Fatal(err)
			}
			_, _ = io.Copy(io.Discard, res.Body)
			_ = res.Body.Close()
			return res.Header
		}
		cookie := cookieOf(send("POST", ""))
		for name, method := range map[string]string{"read": "GET", "write": "POST"} {
			b.Run(name+"/"+way.name, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					send(method, cookie)
				}
			})
		}
	}
}

// BenchmarkHandler is the same without the connection: what the middleware costs.
func BenchmarkHandler(b *testing.B) {
	for _, way := range measured {
		observe, wrap := way.make()
		store := memstore.New(memstore.Config{})
		b.Cleanup(func() { _ = store.Close() })
		sessions, err := core.New(core.ServerSide(wrap(store)), core.Config{Observer: observe})
		if err != nil {
			b.Fatal(err)
		}
		h := page(sessions)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("POST", "https://example.com/", nil))
		for name, method := range map[string]string{"read": "GET", "write": "POST"} {
			b.Run(name+"/"+way.name, func(b *testing.B) {
				r := httptest.NewRequest(method, "https://example.com/", nil)
				r.Header.Set("Cookie", cookieOf(w.Header()))
				b.ReportAllocs()
				for b.Loop() {
					w := sink{http.Header{}}
					h.ServeHTTP(w, r)
				}
			})
		}
	}
}

type sink struct{ header http.Header }

func (s sink) Header() http.Header         { return s.header }
func (s sink) Write(b []byte) (int, error) { return len(b), nil }
func (sink) WriteHeader(int)               {}
