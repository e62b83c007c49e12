package core

import (
	"bytes"
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/satchel-go/satchel/core/internal/cbor"
	"github.com/satchel-go/satchel/core/internal/storable"
)

// Codec turns session values into bytes and back. The core encodes each value
// when it is set and decodes it when a handler asks for it. A Codec is safe for
// concurrent use.
//
// This package has two codecs: [CBOR], the default, and [JSON]. No codec can read
// sessions that another wrote.
type Codec interface {
	// Encode returns the encoding of v in a new slice. The codec does not retain
	// the slice, which shares no memory with v. Decode can read whatever Encode
	// accepts.
	Encode(v any) ([]byte, error)

	// Decode decodes the output of Encode into the value that v points to. It must
	// not change or retain data, and *v must not share memory with it. Data may
	// come from a damaged or hostile store. Decode must never panic, and must
	// allocate in proportion to len(data).
	Decode(data []byte, v any) error
}

// CBOR returns the default codec: CBOR (RFC 8949) in its core deterministic form,
// so that equal values have equal bytes.
//
//   - Struct fields are named after their `cbor` or `json` tag, or else their Go
//     name; case matters. Unexported fields are left out, unknown ones ignored.
//   - Types that implement cbor.Marshaler, [encoding.BinaryMarshaler] or
//     [encoding.TextMarshaler] encode themselves, in this order of preference.
//   - A [time.Time] keeps its nanoseconds and offset but not the zone's name.
//   - A variable of type any receives int64 (*big.Int beyond its range), float64,
//     string, []byte, bool, time.Time, []any, map[string]any or nil. Maps whose
//     keys are not strings need a variable of their own type.
//   - Strings come back byte for byte. Invalid UTF-8 is allowed, because clients can
//     send it.
//   - Arrays, maps and tags nest at most 32 levels deep.
//
// Encode refuses what could not come back:
//   - functions, channels, complex numbers, and interfaces with methods;
//   - types that hold data but have no exported field, unless they have methods to
//     encode and to decode themselves;
//   - in an any, maps whose keys are not strings;
//   - fields that json:"-" alone would drop: add cbor:"-", or a name as in cbor:"id";
//   - values that contain themselves, and times whose offset has seconds.
func CBOR() Codec { return cborCodec{} }

// JSON returns a codec for stores that people read by hand. It follows the rules
// of [encoding/json]: any number read into an any is a float64, bytes are base64,
// invalid UTF-8 is replaced. It refuses what [CBOR] refuses. A field with json:"-"
// needs the tag cbor:"-" too.
func JSON() Codec { return jsonCodec{} }

type cborCodec struct{}

var _ Codec = cborCodec{}

// Encode implements [Codec].
func (cborCodec) Encode(v any) ([]byte, error) { return cbor.Marshal(v) }

// Decode implements [Codec].
func (cborCodec) Decode(data []byte, v any) error {
	return withoutValue(cbor.Unmarshal(data, v))
}

type jsonCodec struct{}

var _ Codec = jsonCodec{}

// jsonFormat is what [encoding/json] writes and reads. Its decoder has this limit
// on nesting.
var jsonFormat = storable.Format{
	Tags: []string{"json"},
	Methods: []storable.Methods{
		{Encode: reflect.TypeFor[json.Marshaler](), Decode: reflect.TypeFor[json.Unmarshaler](), Of: func(t reflect.Type) (reflect.Method, bool) { return t.MethodByName("MarshalJSON") }},
		{Encode: reflect.TypeFor[encoding.TextMarshaler](), Decode: reflect.TypeFor[encoding.TextUnmarshaler](), Of: func(t reflect.Type) (reflect.Method, bool) { return t.MethodByName("MarshalText") }},
	},
	NeedsAddress: true,
	MaxDepth:     10_000,
}

// Encode implements [Codec].
func (jsonCodec) Encode(v any) ([]byte, error) {
	if err := jsonFormat.Check(v); err != nil {
		return nil, err
	}
	if jsonFormat.Placed(v) {
		p := reflect.New(reflect.TypeOf(v))
		p.Elem().Set(reflect.ValueOf(v))
		v = p.Interface()
	}
	return json.Marshal(v)
}

// Decode implements [Codec].
func (jsonCodec) Decode(data []byte, v any) error {
	return withoutValue(json.Unmarshal(data, v))
}

// withoutValue rewrites those errors of the decoding libraries that quote their
// input. Errors get logged; session values must not be.
func withoutValue(err error) error {
	if err == nil {
		return nil // return before declaring the variables, which escape to the heap
	}
	err = cbor.WithoutValue(err)
	var (
		wrongType *json.UnmarshalTypeError
		wrongTime *time.ParseError
	)
	switch {
	case errors.As(err, &wrongType):
		clean := *wrongType
		clean.Value, _, _ = strings.Cut(clean.Value, " ") // "number 300"
		return &clean
	case errors.As(err, &wrongTime):
		return errors.New("not a time of RFC 3339")
	case strings.Contains(err.Error(), "trying to unmarshal "):
		return errors.New("json: value does not fit the field's type")
	}
	return err
}

// encodeValue encodes v for the given key in a new slice. The key may be a view of a
// buffer that Fiber reuses, so errors get a copy. T may be any; a concrete T saves
// the allocation of storing a scalar in an any.
func encodeValue[T any](c Codec, key string, v T) ([]byte, error) {
	if _, ok := c.(cborCodec); ok {
		if data, ok := cbor.EncodeScalar(any(v)); ok {
			return data, nil
		}
	}
	if t := reflect.TypeFor[T](); t.Kind() == reflect.Interface && t.NumMethod() > 0 && isOurs(c) {
		return nil, &ValueError{Key: strings.Clone(key), Type: t.String(), Err: storable.Interface(t)}
	}
	// Do not share any(v) with the call above: only this one escapes.
	data, err := c.Encode(any(v))
	if err != nil {
		return nil, &ValueError{Key: strings.Clone(key), Type: fmt.Sprintf("%T", any(v)), Err: err}
	}
	if data == nil {
		data = []byte{} // nil would mean absent
	}
	return data, nil
}

// isOurs reports whether c is a codec of this package. Others may know how to decode
// into an interface.
func isOurs(c Codec) bool {
	switch c.(type) {
	case cborCodec, jsonCodec:
		return true
	}
	return false
}

// sameJSON reports whether c is the JSON codec and a and b differ only in the order
// of members or in how characters are escaped.
func sameJSON(c Codec, a, b []byte) bool {
	if _, ok := c.(jsonCodec); !ok {
		return false
	}
	var trees [2]any
	for i, data := range [][]byte{a, b} {
		d := json.NewDecoder(bytes.NewReader(data))
		d.UseNumber() // as they are written
		if d.Decode(&trees[i]) != nil {
			return false
		}
	}
	return reflect.DeepEqual(trees[0], trees[1])
}

// decodeValue decodes the value of the given key. On error it returns the zero T,
// never a partly decoded value.
func decodeValue[T any](c Codec, key string, data []byte) (T, error) {
	if _, ok := c.(cborCodec); ok {
		if v, ok := cbor.DecodeScalar[T](data); ok {
			return v, nil
		}
	}
	v := new(T)
	if err := c.Decode(data, v); err != nil {
		var zero T
		return zero, &ValueError{Key: strings.Clone(key), Type: reflect.TypeFor[T]().String(), Size: len(data), Err: err}
	}
	return *v, nil
}
