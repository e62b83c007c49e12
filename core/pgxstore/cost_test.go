package pgxstore_test

import (
	"context"
	"testing"
	"time"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/pgxstore"
	"github.com/satchel-go/satchel/internal/testing/sqltest"
)

// Every request loads its session. A deadline of the store's own, if the caller's is later,
// comes to this.
func TestLoadAllocations(t *testing.T) {
	s := newStore(t, newPool(t, sqltest.SharedPostgres(t).Source()), pgxstore.Config{})
	id := core.ID{1}
	if _, err := s.Save(t.Context(), id, core.Entry{User: "ann", Data: make([]byte, 300), Expires: time.Now().Add(time.Hour)}, 0); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience/2) // the store needs none of its own
	defer cancel()
	n := testing.AllocsPerRun(200, func() {
		if _, err := s.Load(ctx, id); err != nil {
			t.Fatal(err)
		}
	})
	if n > 16 {
		t.Errorf("Load allocates %v times, want at most 16", n)
	}
}
