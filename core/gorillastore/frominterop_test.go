package gorillastore

import (
	"context"
	"encoding/gob"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/gorilla/sessions"
	"github.com/rbcervilla/redisstore/v9"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/internal/testing/redistest"
)

// message is a flash as some programs of gorilla's have them.
type message struct{ Level, Text string }

func (m message) String() string { return m.Level + ": " + m.Text }

func init() { gob.Register(message{}) }

// pairing is a store with a backend on it.
type pairing struct {
	name string
	make func(t *testing.T) (core.Backend, sessions.Store)
}

func newRedis(t *testing.T) (*redisstore.RedisStore, string) {
	t.Helper()
	store, err := redisstore.NewRedisStore(t.Context(), newClient(t, redistest.Shared(t).Addr()))
	if err != nil {
		t.Fatal(err)
	}
	prefix := redistest.UniquePrefix(t)
	store.KeyPrefix(prefix)
	return store, prefix
}

// pairings are the stores that the tests of this file run on.
var pairings = []pairing{
	{"files", func(t *testing.T) (core.Backend, sessions.Store) {
		files := sessions.NewFilesystemStore(t.TempDir(), pair("files")...)
		return From(files, FromConfig{}), files
	}},
	{"memory", func(t *testing.T) (core.Backend, sessions.Store) {
		store := newMemory(t)
		return From(store, FromConfig{}), store
	}},
	{"redisstore", func(t *testing.T) (core.Backend, sessions.Store) {
		store, _ := newRedis(t)
		return From(store, FromConfig{}), store
	}},
	{"compatible", func(t *testing.T) (core.Backend, sessions.Store) {
		store, prefix := newRedis(t)
		return RedisCompatible(newClient(t, redistest.Shared(t).Addr()), CompatibleConfig{KeyPrefix: prefix}), store
	}},
	{"redisstore written by From", func(t *testing.T) (core.Backend, sessions.Store) {
		store, prefix := newRedis(t)
		client := newClient(t, redistest.Shared(t).Addr())
		return &alternating{[]core.Backend{From(store, FromConfig{}), RedisCompatible(client, CompatibleConfig{KeyPrefix: prefix})}, 0}, store
	}},
	{"Fiber v2", func(t *testing.T) (core.Backend, sessions.Store) {
		store := FiberV2(FiberConfig{Storage: newFiberMemory(t)})
		return From(store, FromConfig{}), store
	}},
	{"Fiber v3", func(t *testing.T) (core.Backend, sessions.Store) {
		store := FiberV3(FiberConfig{Storage: newFiberMemory(t)})
		return From(store, FromConfig{}), store
	}},
}

// alternating uses another backend for each request: the handles are theirs.
type alternating struct {
	backends []core.Backend
	turn     int
}

type turnHandle struct {
	core.Backend
	core.Handle
}

func (a *alternating) WithConfig(c core.Config) (core.Backend, error) {
	clone := &alternating{turn: a.turn}
	for _, b := range a.backends {
		b, err := b.(core.Configurable[core.Backend]).WithConfig(c)
		if err != nil {
			return nil, err
		}
		clone.backends = append(clone.backends, b)
	}
	return clone, nil
}

func (a *alternating) Traits() core.Traits { return a.backends[0].Traits() }

func (a *alternating) Load(ctx context.Context, scope core.Scope, presented core.Tokens) (core.LoadResult, error) {
	a.turn++
	b := a.backends[a.turn%len(a.backends)]
	l, err := b.Load(ctx, scope, presented)
	l.Handle = turnHandle{b, l.Handle}
	return l, err
}

func (a *alternating) Reload(ctx context.Context, scope core.Scope, h core.Handle) (core.LoadResult, error) {
	t := h.(turnHandle)
	l, err := t.Reload(ctx, scope, t.Handle)
	l.Handle = turnHandle{t.Backend, l.Handle}
	return l, err
}

func (a *alternating) Save(ctx context.Context, scope core.Scope, r *core.Record, base core.Handle, renew bool) (core.Handle, string, error) {
	t, ok := base.(turnHandle)
	if !ok {
		t.Backend = a.backends[a.turn%len(a.backends)]
	}
	h, token, err := t.Save(ctx, scope, r, t.Handle, renew)
	return turnHandle{t.Backend, h}, token, err
}

func (a *alternating) Touch(ctx context.Context, scope core.Scope, r *core.Record, base core.Handle) (core.Handle, core.Tokens, error) {
	t := base.(turnHandle)
	h, tokens, err := t.Touch(ctx, scope, r, t.Handle)
	return turnHandle{t.Backend, h}, tokens, err
}

func (a *alternating) Delete(ctx context.Context, h core.Handle) error {
	t := h.(turnHandle)
	return t.Delete(ctx, t.Handle)
}

// onEach runs test for each store.
func onEach(t *testing.T, on []pairing, test func(t *testing.T, s *site, store sessions.Store)) {
	t.Helper()
	for _, p := range on {
		t.Run(p.name, func(t *testing.T) {
			backend, store := p.make(t)
			test(t, newSite(t, backend, nil), store)
		})
	}
}

func TestGorillaReadsWhatSatchelWrote(t *testing.T) {
	onEach(t, arriving, func(t *testing.T, s *site, store sessions.Store) {
		s.do(func(x *core.Session) {
			x.Set("id", 17)
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
		s.gorilla(store, func(g *sessions.Session) {
			if g.IsNew {
				t.Fatal("gorilla does not know the session")
			}
			for key, want := range map[string]any{"id": int64(17), "name": "Ada", "ok": true, "share": 2.5, "blob": []byte{1, 2}} {
				if got := g.Values[key]; !reflect.DeepEqual(got, want) {
					t.Errorf("gorilla finds %q to be %#v, want %#v", key, got, want)
				}
			}
			if _, ok := g.Values["cart"].([]byte); !ok {
				t.Errorf("gorilla finds the cart to be a %T", g.Values["cart"])
			}
			if got := g.Flashes(); !reflect.DeepEqual(got, []any{"one", "two"}) {
				t.Errorf("gorilla's Flashes: %v", got)
			}
			g.AddFlash("three")
			g.Values["new"] = 5
			delete(g.Values, "name")
		})
		s.do(func(x *core.Session) {
			n, _ := core.Get[int](x, "new")
			cart, _ := core.Get[[]string](x, "cart")
			if n != 5 || !slices.Equal(cart, []string{"a"}) || x.UserID() != "u-1" {
				t.Errorf("new %d, cart %v, user %q", n, cart, x.UserID())
			}
			s.sawGorilla(x)
		})
		if set := len(s.last) != 0; set != s.m.Traits().ClientSide {
			t.Errorf("cookies of a plain save: %v", s.last)
		}
		s.do(func(x *core.Session) {
			if got := x.Flashes(); len(got) != 0 {
				t.Errorf("flashes are there again: %v", got)
			}
		})
		s.isNotProlonged(store)
	})
}

func TestSatchelReadsWhatGorillaWrote(t *testing.T) {
	onEach(t, arriving, func(t *testing.T, s *site, store sessions.Store) {
		if _, ok := store.(*fiberStore[string]); ok {
			return // its keys are strings
		}
		seven := any("no string")
		if s.m.Traits().ClientSide {
			seven = nil // a cookie is written anew, and only what Satchel has read stays
		}
		s.gorilla(store, func(g *sessions.Session) {
			g.Values["n"] = 41
			g.Values["account"] = account{"Ada", true}
			g.Values[7] = "no string"
			g.Values["broken"] = "\xff"
			g.AddFlash("hello")
			g.AddFlash(message{"info", "typed"})
			g.AddFlash("kinds are values", "notice")
		})
		var id core.ID
		s.do(func(x *core.Session) {
			id = x.ID()
			a, err := core.Lookup[account](x, "account")
			if err != nil || a != (account{"Ada", true}) || x.IsNew() || x.UserID() != "" {
				t.Errorf("%+v %v, new %v, user %q", a, err, x.IsNew(), x.UserID())
			}
			if got := x.PeekFlashes(); !slices.Equal(got, []core.Flash{{Text: "hello"}, {Text: "info: typed"}}) {
				t.Errorf("flashes: %v", got)
			}
			if got, _ := core.Get[[]string](x, "notice"); !slices.Equal(got, []string{"kinds are values"}) {
				t.Errorf("notice: %v", got)
			}
			core.Update(x, "n", func(n int) int { return n + 1 })
		})
		s.do(func(x *core.Session) {
			if x.ID() != id {
				t.Error("the session has changed its ID")
			}
		})
		s.gorilla(store, func(g *sessions.Session) {
			want := map[any]any{
				"n": 42, "account": account{"Ada", true}, "broken": "\xff", "notice": []any{"kinds are values"},
				flashKey: []any{"hello", message{"info", "typed"}},
			}
			if seven != nil {
				want[7] = seven
			}
			got := maps.Clone(g.Values)
			delete(got, headerKey)
			if !reflect.DeepEqual(got, want) {
				t.Errorf("back in gorilla: %#v, want %#v", got, want)
			}
		})
		s.do(func(x *core.Session) { x.Login("u-1") })
		s.gorilla(store, func(g *sessions.Session) {
			if g.IsNew || g.Values[7] != seven || g.Values["n"] != 42 {
				t.Errorf("after a login: new %v, %v", g.IsNew, g.Values)
			}
		})
		s.now = s.now.Add(31 * time.Minute)
		s.do(func(x *core.Session) {
			if !x.IsNew() {
				t.Error("T1: what gorilla began has no idle timeout")
			}
		})
	})
}

func TestSEC15FromEndsInBothDirections(t *testing.T) {
	onEach(t, pairings, func(t *testing.T, s *site, store sessions.Store) {
		known := func(copied map[string]string) (inSatchel, inGorilla bool) {
			s.cookies = maps.Clone(copied)
			s.do(func(x *core.Session) { inSatchel = !x.IsNew() })
			r, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
			r.Header.Set("Cookie", "session="+copied["session"])
			g, _ := store.New(r, "session")
			return inSatchel, !g.IsNew
		}
		s.do(func(x *core.Session) { x.Login("u-1") })
		copied := maps.Clone(s.cookies)
		s.do(func(x *core.Session) { x.Logout() })
		if ours, theirs := known(copied); ours || theirs {
			t.Errorf("after Satchel's logout: Satchel %v, gorilla %v", ours, theirs)
		}
		s.cookies = map[string]string{}
		s.do(func(x *core.Session) { x.Login("u-1") })
		copied = maps.Clone(s.cookies)
		s.gorilla(store, func(g *sessions.Session) { g.Options = &sessions.Options{Path: "/", MaxAge: -1} })
		if ours, theirs := known(copied); ours || theirs {
			t.Errorf("after gorilla's logout: Satchel %v, gorilla %v", ours, theirs)
		}
	})
}

// The programs' own way to a new ID is to clear it and save.
func TestFromGorillaMovesASession(t *testing.T) {
	onEach(t, pairings, func(t *testing.T, s *site, store sessions.Store) {
		s.do(func(x *core.Session) { x.Login("u-1"); x.Set("k", "v") })
		old := s.cookies["session"]
		s.gorilla(store, func(g *sessions.Session) { g.ID = "" })
		if s.cookies["session"] == old {
			t.Fatal("gorilla has not moved it")
		}
		s.do(func(x *core.Session) {
			if v, _ := core.Get[string](x, "k"); v != "v" || x.UserID() != "u-1" {
				t.Errorf("k %q, user %q", v, x.UserID())
			}
		})
	})
}

func TestSEC8FromKeepsScopesApart(t *testing.T) {
	for _, p := range pairings {
		backend, _ := p.make(t)
		s := newSite(t, backend, nil)
		s.do(func(x *core.Session) { x.Set("k", "v") })
		other := newSite(t, backend, func(c *core.Config) { c.Cookie.Name = "admin" })
		other.cookies["admin"] = s.cookies["session"]
		space := newSite(t, backend, func(c *core.Config) { c.Namespace = "shop" })
		space.cookies = s.cookies
		for _, s := range []*site{other, space} {
			s.do(func(x *core.Session) {
				if !x.IsNew() {
					t.Errorf("%s: one Manager's token is a session to another", p.name)
				}
			})
		}
	}
}
