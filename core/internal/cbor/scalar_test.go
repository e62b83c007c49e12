package cbor

import (
	"bytes"
	"math"
	"slices"
	"strings"
	"testing"
)

// scalarIntegers are the edges of all integer types and of all head sizes.
func scalarIntegers() []int64 {
	var all []int64
	for _, n := range []int64{
		0, 23, 24, math.MaxInt8, math.MaxUint8, math.MaxInt16, math.MaxUint16,
		math.MaxInt32, math.MaxUint32, 1 << 53, math.MaxInt64 - 1,
	} {
		all = append(all, n-1, n, n+1, -n-2, -n-1, -n)
	}
	return append(all, math.MinInt64)
}

func scalarFloats() []float64 {
	all := []float64{
		0, math.Copysign(0, -1), 1, -1, 0.1, math.Pi, 65504, 65505, 65519, 65520, 65536, 1e300, -1e-300,
		math.Inf(1), math.Inf(-1), math.NaN(), math.Float64frombits(0xfff0000000000001),
		math.MaxFloat32, math.MaxFloat64, math.SmallestNonzeroFloat32, math.SmallestNonzeroFloat64,
		0x1p-14, 0x1p-15, 0x1p-24, 0x1p-25, 0x1.8p-24, 0x1p-126, 0x1p-127, 0x1p-149, 0x1p-150,
	}
	for _, f := range slices.Clip(all) {
		all = append(all, math.Nextafter(f, 2), math.Nextafter(f, -2),
			float64(math.Nextafter32(float32(f), 2)), float64(math.Nextafter32(float32(f), -2)))
	}
	return all
}

func scalarValues() []any {
	var all []any
	for _, n := range scalarIntegers() {
		all = append(all, int(n), int8(n), int16(n), int32(n), n, uint(n), uint8(n), uint16(n), uint32(n), uint64(n))
	}
	for _, f := range scalarFloats() {
		all = append(all, f, float32(f))
	}
	for _, n := range []int{0, 1, 23, 24, 255, 256, 65535, 65536, 70000} {
		all = append(all, strings.Repeat("x", n), bytes.Repeat([]byte{0xff}, n))
	}
	return append(all, true, false, []byte(nil), "żółw 🐢", "a\x00b")
}

// The fast path writes what the codec writes, and each can read the other.
func TestScalarEncodesLikeCodec(t *testing.T) {
	for _, v := range scalarValues() {
		want, err := Marshal(v)
		if err != nil {
			t.Fatalf("%T %.40v: %v", v, v, err)
		}
		got, ok := appendScalar([]byte("before"), v)
		if !ok || !bytes.Equal(got, append([]byte("before"), want...)) {
			t.Errorf("%T %.40v: got %.40x, %v; codec writes %.40x", v, v, got, ok, want)
		}
		whole, ok := EncodeScalar(v)
		if !ok || !bytes.Equal(whole, want) {
			t.Errorf("%T %.40v: got %.40x, %v; codec writes %.40x", v, v, whole, ok, want)
		}
	}
}

// All half-precision numbers, and their neighbours in single precision.
func TestScalarHalfFloats(t *testing.T) {
	for h := range 1 << 16 {
		data := []byte{0xf9, byte(h >> 8), byte(h)}
		var want float64
		if err := Unmarshal(data, &want); err != nil {
			t.Fatal(err)
		}
		got, ok := DecodeScalar[float64](data)
		if ok == math.IsNaN(want) || ok && math.Float64bits(got) != math.Float64bits(want) {
			t.Fatalf("half %04x: got %v, %v; want %v", h, got, ok, want)
		}
		for _, f := range []float32{float32(want), math.Nextafter32(float32(want), 1e9), math.Nextafter32(float32(want), -1e9)} {
			want, err := Marshal(f)
			if err != nil {
				t.Fatal(err)
			}
			if got, _ := appendScalar(nil, f); !bytes.Equal(got, want) {
				t.Fatalf("%v: got %x, codec writes %x", f, got, want)
			}
		}
	}
}

func TestScalarLeavesToCodec(t *testing.T) {
	type named string
	for _, v := range []any{nil, named("x"), []string{"x"}, struct{}{}, new(int), complex(1, 1), [1]byte{1}} {
		got, ok := appendScalar([]byte("kept"), v)
		if ok || string(got) != "kept" {
			t.Errorf("%T: got %x, %v", v, got, ok)
		}
	}
	if _, ok := DecodeScalar[named]([]byte("\x61x")); ok {
		t.Error("a named type took the fast path")
	}
}

// scalarAgrees checks: where the fast path answers, the codec answers the
// same. It reports whether the fast path did.
func scalarAgrees[T comparable](t *testing.T, data []byte) bool {
	t.Helper()
	fast, ok := DecodeScalar[T](data)
	if !ok {
		var zero T
		if fast != zero {
			t.Errorf("%T from %x: false with %v", fast, data, fast)
		}
		return false
	}
	var slow T
	if err := Unmarshal(data, &slow); err != nil || slow != fast {
		t.Errorf("%T from %.40x: fast %v, codec %v, %v", fast, data, fast, slow, err)
	}
	return true
}

func TestScalarDecodesLikeCodec(t *testing.T) {
	var inputs [][]byte
	for _, v := range scalarValues() {
		data, err := Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		inputs = append(inputs, data, append(bytes.Clone(data), 0))
		for cut := range min(len(data), 10) {
			inputs = append(inputs, data[:cut])
		}
	}
	for _, s := range []string{
		"\x18\x05", "\x19\x00\x05", "\x1b\x00\x00\x00\x00\x00\x00\x00\x05", "\x38\x05", "\x78\x01a", "\x7b\x00\x00\x00\x00\x00\x00\x00\x01a",
		"\x7b\xff\xff\xff\xff\xff\xff\xff\xffa", "\x58\x01a", "\x61\xff", "\x7f\x61a\xff", "\xf6", "\xf7", "\xf8\x14", "\xf8\xf5", "\xe0", "\xc2\x41\x01",
		"\xd9\xd9\xf7\x05", "\x1c", "\x1f", "\xff", "\x80", "\xa0", "\xfa\x7f\xc0\x00\x01", "\x3b\x7f\xff\xff\xff\xff\xff\xff\xff", "\x3b\x80\x00\x00\x00\x00\x00\x00\x00",
	} {
		inputs = append(inputs, []byte(s))
	}
	hits := 0
	for _, data := range inputs {
		for _, hit := range []bool{
			scalarAgrees[string](t, data), scalarAgrees[bool](t, data), scalarAgrees[int](t, data),
			scalarAgrees[int64](t, data), scalarAgrees[int32](t, data), scalarAgrees[uint64](t, data),
			scalarAgrees[uint32](t, data), scalarAgrees[float64](t, data), scalarAgrees[int8](t, data),
		} {
			if hit {
				hits++
			}
		}
		if fast, ok := DecodeScalar[[]byte](data); ok {
			var slow []byte
			if err := Unmarshal(data, &slow); err != nil || !bytes.Equal(fast, slow) || fast == nil || cap(fast) != len(fast) {
				t.Errorf("[]byte from %.40x: fast %.40x (cap %d), codec %.40x, %v", data, fast, cap(fast), slow, err)
			}
		}
	}
	if hits < 1000 {
		t.Errorf("the fast path answered only %d times", hits)
	}
}

func TestScalarSharesNoMemory(t *testing.T) {
	in := []byte("abc")
	data, _ := EncodeScalar(in)
	in[0] = 'X'
	out, ok := DecodeScalar[[]byte](data)
	if !ok || string(out) != "abc" {
		t.Fatalf("got %q, %v", out, ok)
	}
	out[1] = 'Y'
	_ = append(out, 'Z')
	if string(data) != "\x43abc" {
		t.Errorf("stored bytes became %q", data)
	}
	s, _ := DecodeScalar[string]([]byte("\x63abc"))
	if s != "abc" {
		t.Errorf("got %q", s)
	}
}

var (
	sinkBytes  []byte
	sinkString string
	sinkInt    int64
	sinkFloat  float64
)

func TestScalarAllocations(t *testing.T) {
	text := strings.Repeat("session value ", 5)
	encodedText, _ := appendScalar(nil, text)
	encodedInt, _ := appendScalar(nil, int64(math.MaxInt64))
	encodedFloat, _ := appendScalar(nil, math.Pi)
	dst := make([]byte, 0, 128)
	number := int64(len(text)) << 40
	for _, c := range []struct {
		name string
		want float64
		run  func()
	}{
		{"append string", 0, func() { sinkBytes, _ = appendScalar(dst, text) }},
		{"append int64", 0, func() { sinkBytes, _ = appendScalar(dst, number) }},
		{"encode string", 1, func() { sinkBytes, _ = EncodeScalar(text) }},
		{"encode int64", 1, func() { sinkBytes, _ = EncodeScalar(number) }},
		{"decode int64", 0, func() { sinkInt, _ = DecodeScalar[int64](encodedInt) }},
		{"decode float64", 0, func() { sinkFloat, _ = DecodeScalar[float64](encodedFloat) }},
		{"decode string", 1, func() { sinkString, _ = DecodeScalar[string](encodedText) }},
	} {
		if got := testing.AllocsPerRun(100, c.run); got != c.want {
			t.Errorf("%s: %v allocations, want %v", c.name, got, c.want)
		}
	}
	if data, _ := EncodeScalar(text); cap(data) != headSize(len(text))+len(text) {
		t.Errorf("encoded string has capacity %d for %d bytes", cap(data), len(data))
	}
}
