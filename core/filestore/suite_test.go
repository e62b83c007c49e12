package filestore_test

import (
	"io"
	"log/slog"
	"testing"
	"time"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/filestore"
	"github.com/satchel-go/satchel/core/storetest"
)

// TestStore runs the suite in real time, with a sweeper that never rests.
func TestStore(t *testing.T) {
	storetest.Run(t, func(t *testing.T) core.Store {
		return open(t, t.TempDir(), filestore.Config{SweepInterval: time.Millisecond})
	})
}

// TestStoreWithClock runs the suite with a fake clock.
func TestStoreWithClock(t *testing.T) {
	storetest.RunWithClock(t, func(t *testing.T) (core.Store, storetest.Clock) {
		clock := storetest.NewFakeClock()
		return open(t, t.TempDir(), filestore.Config{Now: clock.Now, SweepInterval: -1}), clock
	})
}

// open opens a store that is closed when t ends.
func open(t testing.TB, dir string, c filestore.Config) *filestore.Store {
	t.Helper()
	if c.Logger == nil {
		c.Logger = slog.New(slog.NewTextHandler(io.Discard, nil))
	}
	s, err := filestore.Open(dir, c)
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return s
}
