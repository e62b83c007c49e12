package memstore_test

import (
	"context"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/memstore"
)

const benchSessions = 100_000

// benchStore returns a store with many sessions and the entry that all of them hold.
func benchStore(b *testing.B) (*memstore.Store, core.Entry) {
	b.Helper()
	s := newStore(b, memstore.Config{})
	e := core.Entry{Data: make([]byte, 256), Expires: time.Now().Add(time.Hour)}
	for i := range benchSessions {
		if _, err := s.Save(context.Background(), numbered(i), e, 0); err != nil {
			b.Fatal(err)
		}
	}
	return s, e
}

func BenchmarkLoad(b *testing.B) {
	s, _ := benchStore(b)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := s.Load(context.Background(), numbered(rand.IntN(benchSessions))); err != nil {
				b.Error(err)
			}
		}
	})
}

func BenchmarkSave(b *testing.B) {
	s, e := benchStore(b)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			id := numbered(rand.IntN(benchSessions))
			now, err := s.Load(context.Background(), id)
			if err != nil {
				b.Error(err)
			}
			_, _ = s.Save(context.Background(), id, e, now.Version) // conflicts are expected
		}
	})
}

// BenchmarkRefusedWhenFull measures what each request of a flood costs.
func BenchmarkRefusedWhenFull(b *testing.B) {
	s := newStore(b, memstore.Config{MaxSessions: 10_000})
	e := core.Entry{User: "alice", Expires: time.Now().Add(time.Hour)}
	for i := range 10_000 {
		if _, err := s.Save(context.Background(), numbered(i), e, 0); err != nil {
			b.Fatal(err)
		}
	}
	e.User = ""
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			_, _ = s.Save(context.Background(), numbered(benchSessions), e, 0)
		}
	})
}

func TestAllocations(t *testing.T) {
	s := newStore(t, memstore.Config{SweepInterval: -1})
	ctx, id := t.Context(), numbered(0)
	e := core.Entry{Data: make([]byte, 256), User: "alice", Expires: time.Now().Add(time.Hour)}
	v, err := s.Save(ctx, id, e, 0)
	if err != nil {
		t.Fatal(err)
	}
	next := 0
	for _, c := range []struct {
		name string
		most float64
		run  func() error
	}{
		{"Load", 0, func() error { _, err := s.Load(ctx, id); return err }},
		{"Touch", 0, func() error { return s.Touch(ctx, id, v, e.Expires) }},
		{"Save of an entry", 0, func() error { v, err = s.Save(ctx, id, e, v); return err }},
		{"Save of a new entry", 2, func() error { next++; _, err := s.Save(ctx, numbered(next), e, 0); return err }},
	} {
		got := testing.AllocsPerRun(1000, func() {
			if err := c.run(); err != nil {
				t.Errorf("%s: %v", c.name, err)
			}
		})
		if got > c.most {
			t.Errorf("%s allocates %v times, want at most %v", c.name, got, c.most)
		}
	}
}
