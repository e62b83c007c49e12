package core

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"math/big"
	"net/netip"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/satchel-go/satchel/core/internal/cbor"
)

type codecAddress struct {
	Street string `json:"street"`
	Zip    int    `json:"zip,omitempty"`
}

type codecBase struct{ Created time.Time }

type codecRole string

type codecPerson struct {
	codecBase
	Name     string
	Age      uint8
	Role     codecRole
	Home     *codecAddress
	Other    []codecAddress
	Tags     map[string]int
	ByNumber map[int]string
	Avatar   []byte
	Hash     [4]byte
	Ratio    float64
	Timeout  time.Duration
	Any      any
}

// codecText hides its state and has only a text form.
type codecText struct{ s string }

func (c codecText) MarshalText() ([]byte, error) { return []byte("text:" + c.s), nil }
func (c *codecText) UnmarshalText(b []byte) error {
	c.s = strings.TrimPrefix(string(b), "text:")
	return nil
}

// codecBinary hides its state and has only a binary form.
type codecBinary struct{ n byte }

func (c codecBinary) MarshalBinary() ([]byte, error) { return []byte{c.n}, nil }
func (c *codecBinary) UnmarshalBinary(b []byte) error {
	if len(b) != 1 {
		return errors.New("want one byte")
	}
	c.n = b[0]
	return nil
}

func codecRoundTrip[T any](c Codec, same func(a, b T) bool, in T) func(*testing.T) {
	return func(t *testing.T) {
		data, err := encodeValue(c, "k", in)
		if err != nil {
			t.Fatal(err)
		}
		again, err := encodeValue(c, "k", in)
		if err != nil || !bytes.Equal(data, again) {
			t.Errorf("second encoding %x, %v; want %x", again, err, data)
		}
		source := bytes.Clone(data)
		out, err := decodeValue[T](c, "k", source)
		if err != nil {
			t.Fatal(err)
		}
		for i := range source {
			source[i] = 0xff // the value must not notice
		}
		if !same(in, out) {
			t.Errorf("got %#v, want %#v (bytes %x)", out, in, data)
		}
	}
}

func codecDeepEqual[T any](a, b T) bool { return reflect.DeepEqual(a, b) }

func TestCodecRoundTrip(t *testing.T) {
	zone := time.FixedZone("", 5*3600+1800)
	at := time.Date(2024, 2, 29, 23, 59, 59, 123456789, zone)
	person := codecPerson{
		codecBase: codecBase{Created: time.Date(1999, 1, 2, 3, 4, 5, 6, time.UTC)},
		Name:      "Zoë", Age: 200, Role: "admin",
		Home:     &codecAddress{"Road", 7},
		Other:    []codecAddress{{"A", 0}, {"B", 2}},
		Tags:     map[string]int{"b": 1, "a": -2, "longer": 3},
		ByNumber: map[int]string{-1: "x", 100000: "y"},
		Avatar:   []byte{0, 1, 255}, Hash: [4]byte{1, 2, 3, 4},
		Ratio: 0.1, Timeout: time.Minute,
		Any: []any{"s", true, nil, 1.5, map[string]any{"k": "v"}},
	}
	for name, c := range map[string]Codec{"CBOR": CBOR(), "JSON": JSON()} {
		t.Run(name, func(t *testing.T) {
			t.Run("struct", codecRoundTrip(c, codecDeepEqual, person))
			t.Run("pointer", codecRoundTrip(c, codecDeepEqual, &person))
			t.Run("nil pointer", codecRoundTrip(c, codecDeepEqual, (*codecPerson)(nil)))
			t.Run("named string", codecRoundTrip(c, codecDeepEqual, codecRole("editor")))
			t.Run("time", codecRoundTrip(c, func(a, b time.Time) bool {
				_, wantOffset := a.Zone()
				_, offset := b.Zone()
				return a.Equal(b) && offset == wantOffset
			}, at))
			t.Run("zero time", codecRoundTrip(c, codecDeepEqual, time.Time{}))
			t.Run("text marshaler", codecRoundTrip(c, codecDeepEqual, codecText{"x"}))
			t.Run("session ID", codecRoundTrip(c, codecDeepEqual, map[string]ID{"i": {1, 2}}))
			t.Run("address", codecRoundTrip(c, codecDeepEqual, netip.MustParseAddr("2001:db8::1")))
			t.Run("nil slice", codecRoundTrip(c, codecDeepEqual, []string(nil)))
			t.Run("empty slice", codecRoundTrip(c, codecDeepEqual, []string{}))
			t.Run("nil bytes", codecRoundTrip(c, codecDeepEqual, []byte(nil)))
			t.Run("empty bytes", codecRoundTrip(c, codecDeepEqual, []byte{}))
			t.Run("raw JSON", codecRoundTrip(c, codecDeepEqual, json.RawMessage(`{"a":1}`)))
			t.Run("any nil", codecRoundTrip[any](c, codecDeepEqual, nil))
			t.Run("string", codecRoundTrip(c, codecDeepEqual, "<ü>"))
			t.Run("bytes", codecRoundTrip(c, codecDeepEqual, []byte("abc")))
			t.Run("int32", codecRoundTrip(c, codecDeepEqual, int32(math.MinInt32)))
			t.Run("uint64", codecRoundTrip(c, codecDeepEqual, uint64(math.MaxUint64)))
			t.Run("float", codecRoundTrip(c, codecDeepEqual, math.Pi))
		})
	}
	c := CBOR()
	t.Run("binary marshaler", codecRoundTrip(c, codecDeepEqual, codecBinary{9}))
	t.Run("URL", codecRoundTrip(c, codecDeepEqual, &url.URL{Scheme: "https", Host: "example.com"}))
	t.Run("any int", codecRoundTrip[any](c, codecDeepEqual, int64(-3)))
	t.Run("any time", codecRoundTrip[any](c, func(a, b any) bool {
		tm, ok := b.(time.Time)
		return ok && tm.Equal(a.(time.Time))
	}, at))
	t.Run("any map", codecRoundTrip[any](c, codecDeepEqual, map[string]any{"n": int64(1), "m": map[string]any{"b": []byte{1}}}))
	t.Run("big int", codecRoundTrip(c, codecDeepEqual, new(big.Int).Lsh(big.NewInt(1), 100)))
	t.Run("any beyond int64", codecRoundTrip[any](c, codecDeepEqual, new(big.Int).SetUint64(math.MaxUint64)))
}

func TestCBORDeterministic(t *testing.T) {
	want, err := CBOR().Encode(map[string]int{"aa": 1, "b": 2, "c": 3})
	if err != nil {
		t.Fatal(err)
	}
	if got := []byte("\xa3\x61b\x02\x61c\x03\x62aa\x01"); !bytes.Equal(got, want) {
		t.Errorf("got %x, want %x", want, got)
	}
	at, err := CBOR().Encode(time.Date(2024, 1, 2, 3, 4, 5, 600, time.UTC))
	if err != nil {
		t.Fatal(err)
	}
	if want := "\xc0\x78\x1c2024-01-02T03:04:05.0000006Z"; string(at) != want {
		t.Errorf("time is %q", at)
	}
}

// What cannot be read back must not be written.
func TestCodecEncodeErrors(t *testing.T) {
	deep := any("x")
	for range 33 {
		deep = []any{deep}
	}
	cases := map[string]any{
		"func":              func() {},
		"channel":           make(chan int),
		"func in a struct":  struct{ F func() }{func() {}},
		"func in an any":    []any{func() {}},
		"complex":           complex(1, 2),
		"too deep":          deep,
		"too long":          make([]bool, 1<<16+1),
		"year 10000":        time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC),
		"year 10000 inside": []time.Time{time.Unix(0, 0), time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)},
	}
	for name, v := range cases {
		t.Run(name, func(t *testing.T) {
			data, err := encodeValue(CBOR(), "cart", v)
			var valueErr *ValueError
			if !errors.As(err, &valueErr) || data != nil {
				t.Fatalf("got %x, %v; want a ValueError", data, err)
			}
			if valueErr.Key != "cart" || valueErr.Type != reflect.TypeOf(v).String() || valueErr.Size != 0 {
				t.Errorf("error says %+v", valueErr)
			}
		})
	}
}

func TestCodecDecodeErrors(t *testing.T) {
	person, err := encodeValue(CBOR(), "k", struct{ Name, Age string }{"Ann", "topsecret"})
	if err != nil {
		t.Fatal(err)
	}
	got, err := decodeValue[codecPerson](CBOR(), "user", person)
	var valueErr *ValueError
	if !errors.As(err, &valueErr) {
		t.Fatalf("got %v, want a ValueError", err)
	}
	if valueErr.Key != "user" || valueErr.Type != "core.codecPerson" || valueErr.Size != len(person) {
		t.Errorf("error says %+v", valueErr)
	}
	if !reflect.DeepEqual(got, codecPerson{}) {
		t.Errorf("half a value: %+v", got)
	}
	if _, err := decodeValue[any](CBOR(), "k", []byte{0xf7}); err == nil {
		t.Error("undefined is accepted")
	}
	if _, err := decodeValue[int](CBOR(), "k", []byte{0xe5}); err == nil {
		t.Error("simple value 5 is an int")
	}
	if _, err := decodeValue[int](CBOR(), "k", nil); err == nil {
		t.Error("nothing is an int")
	}
}

// Errors get logged; session values must not be.
func TestCodecErrorsQuoteNoValues(t *testing.T) {
	tiny := func(c Codec, data string) error { _, err := decodeValue[int8](c, "k", []byte(data)); return err }
	at := func(c Codec, data string) error { _, err := decodeValue[time.Time](c, "k", []byte(data)); return err }
	quoted := func(data string) error {
		_, err := decodeValue[struct {
			N int `json:",string"`
		}](JSON(), "k", []byte(data))
		return err
	}
	duplicate := func(data string) error { _, err := decodeValue[map[string]int](CBOR(), "k", []byte(data)); return err }
	for name, err := range map[string]error{
		"overflow":      tiny(CBOR(), "\x19\xc0\x63"),
		"JSON overflow": tiny(JSON(), "49251"),
		"time":          at(CBOR(), "\xc0\x6549251"),
		"JSON time":     at(JSON(), `"49251"`),
		"JSON quoted":   quoted(`{"N":"x49251"}`),
		"duplicate":     duplicate("\xa2\x6549251\x01\x6549251\x01"),
	} {
		if err == nil {
			t.Errorf("%s: no error", name)
		} else if strings.Contains(err.Error(), "49251") {
			t.Errorf("%s: %v quotes the value", name, err)
		}
	}
}

func BenchmarkCodec(b *testing.B) {
	v := codecPerson{Name: "Ann", Home: &codecAddress{"Road", 7}, Tags: map[string]int{"a": 1, "b": 2}}
	for _, bm := range []struct {
		name  string
		codec Codec
	}{{"CBOR", CBOR()}, {"JSON", JSON()}} {
		data, err := encodeValue(bm.codec, "k", v)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(bm.name+"/encode", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_, _ = encodeValue(bm.codec, "k", v)
			}
		})
		b.Run(bm.name+"/decode", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_, _ = decodeValue[codecPerson](bm.codec, "k", data)
			}
		})
	}
}

var (
	scalarSinkBytes  []byte
	scalarSinkString string
	scalarSinkInt    int64
	scalarSinkFloat  float64
)

func TestScalarAllocations(t *testing.T) {
	text := strings.Repeat("session value ", 5)
	encodedText, _ := cbor.EncodeScalar(text)
	encodedInt, _ := cbor.EncodeScalar(int64(math.MaxInt64))
	encodedFloat, _ := cbor.EncodeScalar(math.Pi)
	encodedBytes, _ := cbor.EncodeScalar([]byte(text))
	number := int64(len(text)) << 40
	codec := CBOR()
	for _, c := range []struct {
		name string
		want float64
		run  func()
	}{
		{"encode string", 1, func() { scalarSinkBytes, _ = encodeValue(codec, "k", text) }},
		{"encode int64", 1, func() { scalarSinkBytes, _ = encodeValue(codec, "k", number) }},
		{"decode int64", 0, func() { scalarSinkInt, _ = decodeValue[int64](codec, "k", encodedInt) }},
		{"decode float64", 0, func() { scalarSinkFloat, _ = decodeValue[float64](codec, "k", encodedFloat) }},
		{"decode string", 1, func() { scalarSinkString, _ = decodeValue[string](codec, "k", encodedText) }},
		{"decode int64, codec", 0, func() { _ = codec.Decode(encodedInt, &scalarSinkInt) }},
		{"decode bytes", 1, func() { scalarSinkBytes, _ = decodeValue[[]byte](codec, "k", encodedBytes) }},
	} {
		if got := testing.AllocsPerRun(100, c.run); got != c.want {
			t.Errorf("%s: %v allocations, want %v", c.name, got, c.want)
		}
	}
}

func BenchmarkScalar(b *testing.B) {
	codec := CBOR()
	text := strings.Repeat("session value ", 5)
	encodedText, _ := cbor.EncodeScalar(text)
	encodedInt, _ := cbor.EncodeScalar(int64(123456))
	for _, bm := range []struct {
		name string
		run  func()
	}{
		{"encode string", func() { scalarSinkBytes, _ = encodeValue(codec, "k", text) }},
		{"encode string, codec", func() { scalarSinkBytes, _ = codec.Encode(text) }},
		{"decode string", func() { scalarSinkString, _ = decodeValue[string](codec, "k", encodedText) }},
		{"decode string, codec", func() { _ = codec.Decode(encodedText, &scalarSinkString) }},
		{"encode int64", func() { scalarSinkBytes, _ = encodeValue(codec, "k", int64(123456)) }},
		{"decode int64", func() { scalarSinkInt, _ = decodeValue[int64](codec, "k", encodedInt) }},
		{"decode int64, codec", func() { _ = codec.Decode(encodedInt, &scalarSinkInt) }},
	} {
		b.Run(bm.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				bm.run()
			}
		})
	}
}
