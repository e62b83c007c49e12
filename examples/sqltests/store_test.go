package sqltests

import (
	"testing"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/sqlstore"
	"github.com/satchel-go/satchel/core/storetest"
)

// TestStore runs the suite in real time.
func TestStore(t *testing.T) {
	each(t, func(t *testing.T, d database) {
		notInShort(t, d)
		storetest.Run(t, func(t *testing.T) core.Store { return d.clean(t).store(t, sqlstore.Config{}) })
	})
}

func TestStoreWithFakeClock(t *testing.T) {
	each(t, func(t *testing.T, d database) {
		storetest.RunWithClock(t, func(t *testing.T) (core.Store, storetest.Clock) {
			clock := storetest.NewFakeClock()
			return d.clean(t).store(t, sqlstore.Config{Now: clock.Now}), clock
		})
	})
}

func TestStoreThatLosesItsIndex(t *testing.T) {
	each(t, func(t *testing.T, d database) {
		notInShort(t, d)
		storetest.RunLosing(t, func(t *testing.T) (core.Store, func(string)) {
			tables := d.clean(t)
			return tables.store(t, sqlstore.Config{}), tables.lose(t)
		})
	})
}

// TestShared has two pools on the same tables, as two processes have.
func TestShared(t *testing.T) {
	each(t, func(t *testing.T, d database) {
		storetest.RunShared(t, func(t *testing.T) (a, b core.Store) {
			tables := d.clean(t)
			return tables.store(t, sqlstore.Config{}), tables.storeOn(t, d.open(t, tables.path), sqlstore.Config{})
		})
	})
}

// notInShort leaves it to SQLite to show in little time what other tests show as well.
func notInShort(t *testing.T, d database) {
	t.Helper()
	if testing.Short() && d.dialect != sqlstore.SQLite {
		t.Skip("takes its time")
	}
}
