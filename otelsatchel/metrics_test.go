package otelsatchel_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/httpadapter"
	"github.com/satchel-go/satchel/core/memstore"
	"github.com/satchel-go/satchel/otelsatchel"
)

// reader collects what was measured.
type reader struct {
	testing.TB
	*sdkmetric.ManualReader
	provider *sdkmetric.MeterProvider
}

func newReader(tb testing.TB) *reader {
	r := sdkmetric.NewManualReader()
	return &reader{tb, r, sdkmetric.NewMeterProvider(sdkmetric.WithReader(r))}
}

// values returns what was measured, by instrument and attributes. A histogram's value
// is its count.
func (r *reader) values() map[string]float64 {
	r.Helper()
	var rm metricdata.ResourceMetrics
	if err := r.Collect(context.Background(), &rm); err != nil {
		r.Fatal(err)
	}
	all := map[string]float64{}
	for _, scope := range rm.ScopeMetrics {
		for _, m := range scope.Metrics {
			add := func(set attribute.Set, v float64) {
				name := m.Name
				for _, a := range set.ToSlice() {
					name += " " + string(a.Key) + "=" + a.Value.AsString()
				}
				all[name] = v
			}
			switch data := m.Data.(type) {
			case metricdata.Sum[int64]:
				for _, p := range data.DataPoints {
					add(p.Attributes, float64(p.Value))
				}
			case metricdata.Gauge[int64]:
				for _, p := range data.DataPoints {
					add(p.Attributes, float64(p.Value))
				}
			case metricdata.Histogram[int64]:
				for _, p := range data.DataPoints {
					add(p.Attributes, float64(p.Count))
				}
			case metricdata.Histogram[float64]:
				for _, p := range data.DataPoints {
					add(p.Attributes, float64(p.Count))
				}
			default:
				r.Fatalf("%s is a %T", m.Name, data)
			}
		}
	}
	return all
}

func (r *reader) want(name string, value float64) {
	r.Helper()
	if got, ok := r.values()[name]; !ok || got != value {
		r.Errorf("%s is %v (there: %v), want %v", name, got, ok, value)
	}
}

func newMemory(tb testing.TB) *memstore.Store {
	store := memstore.New(memstore.Config{})
	tb.Cleanup(func() { _ = store.Close() })
	return store
}

func newManager(tb testing.TB, store core.Store, c core.Config) *core.Manager {
	tb.Helper()
	m, err := core.New(core.ServerSide(store), c)
	if err != nil {
		tb.Fatal(err)
	}
	return m
}

// An event of a later release counts, under a name that is known.
func TestEventsOfALaterRelease(t *testing.T) {
	r := newReader(t)
	m := otelsatchel.New(otelsatchel.Config{MeterProvider: r.provider})
	for i := range 100 {
		m.Observe(t.Context(), core.Event{Kind: core.EventKind(fmt.Sprint("kind ", i)), Reason: "x", Took: 1, Bytes: 1})
		m.Observe(t.Context(), core.Event{Kind: core.EventRejected, Reason: core.Reason(fmt.Sprint("reason ", i))})
		m.Observe(t.Context(), core.Event{Kind: core.EventLoaded, Reason: core.Reason(fmt.Sprint("reason ", i))})
	}
	r.want("satchel.session.events satchel.event=_OTHER", 100)
	r.want("satchel.session.events satchel.event=rejected satchel.reason=_OTHER", 100)
	r.want("satchel.session.events satchel.event=loaded", 100)
	if n := len(r.values()); n > 20 {
		t.Errorf("%d series", n)
	}
}

// What Metrics are made twice for is counted twice, and what two Managers have, by name
// or together.
func TestTwoManagers(t *testing.T) {
	r := newReader(t)
	store := newMemory(t)
	web := otelsatchel.New(otelsatchel.Config{MeterProvider: r.provider, Name: "web"})
	app := otelsatchel.New(otelsatchel.Config{MeterProvider: r.provider, Name: "app"})
	e := core.Event{Kind: core.EventLogin, Took: 1, Bytes: 1}
	web.Observe(t.Context(), e)
	app.Observe(t.Context(), e)
	app.Observe(t.Context(), e)
	r.want("satchel.session.events satchel.event=login satchel.manager=web", 1)
	r.want("satchel.session.events satchel.event=login satchel.manager=app", 2)

	both := otelsatchel.New(otelsatchel.Config{MeterProvider: r.provider, Name: "web"})
	both.Observe(t.Context(), e)
	r.want("satchel.session.events satchel.event=login satchel.manager=web", 2)
	once := web.Store(store)
	if both.Store(once) != once || web.Store(once) != once {
		t.Error("a store is measured twice in the same series")
	}
	if app.Store(once) == once {
		t.Error("a store is not measured under another name")
	}
	if elsewhere := otelsatchel.New(otelsatchel.Config{MeterProvider: newReader(t).provider, Name: "web"}); elsewhere.Store(once) == once {
		t.Error("a store is not measured for another provider")
	}
}

func TestBadInput(t *testing.T) {
	var none *otelsatchel.Metrics
	store := newMemory(t)
	none.Observe(t.Context(), core.Event{Kind: core.EventFailed})
	none.Migration(nil)
	if none.Store(store) != core.Store(store) {
		t.Error("nil Metrics have wrapped a store")
	}
	r := newReader(t)
	m := otelsatchel.New(otelsatchel.Config{MeterProvider: r.provider})
	if _, err := core.New(core.ServerSide(m.Store(nil)), core.Config{}); err == nil || !strings.Contains(err.Error(), "give it a store") {
		t.Errorf("a nil store: %v", err)
	}
	if err := r.provider.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	measured := m.Store(store)
	m.Observe(t.Context(), core.Event{Kind: core.EventFailed, Err: errors.New("x"), Took: 1})
	if _, err := measured.Load(t.Context(), core.ID{}); !errors.Is(err, core.ErrNotFound) {
		t.Errorf("after the shutdown: %v", err)
	}
}

// Applications set the provider when their packages are initialised already.
func TestProviderThatIsSetLater(t *testing.T) { // not parallel: it sets otel's own
	before := otel.GetMeterProvider()
	t.Cleanup(func() { otel.SetMeterProvider(before) })
	m := otelsatchel.New(otelsatchel.Config{})
	store := m.Store(newMemory(t))
	r := newReader(t)
	otel.SetMeterProvider(r.provider)
	m.Observe(t.Context(), core.Event{Kind: core.EventLogin})
	_, _ = store.Load(t.Context(), core.ID{})
	r.want("satchel.session.events satchel.event=login", 1)
	r.want("satchel.store.operation.duration satchel.store.operation=load satchel.store.outcome=not_found", 1)
	r.want("satchel.sessions", 0)
}

// failing is a provider that makes no instruments.
type failing struct{ metric.MeterProvider }

func (p failing) Meter(name string, o ...metric.MeterOption) metric.Meter {
	return failingMeter{p.MeterProvider.Meter(name, o...)}
}

type failingMeter struct{ metric.Meter }

func (m failingMeter) Int64Histogram(name string, o ...metric.Int64HistogramOption) (metric.Int64Histogram, error) {
	h, _ := m.Meter.Int64Histogram(name, o...)
	return h, errors.New("no histogram")
}

func TestErrorsOfTheProviderAreHandled(t *testing.T) { // not parallel: it sets otel's handler
	var told []error
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { told = append(told, err) }))
	r := newReader(t)
	m := otelsatchel.New(otelsatchel.Config{MeterProvider: failing{r.provider}})
	m.Observe(t.Context(), core.Event{Kind: core.EventLogin})
	if len(told) != 1 {
		t.Errorf("told %v", told)
	}
}

// spans runs f in a span, and returns it as it ended.
func spans(t *testing.T, f func(ctx context.Context)) sdktrace.ReadOnlySpan {
	t.Helper()
	recorder := tracetest.NewSpanRecorder()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(recorder))
	ctx, span := provider.Tracer("test").Start(t.Context(), "request")
	f(ctx)
	span.End()
	return recorder.Ended()[0]
}

func TestTraces(t *testing.T) {
	m := otelsatchel.New(otelsatchel.Config{MeterProvider: newReader(t).provider, Name: "web"})
	secret := &core.SizeError{Key: "card number", Total: 9, Limit: 1}
	for _, tc := range []struct {
		e      core.Event
		name   string // of the span's event, "" if there is none
		attrs  string
		status codes.Code
	}{
		{core.Event{Kind: core.EventLoaded}, "", "", codes.Unset},
		{core.Event{Kind: core.EventRejected, Reason: core.ReasonUnknown}, "", "", codes.Unset},
		{core.Event{Kind: core.EventBack}, "", "", codes.Unset},
		{
			core.Event{Kind: core.EventRejected, Reason: core.ReasonCorrupt, Err: core.ErrCorrupt},
			"satchel.session.rejected",
			"satchel.manager=web satchel.reason=corrupt error.type=_OTHER", codes.Unset,
		},
		{core.Event{Kind: core.EventDropped, Reason: core.ReasonEnded}, "satchel.session.dropped", "satchel.manager=web satchel.reason=ended", codes.Unset},
		{core.Event{Kind: core.EventFlashDropped, Detail: "3 unread"}, "satchel.session.flash_dropped", "satchel.manager=web", codes.Unset},
		{core.Event{Kind: core.EventFailed, Err: secret}, "satchel.session.failed", "satchel.manager=web error.type=too_large", codes.Unset},
		{core.Event{Kind: core.EventFailed, Err: secret, Answered: true}, "satchel.session.failed", "satchel.manager=web error.type=too_large", codes.Error},
		{
			core.Event{Kind: core.EventUnavailable, Err: context.DeadlineExceeded, Answered: true},
			"satchel.session.unavailable",
			"satchel.manager=web error.type=timeout", codes.Error,
		},
	} {
		span := spans(t, func(ctx context.Context) { m.Observe(ctx, tc.e) })
		var names, attrs []string
		for _, e := range span.Events() {
			names = append(names, e.Name)
			for _, a := range e.Attributes {
				attrs = append(attrs, string(a.Key)+"="+a.Value.AsString())
			}
		}
		if strings.Join(names, " ") != tc.name || strings.Join(attrs, " ") != tc.attrs || span.Status().Code != tc.status {
			t.Errorf("%s %s: the span has %q with %q, and the status %v", tc.e.Kind, tc.e.Reason, names, attrs, span.Status())
		}
		if len(span.Attributes()) != 0 {
			t.Errorf("%s: the span has %v", tc.e.Kind, span.Attributes())
		}
	}
}

// The context of commits is that of the request, with its span.
func TestTracesOfRequests(t *testing.T) {
	m := otelsatchel.New(otelsatchel.Config{MeterProvider: newReader(t).provider})
	sessions := newManager(t, m.Store(newMemory(t)), core.Config{Observer: m.Observe, MaxBytes: 256})
	h := httpadapter.Middleware(sessions)(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		httpadapter.Session(r).Set("k", strings.Repeat("v", 1000))
	}))
	span := spans(t, func(ctx context.Context) {
		h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(ctx, "GET", "/", nil))
	})
	if len(span.Events()) != 1 || span.Events()[0].Name != "satchel.session.failed" || span.Status().Code != codes.Error {
		t.Errorf("the span has %v, and the status %v", span.Events(), span.Status())
	}
}

func TestSEC67IDsOnlyWhenAskedFor(t *testing.T) {
	id := core.ID{1, 2, 3}
	for _, tc := range []struct {
		c    otelsatchel.Config
		want []string
	}{
		{otelsatchel.Config{}, nil},
		{otelsatchel.Config{SessionID: true}, []string{"session.id=" + id.String()}},
		{otelsatchel.Config{UserID: true}, []string{"enduser.id=ann"}},
		{otelsatchel.Config{SessionID: true, UserID: true}, []string{"enduser.id=ann", "session.id=" + id.String()}},
	} {
		r := newReader(t)
		tc.c.MeterProvider = r.provider
		m := otelsatchel.New(tc.c)
		span := spans(t, func(ctx context.Context) {
			m.Observe(ctx, core.Event{Kind: core.EventLoaded, ID: id})
			m.Observe(ctx, core.Event{Kind: core.EventLogin, ID: id, User: "ann"})
			m.Observe(ctx, core.Event{Kind: core.EventRevoked, ID: core.ID{9}, User: "bob"}) // another session
			m.Observe(ctx, core.Event{Kind: core.EventFailed, ID: id, User: "ann", Err: errors.New("ann")})
		})
		var got []string
		for _, a := range span.Attributes() {
			got = append(got, string(a.Key)+"="+a.Value.AsString())
		}
		slices.Sort(got)
		if !slices.Equal(got, tc.want) {
			t.Errorf("the span has %q, want %q", got, tc.want)
		}
		for _, e := range span.Events() {
			if text := fmt.Sprint(e); strings.Contains(text, "ann") || strings.Contains(text, id.String()) {
				t.Errorf("the span's event has %s", text)
			}
		}
		for series := range r.values() {
			if strings.Contains(series, "ann") || strings.Contains(series, id.String()) {
				t.Errorf("there is a series %s", series)
			}
		}
	}
	m := otelsatchel.New(otelsatchel.Config{SessionID: true, UserID: true})
	m.Observe(trace.ContextWithSpan(t.Context(), nil), core.Event{Kind: core.EventLogin, ID: id, User: "ann"})
	m.Observe(t.Context(), core.Event{Kind: core.EventLogin, ID: id, User: "ann"})
}
