package gorillastore

import (
	"bytes"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/sessions"

	"github.com/satchel-go/satchel/core"
)

// fiberMemory is a storage as Fiber wants it. What Fiber itself reads and writes there is
// tested in examples/comingfrom.
type fiberMemory struct {
	sync.Mutex
	all  map[string][]byte
	ends map[string]time.Time
	fail error
}

func newFiberMemory(testing.TB) *fiberMemory {
	return &fiberMemory{all: map[string][]byte{}, ends: map[string]time.Time{}}
}

func (m *fiberMemory) Get(key string) ([]byte, error) {
	m.Lock()
	defer m.Unlock()
	if time.Now().After(m.ends[key]) {
		return nil, m.fail
	}
	return m.all[key], m.fail
}

func (m *fiberMemory) Set(key string, val []byte, exp time.Duration) error {
	m.Lock()
	defer m.Unlock()
	m.all[key], m.ends[key] = slices.Clone(val), time.Now().Add(exp)
	return m.fail
}

func (m *fiberMemory) Delete(key string) error {
	m.Lock()
	defer m.Unlock()
	delete(m.all, key)
	return m.fail
}

func TestL3FiberStorageThatIsDownIsNoLogout(t *testing.T) {
	storage := newFiberMemory(t)
	s := began(t, From(FiberV3(FiberConfig{Storage: storage}), FromConfig{}))
	storage.fail = errors.New("down")
	if w := s.do(func(*core.Session) {}); w.Code != 503 || len(s.last) != 0 {
		t.Errorf("status %d, cookies %v", w.Code, s.last)
	}
	storage.fail = nil
	s.has("v")
}

func TestT1FiberStorageKeepsNothingLonger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		storage := newFiberMemory(t)
		s := began(t, From(FiberV2(FiberConfig{Storage: storage}), FromConfig{}))
		for id, end := range storage.ends {
			if left := time.Until(end); left < 30*time.Minute || left > 32*time.Minute {
				t.Errorf("%s is kept for %v", id, left)
			}
		}
		s.do(func(x *core.Session) { x.Logout() })
		if len(storage.all) != 0 {
			t.Errorf("%d entries after the logout", len(storage.all))
		}
	})
}

func TestT3FiberSessionsEndWithTheBrowserIfTheyDid(t *testing.T) {
	for _, only := range []bool{false, true} {
		store := FiberV2(FiberConfig{Storage: newFiberMemory(t), CookieSessionOnly: only})
		s := newSite(t, From(store, FromConfig{}), nil)
		s.gorilla(store, func(g *sessions.Session) { g.Values["k"], g.Options.MaxAge = "v", 86400 })
		s.do(func(x *core.Session) {
			if _, ok := core.Get[string](x, "k"); !ok || x.IsRemembered() == only {
				t.Errorf("CookieSessionOnly %v: found %v, remembered %v", only, ok, x.IsRemembered())
			}
		})
	}
}

// gob writes the names of types that are in interfaces. gorilla/sessions registers []any, and
// programs on Fiber do not.
func TestF1FiberProgramsNeedNoGobRegister(t *testing.T) {
	storage := newFiberMemory(t)
	s := newSite(t, From(FiberV2(FiberConfig{Storage: storage}), FromConfig{}), nil)
	s.do(func(x *core.Session) {
		x.Flash("", "text")
		x.Flash("error", "text")
		x.Set("list", []any{"a", 1})
		x.Set("n", 1)
	})
	for _, data := range storage.all {
		if bytes.Contains(data, []byte("interface")) {
			t.Errorf("programs on Fiber cannot read %q", data)
		}
	}
	s.do(func(x *core.Session) {
		if got := x.Flashes(); len(got) != 2 {
			t.Errorf("flashes: %v", got)
		}
	})
}
