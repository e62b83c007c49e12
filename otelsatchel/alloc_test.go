//go:build !race

package otelsatchel_test

import (
	"errors"
	"testing"

	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/metric/noop"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/otelsatchel"
)

func TestAllocations(t *testing.T) {
	for name, provider := range map[string]metric.MeterProvider{"none": noop.NewMeterProvider(), "SDK": newReader(t).provider} {
		m := otelsatchel.New(otelsatchel.Config{MeterProvider: provider, SessionID: true, UserID: true})
		for _, e := range []core.Event{
			{Kind: core.EventLoaded, Took: 1, Bytes: 100},
			{Kind: core.EventAbsent, Reason: core.ReasonNoCookie},
			{Kind: core.EventLogin, Took: 1, Bytes: 100, User: "ann"},
			{Kind: core.EventFailed, Took: 1, Err: errors.New("x"), Answered: true},
			{Kind: "later", Reason: "than this"},
			{Kind: core.EventFinished},
		} {
			ctx := t.Context()
			if n := testing.AllocsPerRun(200, func() { m.Observe(ctx, e) }); n != 0 {
				t.Errorf("%s, %s: %v allocations", name, e.Kind, n)
			}
		}
		store := newMemory(t)
		measured := m.Store(store)
		ctx, id := t.Context(), core.ID{1}
		bare := testing.AllocsPerRun(200, func() { _, _ = store.Load(ctx, id); _ = store.Delete(ctx, id) })
		if n := testing.AllocsPerRun(200, func() { _, _ = measured.Load(ctx, id); _ = measured.Delete(ctx, id) }); n != bare {
			t.Errorf("%s: %v allocations of a measured store, %v of the store alone", name, n, bare)
		}
	}
}
