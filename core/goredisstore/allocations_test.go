package goredisstore_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/goredisstore"
	"github.com/satchel-go/satchel/internal/testing/alloctest"
	"github.com/satchel-go/satchel/internal/testing/redistest"
)

// TestAllocations compares calls with the bare command that go-redis needs anyway.
func TestAllocations(t *testing.T) {
	store, err := goredisstore.Open(redistest.Shared(t).URL(), goredisstore.Config{Prefix: redistest.UniquePrefix(t), Timeout: patience})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	ctx, cancel := context.WithTimeout(t.Context(), time.Hour) // as the core's calls have
	defer cancel()
	const size = 290
	id, e := core.ID{1}, core.Entry{Data: make([]byte, size), Expires: time.Now().Add(time.Hour)}
	v, err := store.Save(ctx, id, e, 0)
	if err != nil {
		t.Fatal(err)
	}
	key := store.Key(id)
	bare := func() error { return goredisstore.Get(ctx, store.Client(), key).Err() }
	load := func() error { _, err := store.Load(ctx, id); return err }
	save := func() error { v, err = store.Save(ctx, id, e, v); return err }
	touch := func() error { return store.Touch(ctx, id, v, e.Expires) }
	must := func(f func() error) func() {
		return func() {
			if err := f(); err != nil {
				t.Error(err)
			}
		}
	}
	const runs = 200
	floor := testing.AllocsPerRun(runs, must(bare))
	for name, c := range map[string]struct {
		call        func() error
		more, bytes int
	}{
		"Load":  {load, 4, 900},
		"Save":  {save, 5, 1150},
		"Touch": {touch, 4, 800},
	} {
		got := testing.AllocsPerRun(runs, must(c.call))
		t.Logf("%s allocates %v times, GETEX alone %v", name, got, floor)
		if got > floor+float64(c.more) {
			t.Errorf("%s allocates %v times, want at most %d more than the %v of GETEX", name, got, c.more, floor)
		}
		alloctest.Bound(t, runs*c.bytes, func() {
			for range runs {
				must(c.call)()
			}
		})
	}
}

// TestC5WaitForAConnectionEndsWithTheTimeout: the pool would wait for an hour, and the
// caller for longer than the timeout too.
func TestC5WaitForAConnectionEndsWithTheTimeout(t *testing.T) {
	t.Parallel()
	client := redis.NewClient(&redis.Options{
		Addr: redistest.Shared(t).Addr(), ContextTimeoutEnabled: true, PoolSize: 1, MaxActiveConns: 1, PoolTimeout: time.Hour, MaxRetries: -1,
	})
	t.Cleanup(func() { _ = client.Close() })
	store := goredisstore.New(client, goredisstore.Config{Timeout: 100 * time.Millisecond})
	only := client.Conn() // the pool has no other
	defer func() { _ = only.Close() }()
	if err := only.Ping(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for range 3 {
		if _, err := store.Load(ctx, core.ID{1}); !errors.Is(err, core.ErrUnavailable) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v, want ErrUnavailable for a deadline", err)
		}
	}
	if ctx.Err() != nil {
		t.Error("calls waited for as long as their caller would")
	}
	cancel()
	if _, err := store.Load(ctx, core.ID{1}); !errors.Is(err, context.Canceled) {
		t.Errorf("for a caller that has gone: %v", err)
	}
}
