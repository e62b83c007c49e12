package memstore_test

import (
	"fmt"
	"time"

	"github.com/satchel-go/satchel/core/memstore"
)

func ExampleNew() {
	store := memstore.New(memstore.Config{
		MaxSessions:   50_000,
		MaxBytes:      64 << 20,
		SweepInterval: 5 * time.Minute,
	})
	defer func() { _ = store.Close() }()
	fmt.Println(store.Len(), "sessions in", store.Bytes(), "bytes")
	// Output: 0 sessions in 0 bytes
}
