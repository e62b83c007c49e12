package gorillastore

import (
	"bytes"
	"encoding/gob"
	"errors"
	"maps"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/gorilla/securecookie"
	"github.com/gorilla/sessions"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/internal/inplace"
	"github.com/satchel-go/satchel/internal/testing/redistest"
)

// level is a kind of number that applications give names to.
type level int8

func init() { gob.Register(level(0)) }

// The application's codec decides how values are written, on every store.
func TestK1GorillaValuesWithTheCodecOfTheConfig(t *testing.T) {
	for _, p := range arriving {
		backend, store := p.make(t)
		s := newSite(t, backend, func(c *core.Config) { c.Codec = core.JSON() })
		s.gorilla(store, func(g *sessions.Session) { g.Values["n"] = 41; g.Values["name"] = "Ada" })
		s.do(func(x *core.Session) {
			core.Update(x, "n", func(n int) int { return n + 1 })
			x.Set("list", []string{"a"})
			x.Set("big", int64(1<<53+1)) // a float64 would round it
		})
		s.do(func(x *core.Session) {
			n, errN := core.Lookup[int](x, "n")
			name, errName := core.Lookup[string](x, "name")
			list, errList := core.Lookup[[]string](x, "list")
			big, errBig := core.Lookup[int64](x, "big")
			if err := errors.Join(errN, errName, errList, errBig); err != nil || n != 42 || name != "Ada" || !slices.Equal(list, []string{"a"}) || big != 1<<53+1 {
				t.Errorf("%s: n %d, name %q, list %v, big %d: %v", p.name, n, name, list, big, err)
			}
		})
		s.gorilla(store, func(g *sessions.Session) {
			if g.Values["n"] != 42 || g.Values["name"] != "Ada" {
				t.Errorf("%s: gorilla reads the %T %[2]v and %v", p.name, g.Values["n"], g.Values["name"])
			}
		})
	}
}

// What Satchel cannot encode stays gorilla's, through saves and logins.
func TestK1GorillaKeepsWhatSatchelCannotEncode(t *testing.T) {
	for _, p := range pairings {
		backend, store := p.make(t)
		s := newSite(t, backend, nil)
		s.gorilla(store, func(g *sessions.Session) { g.Values["z"] = complex(1, 2); g.Values["k"] = "v" })
		s.do(func(x *core.Session) {
			if got := x.Keys(); !slices.Equal(got, []string{"k"}) {
				t.Errorf("%s: Satchel has %v", p.name, got)
			}
			x.Set("k", "w")
		})
		s.do(func(x *core.Session) { x.Login("u") })
		s.gorilla(store, func(g *sessions.Session) {
			if g.Values["z"] != complex(1, 2) || g.Values["k"] != "w" {
				t.Errorf("%s: gorilla reads %v", p.name, g.Values)
			}
		})
	}
}

// A number keeps gorilla's type as long as it fits, and its value in any case.
func TestK1GorillaNumbersKeepTheirValues(t *testing.T) {
	for _, p := range arriving {
		backend, store := p.make(t)
		s := newSite(t, backend, nil)
		s.gorilla(store, func(g *sessions.Session) {
			g.Values["small"], g.Values["least"], g.Values["byte"], g.Values["count"], g.Values["level"] = int8(1), int8(1), uint8(1), uint(1), level(1)
		})
		s.do(func(x *core.Session) {
			x.Set("small", 300)
			x.Set("least", -128)
			x.Set("byte", 256)
			x.Set("count", -1)
			x.Set("level", 2)
		})
		s.gorilla(store, func(g *sessions.Session) {
			for key, want := range map[string]any{"small": int64(300), "least": int8(-128), "byte": int64(256), "count": int64(-1), "level": level(2)} {
				if g.Values[key] != want {
					t.Errorf("%s: gorilla reads %s as %#v, want %#v", p.name, key, g.Values[key], want)
				}
			}
		})
	}
}

// JSON has one kind of number, and integers of 64 bits do not fit into it.
func TestK1FromTextNumbersKeepTheirValues(t *testing.T) {
	numbers := map[string]float64{
		"huge": 1e300, "beyond": 1e19, "edge": 1 << 53, "least": -1e19, "half": -0.5, "zero": 0, "negative": -3, "smallest": math.SmallestNonzeroFloat64,
	}
	store := newMemory(t)
	store.text = true
	s := newSite(t, From(store, FromConfig{Text: true}), nil)
	s.gorilla(store, func(g *sessions.Session) {
		for key, n := range numbers {
			g.Values[key] = n
		}
	})
	for range 2 {
		s.do(func(x *core.Session) {
			for key, n := range numbers {
				v, _ := core.Get[any](x, key)
				if whole, ok := v.(int64); ok {
					v = float64(whole)
				}
				if v != n {
					t.Errorf("%s is %v, want %v", key, v, n)
				}
			}
			x.Set("another", "save")
		})
		s.gorilla(store, func(g *sessions.Session) {
			for key, n := range numbers {
				if g.Values[key] != n {
					t.Errorf("gorilla reads %s as %v, want %v", key, g.Values[key], n)
				}
			}
		})
	}
}

// A session whose JSON is damaged must not be an outage for its user.
func TestE3FromTextThatIsDamaged(t *testing.T) {
	for _, damaged := range []string{"", "{", `[1]`, `{"k":`} {
		store := newMemory(t)
		store.text = true
		s := newSite(t, From(store, FromConfig{Text: true}), nil)
		s.do(func(x *core.Session) { x.Set("k", "v") })
		old := s.cookies["session"]
		store.all[old] = []byte(damaged)
		s.do(func(x *core.Session) { x.Set("k", "new") })
		s.has("new")
		if s.counts(core.EventRejected, core.ReasonCorrupt) != 1 || s.cookies["session"] == old {
			t.Errorf("%q: %v", damaged, s.events)
		}
	}
}

// A flash that gorilla adds while another request shows those before it has not been shown.
func TestF6GorillaAddsAFlashMeanwhile(t *testing.T) {
	for _, p := range pairings[:4] {
		backend, store := p.make(t)
		s := newSite(t, backend, nil)
		s.do(func(x *core.Session) { x.Flash("", "one") })
		s.do(func(x *core.Session) {
			shown := x.Flashes()
			s.gorilla(store, func(g *sessions.Session) { g.AddFlash("two") })
			if !slices.Equal(shown, []core.Flash{{Text: "one"}}) {
				t.Errorf("%s: %v", p.name, shown)
			}
		})
		s.do(func(x *core.Session) {
			if got := x.Flashes(); !slices.Equal(got, []core.Flash{{Text: "two"}}) {
				t.Errorf("%s: then %v", p.name, got)
			}
		})
	}
}

// refusing reads nothing, like gob where a type is missing.
type refusing struct{ securecookie.GobEncoder }

func (refusing) Deserialize([]byte, any) error { return errOwn }

// A cookie that is ours and cannot be read is another thing than a forged one.
func TestE3GorillaCookieWithATypeThatIsMissing(t *testing.T) {
	store := cookieStore("a", "b")
	for _, codec := range store.Codecs {
		codec.(*securecookie.SecureCookie).SetSerializer(refusing{})
	}
	for _, name := range []string{"a", "b"} {
		if _, err := open(newSealer(store, CookieConfig{}), seal(t, testSealer(t, name), testRecord(t))); !errors.Is(err, core.ErrCorrupt) {
			t.Errorf("pair %s: %v, want ErrCorrupt", name, err)
		}
	}
	if _, err := open(newSealer(store, CookieConfig{}), seal(t, testSealer(t, "c"), testRecord(t))); errors.Is(err, core.ErrCorrupt) {
		t.Error("a cookie of other keys is taken for one of ours")
	}
}

// A store's bytes are not authenticated.
func TestE3HeadersWithImpossibleLengths(t *testing.T) {
	endless := slices.Repeat([]byte{0xff}, 12)
	for _, data := range [][]byte{
		{inplace.HeaderFormat}, append([]byte{inplace.HeaderFormat}, endless...), {inplace.HeaderFormat, 0}, append([]byte{inplace.HeaderFormat, 0}, endless...), {inplace.HeaderFormat, 5, 'a'},
	} {
		if _, _, err := inplace.SplitHeader(data); err == nil && len(data) > 1 && !slices.Equal(data, []byte{inplace.HeaderFormat, 0}) {
			t.Errorf("%x is a header", data)
		}
	}
}

// What is not encrypted must be asked for by name.
func TestSEC43FromNeedsABlockKeyToo(t *testing.T) {
	if _, err := core.New(From(sessions.NewCookieStore(testKey("hash", 32)), FromConfig{}), core.Config{}); err == nil {
		t.Error("clients can read their sessions, and nobody has said so")
	}
}

// pointing is a flash as gorilla's programs add them: fmt prints its address.
type pointing struct{ Text *string }

func init() { gob.Register(pointing{}) }

func TestK1FromKeepsAFlashWithAPointer(t *testing.T) {
	files := newFiles(t, t.TempDir())
	s := newSite(t, From(files, FromConfig{}), nil)
	s.gorilla(files, func(g *sessions.Session) {
		text := "hi"
		g.AddFlash(pointing{&text})
	})
	if w := s.do(func(x *core.Session) { x.Set("k", "v") }); w.Code != 200 {
		t.Fatalf("status %d: the session seems to have changed though nobody has changed it", w.Code)
	}
	s.gorilla(files, func(g *sessions.Session) {
		flashes := g.Flashes()
		if len(flashes) != 1 || *flashes[0].(pointing).Text != "hi" || g.Values["k"] != "v" {
			t.Errorf("flashes %v, values %v", flashes, g.Values)
		}
	})
}

func TestK1CompatibleKeepsNullsOfJSON(t *testing.T) {
	server := redistest.Shared(t)
	store, prefix := newRedis(t)
	store.Serializer(jsonSerializer{})
	s := newSite(t, RedisCompatible(newClient(t, server.Addr()), CompatibleConfig{KeyPrefix: prefix, Serializer: jsonSerializer{}}), nil)
	s.gorilla(store, func(g *sessions.Session) { g.Values["none"] = nil })
	s.do(func(x *core.Session) { x.Set("k", "v") })
	s.gorilla(store, func(g *sessions.Session) {
		if v, ok := g.Values["none"]; !ok || v != nil || g.Values["k"] != "v" {
			t.Errorf("gorilla finds %#v", g.Values)
		}
	})
	s.do(func(x *core.Session) { x.Set("none", 1) })
	s.gorilla(store, func(g *sessions.Session) {
		if g.Values["none"] != 1.0 {
			t.Errorf("gorilla finds %#v", g.Values["none"])
		}
	})
}

// Types that an application has given to gob.Register, or Fiber's RegisterType.
type (
	line  struct{ Name string }
	role  string
	order struct {
		Lines []line
		Paid  *bool
		By    time.Time
	}
)

func init() {
	for _, v := range []any{[]line{}, role(""), &order{}, map[string]int{}, time.Time{}, []any{}} {
		gob.Register(v)
	}
}

// A value that gorilla wrote keeps its type when it changes, so that the old program's
// s.Values["cart"].([]line) does not begin a cart of its own.
func TestK1GorillaValuesThatChangeKeepTheirTypes(t *testing.T) {
	noon, yes := time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC), true
	for _, codec := range []core.Codec{core.CBOR(), core.JSON()} {
		for _, p := range arriving {
			backend, store := p.make(t)
			s := newSite(t, backend, func(c *core.Config) { c.Codec = codec })
			s.gorilla(store, func(g *sessions.Session) {
				g.Values["cart"], g.Values["role"], g.Values["order"] = []line{{"hat"}}, role("guest"), &order{Lines: []line{{"hat"}}, By: noon}
				g.Values["counts"], g.Values["at"], g.Values["list"] = map[string]int{"hat": 1}, noon, []any{"hat"}
				g.Values["emptied"], g.Values["other"] = []line{{"hat"}}, []line{{"hat"}}
			})
			s.do(func(x *core.Session) {
				core.Update(x, "cart", func(cart []line) []line { return append(cart, line{"coat"}) })
				x.Set("role", role("admin"))
				x.Set("order", order{Lines: []line{}, Paid: &yes, By: noon.Add(time.Hour)})
				core.Update(x, "counts", func(n map[string]int) map[string]int { n["coat"]++; return n })
				x.Set("at", noon.Add(time.Hour))
				core.Update(x, "list", func(all []string) []string { return append(all, "coat") })
				x.Set("emptied", []line{})
				x.Set("other", "text")
			})
			s.gorilla(store, func(g *sessions.Session) {
				cart, _ := g.Values["cart"].([]line)
				theRole, _ := g.Values["role"].(role)
				paid, _ := g.Values["order"].(*order)
				counts, _ := g.Values["counts"].(map[string]int)
				at, _ := g.Values["at"].(time.Time)
				list, _ := g.Values["list"].([]any)
				emptied, ok := g.Values["emptied"].([]line)
				if !slices.Equal(cart, []line{{"hat"}, {"coat"}}) || theRole != "admin" || paid == nil || !*paid.Paid || len(paid.Lines) > 0 ||
					!paid.By.Equal(noon.Add(time.Hour)) || !maps.Equal(counts, map[string]int{"hat": 1, "coat": 1}) || !at.Equal(noon.Add(time.Hour)) ||
					!slices.Equal(list, []any{"hat", "coat"}) || !ok || len(emptied) > 0 || g.Values["other"] != "text" {
					t.Errorf("%s: gorilla reads %#v", p.name, g.Values)
				}
				g.Values["cart"] = append(cart, line{"tie"})
			})
			s.do(func(x *core.Session) {
				if cart, _ := core.Get[[]line](x, "cart"); !slices.Equal(cart, []line{{"hat"}, {"coat"}, {"tie"}}) {
					t.Errorf("%s: the cart is %v", p.name, cart)
				}
				if emptied, err := core.Lookup[[]line](x, "emptied"); err != nil || len(emptied) > 0 {
					t.Errorf("%s: emptied: %v, %v", p.name, emptied, err)
				}
			})
		}
	}
}

// What gob cannot write, though it knows the type, or would not be the same in the old
// type, is encoded: no save fails, and nothing changes.
func TestK1GorillaValuesThatDoNotFitTheirOldTypes(t *testing.T) {
	type longer struct{ Name, Size string }
	for _, p := range arriving {
		backend, store := p.make(t)
		s := newSite(t, backend, nil)
		s.gorilla(store, func(g *sessions.Session) { g.Values["none"], g.Values["cart"] = &order{}, []line{{"hat"}} })
		s.do(func(x *core.Session) {
			x.Set("none", (*order)(nil))
			x.Set("cart", []longer{{"hat", "L"}})
		})
		s.gorilla(store, func(g *sessions.Session) {
			for _, key := range []string{"none", "cart"} {
				if b, _ := g.Values[key].([]byte); !bytes.HasPrefix(b, inplace.EncodedMark) {
					t.Errorf("%s: gorilla reads %s as %#v", p.name, key, g.Values[key])
				}
			}
		})
		s.do(func(x *core.Session) {
			none, errNone := core.Lookup[*order](x, "none")
			cart, errCart := core.Lookup[[]longer](x, "cart")
			if err := errors.Join(errNone, errCart); err != nil || none != nil || !slices.Equal(cart, []longer{{"hat", "L"}}) {
				t.Errorf("%s: %v, %v: %v", p.name, none, cart, err)
			}
		})
	}
}

// JSON has lists and maps, which both programs change.
func TestK1FromTextListsStayLists(t *testing.T) {
	type item struct {
		Name string
		N    int
	}
	store := newMemory(t)
	store.text = true
	s := newSite(t, From(store, FromConfig{Text: true}), nil)
	s.gorilla(store, func(g *sessions.Session) {
		g.Values["cart"], g.Values["exact"], g.Values["bytes"] = []item{{"hat", 1}}, []any{1}, []any{1}
	})
	s.do(func(x *core.Session) {
		core.Update(x, "cart", func(cart []item) []item { return append(cart, item{"coat", 2}) })
		x.Set("exact", []int{1 << 60})
		x.Set("bytes", [][]byte{{1}})
		x.Set("new", []item{{"tie", 3}})
	})
	s.gorilla(store, func(g *sessions.Session) {
		cart, _ := g.Values["cart"].([]any)
		if len(cart) != 2 || !maps.Equal(cart[1].(map[string]any), map[string]any{"Name": "coat", "N": 2.0}) {
			t.Errorf("gorilla reads %#v", g.Values)
		}
		g.Values["cart"] = append(cart, item{"tie", 3})
	})
	s.do(func(x *core.Session) {
		cart, errCart := core.Lookup[[]item](x, "cart")
		exact, errExact := core.Lookup[[]int](x, "exact")
		blobs, errBlobs := core.Lookup[[][]byte](x, "bytes")
		added, errAdded := core.Lookup[[]item](x, "new")
		if err := errors.Join(errCart, errExact, errBlobs, errAdded); err != nil || !slices.Equal(cart, []item{{"hat", 1}, {"coat", 2}, {"tie", 3}}) ||
			!slices.Equal(exact, []int{1 << 60}) || len(blobs) != 1 || !bytes.Equal(blobs[0], []byte{1}) || len(added) != 1 {
			t.Errorf("cart %v, exact %v, bytes %v, new %v: %v", cart, exact, blobs, added, err)
		}
	})
}
