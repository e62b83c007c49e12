package examples_test

import (
	cryptorand "crypto/rand"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/sessions"
	"github.com/rbcervilla/redisstore/v9"
	"github.com/redis/go-redis/v9"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/goredisstore"
	"github.com/satchel-go/satchel/core/gorillastore"
	"github.com/satchel-go/satchel/core/memstore"
	"github.com/satchel-go/satchel/internal/redistest"
)

// migration is one move of live sessions, in the steps in which it is deployed.
type migration struct {
	from, to   core.Backend
	cookieFrom bool           // sessions are in cookies: requests of one browser must not overlap
	cookieTo   bool           //
	legacy     sessions.Store // what wrote the sessions, if it was not Satchel
}

// migrations are the moves that promise to log nobody out.
var migrations = map[string]func(t *testing.T, client *redis.Client) migration{
	"memory to redis": func(t *testing.T, client *redis.Client) migration {
		return migration{from: inMemory(t), to: inRedis(t, client)}
	},
	"redis to memory": func(t *testing.T, client *redis.Client) migration {
		return migration{from: inRedis(t, client), to: inMemory(t)}
	},
	"memory to cookie": func(t *testing.T, _ *redis.Client) migration {
		return migration{from: inMemory(t), to: inCookie(t), cookieTo: true}
	},
	"cookie to memory": func(t *testing.T, _ *redis.Client) migration {
		return migration{from: inCookie(t), to: inMemory(t), cookieFrom: true}
	},
	"cookie to redis": func(t *testing.T, client *redis.Client) migration {
		return migration{from: inCookie(t), to: inRedis(t, client), cookieFrom: true}
	},
	"redis to cookie": func(t *testing.T, client *redis.Client) migration {
		return migration{from: inRedis(t, client), to: inCookie(t), cookieTo: true}
	},
	"gorilla's CookieStore to redis": func(t *testing.T, client *redis.Client) migration {
		store := sessions.NewCookieStore(key("hash"), key("block"))
		return migration{from: gorillastore.Cookie(key("hash"), key("block")), to: inRedis(t, client), cookieFrom: true, legacy: store}
	},
	"redisstore to redis": func(t *testing.T, client *redis.Client) migration {
		prefix := redistest.UniquePrefix(t)
		store, err := redisstore.NewRedisStore(t.Context(), client)
		if err != nil {
			t.Fatal(err)
		}
		store.KeyPrefix(prefix)
		config := gorillastore.CompatibleConfig{KeyPrefix: prefix, Timeout: time.Minute}
		return migration{from: gorillastore.RedisCompatible(client, config), to: inRedis(t, client), legacy: store}
	},
}

func inMemory(t *testing.T) core.Backend {
	t.Helper()
	store := memstore.New()
	t.Cleanup(func() { _ = store.Close() })
	return core.ServerSide(store)
}

func inRedis(t *testing.T, client *redis.Client) core.Backend {
	t.Helper()
	return core.ServerSide(goredisstore.New(client, goredisstore.Config{Prefix: redistest.UniquePrefix(t), Timeout: time.Minute}))
}

func inCookie(t *testing.T) core.Backend {
	t.Helper()
	secret := make([]byte, 32)
	_, _ = cryptorand.Read(secret) // never fails
	keys, err := core.NewKeyring(secret)
	if err != nil {
		t.Fatal(err)
	}
	return core.ClientSide(core.NewCookieSealer(keys))
}

// deployed are the versions of the application, in the order of a migration.
type deployed struct {
	before, ready, during, after fleet // the old backend, Migrating(to, from), Migrating(from, to), the new one

	stats *core.Migration // of during
}

func (m migration) deploy(t *testing.T) deployed {
	t.Helper()
	start := func(b core.Backend) fleet {
		config := core.Config{InsecureAllowHTTP: true, MaxFlashes: 1000, MaxBytes: 1 << 20, LoadTimeout: time.Minute, CommitTimeout: time.Minute}
		config.Cookie.Name = "session"
		manager, err := core.New(b, config)
		if err != nil {
			t.Fatal(err)
		}
		return newFleet(t, manager)
	}
	d := deployed{stats: core.Migrating(m.from, m.to)}
	if m.legacy != nil {
		d.before = newGorillaFleet(t, m.legacy)
	} else {
		d.before = start(m.from)
	}
	d.ready, d.during, d.after = start(core.Migrating(m.to, m.from)), start(d.stats), start(m.to)
	return d
}

// step is a rolling deployment: requests go to one version of the application
// at first, and to the other one in the end.
type step struct {
	name     string
	from, to fleet
	writes   []bool // which of the backends are written meanwhile: the old one, the new one
	legacy   bool   // gorilla/sessions runs
}

func (d deployed) steps() (forward, back []step) {
	old, both, new := []bool{true, false}, []bool{true, true}, []bool{false, true}
	forward = []step{
		{"a", d.before, d.before, old, true},
		{"b", d.before, d.ready, old, true},
		{"c", d.ready, d.during, both, false},
		{"d", d.during, d.during, new, false},
		{"e", d.during, d.after, new, false},
	}
	back = []step{
		forward[0], forward[1], forward[2], forward[3],
		{"r", d.during, d.ready, both, false},
		{"s", d.ready, d.ready, old, false},
		{"t", d.ready, d.before, old, true},
	}
	return forward, back
}

// lanes is how many requests of one browser may overlap in a step: one where
// the last response wins, which is in cookies and with gorilla/sessions, and
// where both directions run side by side, unless clients keep their tokens.
func (m migration) lanes(s step) int {
	old, new := s.writes[0], s.writes[1]
	if old && m.cookieFrom || new && m.cookieTo || m.legacy != nil && (s.legacy || old && new) {
		return 1
	}
	return 4
}

// run sends the traffic of a step. Then one visitor, who came for that, logs out.
func (s step) run(t *testing.T, visitors []*visitor, leaver *visitor, lanes int) {
	t.Helper()
	const requests = 3
	total := int64(len(visitors) * lanes * requests)
	var sent atomic.Int64
	pick := func() fleet {
		if rand.Int64N(total) < sent.Add(1) {
			return s.to
		}
		return s.from
	}
	var all sync.WaitGroup
	for _, v := range visitors {
		for lane := range lanes {
			all.Go(func() {
				for i := range requests {
					v.mark(pick(), fmt.Sprintf("%s%d%d", s.name, lane, i))
					if lane == 0 {
						v.ask(pick(), http.MethodGet, "/look")
					}
				}
			})
		}
	}
	all.Go(func() {
		leaver.mark(s.from, s.name)
		leaver.ask(s.to, http.MethodPost, "/logout")
	})
	all.Wait()
}

// TestMigrationsUnderTraffic moves live sessions, forth and back, while their
// browsers send requests to servers of all frameworks.
func TestMigrationsUnderTraffic(t *testing.T) {
	client := redis.NewClient(&redis.Options{Addr: redistest.Shared(t).Addr()})
	t.Cleanup(func() { _ = client.Close() })
	for name, begin := range migrations {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			t.Run("K1_forward", func(t *testing.T) {
				m := begin(t, client)
				d := m.deploy(t)
				forward, _ := d.steps()
				visitors := m.visit(t, d, forward, d.after)
				if s := d.stats.Stats(); s.Moved < uint64(len(visitors)) || s.Failed != 0 {
					t.Errorf("stats %+v, want %d moves or more", s, len(visitors))
				}
			})
			t.Run("K1_rollback", func(t *testing.T) {
				m := begin(t, client)
				d := m.deploy(t)
				_, back := d.steps()
				m.visit(t, d, back, d.before)
			})
		})
	}
}

// visit has visitors log in, go through all steps, and find in the end what they
// wrote and who they are.
func (m migration) visit(t *testing.T, d deployed, steps []step, last fleet) []*visitor {
	t.Helper()
	visitors, leavers := make([]*visitor, 4), make([]*visitor, len(steps))
	for i := range visitors {
		visitors[i] = newVisitor(t, fmt.Sprint("user", i))
	}
	for i := range leavers {
		leavers[i] = newVisitor(t, fmt.Sprint("leaver", i))
	}
	for _, v := range slices.Concat(visitors, leavers) {
		v.ask(d.before, http.MethodPost, "/login", "user", v.user)
	}
	for i, s := range steps {
		if i > 0 { // who came for this step has been here in the ones before
			for _, v := range leavers[i:] {
				v.mark(s.from, "early-"+s.name)
			}
		}
		s.run(t, visitors, leavers[i], m.lanes(s))
	}
	for _, v := range visitors {
		v.check(last)
	}
	for _, v := range leavers {
		for _, at := range []fleet{d.during, last} {
			if a := v.ask(at, http.MethodGet, "/look"); a.User != "" {
				t.Errorf("K2: %s logged out and is logged in", a.User)
			}
		}
	}
	return visitors
}
