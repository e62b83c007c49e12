package gorillastore

import (
	"encoding/gob"
	"reflect"
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

func TestGorillaReadsWhatSatchelWrote(t *testing.T) {
	s := newSite(t, Cookie(cookieStore("a"), CookieConfig{}), nil)
	s.do(func(x *core.Session) {
		x.Set("id", int64(17))
		x.Set("name", "Ada")
		x.Set("ok", true)
		x.Set("share", 2.5)
		x.Set("blob", []byte{1, 2})
		x.Set("cart", []string{"a"})
		x.Login("u-1")
		x.Flash("", "one")
		x.Flash("error", "ours alone")
		x.Flash("", "two")
	})
	store := cookieStore("a")
	s.gorilla(store, func(g *sessions.Session) {
		if g.IsNew {
			t.Fatal("gorilla does not know the session")
		}
		want := map[any]any{"id": int64(17), "name": "Ada", "ok": true, "share": 2.5, "blob": []byte{1, 2}}
		for key, v := range want {
			if !reflect.DeepEqual(g.Values[key], v) {
				t.Errorf("Values[%q] is %#v, want %#v", key, g.Values[key], v)
			}
		}
		if _, ok := g.Values["cart"].([]byte); !ok {
			t.Errorf("Values[cart] is a %T", g.Values["cart"])
		}
		if got := g.Flashes(); !reflect.DeepEqual(got, []any{"one", "two"}) {
			t.Errorf("gorilla's Flashes: %v", got)
		}
		g.AddFlash("three")
		g.Values["id"] = g.Values["id"].(int64) + 1
		g.Values["new"] = 5
		delete(g.Values, "name")
	})
	s.do(func(x *core.Session) {
		id, _ := core.Get[int](x, "id")
		n, _ := core.Get[int](x, "new")
		cart, _ := core.Get[[]string](x, "cart")
		if id != 18 || n != 5 || !slices.Equal(cart, []string{"a"}) || x.UserID() != "u-1" {
			t.Errorf("id %d, new %d, cart %v, user %q", id, n, cart, x.UserID())
		}
		s.sawGorilla(x)
	})
	s.isNotProlonged(store)
}

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

func TestSatchelReadsWhatGorillaWrote(t *testing.T) {
	store := cookieStore("a")
	s := newSite(t, Cookie(cookieStore("a"), CookieConfig{}), nil)
	fill := func(g *sessions.Session) {
		g.Values["n"] = 41
		g.Values["u"] = uint8(200)
		g.Values["name"] = "Ada"
		g.Values["account"] = account{"Ada", true}
		g.Values[7] = "no string"
		g.Values["broken"] = "\xff"
		g.AddFlash("hello")
		g.AddFlash("kinds are values", "notice")
	}
	s.gorilla(store, fill)
	var id core.ID
	s.do(func(x *core.Session) {
		id = x.ID()
		a, err := core.Lookup[account](x, "account")
		if err != nil || a != (account{"Ada", true}) || x.IsNew() || x.UserID() != "" {
			t.Errorf("%+v %v, new %v, user %q", a, err, x.IsNew(), x.UserID())
		}
		if got := x.Flashes(); !slices.Equal(got, []core.Flash{{Text: "hello"}}) {
			t.Errorf("flashes: %v", got)
		}
		if got, _ := core.Get[[]string](x, "notice"); !slices.Equal(got, []string{"kinds are values"}) {
			t.Errorf("notice: %v", got)
		}
		core.Update(x, "n", func(n int) int { return n + 1 })
		core.Update(x, "u", func(n int) int { return n + 100 }) // no uint8 any more
	})
	s.do(func(x *core.Session) {
		if x.ID() != id {
			t.Error("the session has changed its ID")
		}
	})
	s.gorilla(store, func(g *sessions.Session) {
		want := map[any]any{"n": 42, "u": int64(300), "name": "Ada", "account": account{"Ada", true}, "notice": []any{"kinds are values"}}
		for key, v := range want {
			if !reflect.DeepEqual(g.Values[key], v) {
				t.Errorf("back in gorilla: Values[%q] is %#v, want %#v", key, g.Values[key], v)
			}
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

func TestJSONCodec(t *testing.T) {
	s := newSite(t, Cookie(cookieStore("a"), CookieConfig{}), func(c *core.Config) { c.Codec = core.JSON() })
	store := cookieStore("a")
	s.gorilla(store, func(g *sessions.Session) { g.Values["n"] = 5; g.Values["name"] = "Ada" })
	s.do(func(x *core.Session) {
		if n, err := core.Lookup[int](x, "n"); err != nil || n != 5 {
			t.Errorf("n: %d, %v", n, err)
		}
		x.Set("name", "Grace")
		x.Set("list", []int{1})
		x.Set("big", int64(1<<53+1)) // a float64 would round it
	})
	s.gorilla(store, func(g *sessions.Session) {
		if g.Values["n"] != 5 || g.Values["name"] != "Grace" {
			t.Errorf("%#v", g.Values)
		}
	})
	s.do(func(x *core.Session) {
		if list, err := core.Lookup[[]int](x, "list"); err != nil || !slices.Equal(list, []int{1}) {
			t.Errorf("list: %v, %v", list, err)
		}
		if big, err := core.Lookup[int64](x, "big"); err != nil || big != 1<<53+1 {
			t.Errorf("big: %v, %v", big, err)
		}
	})
}
