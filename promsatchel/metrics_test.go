package promsatchel_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/memstore"
	"github.com/satchel-go/satchel/promsatchel"
)

// values returns what registered has, by name and labels, without empty labels. A
// histogram's value is its count.
func values(tb testing.TB, registered prometheus.Gatherer) map[string]float64 {
	tb.Helper()
	families, err := registered.Gather()
	if err != nil {
		tb.Fatal(err)
	}
	all := map[string]float64{}
	for _, f := range families {
		for _, m := range f.Metric {
			name := f.GetName()
			for _, l := range m.Label {
				if l.GetValue() != "" {
					name += " " + l.GetName() + "=" + l.GetValue()
				}
			}
			all[name] = m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
	}
	return all
}

func want(tb testing.TB, registered prometheus.Gatherer, name string, value float64) {
	tb.Helper()
	if got, ok := values(tb, registered)[name]; !ok || got != value {
		tb.Errorf("%s is %v (there: %v), want %v", name, got, ok, value)
	}
}

func newMemory(tb testing.TB) *memstore.Store {
	store := memstore.New(memstore.Config{})
	tb.Cleanup(func() { _ = store.Close() })
	return store
}

func registered(tb testing.TB, all ...*promsatchel.Metrics) *prometheus.Registry {
	tb.Helper()
	registry := prometheus.NewPedanticRegistry()
	for _, m := range all {
		if err := registry.Register(m); err != nil {
			tb.Fatal(err)
		}
	}
	return registry
}

// An event of a later release counts, under a name that is known.
func TestEventsOfALaterRelease(t *testing.T) {
	m := promsatchel.New(promsatchel.Config{})
	r := registered(t, m)
	for i := range 100 {
		m.Observe(t.Context(), core.Event{Kind: core.EventKind(fmt.Sprint("kind ", i)), Reason: "x", Took: 1, Bytes: 1})
		m.Observe(t.Context(), core.Event{Kind: core.EventRejected, Reason: core.Reason(fmt.Sprint("reason ", i))})
	}
	want(t, r, "satchel_session_events_total satchel_event=_OTHER", 100)
	want(t, r, "satchel_session_events_total satchel_event=rejected satchel_reason=_OTHER", 100)
	if n := len(values(t, r)); n > 20 {
		t.Errorf("%d series", n)
	}
}

func TestTwoManagers(t *testing.T) {
	plain, web, app := promsatchel.New(promsatchel.Config{}), promsatchel.New(promsatchel.Config{Name: "web"}), promsatchel.New(promsatchel.Config{Name: "app"})
	r := registered(t, plain, web, app)
	var again prometheus.AlreadyRegisteredError
	if err := r.Register(promsatchel.New(promsatchel.Config{Name: "web"})); !errors.As(err, &again) {
		t.Errorf("Metrics of one name are registered twice: %v", err)
	}
	e := core.Event{Kind: core.EventLogin, Took: 1, Bytes: 1}
	web.Observe(t.Context(), e)
	app.Observe(t.Context(), e)
	app.Observe(t.Context(), e)
	want(t, r, "satchel_session_events_total satchel_event=login satchel_manager=web", 1)
	want(t, r, "satchel_session_events_total satchel_event=login satchel_manager=app", 2)

	once := web.Store(newMemory(t))
	if web.Store(once) != once {
		t.Error("a store is measured twice in the same series")
	}
	if app.Store(once) == once {
		t.Error("a store is not measured under another name")
	}
}

func TestBadInput(t *testing.T) {
	var none *promsatchel.Metrics
	store := newMemory(t)
	none.Observe(t.Context(), core.Event{Kind: core.EventFailed})
	none.Migration(nil)
	if none.Store(store) != core.Store(store) {
		t.Error("nil Metrics have wrapped a store")
	}
	m := promsatchel.New(promsatchel.Config{})
	if _, err := core.New(core.ServerSide(m.Store(nil)), core.Config{}); err == nil || !strings.Contains(err.Error(), "give it a store") {
		t.Errorf("a nil store: %v", err)
	}
	// Neither has to be registered, and a store may go before its Metrics.
	m.Observe(t.Context(), core.Event{Kind: core.EventFailed, Err: errors.New("x"), Took: 1})
	_ = m.Store(store)
	_ = store.Close()
	if _, ok := values(t, registered(t, m))["satchel_sessions"]; ok {
		t.Error("a store that is closed has sessions")
	}
}

func TestSEC67NoIDsInLabels(t *testing.T) {
	m := promsatchel.New(promsatchel.Config{})
	id := core.ID{1, 2, 3}
	for _, kind := range []core.EventKind{core.EventLoaded, core.EventLogin, core.EventFailed, core.EventRejected} {
		m.Observe(t.Context(), core.Event{
			Kind: kind, ID: id, Claimed: id, User: "ann", Detail: "ann", Err: errors.New("ann"), Took: 1, Bytes: 1,
			Request: core.Request{Method: "ANN", Path: "/ann"},
		})
	}
	for series := range values(t, registered(t, m)) {
		if strings.Contains(strings.ToLower(series), "ann") || strings.Contains(series, id.String()) {
			t.Errorf("there is a series %s", series)
		}
	}
}
