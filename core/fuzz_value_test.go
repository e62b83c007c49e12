package core

import (
	"bytes"
	"math/big"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/satchel-go/satchel/core/internal/cbor"
	"github.com/satchel-go/satchel/internal/testing/alloctest"
)

// FuzzSEC46Value: no bytes cause a panic. A failed decode yields the zero value.
// A decoded value can be written again, and then reads and writes the same.
func FuzzSEC46Value(f *testing.F) {
	for _, seed := range []string{
		"\x00", "\x3b\xff\xff\xff\xff\xff\xff\xff\xff", "\x63abc", "\x43abc", "\xf5", "\xf6", "\xf9\x3c\x00",
		"\xfa\x7f\xc0\x00\x01", "\xfb\x3f\xb9\x99\x99\x99\x99\x99\x9a", "\xc0\x742024-01-02T03:04:05Z", "\xc1\x1a\x65\x00\x00\x00",
		"\xc2\x49\x01\x00\x00\x00\x00\x00\x00\x00\x00", "\xa1\x64Name\x63Ann", "\x82\x01\xa1\x61a\x80", "\xd9\xd9\xf7\x01",
		"\xa2\x61a\x01\x61a\x02", "\x9f\xff", "\x9a\x00\x01\x00\x00",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		fuzzDecode[any](t, data)
		fuzzDecode[string](t, data)
		fuzzDecode[[]byte](t, data)
		fuzzDecode[bool](t, data)
		fuzzDecode[int](t, data)
		fuzzDecode[int64](t, data)
		fuzzDecode[int32](t, data)
		fuzzDecode[uint64](t, data)
		fuzzDecode[uint32](t, data)
		fuzzDecode[float64](t, data)
		fuzzDecode[time.Time](t, data)
		fuzzDecode[codecPerson](t, data)
		fuzzDecode[map[string]any](t, data)
		fuzzDecode[map[any]any](t, data)
		fuzzDecode[[]*big.Int](t, data)
		fuzzDecode[map[codecText]codecBinary](t, data)
	})
}

func fuzzDecode[T any](t *testing.T, data []byte) {
	before := bytes.Clone(data)
	var v T
	var err error
	// A byte may be an empty value of the largest type in the list above.
	alloctest.Bound(t, 512*len(data)+32<<10, func() { v, err = decodeValue[T](CBOR(), "k", data) })
	if !bytes.Equal(before, data) {
		t.Fatalf("%T: the decoder changed its input", v)
	}
	if fast, ok := cbor.DecodeScalar[T](data); ok {
		var slow T
		if err := CBOR().Decode(data, &slow); err != nil || !reflect.DeepEqual(fast, slow) {
			t.Fatalf("%T: fast %v, codec %v, %v", v, fast, slow, err)
		}
	}
	if err != nil {
		if !reflect.ValueOf(&v).Elem().IsZero() {
			t.Fatalf("%T: %v with %v", v, err, v)
		}
		return
	}
	first, err := encodeValue(CBOR(), "k", v)
	if err != nil {
		return // a time beyond RFC 3339, two NaNs as keys: the writer gets the error
	}
	again, err := decodeValue[T](CBOR(), "k", first)
	if err != nil {
		if strings.Contains(err.Error(), "duplicate map key") {
			return
		}
		t.Fatalf("%T: wrote %x and cannot read it: %v", v, first, err)
	}
	if second, err := encodeValue(CBOR(), "k", again); err != nil || !bytes.Equal(first, second) {
		t.Fatalf("%T: %x became %x, %v", v, first, second, err)
	}
}
