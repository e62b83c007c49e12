package memstore_test

import (
	"errors"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/memstore"
	"github.com/satchel-go/satchel/core/storetest"
)

func TestConfigErrorsSayWhatToDo(t *testing.T) {
	for field, c := range map[string]memstore.Config{
		"MaxSessions": {MaxSessions: -1},
		"MaxBytes":    {MaxBytes: -1},
		"MaxBytes is": {MaxBytes: 100},
	} {
		s := newStore(t, c)
		_, err := core.New(core.ServerSide(s), core.Config{})
		if err == nil || !strings.Contains(err.Error(), field) || !strings.Contains(err.Error(), "use ") {
			t.Errorf("New(%+v): %v; want an error that names %s and what to use", c, err, field)
		}
		if _, load := s.Load(t.Context(), numbered(0)); err == nil || load == nil || load.Error() != err.Error() {
			t.Errorf("Load without core.New: %v, want %v", load, err)
		}
	}
}

func TestSEC70CloseStopsTheGoroutine(t *testing.T) {
	before := runtime.NumGoroutine()
	stores := make([]*memstore.Store, 10)
	for i := range stores {
		stores[i] = memstore.New(memstore.Config{})
	}
	if n := runtime.NumGoroutine(); n != before+len(stores) {
		t.Errorf("%d goroutines for %d stores", n-before, len(stores))
	}
	for _, s := range stores {
		for range 3 {
			if err := s.Close(); err != nil {
				t.Errorf("Close: %v", err)
			}
		}
	}
	// Close has waited for the goroutines to end. The runtime may take a moment
	// to stop counting them.
	for i := 0; runtime.NumGoroutine() > before && i < 100; i++ {
		time.Sleep(time.Millisecond)
	}
	if n := runtime.NumGoroutine(); n > before {
		t.Errorf("%d goroutines are left after Close", n-before)
	}
}

func TestClosedStoreIsUnavailable(t *testing.T) {
	s := newStore(t, memstore.Config{})
	fill(t, s, "alice", 0, 1, time.Now().Add(time.Hour))
	if err := s.Close(); err != nil {
		t.Fatalf("Close: %v", err)
	}
	ctx, id := t.Context(), numbered(0)
	_, load := s.Load(ctx, id)
	_, save := s.Save(ctx, id, core.Entry{}, 0)
	_, reserve := s.Reserve(ctx, "alice", id, 1, core.EndOldest)
	_, list := s.List(ctx, "alice")
	_, sweep := s.Sweep(ctx)
	for name, err := range map[string]error{
		"Load": load, "Save": save, "Touch": s.Touch(ctx, id, 1, time.Now()), "Delete": s.Delete(ctx, id),
		"Reserve": reserve, "Confirm": s.Confirm(ctx, "alice", id, time.Time{}), "Release": s.Release(ctx, "alice", id),
		"List": list, "DeleteAll": s.DeleteAll(ctx), "Sweep": sweep,
	} {
		if !errors.Is(err, memstore.ErrClosed) || errors.Is(err, core.ErrNotFound) {
			t.Errorf("%s after Close: %v, want ErrClosed", name, err)
		}
	}
}

func TestBackgroundSweep(t *testing.T) {
	s := newStore(t, memstore.Config{SweepInterval: time.Millisecond})
	fill(t, s, "alice", 0, 100, time.Now().Add(20*time.Millisecond))
	fill(t, s, "", 100, 100, time.Now().Add(time.Hour))
	for i := 0; s.Len() > 100 && i < 2000; i++ {
		time.Sleep(time.Millisecond)
	}
	if s.Len() != 100 || there(t, s, 100, 100) != 100 {
		t.Errorf("%d sessions are left, want the 100 live ones", s.Len())
	}
}

func TestSweepCountsManyInOneShard(t *testing.T) {
	clock := storetest.NewFakeClock()
	s := newStore(t, memstore.Config{Now: clock.Now, SweepInterval: -1})
	for i := range 3000 {
		if err := saveNew(t, s, "", 64*i, clock.Now().Add(time.Duration(1+i%60)*time.Second)); err != nil {
			t.Fatal(err)
		}
	}
	clock.Advance(30 * time.Second)
	for range 2 {
		n, err := s.Sweep(t.Context())
		if n != 1500 || err != nil {
			t.Errorf("Sweep: %d, %v; want 1500", n, err)
		}
		clock.Advance(30 * time.Second)
	}
	if s.Len() != 0 || s.Bytes() != 0 {
		t.Errorf("after all have expired: %d sessions, %d bytes", s.Len(), s.Bytes())
	}
}

func TestTouchedOftenStaysInOrder(t *testing.T) {
	clock := storetest.NewFakeClock()
	s := newStore(t, memstore.Config{Now: clock.Now, SweepInterval: -1})
	const sessions = 500
	start := clock.Now()
	expires := make([]time.Time, sessions)
	versions := fill(t, s, "", 0, sessions, start.Add(2*time.Hour))
	for round := range 5 {
		for i := range sessions { // earlier and later, in an order that looks random
			expires[i] = start.Add(time.Duration(1+(i*7919+round*104729)%3600) * time.Second)
			if err := s.Touch(t.Context(), numbered(i), versions[i], expires[i]); err != nil {
				t.Fatalf("Touch: %v", err)
			}
		}
	}
	for clock.Now().Before(start.Add(time.Hour)) {
		clock.Advance(100 * time.Second)
		if _, err := s.Sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
		want := 0
		for _, at := range expires {
			if clock.Now().Before(at) {
				want++
			}
		}
		if s.Len() != want {
			t.Fatalf("%v after the start: %d sessions, want %d", clock.Now().Sub(start), s.Len(), want)
		}
	}
}
