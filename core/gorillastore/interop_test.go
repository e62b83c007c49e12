package gorillastore

import (
	"encoding/gob"
	"slices"
	"testing"
	"time"

	"github.com/gorilla/sessions"

	"github.com/satchel-go/satchel/core"
)

// account is a type of an application that uses gorilla/sessions.
type account struct {
	Name  string
	Admin bool
}

func init() { gob.Register(account{}) }

// sawGorilla checks that gorilla has deleted a value, read two flashes and added one.
func (s *site) sawGorilla(x *core.Session) {
	s.t.Helper()
	if _, ok := core.Get[string](x, "name"); ok {
		s.t.Error("what gorilla deleted is there")
	}
	if got := x.Flashes(); !slices.Equal(got, []core.Flash{{Kind: "error", Text: "ours alone"}, {Text: "three"}}) {
		s.t.Errorf("flashes after gorilla: %v", got)
	}
}

// isNotProlonged checks that a save by gorilla does not extend the idle timeout.
func (s *site) isNotProlonged(store sessions.Store) {
	s.t.Helper()
	s.gorilla(store, func(*sessions.Session) {})
	s.now = s.now.Add(31 * time.Minute)
	s.do(func(x *core.Session) {
		if !x.IsNew() {
			s.t.Error("T1: gorilla has prolonged the idle timeout")
		}
	})
}

func TestT1GorillasSessionsEnd(t *testing.T) {
	store := cookieStore("a")
	week := cookieStore("a")
	week.MaxAge(7 * 24 * 60 * 60)
	const day = 24 * time.Hour
	for _, c := range []struct {
		name    string
		backend core.Backend
		after   time.Duration
		edit    func(*core.Config)
		want    bool
	}{
		{"within 30 days", Cookie(cookieStore("a"), CookieConfig{}), 29 * day, nil, true},
		{"after 30 days", Cookie(cookieStore("a"), CookieConfig{}), 31 * day, nil, false},
		{"within the store's week", Cookie(week, CookieConfig{}), 6 * day, nil, true},
		{"after the store's week", Cookie(week, CookieConfig{}), 8 * day, nil, false},
		{"SEC8: in a namespace", Cookie(cookieStore("a"), CookieConfig{}), 0, func(c *core.Config) { c.Namespace = "shop" }, false},
		{"before NotBefore", Cookie(cookieStore("a"), CookieConfig{}), 0, func(c *core.Config) { c.NotBefore = time.Now().Add(time.Hour) }, false},
		{"with the old pair", Cookie(cookieStore("b", "a"), CookieConfig{}), day, nil, true},
		{"with other keys", Cookie(cookieStore("b"), CookieConfig{}), 0, nil, false},
	} {
		s := newSite(t, c.backend, func(config *core.Config) {
			briefly(config)
			if c.edit != nil {
				c.edit(config)
			}
		})
		s.gorilla(store, func(g *sessions.Session) { g.Values["k"] = "v" })
		s.now = time.Now().Add(c.after)
		s.do(func(x *core.Session) {
			if _, ok := core.Get[string](x, "k"); ok != c.want {
				t.Errorf("%s: found %v", c.name, ok)
			}
		})
		if !c.want {
			continue
		}
		if len(s.last) != 0 {
			t.Errorf("%s: reading sets %q", c.name, s.last)
		}
		s.do(func(x *core.Session) { x.Set("k", "w") })
		if len(s.last) != 1 {
			t.Errorf("%s: not made Satchel's by the first write", c.name)
		}
		s.now = s.now.Add(31 * time.Minute)
		s.do(func(x *core.Session) {
			if !x.IsNew() {
				t.Errorf("T1: %s: the idle timeout does not count after the first write", c.name)
			}
		})
	}
}

// TestT1GorillasSavesAreActivity: a program on gorilla alone that saves a session
// of ours keeps its times, and gives it a token that no touch is for.
func TestT1GorillasSavesAreActivity(t *testing.T) {
	store := cookieStore("a")
	s := newSite(t, Cookie(store, CookieConfig{}), nil)
	start := time.Now()
	s.now = start.Add(-25 * time.Minute)
	s.do(func(x *core.Session) { x.Set("k", "v") })
	s.gorilla(store, func(g *sessions.Session) { g.Values["k"] = "w" }) // 25 minutes later
	s.now = start.Add(20 * time.Minute)
	s.has("w")
	delete(s.cookies, "session-touch")
	s.now = start.Add(32 * time.Minute)
	s.has("")
}

// Use prolongs what gorilla began up to the end that gorilla gave it, no further.
func TestSEC12GorillasSessionsEndDespiteUse(t *testing.T) {
	s := newSite(t, Cookie(cookieStore("a"), CookieConfig{}), nil)
	s.gorilla(cookieStore("a"), func(g *sessions.Session) { g.Values["k"] = "v" })
	begun := s.now
	for _, c := range []struct {
		before time.Duration
		want   bool
	}{{10 * time.Minute, true}, {time.Minute, true}, {-time.Minute, false}} {
		s.now = begun.Add(defaultMaxAge - c.before)
		s.do(func(x *core.Session) {
			if x.IsNew() == c.want {
				t.Errorf("%v before the end: new %v", c.before, x.IsNew())
			}
			if c.want {
				x.Set("k", "w")
			}
		})
	}
}
