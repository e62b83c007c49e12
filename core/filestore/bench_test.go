package filestore

import (
	"context"
	"encoding/binary"
	"sync/atomic"
	"testing"
	"time"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/memstore"
)

func numbered(i int) (id core.ID) {
	binary.LittleEndian.PutUint64(id[8:], uint64(i)+1)
	id[15] = byte(i)
	return id
}

// BenchmarkLoad compares with memory alone, in turns and by the best of them, so that
// what else the machine does matters little.
func BenchmarkLoad(b *testing.B) {
	const sessions, turn = 10_000, 10_000
	e := core.Entry{Data: make([]byte, 350), Expires: time.Now().Add(time.Hour)}
	s := mustOpen(b, b.TempDir(), Config{})
	mem := memstore.New(memstore.Config{})
	defer mem.Close() //nolint:errcheck // its error is always nil
	for i := range sessions {
		if _, err := s.mem.Save(b.Context(), numbered(i), e, 0); err != nil {
			b.Fatal(err)
		}
		if _, err := mem.Save(b.Context(), numbered(i), e, 0); err != nil {
			b.Fatal(err)
		}
	}
	ctx := context.Background()
	best := map[core.Store]time.Duration{s: time.Hour, mem: time.Hour}
	for b.Loop() {
		for store := range best {
			start := time.Now()
			for i := range turn {
				if _, err := store.Load(ctx, numbered(i*7919%sessions)); err != nil {
					b.Fatal(err)
				}
			}
			best[store] = min(best[store], time.Since(start))
		}
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(best[mem])/turn, "ns/memory")
	b.ReportMetric(float64(best[s])/turn, "ns/file")
	b.ReportMetric(float64(best[s])/float64(best[mem]), "file/memory")
}

// BenchmarkSave is with a sync for each save, and with many who share them.
func BenchmarkSave(b *testing.B) {
	for name, parallel := range map[string]int{"one": 1, "many": 64} {
		b.Run(name, func(b *testing.B) {
			s := mustOpen(b, b.TempDir(), Config{MaxSessions: 1 << 30, MaxBytes: 1 << 40})
			e := core.Entry{Data: make([]byte, 350), Expires: time.Now().Add(time.Hour)}
			var n atomic.Int64
			b.ReportAllocs()
			b.SetParallelism(parallel)
			save := func() {
				if _, err := s.Save(context.Background(), numbered(int(n.Add(1))), e, 0); err != nil {
					b.Error(err)
				}
			}
			if parallel == 1 {
				for b.Loop() {
					save()
				}
				return
			}
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					save()
				}
			})
		})
	}
}

// BenchmarkOpen opens a store with a million sessions, half of them of users, from a
// snapshot and from a log.
func BenchmarkOpen(b *testing.B) {
	const sessions = 1_000_000
	c := Config{MaxSessions: 2 * sessions, MaxBytes: 4 << 30, SweepInterval: -1}
	for _, from := range []string{"snapshot", "log"} {
		b.Run(from, func(b *testing.B) {
			dir := b.TempDir()
			s := mustOpen(b, dir, c)
			e := core.Entry{Data: make([]byte, 350), Expires: time.Now().Add(24 * time.Hour)}
			for i := range sessions {
				e.User = ""
				if i%2 == 0 {
					e.User = "user" + string(binary.AppendUvarint(nil, uint64(i/10)))
				}
				if _, err := s.mem.Reserve(b.Context(), e.User, numbered(i), 0, core.EndOldest); e.User != "" && err != nil {
					b.Fatal(err)
				}
				if _, err := s.mem.Save(b.Context(), numbered(i), e, 0); err != nil {
					b.Fatal(err)
				}
				if e.User != "" {
					if err := s.mem.Confirm(b.Context(), e.User, numbered(i), time.Time{}); err != nil {
						b.Fatal(err)
					}
				}
			}
			if from == "snapshot" {
				snap(b, s)
			}
			shut(b, s)
			s = nil //nolint:ineffassign,wastedassign // so that it is collected
			b.ResetTimer()
			for range b.N {
				s := mustOpen(b, dir, c)
				b.StopTimer()
				if s.Len() != sessions {
					b.Fatalf("%d sessions", s.Len())
				}
				shut(b, s)
				b.StartTimer()
			}
		})
	}
}

// TestAllocations: reading costs what memory costs, and so does writing but for what
// waiters share.
func TestAllocations(t *testing.T) {
	s := mustOpen(t, t.TempDir(), Config{SweepInterval: -1})
	ctx := t.Context()
	e := core.Entry{Data: make([]byte, 256), User: "alice", Expires: time.Now().Add(time.Hour)}
	v, err := s.Save(ctx, sessionID(0), e, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		most float64
		run  func() error
	}{
		{"Load", 0, func() error { _, err := s.Load(ctx, sessionID(0)); return err }},
		{"Touch", 0, func() error { return s.Touch(ctx, sessionID(0), v, e.Expires) }},
		{"Save", 2, func() error { v, err = s.Save(ctx, sessionID(0), e, v); return err }},
	} {
		got := testing.AllocsPerRun(200, func() {
			if err := c.run(); err != nil {
				t.Errorf("%s: %v", c.name, err)
			}
		})
		if got > c.most {
			t.Errorf("%s allocates %v times, want at most %v", c.name, got, c.most)
		}
	}
}
