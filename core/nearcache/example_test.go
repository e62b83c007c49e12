package nearcache_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/memstore"
	"github.com/satchel-go/satchel/core/nearcache"
)

// far stands for a store on another machine, such as that of goredisstore.New. It counts
// how often it is asked.
type far struct {
	core.Store
	loads *int
}

func (f far) Load(ctx context.Context, id core.ID) (core.Entry, error) {
	*f.loads++
	return f.Store.Load(ctx, id)
}

// Pages that only read do not ask the store again.
func Example() {
	loads := 0
	memory := memstore.New(memstore.Config{})
	defer func() { _ = memory.Close() }()

	// Redis reports changes, and needs no AllowBlind.
	store, err := nearcache.New(far{memory, &loads}, nearcache.Config{Window: time.Minute, AllowBlind: true})
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = store.Close() }()

	ctx, id := context.Background(), core.ID{1}
	if _, err := store.Save(ctx, id, core.Entry{Data: []byte("hello"), Expires: time.Now().Add(time.Hour)}, 0); err != nil {
		log.Fatal(err)
	}
	for range 3 {
		if _, err := store.Load(ctx, id); err != nil {
			log.Fatal(err)
		}
	}
	fmt.Println(loads, "round trips,", store.Stats().Hits, "answers from a copy")

	_, err = store.Load(core.Fresh(ctx), id) // as for a POST
	fmt.Println(loads, "round trip", err)

	// Output:
	// 0 round trips, 3 answers from a copy
	// 1 round trip <nil>
}
