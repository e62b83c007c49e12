package sealed_test

import (
	"testing"
	"time"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/sealed"
)

// BenchmarkEncrypted compares a store with the same store encrypted, and
// encrypted in the middle of a rotation. An entry has 256 bytes and a user.
func BenchmarkEncrypted(b *testing.B) {
	for _, c := range []struct {
		name string
		wrap func(core.Store) core.Store
	}{
		{"plain", func(s core.Store) core.Store { return s }},
		{"encrypted", func(s core.Store) core.Store { return sealed.Store(s, ring(b, newKeys(1)...)) }},
		{"rotating", func(s core.Store) core.Store { return sealed.Store(s, ring(b, newKeys(2)...)) }},
	} {
		store, id := c.wrap(newMemory(b)), core.ID{1}
		e := core.Entry{Data: make([]byte, 256), User: "ann@example.com", Expires: time.Now().Add(time.Hour)}
		version, err := store.Save(b.Context(), id, e, 0)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(c.name+"/load", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := store.Load(b.Context(), id); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(c.name+"/save", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if version, err = store.Save(b.Context(), id, e, version); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// TestEncryptedAllocations keeps the price of the encryption from growing
// unseen.
func TestEncryptedAllocations(t *testing.T) {
	store, id := sealed.Store(newMemory(t), ring(t, newKeys(1)...)), core.ID{1}
	e := core.Entry{Data: make([]byte, 256), User: "ann@example.com", Expires: time.Now().Add(time.Hour)}
	version, err := store.Save(t.Context(), id, e, 0)
	if err != nil {
		t.Fatal(err)
	}
	load := testing.AllocsPerRun(200, func() { _, _ = store.Load(t.Context(), id) })
	save := testing.AllocsPerRun(200, func() {
		if version, err = store.Save(t.Context(), id, e, version); err != nil {
			t.Fatal(err)
		}
	})
	t.Logf("load %v, save %v", load, save)
	if load > 6 || save > 12 { // 5 and 8; the race detector makes pools forget
		t.Errorf("load %v allocations, budget 6; save %v, budget 12", load, save)
	}
}
