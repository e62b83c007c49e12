package scsstore

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"maps"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/internal/inplace"
	"github.com/satchel-go/satchel/core/memstore"
	"github.com/satchel-go/satchel/internal/testing/alloctest"
)

// damaged are sessions that cannot be decoded, from one that can: what the answer is, and
// what the event says.
var damaged = map[string]struct {
	damage func(whole []byte) []byte
	status int
	says   string
}{
	"empty":     {func([]byte) []byte { return nil }, 200, "corrupt"},
	"garbage":   {func([]byte) []byte { return []byte("garbage") }, 200, "corrupt"},
	"truncated": {func(b []byte) []byte { return b[:len(b)/2] }, 200, "corrupt"},
	"a gigabyte of nothing": {func([]byte) []byte {
		return append([]byte{0xfc}, binary.BigEndian.AppendUint32(nil, 1<<30-1)...) // a message's length
	}, 200, "corrupt"},
	"a map of millions": {func(b []byte) []byte {
		for i := range b { // how many values there are, before the first key
			if rest := b[min(i+1, len(b)):]; bytes.HasPrefix(rest, []byte("\x04user")) || bytes.HasPrefix(rest, []byte("\x07account")) {
				return append(append(bytes.Clone(b[:i]), 0xfc, 0x3f, 0xff, 0xff, 0xff), b[i+1:]...)
			}
		}
		return b
	}, 200, "corrupt"},
	"a type that is not registered": {func(b []byte) []byte {
		return bytes.ReplaceAll(b, []byte("scsstore.account"), []byte("scsstore.accounz"))
	}, 503, "gob.Register"},
	"two megabytes": {func(b []byte) []byte { return append(bytes.Clone(b), make([]byte, 2<<20)...) }, 503, "core.Config.MaxBytes"},
}

func TestE3LeavesAloneWhatItCannotRead(t *testing.T) {
	for name, d := range damaged {
		for _, migrate := range []bool{false, true} {
			store := newMemory()
			old := newOld(store)
			from := From(old, ourKeys)
			if migrate {
				fresh := memstore.New(memstore.Config{})
				t.Cleanup(func() { _ = fresh.Close() })
				from = core.Migrating(from, core.ServerSide(fresh))
			}
			s := newSite(t, old, from, nil)
			s.scs(func(ctx context.Context) {
				old.Put(ctx, "account", account{"Ada"})
				old.Put(ctx, "user", "ann")
			})
			token := s.cookies["session"]
			whole := store.content()[token]
			bad := item{d.damage(whole.data), whole.expiry}
			store.all[token] = bad
			w := s.do(func(x *core.Session) {
				if x.UserID() != "" {
					t.Errorf("%s: user %q", name, x.UserID())
				}
				x.Set("k", "new")
			})
			said := s.said()
			if w.Code != d.status || !strings.Contains(said, d.says) || strings.Contains(said, token) {
				t.Errorf("%s: status %d, %s", name, w.Code, said)
			}
			if got := store.content()[token]; !reflect.DeepEqual(got, bad) {
				t.Errorf("%s: the session was changed", name)
			}
			if d.status == 503 && (len(s.last) != 0 || len(store.content()) != 1) {
				t.Errorf("%s: cookies %v", name, s.last)
			}
			alloctest.Bound(t, 32<<20, func() { s.do(func(*core.Session) {}) })
			store.all[token], s.cookies = whole, map[string]string{"session": token}
			s.has("ann", "")
		}
	}
}

// scs has no limit, and Satchel one for what is written: a large session moves as it is.
func TestE2SessionsTooLargeForSatchelAreKept(t *testing.T) {
	before, ready, moving, after, _ := steps(t, nil)
	large := strings.Repeat("x", 900_000)
	before.scs(func(ctx context.Context) {
		before.old.Put(ctx, "user", "ann")
		before.old.Put(ctx, "large", large)
	})
	for _, s := range []*site{ready, moving, after} {
		for range 2 {
			s.do(func(x *core.Session) {
				if got, _ := core.Get[string](x, "large"); got != large || x.UserID() != "ann" {
					t.Errorf("user %q with %d bytes", x.UserID(), len(got))
				}
				x.Set("k", "v")
				var size *core.SizeError
				if err := x.Commit(t.Context()); !errors.As(err, &size) || size.Key != "large" {
					t.Errorf("%v", err)
				}
			})
		}
	}
	after.do(func(x *core.Session) { x.Delete("large"); x.Set("k", "v") })
	after.has("ann", "v")
}

func TestL3K2StoresThatFail(t *testing.T) {
	for _, op := range []string{"find", "commit", "delete", "panic"} {
		for _, migrate := range []bool{false, true} {
			store := newMemory()
			old := newOld(store)
			before := &site{t: t, old: old, now: time.Now(), cookies: map[string]string{}}
			from := From(old, ourKeys)
			if migrate {
				fresh := memstore.New(memstore.Config{})
				t.Cleanup(func() { _ = fresh.Close() })
				from = core.Migrating(from, core.ServerSide(fresh))
			}
			s := newSite(t, old, from, func(c *core.Config) { c.NoFailFast = true })
			s.cookies = before.cookies
			before.loginSCS("ann")
			cookies, whole := maps.Clone(s.cookies), store.content()
			store.set(func(got string) error {
				if op == "panic" {
					panic("nil map")
				}
				if got == op {
					return errDown
				}
				return nil
			})
			w := s.do(func(x *core.Session) {
				if op == "delete" {
					x.Logout()
				} else {
					x.Set("k", "changed")
				}
			})
			store.set(nil)
			fails := !migrate || op != "commit" // then the session has moved, and only its rest stays
			if (w.Code == 503) != fails || strings.Contains(s.said(), cookies["session"]) {
				t.Errorf("%s, migrating %v: status %d, %s", op, migrate, w.Code, s.said())
			}
			if !fails {
				s.has("ann", "changed")
				continue
			}
			if !maps.Equal(s.cookies, cookies) || !reflect.DeepEqual(store.content(), whole) {
				t.Errorf("%s, migrating %v: cookies or sessions were changed", op, migrate)
			}
			if op == "delete" {
				s.do(func(x *core.Session) { x.Logout() })
				s.cookies = cookies
				s.has("", "")
				continue
			}
			s.has("ann", "v")
		}
	}
}

// K2: what is left in the old store when it could not be written gets nobody in after a logout.
func TestK2LogoutAfterAMoveThatLeftTheOldSession(t *testing.T) {
	before, _, moving, _, store := steps(t, nil)
	before.loginSCS("ann")
	old := maps.Clone(before.cookies)
	store.set(func(op string) error {
		if op == "commit" {
			return errDown
		}
		return nil
	})
	moving.has("ann", "v")
	store.set(nil)
	moving.do(func(x *core.Session) { x.Logout() })
	for range 23 {
		maps.Copy(before.cookies, old)
		moving.do(func(x *core.Session) {
			if x.UserID() != "" {
				t.Errorf("the session is back after %v", before.now)
			}
		})
		before.now = before.now.Add(time.Hour)
	}
}

// blocking is a store that does not answer, and knows of no deadlines.
type blocking struct {
	*memory
	release chan struct{}
}

func (b blocking) wait(string) error {
	<-b.release
	return nil
}

func TestL3WaitsNoLongerThanTheConfigSays(t *testing.T) {
	store := blocking{newMemory(), make(chan struct{})}
	old := newOld(store)
	s := newSite(t, old, From(old, ourKeys), func(c *core.Config) {
		c.LoadTimeout, c.CommitTimeout, c.Now, c.NoFailFast = 50*time.Millisecond, 50*time.Millisecond, nil, true
	})
	s.loginSCS("ann")
	store.set(store.wait)
	if w := s.do(func(*core.Session) { t.Error("the handler runs") }); w.Code != 503 {
		t.Errorf("status %d", w.Code)
	}
	store.set(nil)
	w := s.do(func(x *core.Session) {
		x.UserID()
		store.set(func(op string) error {
			if op == "commit" {
				return store.wait(op)
			}
			return nil
		})
		x.Set("k", "late")
	})
	if w.Code != 503 {
		t.Errorf("status %d", w.Code)
	}
	// That save may still come: a logout must not come before it.
	if w := s.do(func(x *core.Session) { x.Logout() }); w.Code != 503 {
		t.Errorf("K2: a logout overtakes a save, status %d", w.Code)
	}
	store.set(nil)
	close(store.release)
	for deadline := time.Now().Add(10 * time.Second); len(s.cookies) > 0; {
		s.do(func(x *core.Session) { x.Logout() })
		if time.Now().After(deadline) {
			t.Fatal("the session stays locked")
		}
	}
	if left := store.content(); len(left) != 0 {
		t.Errorf("K2: %d sessions are back", len(left))
	}
}

// withContext is a store whose calls take a context, and which must not get any other.
type withContext struct {
	*memory
	mu        sync.Mutex
	deadlines int
}

func (c *withContext) take(ctx context.Context) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := ctx.Deadline(); ok {
		c.deadlines++
	}
}

func (c *withContext) Find(string) ([]byte, bool, error)      { panic("Find without a context") }
func (c *withContext) Commit(string, []byte, time.Time) error { panic("Commit without a context") }
func (c *withContext) Delete(string) error                    { panic("Delete without a context") }
func (c *withContext) DeleteCtx(ctx context.Context, token string) error {
	c.take(ctx)
	return c.memory.Delete(token)
}

func (c *withContext) FindCtx(ctx context.Context, token string) ([]byte, bool, error) {
	c.take(ctx)
	return c.memory.Find(token)
}

func (c *withContext) CommitCtx(ctx context.Context, token string, b []byte, expiry time.Time) error {
	c.take(ctx)
	return c.memory.Commit(token, b, expiry)
}

func TestC5StoresThatTakeAContext(t *testing.T) {
	store := &withContext{memory: newMemory()}
	old := newOld(store)
	s := newSite(t, old, From(old, ourKeys), nil)
	s.loginSCS("ann")
	store.deadlines = 0
	s.do(func(x *core.Session) { x.Set("k", "w") }) // find, find, commit
	s.has("ann", "w")                               // find
	s.do(func(x *core.Session) { x.Logout() })      // find, find, delete
	if store.deadlines != 7 || len(store.content()) != 0 {
		t.Errorf("%d calls had a deadline, want 7", store.deadlines)
	}
}

func TestRefusesAtTheStart(t *testing.T) {
	var none *memory
	for want, edit := range map[string]func(old *scs.SessionManager, c *Config, config *core.Config) *scs.SessionManager{
		"From(nil)": func(*scs.SessionManager, *Config, *core.Config) *scs.SessionManager { return nil },
		"has no Store": func(old *scs.SessionManager, _ *Config, _ *core.Config) *scs.SessionManager {
			old.Store = nil
			return old
		},
		"no Store: set": func(old *scs.SessionManager, _ *Config, _ *core.Config) *scs.SessionManager {
			old.Store = none
			return old
		},
		"has no Codec": func(old *scs.SessionManager, _ *Config, _ *core.Config) *scs.SessionManager {
			old.Codec = nil
			return old
		},
		"Lifetime is 0s": func(old *scs.SessionManager, _ *Config, _ *core.Config) *scs.SessionManager {
			old.Lifetime = 0
			return old
		},
		`UserKey is "_satchel"`: func(old *scs.SessionManager, c *Config, _ *core.Config) *scs.SessionManager {
			c.UserKey = inplace.HeaderKey
			return old
		},
		`Config.Flashes has "__rememberMe"`: func(old *scs.SessionManager, c *Config, _ *core.Config) *scs.SessionManager {
			c.Flashes = map[string]string{rememberKey: ""}
			return old
		},
		`"user" is both`: func(old *scs.SessionManager, c *Config, _ *core.Config) *scs.SessionManager {
			c.Flashes = map[string]string{c.UserKey: ""}
			return old
		},
		`Cookie.Name is "app" and the SessionManager's is "session"`: func(old *scs.SessionManager, _ *Config, config *core.Config) *scs.SessionManager {
			config.Cookie.Name = "app"
			return old
		},
		`Cookie.Path is "/" and the SessionManager's is ""`: func(old *scs.SessionManager, _ *Config, _ *core.Config) *scs.SessionManager {
			old.Cookie.Path = ""
			return old
		},
		`Cookie.Domain is "" and the SessionManager's is "example.com"`: func(old *scs.SessionManager, _ *Config, _ *core.Config) *scs.SessionManager {
			old.Cookie.Domain = ".example.com"
			return old
		},
		"Config.Carrier is Authorization": func(old *scs.SessionManager, _ *Config, config *core.Config) *scs.SessionManager {
			config.Carrier, config.Cookie = core.Bearer, core.Cookie{}
			return old
		},
	} {
		old, c := newOld(newMemory()), ourKeys
		config := ConfigOf(old)
		old = edit(old, &c, &config)
		if _, err := core.New(From(old, c), config); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

func TestConfigOf(t *testing.T) {
	old := newOld(newMemory())
	if c := ConfigOf(old); c.IdleTimeout != core.NoTimeout || c.Lifetime != 24*time.Hour || c.Remembered != (core.Timeouts{Idle: core.NoTimeout, Lifetime: 24 * time.Hour}) {
		t.Errorf("%+v", c)
	}
	old.IdleTimeout, old.Lifetime = 2*time.Hour, time.Hour
	old.Cookie.Name, old.Cookie.Domain, old.Cookie.SameSite, old.Cookie.Partitioned = "app", ".example.com", 4, true
	c := ConfigOf(old)
	want := core.Cookie{Name: "app", Domain: ".example.com", Path: "/", SameSite: core.SameSiteNone, Partitioned: true}
	if c.IdleTimeout != time.Hour || !reflect.DeepEqual(c.Cookie, want) {
		t.Errorf("%+v", c)
	}
	if _, err := core.New(From(old, Config{}), c); err != nil {
		t.Error(err)
	}
}
