package core_test

import (
	"testing"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/memstore"
	"github.com/satchel-go/satchel/core/storetest"
)

// TestEncryptedStore runs the stores' suite through the encryption, with one
// key and in the middle of a rotation.
func TestEncryptedStore(t *testing.T) {
	for name, n := range map[string]int{"one key": 1, "three keys": 3} {
		t.Run(name, func(t *testing.T) {
			storetest.RunWithClock(t, func(t *testing.T) (core.Store, storetest.Clock) {
				clock := storetest.NewFakeClock()
				store, err := memstore.NewWith(memstore.Config{Now: clock.Now, SweepInterval: -1})
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { _ = store.Close() })
				return core.Encrypted(store, ring(t, newKeys(n)...)), clock
			})
		})
	}
}

// newKeys returns n new keys.
func newKeys(n int) []string {
	keys := make([]string, n)
	for i := range keys {
		keys[i] = core.GenerateKey()
	}
	return keys
}
