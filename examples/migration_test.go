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
	"github.com/satchel-go/satchel/core/filestore"
	"github.com/satchel-go/satchel/core/goredisstore"
	"github.com/satchel-go/satchel/core/gorillastore"
	"github.com/satchel-go/satchel/core/memcachedstore"
	"github.com/satchel-go/satchel/core/memstore"
	"github.com/satchel-go/satchel/core/sealed"
	"github.com/satchel-go/satchel/internal/testing/memcachedtest"
	"github.com/satchel-go/satchel/internal/testing/redistest"
)

// migration is a move of live sessions, deployed in steps.
type migration struct {
	from, to   core.Backend
	cookieFrom bool                     // sessions are in cookies: requests of one browser must not overlap
	cookieTo   bool                     //
	sharedFrom bool                     // sessions are in RedisCompatible or scs's store: requests of one browser must not overlap while they move there
	sharedTo   bool                     //
	overlap    bool                     // they overlap all the same, to show what is lost
	legacy     func(t *testing.T) fleet // the application on the library that wrote the sessions, if it was not Satchel
}

// migrations are the moves that promise to keep everybody logged in.
var migrations = map[string]func(t *testing.T, client *redis.Client) migration{
	"memory to redis": func(t *testing.T, client *redis.Client) migration {
		return migration{from: inMemory(t), to: inRedis(t, client)}
	},
	"redis to memory": func(t *testing.T, client *redis.Client) migration {
		return migration{from: inRedis(t, client), to: inMemory(t)}
	},
	"files to redis": func(t *testing.T, client *redis.Client) migration {
		return migration{from: core.ServerSide(inFiles(t, nil)), to: inRedis(t, client)}
	},
	"memory to files": func(t *testing.T, _ *redis.Client) migration {
		return migration{from: inMemory(t), to: core.ServerSide(inFiles(t, nil))}
	},
	"redis to memcached": func(t *testing.T, client *redis.Client) migration {
		return migration{from: inRedis(t, client), to: core.ServerSide(inMemcached(t, nil))}
	},
	"memcached to postgres": func(t *testing.T, _ *redis.Client) migration {
		return migration{from: core.ServerSide(inMemcached(t, nil)), to: inSQL(t, "postgres")}
	},
	"cookie to memcached": func(t *testing.T, _ *redis.Client) migration {
		return migration{from: inCookie(t), to: core.ServerSide(inMemcached(t, nil)), cookieFrom: true}
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
	"redis to postgres": func(t *testing.T, client *redis.Client) migration {
		return migration{from: inRedis(t, client), to: inSQL(t, "postgres")}
	},
	"memory to sqlite": func(t *testing.T, _ *redis.Client) migration {
		return migration{from: inMemory(t), to: inSQL(t, "sqlite")}
	},
	"cookie to mariadb": func(t *testing.T, _ *redis.Client) migration {
		return migration{from: inCookie(t), to: inSQL(t, "mariadb"), cookieFrom: true}
	},
	"sqlite to postgres": func(t *testing.T, _ *redis.Client) migration {
		return migration{from: inSQL(t, "sqlite"), to: inSQL(t, "postgres")}
	},
	"postgres to cookie": func(t *testing.T, _ *redis.Client) migration {
		return migration{from: inSQL(t, "postgres"), to: inCookie(t), cookieTo: true}
	},
	"mariadb to redis": func(t *testing.T, client *redis.Client) migration {
		return migration{from: inSQL(t, "mariadb"), to: inRedis(t, client)}
	},
	"gorilla's CookieStore to redis": func(t *testing.T, client *redis.Client) migration {
		store := sessions.NewCookieStore(key("hash"), key("block"))
		return migration{from: gorillastore.Cookie(store, gorillastore.CookieConfig{}), to: inRedis(t, client), cookieFrom: true, legacy: onGorilla(store)}
	},
	"RedisCompatible to redis": func(t *testing.T, client *redis.Client) migration {
		return migration{from: inRedisstore(t, client), to: inRedis(t, client), sharedFrom: true}
	},
	"redis to RedisCompatible": func(t *testing.T, client *redis.Client) migration {
		return migration{from: inRedis(t, client), to: inRedisstore(t, client), sharedTo: true}
	},
	"scs on memory to redis": func(t *testing.T, client *redis.Client) migration {
		return fromSCS(t, "memory", inRedis(t, client))
	},
	"scs on postgres to postgres": func(t *testing.T, _ *redis.Client) migration {
		return fromSCS(t, "postgres", inSQL(t, "postgres"))
	},
	"scs on mariadb to mariadb": func(t *testing.T, _ *redis.Client) migration {
		return fromSCS(t, "mariadb", inSQL(t, "mariadb"))
	},
	"scs on sqlite to memory": func(t *testing.T, _ *redis.Client) migration {
		return fromSCS(t, "sqlite", inMemory(t))
	},
	"scs on redis to redis": func(t *testing.T, client *redis.Client) migration {
		return fromSCS(t, "redis", inRedis(t, client))
	},
	"redisstore to redis": func(t *testing.T, client *redis.Client) migration {
		prefix := redistest.UniquePrefix(t)
		store, err := redisstore.NewRedisStore(t.Context(), client)
		if err != nil {
			t.Fatal(err)
		}
		store.KeyPrefix(prefix)
		config := gorillastore.CompatibleConfig{KeyPrefix: prefix, Timeout: time.Minute}
		return migration{from: gorillastore.RedisCompatible(client, config), to: inRedis(t, client), sharedFrom: true, legacy: onGorilla(store)}
	},
}

// key returns a key for gorilla's stores.
func key(name string) []byte { return []byte((name + "-6Jw0vPq3XzT8kLmN5rB7yHcD2fGs9QaE")[:32]) }

func onGorilla(store sessions.Store) func(*testing.T) fleet {
	return func(t *testing.T) fleet { return newGorillaFleet(t, store) }
}

func inRedisstore(t *testing.T, client *redis.Client) core.Backend {
	t.Helper()
	return gorillastore.RedisCompatible(client, gorillastore.CompatibleConfig{KeyPrefix: redistest.UniquePrefix(t), Timeout: time.Minute})
}

func inMemory(t *testing.T) core.Backend {
	t.Helper()
	store := memstore.New(memstore.Config{})
	t.Cleanup(func() { _ = store.Close() })
	return core.ServerSide(store)
}

// inFiles returns a store with this clock, nil for the real one.
func inFiles(t *testing.T, now func() time.Time) *filestore.Store {
	t.Helper()
	store, err := filestore.Open(t.TempDir(), filestore.Config{Now: now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	return store
}

// inMemcached returns a store with this clock, nil for the real one.
func inMemcached(t *testing.T, now func() time.Time) *memcachedstore.Store {
	t.Helper()
	config := memcachedstore.Config{Prefix: memcachedtest.UniquePrefix(t), Timeout: time.Minute, Now: now}
	store := memcachedstore.New(config, memcachedtest.Shared(t).Addr())
	t.Cleanup(func() { _ = store.Close() })
	return store
}

func inRedis(t *testing.T, client *redis.Client) core.Backend {
	t.Helper()
	return core.ServerSide(goredisstore.New(client, goredisstore.Config{Prefix: redistest.UniquePrefix(t), Timeout: time.Minute}))
}

func inSQL(t *testing.T, name string) core.Backend {
	t.Helper()
	for _, d := range sqlDatabases {
		if d.Name == name {
			return core.ServerSide(d.Store(t, nil))
		}
	}
	t.Fatalf("no database %s", name)
	return nil
}

func inCookie(t *testing.T) core.Backend {
	t.Helper()
	secret := make([]byte, 32)
	_, _ = cryptorand.Read(secret) // never fails
	keys, err := sealed.NewKeyring(secret)
	if err != nil {
		t.Fatal(err)
	}
	return core.ClientSide(sealed.Cookie(keys))
}

// deployed are the versions of the application, in the order of a migration.
type deployed struct {
	before, ready, during, after fleet // the old backend, Migrating(to, from), Migrating(from, to), the new one

	stats *core.Migration // of during
	clock *atomic.Int64   // how far the servers' clocks are ahead
}

func (m migration) deploy(t *testing.T) deployed {
	t.Helper()
	d := deployed{stats: core.Migrating(m.from, m.to), clock: new(atomic.Int64)}
	now := func() time.Time { return time.Now().Add(time.Duration(d.clock.Load())) }
	start := func(b core.Backend) fleet {
		config := core.Config{InsecureAllowHTTP: true, MaxFlashes: 1000, MaxBytes: 1 << 20, LoadTimeout: time.Minute, CommitTimeout: time.Minute, Now: now}
		config.Cookie.Name = "session"
		manager, err := core.New(b, config)
		if err != nil {
			t.Fatal(err)
		}
		return newFleet(t, manager)
	}
	if m.legacy != nil {
		d.before = m.legacy(t)
	} else {
		d.before = start(m.from)
	}
	d.ready, d.during, d.after = start(core.Migrating(m.to, m.from)), start(d.stats), start(m.to)
	return d
}

// step is a rolling deployment: at first requests reach one version of the
// application, in the end the other one.
type step struct {
	name     string
	from, to fleet
	writes   []bool // which backends are written in this step: the old one, the new one
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

// apart are the steps forth and back if all servers of one stop before those of the next start.
func (d deployed) apart() []step {
	return []step{
		{"a", d.before, d.before, []bool{true, false}, true},
		{"d", d.during, d.during, []bool{false, true}, false},
		{"s", d.ready, d.ready, []bool{true, false}, false},
		{"t", d.before, d.before, []bool{true, false}, true},
	}
}

// lanes is how many requests of one browser may overlap in a step: one where
// the last response wins, as in cookies and with gorilla/sessions, and where
// sessions may move to RedisCompatible.
func (m migration) lanes(s step) int {
	old, new := s.writes[0], s.writes[1]
	last := old && m.cookieFrom || new && m.cookieTo || m.legacy != nil && s.legacy
	scatter := old && m.sharedFrom && !s.legacy || new && m.sharedTo
	if last || scatter && !m.overlap {
		return 1
	}
	return 4
}

// run sends the traffic of a step. Then the visitor who came for that logs out.
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

// TestMigrationsUnderTraffic moves live sessions, back and forth, while their
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
			m := begin(t, client)
			if !m.sharedFrom && !m.sharedTo {
				return
			}
			t.Run("K1_apart", func(t *testing.T) {
				d := m.deploy(t)
				m.visit(t, d, d.apart(), d.before)
			})
		})
	}
}

// visit lets visitors log in and go through all steps. In the end they must find
// what they wrote, and still be logged in.
func (m migration) visit(t *testing.T, d deployed, steps []step, last fleet) []*visitor {
	t.Helper()
	visitors, leavers := make([]*visitor, 4), make([]*visitor, len(steps))
	for i := range visitors {
		visitors[i] = newVisitor(t, fmt.Sprint("user", i))
		visitors[i].mayLeave = m.overlap
	}
	for i := range leavers {
		leavers[i] = newVisitor(t, fmt.Sprint("leaver", i))
	}
	for _, v := range slices.Concat(visitors, leavers) {
		v.ask(d.before, http.MethodPost, "/login", "user", v.user)
	}
	for i, s := range steps {
		if m.overlap && i == len(steps)-1 { // a late answer's token works a minute after the move
			d.clock.Add(int64(2 * time.Minute))
			for _, v := range visitors {
				v.ask(s.from, http.MethodGet, "/look")
			}
		}
		if i > 0 { // visitors for this step were here in the ones before, too
			for _, v := range leavers[i:] {
				v.mark(s.from, "early-"+s.name)
			}
		}
		s.run(t, visitors, leavers[i], m.lanes(s))
	}
	for _, v := range visitors {
		if !m.overlap {
			v.check(last)
		}
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
