package core

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/fxamacker/cbor/v2"
)

// Codec turns session values into bytes and back. The core calls it for each
// value on its own: to encode at the moment of a Set, to decode when a handler
// asks for the value. It is safe for concurrent use.
//
// The codecs here are [CBOR], the default, and [JSON]. Sessions that one codec
// wrote are not readable with another.
type Codec interface {
	// Encode returns v as bytes of its own: the codec neither keeps them nor
	// lets them share memory with v. What Encode accepts, Decode can read.
	Encode(v any) ([]byte, error)

	// Decode reads what Encode wrote into the value that v points to. It must
	// not change or keep data, nor let *v share memory with it. Data may come
	// from a damaged or hostile store: whatever it says, Decode returns an
	// error rather than panic, and allocates in proportion to len(data).
	Decode(data []byte, v any) error
}

// CBOR returns the codec that sessions use by default: CBOR (RFC 8949) in its
// core deterministic form, so that equal values have equal bytes.
//
// Struct fields go by their Go name, or by the name in a `cbor` or `json` tag,
// spelled exactly so; unexported ones are left out and unknown ones ignored.
// Types that implement cbor.Marshaler, [encoding.BinaryMarshaler] or
// [encoding.TextMarshaler] write themselves, in this order of preference.
// A [time.Time] keeps its nanoseconds and its offset but not the zone's name.
// A variable of type any receives int64 (*big.Int beyond its range), float64,
// string, []byte, bool, time.Time, []any, map[string]any or nil; maps with other
// than string keys need a variable of their own type.
//
// Strings come back byte for byte, also those that are not UTF-8: clients can
// send such, and it is no reason to refuse a request. Arrays, maps and tags nest at most 32 levels deep.
// Functions, channels and complex numbers are errors. Values must not contain
// themselves.
func CBOR() Codec { return cborCodec{} }

// JSON returns the codec for people who read their store by hand. It is
// [encoding/json] with its rules: any number read into an any is a float64,
// bytes are base64, invalid UTF-8 is replaced.
func JSON() Codec { return jsonCodec{} }

const (
	// A decoder allocates a whole array before it reads the elements, at least
	// one byte of input for each. These bounds cover every record of 64 KiB and
	// keep larger ones from buying much memory with few bytes.
	maxArrayElements = 1 << 16
	maxMapPairs      = 1 << 15

	// maxNesting bounds the decoder's recursion.
	maxNesting = 32
)

// Both modes are immutable and safe for concurrent use.
var (
	cborEncoder = mustMode(cborEncOptions().EncMode())
	cborDecoder = mustMode(cborDecOptions().DecMode())
)

func cborEncOptions() cbor.EncOptions {
	// Shortest floats, one NaN, sorted keys, no indefinite lengths.
	opts := cbor.CoreDetEncOptions()
	opts.Time = cbor.TimeRFC3339Nano
	opts.TimeTag = cbor.EncTagRequired
	// Without this, a type that hides its fields behind MarshalText would be
	// written as an empty map: silent loss.
	opts.TextMarshaler = cbor.TextMarshalerTextString
	return opts
}

func cborDecOptions() cbor.DecOptions {
	return cbor.DecOptions{
		DupMapKey:        cbor.DupMapKeyEnforcedAPF,
		IndefLength:      cbor.IndefLengthForbidden,
		MaxNestedLevels:  maxNesting,
		MaxArrayElements: maxArrayElements,
		MaxMapPairs:      maxMapPairs,
		UTF8:             cbor.UTF8DecodeInvalid,
		// Other tags than those that we write are skipped.
		TimeTag:              cbor.DecTagOptional,
		UnrecognizedTagToAny: cbor.UnrecognizedTagContentToAny,
		// One spelling a field, or "name" and "Name" would be duplicates that
		// the check for duplicates must know about.
		FieldNameMatching: cbor.FieldNameMatchingCaseSensitive,
		IntDec:            cbor.IntDecConvertSignedOrBigInt,
		BigIntDec:         cbor.BigIntDecodePointer,
		DefaultMapType:    reflect.TypeFor[map[string]any](),
		TextUnmarshaler:   cbor.TextUnmarshalerTextString,
		SimpleValues:      cborSimpleValues(),
	}
}

// cborSimpleValues accepts false, true and null. The library would put the
// others into integers.
func cborSimpleValues() *cbor.SimpleValueRegistry {
	var reject []func(*cbor.SimpleValueRegistry) error
	for n := range 256 {
		known := n >= 20 && n <= 22
		reserved := n >= 24 && n <= 31
		if !known && !reserved {
			reject = append(reject, cbor.WithRejectedSimpleValue(cbor.SimpleValue(n)))
		}
	}
	return mustMode(cbor.NewSimpleValueRegistryFromDefaults(reject...))
}

// mustMode is for options that are constants of this file: they fail always or
// never.
func mustMode[T any](v T, err error) T {
	if err != nil {
		panic("core: CBOR options: " + err.Error())
	}
	return v
}

type cborCodec struct{}

var _ Codec = cborCodec{}

// Encode implements [Codec].
func (cborCodec) Encode(v any) ([]byte, error) {
	data, err := cborEncoder.Marshal(v)
	if err != nil {
		return nil, err
	}
	// The library writes things that it would refuse to read. Find out now,
	// while the handler that did it can be told.
	if err := cborDecoder.Wellformed(data); err != nil {
		return nil, err
	}
	if err := checkTimes(data); err != nil {
		return nil, err
	}
	return data, nil
}

// Decode implements [Codec].
func (cborCodec) Decode(data []byte, v any) error {
	return withoutValue(cborDecoder.Unmarshal(data, v))
}

// checkTimes reports times that are not RFC 3339, such as those of the year
// 10000. Data is well-formed; since all lengths are
// definite, heads can be visited in a row without regard to nesting.
func checkTimes(data []byte) error {
	const timeTag = 0
	wantTime := false
	for len(data) > 0 {
		h, ok := readCBORHead(data)
		if !ok {
			return errors.New("cbor: malformed head")
		}
		data = data[h.size:]
		if h.major == majorBytes || h.major == majorText {
			content := data[:h.arg]
			data = data[h.arg:]
			if wantTime {
				if _, err := time.Parse(time.RFC3339, string(content)); err != nil {
					return errors.New("cbor: time outside of what RFC 3339 can express")
				}
			}
		}
		wantTime = h.major == majorTag && h.arg == timeTag
	}
	return nil
}

// withoutValue rewrites those errors of the decoding libraries that quote
// what they read: errors get logged, session values must not be.
func withoutValue(err error) error {
	if err == nil {
		return nil
	}
	var (
		wrongType     *cbor.UnmarshalTypeError
		duplicate     *cbor.DupMapKeyError
		wrongJSONType *json.UnmarshalTypeError
		wrongTime     *time.ParseError
	)
	switch {
	case errors.As(err, &wrongType):
		return &cbor.UnmarshalTypeError{
			CBORType:        wrongType.CBORType,
			GoType:          wrongType.GoType,
			StructFieldName: wrongType.StructFieldName,
		}
	case errors.As(err, &duplicate):
		return fmt.Errorf("cbor: duplicate map key at map element %d", duplicate.Index)
	case errors.As(err, &wrongJSONType):
		clean := *wrongJSONType
		clean.Value, _, _ = strings.Cut(clean.Value, " ") // "number 300"
		return &clean
	case errors.As(err, &wrongTime):
		return errors.New("not a time of RFC 3339")
	}
	switch text := err.Error(); {
	case strings.HasPrefix(text, "cbor: cannot set ") && strings.Contains(text, " for time.Time: "):
		return errors.New("cbor: not a time of RFC 3339")
	case strings.Contains(text, "trying to unmarshal "):
		return errors.New("json: value does not fit the field's type")
	}
	return err
}

type jsonCodec struct{}

var _ Codec = jsonCodec{}

// Encode implements [Codec].
func (jsonCodec) Encode(v any) ([]byte, error) { return json.Marshal(v) }

// Decode implements [Codec].
func (jsonCodec) Decode(data []byte, v any) error {
	return withoutValue(json.Unmarshal(data, v))
}

// encodeValue encodes v for the given key. The result is v's alone. T may be
// any; a concrete T saves the allocation that an any of a scalar costs.
func encodeValue[T any](c Codec, key string, v T) ([]byte, error) {
	if _, ok := c.(cborCodec); ok {
		if data, ok := encodeScalar(any(v)); ok {
			return data, nil
		}
	}
	// any(v) is spelled out again: this one escapes, the one above does not.
	data, err := c.Encode(any(v))
	if err != nil {
		return nil, &ValueError{Key: key, Type: fmt.Sprintf("%T", any(v)), Err: err}
	}
	if data == nil {
		data = []byte{} // nil stands for absent
	}
	return data, nil
}

// decodeValue decodes the value of the given key. On error it returns the zero
// T, never one that is half filled.
func decodeValue[T any](c Codec, key string, data []byte) (T, error) {
	if _, ok := c.(cborCodec); ok {
		if v, ok := decodeScalar[T](data); ok {
			return v, nil
		}
	}
	v := new(T)
	if err := c.Decode(data, v); err != nil {
		var zero T
		return zero, &ValueError{Key: key, Type: reflect.TypeFor[T]().String(), Size: len(data), Err: err}
	}
	return *v, nil
}
