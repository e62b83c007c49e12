package memstore_test

import (
	"context"
	"encoding/binary"
	"errors"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/memstore"
	"github.com/satchel-go/satchel/core/storetest"
)

// numbered returns the n-th of a series of IDs that spread over the shards.
func numbered(n int) core.ID {
	var id core.ID
	binary.BigEndian.PutUint64(id[8:], uint64(n)+1)
	return id
}

// fill saves n entries of user, numbered from first, that expire after d.
func fill(t *testing.T, s *memstore.Store, user string, first, n int, expires time.Time) []core.Version {
	t.Helper()
	versions := make([]core.Version, n)
	for i := range n {
		v, err := s.Save(t.Context(), numbered(first+i), core.Entry{Data: make([]byte, 100), User: user, Expires: expires}, 0)
		if err != nil {
			t.Fatalf("Save %d of %d: %v", i+1, n, err)
		}
		versions[i] = v
	}
	return versions
}

// there counts how many of the n entries numbered from first still load.
func there(t *testing.T, s *memstore.Store, first, n int) int {
	t.Helper()
	count := 0
	for i := range n {
		if _, err := s.Load(t.Context(), numbered(first+i)); err == nil {
			count++
		} else if !errors.Is(err, core.ErrNotFound) {
			t.Errorf("Load: %v", err)
		}
	}
	return count
}

// saveNew saves a new entry of 100 bytes and returns what Save said.
func saveNew(t *testing.T, s *memstore.Store, user string, n int, expires time.Time) error {
	t.Helper()
	_, err := s.Save(t.Context(), numbered(n), core.Entry{Data: make([]byte, 100), User: user, Expires: expires}, 0)
	return err
}

func TestSEC24FullStoreRefusesNewSessions(t *testing.T) {
	hour := time.Now().Add(time.Hour)
	for name, c := range map[string]memstore.Config{
		"by sessions": {MaxSessions: 10},
		"by bytes":    {MaxBytes: 10 * bytesPer(t, "alice", 100)},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStore(t, c)
			versions := fill(t, s, "alice", 0, 10, hour)
			for _, user := range []string{"", "bob"} {
				err := saveNew(t, s, user, 99, hour)
				if !errors.Is(err, memstore.ErrFull) || errors.Is(err, core.ErrNotFound) || errors.Is(err, core.ErrConflict) {
					t.Errorf("new session of %q in a full store: %v, want ErrFull", user, err)
				}
			}
			if n := there(t, s, 0, 10); n != 10 {
				t.Errorf("%d of 10 logged-in sessions are left", n)
			}
			if s.Len() != 10 {
				t.Errorf("Len is %d: refused sessions take room", s.Len())
			}
			// Updates that do not grow, touches and deletes go on.
			e := core.Entry{Data: make([]byte, 100), User: "alice", Expires: hour}
			v, err := s.Save(t.Context(), numbered(0), e, versions[0])
			if err != nil {
				t.Errorf("update: %v", err)
			}
			if err := s.Touch(t.Context(), numbered(0), v, hour.Add(time.Hour)); err != nil {
				t.Errorf("touch: %v", err)
			}
			if err := s.Delete(t.Context(), numbered(0)); err != nil {
				t.Errorf("delete: %v", err)
			}
			if err := saveNew(t, s, "", 99, hour); err != nil {
				t.Errorf("new session after a delete: %v", err)
			}
		})
	}
}

// bytesPer measures how many bytes one session counts for.
func bytesPer(t *testing.T, user string, size int) int64 {
	t.Helper()
	s := newStore(t, memstore.Config{})
	e := core.Entry{Data: make([]byte, size), User: user, Expires: time.Now().Add(time.Hour)}
	if _, err := s.Save(t.Context(), numbered(0), e, 0); err != nil {
		t.Fatal(err)
	}
	return s.Bytes()
}

func TestSEC24AnonymousFloodLocksNobodyOut(t *testing.T) {
	s := newStore(t, memstore.Config{MaxSessions: 200})
	hour := time.Now().Add(time.Hour)
	fill(t, s, "alice", 0, 50, hour)
	fill(t, s, "", 1000, 150, hour.Add(time.Hour))
	if err := saveNew(t, s, "", 5000, hour); !errors.Is(err, memstore.ErrFull) {
		t.Errorf("anonymous session in a full store: %v, want ErrFull", err)
	}

	// Anonymous clients keep trying while 150 users log in.
	ctx, cancel := context.WithCancel(t.Context())
	var flood sync.WaitGroup
	for f := range 4 {
		flood.Go(func() {
			for n := 10000 * (f + 1); ctx.Err() == nil; n++ {
				_, _ = s.Save(ctx, numbered(n), core.Entry{Expires: hour}, 0)
			}
		})
	}
	fill(t, s, "bob", 2000, 150, hour)
	cancel()
	flood.Wait()

	if n := there(t, s, 0, 50) + there(t, s, 2000, 150); n != 200 {
		t.Errorf("%d of 200 logged-in sessions are left", n)
	}
	if err := saveNew(t, s, "carol", 5000, hour); !errors.Is(err, memstore.ErrFull) {
		t.Errorf("a login with nothing left to evict: %v, want ErrFull", err)
	}
}

func TestSEC24LoginOfAnAnonymousSessionInAFullStore(t *testing.T) {
	per := bytesPer(t, "", 100)
	s := newStore(t, memstore.Config{MaxBytes: 3 * per})
	soon, hour := time.Now().Add(time.Minute), time.Now().Add(time.Hour)
	own := fill(t, s, "", 0, 1, soon) // the first candidate for eviction
	fill(t, s, "", 64, 2, hour)       // one of them in the same shard
	e := core.Entry{Data: make([]byte, 100+per), User: "alice", Expires: hour}
	v, err := s.Save(t.Context(), numbered(0), e, own[0])
	if err != nil {
		t.Fatalf("growing by a login: %v", err)
	}
	if left := there(t, s, 64, 2); left != 0 {
		t.Errorf("%d anonymous sessions are left beside one that takes their room", left)
	}
	e.Data = make([]byte, 3*per)
	var size *core.SizeError
	if _, err = s.Save(t.Context(), numbered(0), e, v); !errors.As(err, &size) || !errors.Is(err, core.ErrTooLarge) {
		t.Errorf("an entry too large for any room: %v, want a SizeError", err)
	}
}

func TestSEC24FailedLoginGivesItsRoomBack(t *testing.T) {
	per := bytesPer(t, "", 100)
	s := newStore(t, memstore.Config{MaxBytes: 3 * per})
	hour := time.Now().Add(time.Hour)
	fill(t, s, "", 0, 1, hour)
	e := core.Entry{Data: make([]byte, per), User: "alice", Expires: hour}
	v, err := s.Save(t.Context(), numbered(1), e, 0) // the room of two
	if err != nil {
		t.Fatal(err)
	}
	used := s.Bytes() - per
	if _, err := s.Save(t.Context(), numbered(2), e, 0); !errors.Is(err, memstore.ErrFull) {
		t.Fatalf("a login for which one visitor's room is too little: %v, want ErrFull", err)
	}
	if want := used + per*int64(there(t, s, 0, 1)); s.Bytes() != want || s.Len() != 1+there(t, s, 0, 1) {
		t.Errorf("%d sessions and %d bytes in use after the refusal, want %d bytes", s.Len(), s.Bytes(), want)
	}
	// Updates add up too, once everything is deleted.
	if _, err := s.Save(t.Context(), numbered(1), e, v); err != nil {
		t.Fatal(err)
	}
	if err := s.DeleteAll(t.Context()); err != nil || s.Len() != 0 || s.Bytes() != 0 {
		t.Errorf("an empty store counts %d sessions and %d bytes, error %v", s.Len(), s.Bytes(), err)
	}
	e.Data = make([]byte, 3*per-bytesPer(t, "alice", 0))
	if _, err := s.Save(t.Context(), numbered(3), e, 0); err != nil || s.Bytes() != 3*per {
		t.Errorf("an entry that fits exactly: %v, %d of %d bytes", err, s.Bytes(), 3*per)
	}
}

func TestEvictionPrefersTheSoonestToExpire(t *testing.T) {
	s := newStore(t, memstore.Config{MaxSessions: 4})
	for i, hours := range []time.Duration{3, 1, 4, 2} {
		fill(t, s, "", i, 1, time.Now().Add(hours*time.Hour))
	}
	fill(t, s, "alice", 100, 1, time.Now().Add(time.Hour))
	if there(t, s, 0, 4) != 3 || there(t, s, 1, 1) != 0 {
		t.Error("the evicted session is not the one that would have expired first")
	}
}

func TestExpiryIsByTheWallClock(t *testing.T) {
	s := newStore(t, memstore.Config{})
	expires := func() time.Time {
		e, err := s.Load(t.Context(), numbered(0))
		if err != nil {
			t.Fatal(err)
		}
		return e.Expires
	}
	v := fill(t, s, "", 0, 1, time.Now().Add(time.Hour)) // by the monotonic clock, which stops while the machine sleeps
	if at := expires(); at != at.Round(0) {              // the same instant, but by another clock
		t.Errorf("saved: %v", at)
	}
	if err := s.Touch(t.Context(), numbered(0), v[0], time.Now().Add(2*time.Hour)); err != nil {
		t.Fatal(err)
	}
	if at := expires(); at != at.Round(0) { // the same instant, but by another clock
		t.Errorf("touched: %v", at)
	}
}

func TestFullStoreSweepsFirst(t *testing.T) {
	clock := storetest.NewFakeClock()
	s := newStore(t, memstore.Config{MaxSessions: 10, Now: clock.Now, SweepInterval: -1})
	fill(t, s, "alice", 0, 5, clock.Now().Add(time.Minute))
	fill(t, s, "", 100, 5, clock.Now().Add(time.Hour))
	clock.Advance(time.Minute)
	fill(t, s, "", 200, 5, clock.Now().Add(time.Hour))
	if n := there(t, s, 100, 5); n != 5 {
		t.Errorf("%d of 5 live anonymous sessions are left, though expired ones could go", n)
	}
	if s.Len() != 10 {
		t.Errorf("Len is %d, want 10", s.Len())
	}
}

func TestBoundsHoldUnderRaces(t *testing.T) {
	const maxSessions = 100
	s := newStore(t, memstore.Config{MaxSessions: maxSessions, SweepInterval: time.Millisecond})
	var all sync.WaitGroup
	for g := range 8 {
		all.Go(func() {
			for i := range 500 {
				user := []string{"", "", "alice"}[i%3]
				id := numbered(g*1000 + i)
				e := core.Entry{Data: make([]byte, i), User: user, Expires: time.Now().Add(time.Duration(i%7) * time.Millisecond)}
				if _, err := s.Save(t.Context(), id, e, 0); err != nil && !errors.Is(err, memstore.ErrFull) {
					t.Errorf("Save: %v", err)
				}
				if n := s.Len(); n > maxSessions {
					t.Errorf("%d sessions, at most %d are allowed", n, maxSessions)
				}
				if i%5 == 0 {
					if err := s.Delete(t.Context(), id); err != nil {
						t.Errorf("Delete: %v", err)
					}
				}
				if i%200 == 199 {
					if err := s.DeleteAll(t.Context()); err != nil {
						t.Errorf("DeleteAll: %v", err)
					}
				}
			}
		})
	}
	all.Wait()
	if err := s.DeleteAll(t.Context()); err != nil {
		t.Fatal(err)
	}
	if s.Len() != 0 || s.Bytes() != 0 {
		t.Errorf("an empty store counts %d sessions and %d bytes", s.Len(), s.Bytes())
	}
}

// TestBytesCoverWhatIsAllocated compares what the store counts with the heap.
func TestBytesCoverWhatIsAllocated(t *testing.T) {
	const sessions = 50_000
	s := newStore(t, memstore.Config{})
	before := heap()
	for i := range sessions {
		id, hour := numbered(i), time.Now().Add(time.Hour)
		user := string(binary.BigEndian.AppendUint64([]byte("user"), uint64(i)))
		if _, err := s.Reserve(t.Context(), user, id, 0, core.EndOldest); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Save(t.Context(), id, core.Entry{Data: make([]byte, 128), User: user, Expires: hour}, 0); err != nil {
			t.Fatal(err)
		}
	}
	used := heap() - before
	t.Logf("%d bytes per session on the heap, %d counted", used/sessions, s.Bytes()/sessions)
	if used > s.Bytes()*5/4 {
		t.Errorf("%d bytes on the heap, %d counted", used, s.Bytes())
	}
	runtime.KeepAlive(s)
}

// heap returns the bytes in use.
func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
