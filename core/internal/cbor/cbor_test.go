package cbor

import (
	"bytes"
	"reflect"
	"runtime"
	"strings"
	"testing"

	"github.com/satchel-go/satchel/internal/testing/alloctest"
)

type person struct {
	Name   string
	Age    uint8
	Home   *person
	Others []person
	Tags   map[string]int
	Hash   [4]byte
	Any    any
}

// decode is how core reads a value.
func decode[T any](data string) (v T, err error) {
	if v, ok := DecodeScalar[T]([]byte(data)); ok {
		return v, nil
	}
	err = Unmarshal([]byte(data), &v)
	return v, err
}

// TestSEC46BoundedDecoder: hostile bytes are errors, and cheap ones.
func TestSEC46BoundedDecoder(t *testing.T) {
	nested := func(head string, n int) string { return strings.Repeat(head, n) + "\x00" }
	cases := map[string]string{
		"huge array":            "\x9b\x7f\xff\xff\xff\xff\xff\xff\xff",
		"huge array, negative":  "\x9b\xff\xff\xff\xff\xff\xff\xff\xff",
		"huge map":              "\xbb\x00\x00\x00\x7f\xff\xff\xff\xff",
		"huge text":             "\x7b\x7f\xff\xff\xff\xff\xff\xff\xffabc",
		"huge text, negative":   "\x7b\xff\xff\xff\xff\xff\xff\xff\xffabc",
		"huge bytes":            "\x5b\x00\x00\x00\x01\x00\x00\x00\x00abc",
		"most elements allowed": "\x9a\x00\x01\x00\x00",
		"one element too many":  "\x9a\x00\x01\x00\x01" + strings.Repeat("\xf6", maxArrayElements+1),
		"nested huge arrays":    strings.Repeat("\x9a\x00\x01\x00\x00", 30),
		"deep arrays":           nested("\x81", 10_000),
		"deep maps":             nested("\xa1\x00", 10_000),
		"deep tags":             nested("\xc1", 10_000),
		"deep mix":              nested("\x81\xd8\x64\xa1\x60", 10_000),
		"one level too deep":    nested("\x81", maxNesting+1),
		"duplicate keys":        "\xa2\x61a\x01\x61a\x02",
		"indefinite array":      "\x9f\x01\xff",
		"indefinite map":        "\xbf\x61a\x01\xff",
		"indefinite text":       "\x7f\x61a\xff",
		"indefinite bytes":      "\x5f\x41a\xff",
		"lone break":            "\xff",
		"reserved information":  "\x1c",
		"trailing data":         "\x01\x01",
		"cut":                   "\x19\x01",
		"empty":                 "",
		"time that is a map":    "\xc0\xa0",
		"bignum that is text":   "\xc2\x61a",
		"array as a key":        "\xa1\x80\x01",
	}
	for name, data := range cases {
		t.Run(name, func(t *testing.T) {
			sec46Refuses[any](t, data)
			sec46Refuses[string](t, data)
			sec46Refuses[[]byte](t, data)
			sec46Refuses[int64](t, data)
			sec46Refuses[map[string]any](t, data)
			sec46Refuses[[][64]string](t, data)
			sec46Refuses[[]person](t, data)
		})
	}
}

func sec46Refuses[T any](t *testing.T, data string) {
	t.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	v, err := decode[T](data)
	runtime.ReadMemStats(&after)
	if err == nil {
		t.Errorf("%T accepts %.40q as %v", v, data, v)
	}
	if got, limit := after.TotalAlloc-before.TotalAlloc, uint64(32<<10+4*len(data)); got > limit {
		t.Errorf("%T: allocated %d bytes for %d, limit %d", v, got, len(data), limit)
	}
}

func TestSEC46DeepestIsAccepted(t *testing.T) {
	data := strings.Repeat("\x81", maxNesting) + "\x00"
	if _, err := decode[any](data); err != nil {
		t.Error(err)
	}
}

// FuzzSEC46Scalar: where the fast path answers, the library answers the same,
// and writes it the same.
func FuzzSEC46Scalar(f *testing.F) {
	for _, v := range scalarValues() {
		data, err := Marshal(v)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data[:min(len(data), 40)])
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		fuzzScalar[string](t, data)
		fuzzScalar[[]byte](t, data)
		fuzzScalar[bool](t, data)
		fuzzScalar[int](t, data)
		fuzzScalar[int64](t, data)
		fuzzScalar[int32](t, data)
		fuzzScalar[uint64](t, data)
		fuzzScalar[uint32](t, data)
		fuzzScalar[float64](t, data)
		fuzzScalar[person](t, data)
	})
}

func fuzzScalar[T any](t *testing.T, data []byte) {
	var fast T
	var ok bool
	alloctest.Bound(t, 2*len(data)+64, func() { fast, ok = DecodeScalar[T](data) })
	if !ok {
		if !reflect.ValueOf(&fast).Elem().IsZero() {
			t.Fatalf("%T: not answered, with %v", fast, fast)
		}
		return
	}
	var slow T
	if err := Unmarshal(data, &slow); err != nil || !reflect.DeepEqual(fast, slow) {
		t.Fatalf("%T: fast %v, library %v, %v", fast, fast, slow, err)
	}
	wrote, ok := EncodeScalar(fast)
	want, err := Marshal(fast)
	if !ok || err != nil || !bytes.Equal(wrote, want) {
		t.Fatalf("%T: fast %x, %v, library %x, %v", fast, wrote, ok, want, err)
	}
}
