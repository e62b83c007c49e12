package goredisstore_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/goredisstore"
	"github.com/satchel-go/satchel/internal/redistest"
)

func newID() (id core.ID) {
	_, _ = rand.Read(id[:])
	return id
}

// longest notes the longest pipeline.
type longest struct{ commands int }

func (l *longest) DialHook(next redis.DialHook) redis.DialHook { return next }

func (l *longest) ProcessHook(next redis.ProcessHook) redis.ProcessHook { return next }

func (l *longest) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, commands []redis.Cmder) error {
		l.commands = max(l.commands, len(commands))
		return next(ctx, commands)
	}
}

// enter puts n sessions into ann's index, and into the store if they are alive.
func enter(t *testing.T, store *goredisstore.Store, client *redis.Client, n int, alive bool) {
	t.Helper()
	expires := time.Now().Add(time.Hour)
	index := make([]any, 0, 2*n)
	for i := range n {
		id := newID()
		index = append(index, id.String(), fmt.Sprintf("%d 0 0", i+1))
		if !alive {
			continue
		}
		entry := core.Entry{Data: []byte("x"), Expires: expires}
		if _, err := store.Save(t.Context(), id, entry, 0); err != nil {
			t.Fatal(err)
		}
	}
	if err := client.HSet(t.Context(), store.UserKey("ann"), append(index, "", n)...).Err(); err != nil {
		t.Fatal(err)
	}
}

// A login looks for a part of many sessions, and listing for all in several
// calls: neither grows until it fails.
func TestI2ManySessionsOfOneUser(t *testing.T) {
	t.Parallel()
	const many = 2500
	client := newClient(t, redistest.Shared(t).Addr())
	seen := new(longest)
	client.AddHook(seen)
	store := goredisstore.New(client, goredisstore.Config{Prefix: redistest.UniquePrefix(t)})
	enter(t, store, client, many, true)

	if _, err := store.Reserve(t.Context(), "ann", newID(), 0, core.EndOldest); err != nil {
		t.Fatal(err)
	}
	if seen.commands > 64 {
		t.Errorf("a login without a limit looked for %d sessions", seen.commands)
	}
	ids, err := store.List(t.Context(), "ann")
	if err != nil || len(ids) != many+1 {
		t.Errorf("%d sessions are listed, want %d: %v", len(ids), many+1, err)
	}
	if seen.commands > 1000 {
		t.Errorf("one call looked for %d sessions", seen.commands)
	}
	end, err := store.Reserve(t.Context(), "ann", newID(), 10, core.EndOldest)
	if err != nil || len(end) != many+2-10 {
		t.Errorf("a limit of 10 takes out %d, want %d: %v", len(end), many+2-10, err)
	}
}

// Sessions that have expired leave the index even if nobody lists it, and
// although many others live.
func TestI2LoginsHealTheIndex(t *testing.T) {
	t.Parallel()
	const alive, many = 200, 1000
	client := newClient(t, redistest.Shared(t).Addr())
	store := goredisstore.New(client, goredisstore.Config{Prefix: redistest.UniquePrefix(t)})
	enter(t, store, client, alive, true)
	enter(t, store, client, many, false)
	const logins = 40
	for range logins {
		id := newID()
		if _, err := store.Reserve(t.Context(), "ann", id, 0, core.EndOldest); err != nil {
			t.Fatal(err)
		}
	}
	if n := client.HLen(t.Context(), store.UserKey("ann")).Val() - alive - logins - 1; n > many/4 || n < 0 {
		t.Errorf("after %d logins, %d of %d dead sessions are left in the index", logins, n, many)
	}
}
