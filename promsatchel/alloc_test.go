//go:build !race

package promsatchel_test

import (
	"testing"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/promsatchel"
)

func TestAllocations(t *testing.T) {
	m := promsatchel.New(promsatchel.Config{})
	ctx, id := t.Context(), core.ID{1}
	for _, e := range []core.Event{
		{Kind: core.EventLoaded, Took: 1, Bytes: 100},
		{Kind: core.EventAbsent, Reason: core.ReasonNoCookie},
		{Kind: core.EventLogin, Took: 1, Bytes: 100, User: "ann"},
		{Kind: core.EventFailed, Took: 1, Answered: true},
		{Kind: "later", Reason: "than this"},
		{Kind: core.EventFinished},
	} {
		if n := testing.AllocsPerRun(200, func() { m.Observe(ctx, e) }); n != 0 {
			t.Errorf("%s: %v allocations", e.Kind, n)
		}
	}
	store := newMemory(t)
	measured := m.Store(store)
	bare := testing.AllocsPerRun(200, func() { _, _ = store.Load(ctx, id); _ = store.Delete(ctx, id) })
	if n := testing.AllocsPerRun(200, func() { _, _ = measured.Load(ctx, id); _ = measured.Delete(ctx, id) }); n != bare {
		t.Errorf("%v allocations of a measured store, %v of the store alone", n, bare)
	}
}
