package goredisstore_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/goredisstore"
	"github.com/satchel-go/satchel/internal/testing/redistest"
)

func newID() (id core.ID) {
	_, _ = rand.Read(id[:])
	return id
}

// longest records the longest pipeline.
type longest struct{ commands int }

func (l *longest) DialHook(next redis.DialHook) redis.DialHook { return next }

func (l *longest) ProcessHook(next redis.ProcessHook) redis.ProcessHook { return next }

func (l *longest) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, commands []redis.Cmder) error {
		l.commands = max(l.commands, len(commands))
		return next(ctx, commands)
	}
}

// enter puts n sessions into ann's index and, if alive, into the store.
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

// With many sessions, a login looks up a part of them, and a list looks up all in
// several calls. Neither grows until it fails.
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

// Expired sessions leave the index even if it is never listed and many others
// live.
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

// Without a limit, and below a ceiling, a login reads a few members, however many
// there are. Beyond the ceiling it ends the oldest.
func TestI1LoginsOfManySessionsCostTheSame(t *testing.T) {
	const many = 5000
	server := redistest.Start(t)
	client := newClient(t, server.Addr())
	seen := new(longest)
	client.AddHook(seen)
	store := goredisstore.New(client, goredisstore.Config{Prefix: redistest.UniquePrefix(t), Timeout: patience})
	index, ids := []any{"", many}, make([]core.ID, many)
	for i := range ids {
		ids[i] = newID()
		index = append(index, ids[i].String(), fmt.Sprintf("%d 0 %d", i+1, time.Now().Add(time.Hour).UnixMilli()))
	}
	if err := client.HSet(t.Context(), store.UserKey("ann"), index...).Err(); err != nil {
		t.Fatal(err)
	}
	for limit, policy := range map[int]core.LimitPolicy{0: core.EndOldest, -1: core.RefuseLogin, 2 * many: core.Ceiling} {
		server.MustDo("CONFIG", "RESETSTAT")
		end, err := store.Reserve(t.Context(), "ann", newID(), limit, policy)
		if err != nil || len(end) != 0 {
			t.Errorf("limit %d: %v to end, %v", limit, end, err)
		}
		if info, _ := server.MustDo("INFO", "commandstats").(string); strings.Contains(info, "cmdstat_hgetall") {
			t.Errorf("limit %d: a login reads all members", limit)
		}
	}
	if seen.commands > 64 {
		t.Errorf("a login looked for %d sessions", seen.commands)
	}
	for i := range 3 {
		end, err := store.Reserve(t.Context(), "ann", newID(), 1000, core.Ceiling)
		slices.SortFunc(end, func(a, b core.ID) int { return slices.Index(ids, a) - slices.Index(ids, b) })
		if want := ids[32*i : 32*i+32]; err != nil || !slices.Equal(end, want) {
			t.Errorf("at the ceiling %d are to end, %v; want the %d oldest", len(end), err, len(want))
		}
		for _, id := range end {
			if err := store.Release(t.Context(), "ann", id); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// What another application has put under the key of a user's index keeps nobody from
// logging in, and is not taken for an index without sessions.
func TestI1ForeignValueInPlaceOfTheIndex(t *testing.T) {
	t.Parallel()
	srv := redistest.Start(t)
	r := newRig(t, newClient(t, srv.Addr()), goredisstore.Config{}, core.Config{})
	r.loggedIn("ann")
	foreign := func() {
		t.Helper()
		srv.MustDo("DEL", r.store.UserKey("ann"))
		srv.MustDo("SET", r.store.UserKey("ann"), "foreign")
	}
	foreign()
	if n, err := r.manager.RevokeUser(t.Context(), "ann"); err == nil || n != 0 {
		t.Errorf("RevokeUser: %d, %v; want an error: a session lives", n, err)
	}
	other := r.loggedIn("ann")
	other.shows("after a login", "ann", "/user")
	ids := r.sessions("ann")
	if len(ids) != 1 {
		t.Fatalf("after a login, ann has %v", ids)
	}
	id := ids[0]
	foreign()
	e, err := r.store.Load(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.store.TouchAndMend(t.Context(), "ann", id, e.Version, e.Expires); err != nil {
		t.Errorf("touch: %v", err)
	}
	if ids := r.sessions("ann"); len(ids) != 2 { // the touch tells of the loss
		t.Errorf("after a touch, ann has %v", ids)
	}
}
