package storable_test

import (
	"encoding"
	"reflect"
	"testing"
	"time"

	"github.com/satchel-go/satchel/core/internal/storable"
)

var format = storable.Format{
	Tags: []string{"json"},
	Methods: []storable.Methods{{
		Encode: reflect.TypeFor[encoding.TextMarshaler](), Decode: reflect.TypeFor[encoding.TextUnmarshaler](),
		Of: func(t reflect.Type) (reflect.Method, bool) { return t.MethodByName("MarshalText") },
	}},
	MaxDepth: 8,
}

// A type that has been seen before costs a lookup.
func TestCheckAllocatesNothing(t *testing.T) {
	type item struct {
		Name  string
		Price int
	}
	type cart struct {
		Items  []item
		ByName map[string]*item
		Ages   map[string]time.Duration
	}
	for name, v := range map[string]any{
		"struct": cart{Items: []item{{"a", 1}}}, "pointer": &cart{}, "list": []item{}, "string": "a", "time": time.Now(),
		"generic": map[string]any{"a": 1, "b": []any{"c", nil, time.Now(), &cart{}}},
	} {
		if err := format.Check(v); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if n := testing.AllocsPerRun(100, func() { _ = format.Check(v) }); n > 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

// Types that contain each other are as bad as their worst part, whichever comes first.
func TestTypesThatContainEachOther(t *testing.T) {
	type bad struct{ f func() }
	type b struct {
		A   *struct{ Next *bad }
		Bad []bad
	}
	type a struct {
		B    *b
		Self *a
	}
	for range 2 {
		for _, v := range []any{a{}, &b{}, []a{}, map[string]b{}} {
			if err := format.Check(v); err == nil {
				t.Errorf("%T is accepted", v)
			}
		}
	}
	_ = bad{}.f
}

func BenchmarkCheck(b *testing.B) {
	v := any(struct{ A, B []string }{})
	b.ReportAllocs()
	for b.Loop() {
		_ = format.Check(v)
	}
}
