package gorillastore

import (
	"maps"
	"testing"
	"time"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/memstore"
	"github.com/satchel-go/satchel/internal/testing/redistest"
)

// TestMigratingOverlap shows what two requests do to each other that move one session to a
// backend that finds sessions by their tokens alone.
func TestMigratingOverlap(t *testing.T) {
	redis := newClient(t, redistest.Shared(t).Addr())
	for name, to := range map[string]core.Backend{
		"gorilla-from":             From(newMemory(t), FromConfig{}),
		"gorilla-redis-compatible": RedisCompatible(redis, CompatibleConfig{KeyPrefix: redistest.UniquePrefix(t)}),
	} {
		t.Run(name, func(t *testing.T) {
			limit := func(id, reason string) { t.Logf("promise-limit: migrating-to-%s %s %s", name, id, reason) }
			from := memstore.New(memstore.Config{})
			t.Cleanup(func() { _ = from.Close() })
			old := began(t, core.ServerSide(from))
			first := newSite(t, core.Migrating(core.ServerSide(from), to), nil)
			first.cookies = maps.Clone(old.cookies)
			second := &site{t: t, m: first.m, cookies: maps.Clone(old.cookies)}
			first.do(func(x *core.Session) {
				x.Set("first", "1")
				second.do(func(x *core.Session) { x.Set("second", "1") })
			})
			keys := func(s *site) (keys []string) {
				s.do(func(x *core.Session) { keys = x.Keys() })
				return keys
			}
			limit("K3", "each of them makes a copy of the session, with a token of its own")
			if first.cookies["session"] == second.cookies["session"] {
				t.Error("one token: say so in the documentation")
			}
			limit("K1", "the copy counts whose answer comes last")
			if one, two := keys(first), keys(second); len(one) != 3 || len(two) != 2 {
				t.Errorf("keys %v and %v: say so in the documentation", one, two)
			}
			limit("K2", "a logout ends the copy that it finds")
			second.do(func(x *core.Session) { x.Logout() })
			if one, two := keys(first), keys(second); len(one) != 3 || len(two) != 0 {
				t.Errorf("keys %v and %v after a logout: say so in the documentation", one, two)
			}
		})
	}
}

// TestT2MigratingReadsNearTheEnd: gorilla's stores too keep what tells when a session was last used.
func TestT2MigratingReadsNearTheEnd(t *testing.T) {
	const day = 24 * time.Hour
	from := memstore.New(memstore.Config{SweepInterval: -1})
	t.Cleanup(func() { _ = from.Close() })
	s := newSite(t, core.Migrating(core.ServerSide(from), From(newMemory(t), FromConfig{})), nil)
	read := func(later time.Duration) (touches int) {
		s.now = s.now.Add(later)
		s.events = nil
		s.do(func(x *core.Session) {
			if x.UserID() != "ann" {
				t.Fatal("logged out")
			}
		})
		for i := range s.events {
			if s.events[i].Kind == core.EventTouched {
				touches++
			}
		}
		return touches
	}
	s.do(func(x *core.Session) { x.Login("ann"); x.Remember(true) })
	for _, later := range []time.Duration{13 * day, 5 * day} {
		if read(later) != 1 || read(time.Hour-time.Minute) != 0 {
			t.Errorf("touched more or less than once an hour, %v later", later)
		}
	}
}
