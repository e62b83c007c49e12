package core_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/satchel-go/satchel/core"
)

type ring struct {
	Name        string
	Next        *ring
	Left, Right *ring
}

type ringList []ringList

type ringPointer *ringPointer

type ringEmbedded struct {
	*ringPart
	N int
}

type ringPart struct{ Up *ringEmbedded }

// ringBack has its way back in a field that no codec writes.
type ringBack struct {
	Children []*ringBack
	parent   *ringBack
}

// cyclic returns values that contain themselves, each in another way.
func cyclic() map[string]any {
	pointer := &ring{Name: "a"}
	pointer.Next = &ring{Name: "b", Next: pointer}
	twice := &ring{}
	twice.Left, twice.Right = twice, twice
	object := map[string]any{"a": 1}
	object["self"] = []any{object}
	list := []any{1, nil}
	list[1] = list
	typed := ringList{nil}
	typed[0] = typed
	var boxed any
	boxed = &boxed
	var bare ringPointer
	bare = &bare
	up := &ringEmbedded{ringPart: &ringPart{}}
	up.Up = up
	byKey := map[any]any{}
	byKey[1] = map[string]any{"up": byKey}
	return map[string]any{
		"pointer": pointer, "struct": *pointer, "twice": twice, "map": object, "list": list, "typed list": typed,
		"pointer to any": boxed, "pointer alone": bare, "embedded": up, "map of any": byKey,
		"map of pointers": map[string]*ring{"a": pointer},
	}
}

// deepRing returns a list of n rings, which contains itself nowhere.
func deepRing(n int) *ring {
	var r *ring
	for range n {
		r = &ring{Next: r}
	}
	return r
}

func TestCyclicValuesAreErrors(t *testing.T) {
	for name, codec := range map[string]core.Codec{"CBOR": core.CBOR(), "JSON": core.JSON()} {
		w := server(t, func(c *core.Config) { c.Codec = codec })
		for kind, v := range cyclic() {
			t.Run(name+"/"+kind, func(t *testing.T) {
				for how, set := range map[string]func(*core.Session){
					"Set":      func(s *core.Session) { s.Set("v", v) },
					"Key":      func(s *core.Session) { core.NewKey[any]("v").Set(s, v) },
					"Update":   func(s *core.Session) { core.Update(s, "v", func(any) any { return v }) },
					"FlashKey": func(s *core.Session) { core.NewFlashKey[any]("v").Add(s, v) },
				} {
					r := newClient(t, w.m).begin()
					set(r.s)
					var valueErr *core.ValueError
					if err := r.s.Err(); !errors.As(err, &valueErr) || valueErr.Key != "v" || valueErr.Type != fmt.Sprintf("%T", v) {
						t.Errorf("%s: %v, want a ValueError", how, err)
					} else if len(err.Error()) > 300 {
						t.Errorf("%s: the error has %d bytes", how, len(err.Error()))
					}
					_ = r.end(200)
				}
			})
		}
	}
}

// Values that only look cyclic are stored, and those that are too deep to read
// are not.
func TestDepthOfValues(t *testing.T) {
	parent := &ringBack{}
	parent.Children = []*ringBack{{parent: parent}, {parent: parent}}
	shared := &ring{Name: "shared"}
	for name, c := range map[string]struct {
		codec core.Codec
		v     any
		ok    bool
	}{
		"unexported":         {core.CBOR(), parent, true},
		"unexported JSON":    {core.JSON(), parent, true},
		"shared":             {core.CBOR(), []*ring{shared, shared, shared}, true},
		"shared JSON":        {core.JSON(), []*ring{shared, shared, shared}, true},
		"as deep as allowed": {core.CBOR(), deepRing(32), true},
		"too deep":           {core.CBOR(), deepRing(33), false},
		"deepest JSON":       {core.JSON(), deepRing(10_000), true},
		"too deep JSON":      {core.JSON(), deepRing(10_001), false},
		"endless":            {core.CBOR(), deepRing(1_000_000), false},
		"endless JSON":       {core.JSON(), deepRing(1_000_000), false},
	} {
		data, err := c.codec.Encode(c.v)
		if (err == nil) != c.ok {
			t.Errorf("%s: %v", name, err)
		}
		if err == nil {
			var back any
			if err := c.codec.Decode(data, &back); err != nil {
				t.Errorf("%s: it does not come back: %v", name, err)
			}
		}
	}
}

// A value of few parts can have many members, if it shares them.
func TestSharedPartsAreCounted(t *testing.T) {
	r := &ring{}
	for range 30 {
		r = &ring{Left: r, Right: r}
	}
	for _, codec := range []core.Codec{core.CBOR(), core.JSON()} {
		if _, err := codec.Encode(r); err == nil {
			t.Error("two to the power of thirty members are encoded")
		}
	}
}
