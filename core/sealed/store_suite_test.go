package sealed_test

import (
	"testing"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/memstore"
	"github.com/satchel-go/satchel/core/sealed"
	"github.com/satchel-go/satchel/core/storetest"
)

// TestEncryptedStore runs the stores' suite through the encryption, with one
// key and in the middle of a rotation.
func TestEncryptedStore(t *testing.T) {
	for name, n := range map[string]int{"one key": 1, "three keys": 3} {
		t.Run(name, func(t *testing.T) {
			storetest.RunWithClock(t, func(t *testing.T) (core.Store, storetest.Clock) {
				clock := storetest.NewFakeClock()
				store := memstore.New(memstore.Config{Now: clock.Now, SweepInterval: -1})
				t.Cleanup(func() { _ = store.Close() })
				return sealed.Store(store, ring(t, newKeys(n)...)), clock
			})
		})
	}
}

// newKeys returns n new keys.
func newKeys(n int) []string {
	keys := make([]string, n)
	for i := range keys {
		keys[i] = sealed.GenerateKey()
	}
	return keys
}
