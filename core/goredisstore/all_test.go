package goredisstore_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/goredisstore"
	"github.com/satchel-go/satchel/internal/testing/redistest"
)

// DeleteAll ends every session, however many steps that takes. It touches nothing
// with another prefix, whatever characters that contains, or with a longer one.
func TestI2DeleteAllEndsAllAndNoMore(t *testing.T) {
	t.Parallel()
	srv := redistest.Start(t)
	client := newClient(t, srv.Addr())
	others := []string{"other:1", "shop:1", "sho*p1", `shop*\1`}
	for _, prefix := range []string{"shop[1]*?:", `shop\*`, goredisstore.DefaultPrefix} {
		store := goredisstore.New(client, goredisstore.Config{Prefix: prefix, Timeout: 10 * time.Second})
		longer := goredisstore.New(client, goredisstore.Config{Prefix: prefix + "admin:"})
		others = append(others, longer.Key(newID()), longer.UserKey("ann"), prefix+"lock", prefix+"u:")
		_, err := client.Pipelined(t.Context(), func(p redis.Pipeliner) error {
			for i := range 1200 {
				p.Set(t.Context(), store.Key(newID()), "x", time.Hour)
				p.Set(t.Context(), store.UserKey(fmt.Sprint(i)), "x", time.Hour)
			}
			for _, other := range others {
				p.Set(t.Context(), other, "x", time.Hour)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := store.DeleteAll(t.Context()); err != nil {
			t.Errorf("%s: %v", prefix, err)
		}
		left := srv.Strings("KEYS", "*")
		slices.Sort(left)
		if want := slices.Sorted(slices.Values(others)); !slices.Equal(left, want) {
			t.Errorf("%s: %d keys are left, such as %q; want %q", prefix, len(left), left[:min(len(left), 5)], want)
		}
	}
}

// A store closes only a client that it made itself.
func TestCloseEndsTheClientOfOpen(t *testing.T) {
	t.Parallel()
	opened, err := goredisstore.Open("redis://"+redistest.Shared(t).Addr(), goredisstore.Config{})
	if err != nil {
		t.Fatal(err)
	}
	for _, store := range []*goredisstore.Store{opened, newStore(t, nil)} {
		if err := store.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
		err := store.Client().Ping(t.Context()).Err()
		if closed := err != nil; closed != (store == opened) {
			t.Errorf("after Close, PING says %v", err)
		}
	}
}

// A session lasts as long as intended by the application's clock, whatever
// Redis's clock says: it neither ends at once nor stays for hours.
func TestT1LifetimeIsTheApplications(t *testing.T) {
	t.Parallel()
	for _, off := range []time.Duration{-3 * time.Hour, 3 * time.Hour} {
		now := time.Now().Add(off)
		store := newStore(t, func() time.Time { return now })
		left := func(when string, want time.Duration) {
			t.Helper()
			got := store.Client().PTTL(t.Context(), store.Key(core.ID{1})).Val()
			if got > want || got < want-time.Minute {
				t.Errorf("clock off by %v: %s Redis keeps the session for %v, want %v", off, when, got, want)
			}
		}
		v, err := store.Save(t.Context(), core.ID{1}, core.Entry{Expires: now.Add(time.Hour)}, 0)
		if err != nil {
			t.Fatal(err)
		}
		left("saved", time.Hour)
		if err := store.Touch(t.Context(), core.ID{1}, v, now.Add(2*time.Hour)); err != nil {
			t.Fatal(err)
		}
		left("touched", 2*time.Hour)
		if _, err := store.Save(t.Context(), core.ID{1}, core.Entry{Expires: now}, v); err != nil {
			t.Errorf("saved as it ends: %v", err)
		}
	}
}
