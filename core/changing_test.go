package core_test

import (
	"fmt"
	"strconv"
	"testing"

	"github.com/satchel-go/satchel/core"
)

// These tests are the code of docs/changing-what-you-store.md. Each has the releases of
// one application as handlers, on the sessions of one client.

func holds[T comparable](t *testing.T, c *client, key core.Key[T], want T) {
	t.Helper()
	c.do(func(s *core.Session) {
		if v, err := key.Lookup(s); err != nil || v != want {
			t.Errorf("%s is %v, %v; want %v", key.Name(), v, err, want)
		}
	})
}

// A renamed field keeps its stored name, by a tag; a new one begins as zero.
func TestE1RenamedAndAddedFields(t *testing.T) {
	type before struct{ Name string }
	type after struct {
		FullName string `cbor:"Name"`
		Age      int
	}
	old, renamed := core.NewKey[before]("person"), core.NewKey[after]("person")
	both(t, func(t *testing.T, w *world) {
		c := newClient(t, w.m)
		c.do(func(s *core.Session) { old.Set(s, before{"Ann"}) })
		holds(t, c, renamed, after{FullName: "Ann"})
		c.do(func(s *core.Session) { renamed.Update(s, func(p after) after { p.Age = 30; return p }) })
		holds(t, c, old, before{"Ann"}) // a rollback
		holds(t, c, renamed, after{"Ann", 30})
	})
}

// A type changes in two releases, so that both can read what either writes, and the
// second can be rolled back.
func TestE1ChangedTypeInTwoReleases(t *testing.T) {
	first := core.NewKey[string]("visits", core.ReadOld(func(n int) (string, error) { return strconv.Itoa(n), nil }))
	second := core.NewKey[int]("visits", core.ReadOld(strconv.Atoi))
	inFirst := func(s *core.Session) {
		first.Update(s, func(text string) string { n, _ := strconv.Atoi(text); return strconv.Itoa(n + 1) })
	}
	inSecond := func(s *core.Session) { second.Update(s, increment) }
	both(t, func(t *testing.T, w *world) {
		c := newClient(t, w.m)
		for range 3 { // side by side, and back
			c.do(inFirst)
			c.do(inSecond)
			c.do(inSecond)
			c.do(inFirst)
		}
		holds(t, c, first, "12")
		holds(t, c, second, 12)
	})
}

// twoCodecs reads what either codec wrote, and writes with one of them. What the new
// one wrote begins with a byte with which neither CBOR nor JSON begins.
type twoCodecs struct {
	was, is core.Codec
	writes  bool // with the new one
}

const newCodec = 0xff

func (c twoCodecs) Encode(v any) ([]byte, error) {
	if !c.writes {
		return c.was.Encode(v)
	}
	data, err := c.is.Encode(v)
	return append([]byte{newCodec}, data...), err
}

func (c twoCodecs) Decode(data []byte, v any) error {
	if len(data) > 0 && data[0] == newCodec {
		return c.is.Decode(data[1:], v)
	}
	return c.was.Decode(data, v)
}

// A codec changes in two releases: the first reads both, the second writes the new one.
func TestE1ChangedCodecInTwoReleases(t *testing.T) {
	both(t, func(t *testing.T, w *world) {
		release := func(codec core.Codec) *core.Manager {
			return w.sharing(func(c *core.Config) { c.Codec = codec })
		}
		before, first, second := w.m, release(twoCodecs{core.CBOR(), core.JSON(), false}), release(twoCodecs{core.CBOR(), core.JSON(), true})
		c := newClient(t, before)
		c.do(func(s *core.Session) { asNumber.Set(s, 5); s.Set("k", "v") })
		for i, m := range []*core.Manager{before, first, before, first, second, first, second, second, first} {
			c.m = m
			c.do(func(s *core.Session) {
				asNumber.Update(s, increment)
				if v, ok := core.Get[string](s, "k"); !ok || v != "v" {
					t.Errorf("step %d: k is %q", i, v)
				}
				s.Set(fmt.Sprint("step ", i), i)
			})
		}
		holds(t, c, asNumber, 14)
		c.do(func(s *core.Session) {
			for i := range 9 {
				if n, ok := core.Get[int](s, fmt.Sprint("step ", i)); !ok || n != i {
					t.Errorf("what step %d stored is %d, %t", i, n, ok)
				}
			}
		})
	})
}
