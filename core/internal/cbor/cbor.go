// Package cbor encodes session values as CBOR (RFC 8949) in its core
// deterministic form. No other package imports the codec library. The most
// common types are encoded and decoded without it.
package cbor

import (
	"encoding"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/fxamacker/cbor/v2"

	"github.com/satchel-go/satchel/core/internal/storable"
)

const (
	// A decoder allocates a whole array before it reads the elements, each at
	// least one byte of input. These bounds allow every record of 64 KiB, and
	// prevent a larger one from using much memory with few bytes.
	maxArrayElements = 1 << 16
	maxMapPairs      = 1 << 15

	// maxNesting bounds the decoder's recursion.
	maxNesting = 32
)

// Both modes are immutable and safe for concurrent use.
var (
	encoder = mustMode(encOptions().EncMode())
	decoder = mustMode(decOptions().DecMode())
)

// format is what the encoder writes and the decoder reads.
var format = storable.Format{
	Tags: []string{"cbor", "json"},
	Methods: []storable.Methods{
		{Encode: reflect.TypeFor[cbor.Marshaler](), Decode: reflect.TypeFor[cbor.Unmarshaler](), Of: func(t reflect.Type) (reflect.Method, bool) { return t.MethodByName("MarshalCBOR") }},
		{Encode: reflect.TypeFor[encoding.BinaryMarshaler](), Decode: reflect.TypeFor[encoding.BinaryUnmarshaler](), Of: func(t reflect.Type) (reflect.Method, bool) { return t.MethodByName("MarshalBinary") }},
		{Encode: reflect.TypeFor[encoding.TextMarshaler](), Decode: reflect.TypeFor[encoding.TextUnmarshaler](), Of: func(t reflect.Type) (reflect.Method, bool) { return t.MethodByName("MarshalText") }, Text: true},
	},
	TextKeys: true, // see DefaultMapType
	MaxDepth: maxNesting,
}

func encOptions() cbor.EncOptions {
	// Shortest floats, one NaN, sorted keys, no indefinite lengths.
	opts := cbor.CoreDetEncOptions()
	opts.Time = cbor.TimeRFC3339Nano
	opts.TimeTag = cbor.EncTagRequired
	// Without this, a type with hidden fields and a MarshalText method would
	// silently become an empty map.
	opts.TextMarshaler = cbor.TextMarshalerTextString
	return opts
}

func decOptions() cbor.DecOptions {
	return cbor.DecOptions{
		DupMapKey:        cbor.DupMapKeyEnforcedAPF,
		IndefLength:      cbor.IndefLengthForbidden,
		MaxNestedLevels:  maxNesting,
		MaxArrayElements: maxArrayElements,
		MaxMapPairs:      maxMapPairs,
		UTF8:             cbor.UTF8DecodeInvalid,
		// Skip tags that the encoder never writes.
		TimeTag:              cbor.DecTagOptional,
		UnrecognizedTagToAny: cbor.UnrecognizedTagContentToAny,
		// Each field has one spelling. Otherwise the check for duplicates would
		// miss "name" and "Name".
		FieldNameMatching: cbor.FieldNameMatchingCaseSensitive,
		IntDec:            cbor.IntDecConvertSignedOrBigInt,
		BigIntDec:         cbor.BigIntDecodePointer,
		DefaultMapType:    reflect.TypeFor[map[string]any](),
		TextUnmarshaler:   cbor.TextUnmarshalerTextString,
		SimpleValues:      simpleValues(),
	}
}

// simpleValues accepts only false, true and null. The library would decode the
// others as integers.
func simpleValues() *cbor.SimpleValueRegistry {
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

// mustMode panics on an error. The options are constants of this file, so they
// either always fail or never do.
func mustMode[T any](v T, err error) T {
	if err != nil {
		panic("cbor: options: " + err.Error())
	}
	return v
}

// Marshal returns v encoded in a new slice, which Unmarshal can read.
func Marshal(v any) ([]byte, error) {
	if err := format.Check(v); err != nil {
		return nil, err
	}
	data, err := encoder.Marshal(v)
	if err != nil {
		return nil, err
	}
	// The library writes some values that it refuses to read. Check now, while
	// the error still reaches the handler that set the value.
	if err := decoder.Wellformed(data); err != nil {
		return nil, err
	}
	if err := checkTimes(data); err != nil {
		return nil, err
	}
	return data, nil
}

// Unmarshal decodes the output of Marshal into the value that v points to. Its
// errors may quote data; see WithoutValue.
func Unmarshal(data []byte, v any) error { return decoder.Unmarshal(data, v) }

// WithoutValue rewrites those errors of the library that quote data.
func WithoutValue(err error) error {
	if err == nil {
		return nil
	}
	var (
		wrongType *cbor.UnmarshalTypeError
		duplicate *cbor.DupMapKeyError
	)
	switch text := err.Error(); {
	case errors.As(err, &wrongType):
		return &cbor.UnmarshalTypeError{
			CBORType:        wrongType.CBORType,
			GoType:          wrongType.GoType,
			StructFieldName: wrongType.StructFieldName,
		}
	case errors.As(err, &duplicate):
		return fmt.Errorf("cbor: duplicate map key at map element %d", duplicate.Index)
	case strings.HasPrefix(text, "cbor: cannot set ") && strings.Contains(text, " for time.Time: "):
		return errors.New("cbor: not a time of RFC 3339")
	}
	return err
}

// checkTimes reports times that RFC 3339 cannot express, such as those in the year
// 10000. Data is well-formed and all lengths are definite, so the heads follow
// one another whatever the nesting.
func checkTimes(data []byte) error {
	const timeTag = 0
	wantTime := false
	for len(data) > 0 {
		h, ok := readHead(data)
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
