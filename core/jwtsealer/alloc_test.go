//go:build !race

// The race detector makes pools drop items at random, so allocations vary.

package jwtsealer

import (
	"crypto/fips140"
	"testing"
)

// TestAllocations: beside the signature, opening a session allocates as much as the
// encrypted cookie inside and a few texts; no JSON is decoded.
func TestAllocations(t *testing.T) {
	if fips140.Enabled() {
		t.Skip("the FIPS 140 module allocates besides")
	}
	for _, w := range worlds(t) {
		token := w.seal(t, testScope, record())
		got := testing.AllocsPerRun(100, func() { w.accept(t, token, "ours") })
		most := 24.0
		if e, ok := w.state().envelope.(signed); ok {
			k := e.all()[0]
			text, last := cutLast(token)
			signature, _ := decode(last)
			most = 13 + testing.AllocsPerRun(100, func() { _ = k.method.Verify(text, signature, k.public) })
		}
		if w.state().readable {
			most += 60 // JSON
		}
		if t.Logf("%s: %v allocations", w.name, got); got > most {
			t.Errorf("%s: %v allocations, budget %v", w.name, got, most)
		}
	}
}
