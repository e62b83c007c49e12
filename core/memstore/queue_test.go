package memstore

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/satchel-go/satchel/core"
)

// The queue stays a heap whatever is removed from it, so that a sweep finds
// everything that has expired.
func TestQueueStaysInOrder(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	var q queue
	var items []*item
	for range 3000 {
		if n := len(items); n == 0 || n < 40 && rnd.IntN(2) == 0 {
			it := &item{expires: time.UnixMilli(rnd.Int64N(1000))}
			q.push(it)
			items = append(items, it)
		} else {
			i := rnd.IntN(n)
			q.remove(items[i])
			items[i] = items[n-1]
			items = items[:n-1]
		}
		if len(q) != len(items) {
			t.Fatalf("%d waiting, want %d", len(q), len(items))
		}
		for i, slot := range q {
			if slot.it.pos != i || slot.due != slot.it.expires.UnixMilli() || i > 0 && q[(i-1)/2].due > slot.due {
				t.Fatalf("slot %d of %d: due %d, its item at %d", i, len(q), slot.due, slot.it.pos)
			}
		}
	}
}

// An eviction that must spare the first item takes the next.
func TestQueueFirstButOne(t *testing.T) {
	for _, expires := range [][]int64{{1, 2, 3}, {1, 3, 2}, {1, 2}} {
		var q queue
		var first *item
		for _, ms := range expires {
			it := &item{expires: time.UnixMilli(ms)}
			q.push(it)
			if ms == 1 {
				first = it
			}
		}
		if got, ok := q.firstBut(first); !ok || got.due != 2 {
			t.Errorf("%v: %d, %v", expires, got.due, ok)
		}
	}
	var q queue
	only := &item{expires: time.UnixMilli(1)}
	q.push(only)
	if _, ok := q.firstBut(only); ok {
		t.Error("the item to be spared was evicted")
	}
}

// The room of an evicted session belongs to the saver. If it went back to the
// store, visitors arriving at the same time could take it again and again.
func TestSEC24EvictedRoomIsTheLogins(t *testing.T) {
	now := time.Now()
	s, _ := indexed(t, &now)
	if _, err := s.Save(t.Context(), core.ID{1}, core.Entry{Data: make([]byte, 100), Expires: now.Add(time.Hour)}, 0); err != nil {
		t.Fatal(err)
	}
	var credit room
	have := room{1, s.Bytes()}
	if !s.evict(core.ID{2}, &credit) || credit != have || s.Len() != 1 || s.Bytes() != have.bytes {
		t.Errorf("credit %+v, want %+v; in use %d, %d", credit, have, s.Len(), s.Bytes())
	}
}

func TestSEC24BoundsByDefault(t *testing.T) {
	s := New(Config{})
	defer func() { _ = s.Close() }() // it never fails
	if s.budget.max != (room{1_000_000, 256 << 20}) {
		t.Errorf("%+v", s.budget.max)
	}
}
