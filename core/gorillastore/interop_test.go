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
	s := newSite(t, Cookie(pair("a")...), nil)
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
	store := sessions.NewCookieStore(pair("a")...)
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
		if _, ok := core.Get[string](x, "name"); ok {
			t.Error("what gorilla deleted is there")
		}
		if got := x.Flashes(); !slices.Equal(got, []core.Flash{{Kind: "error", Text: "ours alone"}, {Text: "three"}}) {
			t.Errorf("flashes after gorilla: %v", got)
		}
	})
	// Gorilla's saves do not prolong what Satchel limits.
	s.gorilla(store, func(*sessions.Session) {})
	s.now = s.now.Add(31 * time.Minute)
	s.do(func(x *core.Session) {
		if !x.IsNew() {
			t.Error("T1: gorilla has prolonged the idle timeout")
		}
	})
}

func TestSatchelReadsWhatGorillaWrote(t *testing.T) {
	store := sessions.NewCookieStore(pair("a")...)
	s := newSite(t, Cookie(pair("a")...), nil)
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

func TestGorillasSessionsEnd(t *testing.T) {
	store := sessions.NewCookieStore(pair("a")...)
	week := sessions.NewCookieStore(pair("a")...)
	week.MaxAge(7 * 24 * 60 * 60)
	const day = 24 * time.Hour
	for _, c := range []struct {
		name    string
		backend core.Backend
		after   time.Duration
		edit    func(*core.Config)
		want    bool
	}{
		{"within 30 days", Cookie(pair("a")...), 29 * day, nil, true},
		{"after 30 days", Cookie(pair("a")...), 31 * day, nil, false},
		{"within the store's week", CookieStore(week), 6 * day, nil, true},
		{"after the store's week", CookieStore(week), 8 * day, nil, false},
		{"SEC8: in a namespace", Cookie(pair("a")...), 0, func(c *core.Config) { c.Namespace = "shop" }, false},
		{"before NotBefore", Cookie(pair("a")...), 0, func(c *core.Config) { c.NotBefore = time.Now().Add(time.Hour) }, false},
		{"with the old pair", Cookie(pairs("b", "a")...), day, nil, true},
		{"with other keys", Cookie(pairs("b")...), 0, nil, false},
	} {
		s := newSite(t, c.backend, c.edit)
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
		if len(s.last) != 1 {
			t.Errorf("%s: not made Satchel's at the first use", c.name)
		}
		s.now = s.now.Add(31 * time.Minute)
		s.do(func(x *core.Session) {
			if !x.IsNew() {
				t.Errorf("T1: %s: the idle timeout does not count after the first use", c.name)
			}
		})
	}
}

// Use prolongs what gorilla began up to the end that gorilla gave it, no further.
func TestSEC12GorillasSessionsEndDespiteUse(t *testing.T) {
	s := newSite(t, Cookie(pair("a")...), nil)
	s.gorilla(sessions.NewCookieStore(pair("a")...), func(g *sessions.Session) { g.Values["k"] = "v" })
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
	s := newSite(t, Cookie(pair("a")...), func(c *core.Config) { c.Codec = core.JSON() })
	store := sessions.NewCookieStore(pair("a")...)
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
