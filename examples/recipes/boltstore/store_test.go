package boltstore_test

import (
	"path/filepath"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/storetest"
	"github.com/satchel-go/satchel/examples/recipes/boltstore"
)

//recipe:proof

func TestStore(t *testing.T) {
	storetest.RunWithClock(t, func(t *testing.T) (core.Store, storetest.Clock) {
		clock := storetest.NewFakeClock()
		return open(t, clock.Now), clock
	})
}

//recipe:end

func open(t *testing.T, now func() time.Time) core.Store {
	t.Helper()
	db, err := bbolt.Open(filepath.Join(t.TempDir(), "sessions"), 0o600, &bbolt.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	store, err := boltstore.New(db, now)
	if err != nil {
		t.Fatal(err)
	}
	return store
}
