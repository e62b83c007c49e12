package gorillastore_test

import (
	"testing"
	"time"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/goredisstore"
	"github.com/satchel-go/satchel/core/gorillastore"
	"github.com/satchel-go/satchel/internal/testing/redistest"
)

// The index of RedisStore, which is goredisstore's, lasts as long as the sessions
// in it, and a few minutes more.
func TestI2SEC13RedisStoresIndexLastsAsLongAsItsSessions(t *testing.T) {
	client, prefix := redisClient(t, redistest.Shared(t).Addr()), redistest.UniquePrefix(t)
	backend := core.ServerSide(gorillastore.RedisStore(client, goredisstore.Config{Prefix: prefix}))
	m, err := core.New(backend, core.Config{IdleTimeout: 3 * time.Second, Lifetime: 6 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	s := m.NewSession(t.Context())
	s.Login("ann")
	if err := s.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	keys := client.Keys(t.Context(), prefix+"u:*").Val()
	if len(keys) != 1 {
		t.Fatalf("%d indexes", len(keys))
	}
	if left := client.PTTL(t.Context(), keys[0]).Val(); left < time.Second || left > 7*time.Minute {
		t.Errorf("the index of a session of 3 seconds lasts %v", left)
	}
}
