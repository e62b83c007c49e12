package core_test

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/satchel-go/satchel/core"
)

// Clients may choose keys, as many as fit into a request. None of this may cost
// quadratic time: that would be 64 times as much for eight times as many keys.
func TestManyKeysCostLinearTime(t *testing.T) {
	const n = 4_000
	few, many := time.Duration(math.MaxInt64), time.Duration(math.MaxInt64)
	for range 5 { // the least, since the machine has others to serve
		few, many = min(few, manyKeys(t, n)), min(many, manyKeys(t, 8*n))
		if many < 24*few {
			return
		}
	}
	t.Errorf("%d keys took %v, eight times as many %v", n, few, many)
}

// manyKeys returns how long n keys take.
func manyKeys(t *testing.T, n int) time.Duration {
	t.Helper()
	keys := make([]string, n)
	for i := range keys {
		keys[i] = fmt.Sprintf("key %d", i)
	}
	w := server(t, func(c *core.Config) { c.MaxBytes = 2 << 20 })
	c := newClient(t, w.m)
	started := time.Now()
	r := c.begin()
	for i, key := range keys {
		r.s.Set(key, i)
		if err := r.s.Err(); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.end(200); err != nil {
		t.Fatal(err)
	}
	c.do(func(s *core.Session) {
		for i, key := range s.Keys() {
			if _, ok := core.Get[int](s, key); !ok {
				t.Fatalf("key %d, %q, is gone", i, key)
			}
		}
		for _, key := range keys {
			core.Update(s, key, func(n int) int { return n + 1 })
		}
		s.Delete(keys[0])
		if got := len(s.Keys()); got != n-1 {
			t.Errorf("%d keys, want %d", got, n-1)
		}
	})
	c.do(func(s *core.Session) {
		if v, _ := core.Get[int](s, keys[n-1]); v != n {
			t.Errorf("the last value is %d, want %d", v, n)
		}
		s.Clear()
		for i, key := range keys[:n/2] {
			s.Set(key, i)
		}
	})
	return time.Since(started)
}

// A request that sets more than any record may have is told at once, and keeps no
// more of it.
func TestE2SetRefusesWhatIsTooLarge(t *testing.T) {
	w := server(t, func(c *core.Config) { c.MaxBytes = 1000 })
	c := newClient(t, w.m)
	c.do(func(s *core.Session) { s.Set("a", strings.Repeat("a", 900)) })

	// What is stored does not count, for it may still be deleted.
	c.do(func(s *core.Session) {
		s.Set("b", strings.Repeat("b", 900))
		s.Delete("a")
		if err := s.Err(); err != nil {
			t.Error(err)
		}
	})

	r := c.begin()
	r.s.Set("b", "small")
	r.s.Set("c", strings.Repeat("c", 400))
	r.s.Set("d", strings.Repeat("d", 300))
	if err := r.s.Err(); err != nil {
		t.Fatal(err)
	}
	r.s.Set("e", strings.Repeat("e", 350))
	var size *core.SizeError
	if err := r.s.Err(); !errors.As(err, &size) || !errors.Is(err, core.ErrTooLarge) ||
		size.Key != "c" || size.Bytes != 403 || size.Total <= 1050 || size.Total > 1100 || size.Limit != 1000 {
		t.Errorf("the error is %v", err)
	}
	if _, ok := core.Get[string](r.s, "e"); ok {
		t.Error("the value that is refused is kept")
	}
	core.Update(r.s, "d", func(v string) string { return v + strings.Repeat("d", 400) })
	if v, _ := core.Get[string](r.s, "d"); len(v) != 300 {
		t.Errorf("the value that is refused is kept: %d bytes", len(v))
	}
	r.s.Delete("c") // makes room
	r.s.Set("e", strings.Repeat("e", 350))
	r.s.Set("d", strings.Repeat("d", 400))
	if err := r.s.Err(); err != nil {
		t.Errorf("after the mistake is mended: %v", err)
	}
	r.s.Set("f", strings.Repeat("f", 500))
	if err := r.s.Err(); !errors.As(err, &size) || size.Key != "f" || size.Bytes != 503 {
		t.Errorf("the error is %v", err)
	}
	if err := r.end(200); !errors.Is(err, core.ErrTooLarge) {
		t.Errorf("commit: %v", err)
	}
	c.do(func(s *core.Session) {
		if keys := s.Keys(); len(keys) != 1 || keys[0] != "b" {
			t.Errorf("kept: %v", keys)
		}
	})

	// What fits to the byte is stored.
	for _, n := range []int{1, 23, 24, 120, 127, 128, 600, 991, 992, 993} {
		fresh := newClient(t, w.m).begin()
		fresh.s.Set("k", strings.Repeat("v", n))
		early := fresh.s.Err()
		if err := fresh.end(200); err != nil && n < 993 || err == nil && early != nil {
			t.Errorf("%d bytes: %v, then %v", n, early, err)
		}
	}
}
