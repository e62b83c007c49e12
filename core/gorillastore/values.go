package gorillastore

import (
	"bytes"
	"encoding/base64"
	"maps"
	"math"
	"reflect"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/satchel-go/satchel/core"
)

// encodedMark precedes values without a basic type in gorilla's map. It is the tag
// "self-described CBOR" (RFC 8949 section 3.4.6). A []byte that happens to start with
// it is encoded like those values.
var encodedMark = []byte{0xd9, 0xd9, 0xf7}

// original is a value as gorilla held it, with its encoding in Satchel. It is
// attached to the record, so that unchanged values go back as they came.
type original struct {
	native any
	raw    []byte
}

// textMark replaces encodedMark in maps that are kept as text. Base64url follows it.
const textMark = "satchel:"

// mapping turns records into gorilla's maps of values, and back.
type mapping struct {
	codec core.Codec

	// text means that the store keeps its maps as JSON or similar: it returns strings,
	// bools and float64, never a []byte.
	text bool
}

// toGorilla returns r as the values of a gorilla session.
func (m mapping) toGorilla(scope core.Scope, r *core.Record) (map[any]any, error) {
	before, _ := r.Attachment().(map[string]original)
	values := make(map[any]any, 8)
	reserved := map[string][]byte{}
	for key, raw := range r.Values() {
		if isReserved(key) {
			reserved[key] = raw
			continue
		}
		values[key] = m.toNative(raw, before[key])
	}
	texts, rest := splitFlashes(r)
	if len(texts) > 0 {
		values[flashKey] = restoreTypes(texts, before[flashKey].native)
	}
	head, err := header(scope, r.WithContent(maps.All(reserved), slices.Values(rest)))
	if err != nil {
		return nil, err
	}
	values[headerKey] = head
	if m.text {
		values[headerKey] = base64.StdEncoding.EncodeToString(head) // like encoding/json
	}
	return values, nil
}

// toNative returns the basic Go value that raw encodes, or raw itself after the mark.
// It decodes raw and encodes it again. Only a value that gives the same bytes becomes
// a basic value, so that no value changes on its way through gorilla's map.
func (m mapping) toNative(raw []byte, before original) any {
	if before.raw != nil && bytes.Equal(raw, before.raw) {
		return before.native // may be nil: a null in JSON
	}
	var v any
	if m.codec.Decode(raw, &v) == nil && m.isBasic(v) {
		stored := v
		if n, ok := v.(int64); ok && m.text {
			stored = float64(n)
		}
		if again, ok := m.fromNative(stored); ok && bytes.Equal(again, raw) {
			return m.inTypeOf(v, before.native)
		}
	}
	if m.text {
		return textMark + base64.RawURLEncoding.EncodeToString(raw)
	}
	return slices.Concat(encodedMark, raw)
}

// isBasic reports whether every gorilla program can decode v. gob knows the basic
// types without registration; JSON knows fewer of them.
func (m mapping) isBasic(v any) bool {
	switch v := v.(type) {
	case bool:
		return true
	case string:
		return !m.text || utf8.ValidString(v) && !strings.HasPrefix(v, textMark)
	case int64:
		return true
	case float64:
		return !m.text || !math.IsInf(v, 0) && !math.IsNaN(v)
	case []byte:
		return !m.text && !bytes.HasPrefix(v, encodedMark)
	}
	return false
}

// inTypeOf converts the integer v to the integer type of before, gorilla's previous
// value under the same key, if it fits: session.Values["n"].(int) keeps working. From
// a codec without integers, such as JSON, v is a float64.
func (m mapping) inTypeOf(v, before any) any {
	if before == nil {
		return v
	}
	n, ok := v.(int64)
	if f, isFloat := v.(float64); isFloat && m.isInteger(f) {
		n, ok = int64(f), true
	}
	if !ok {
		return v
	}
	like := reflect.New(reflect.TypeOf(before)).Elem()
	switch {
	case like.CanInt() && !like.OverflowInt(n):
		like.SetInt(n)
	case like.CanUint() && n >= 0 && !like.OverflowUint(uint64(n)):
		like.SetUint(uint64(n))
	default:
		return v
	}
	return like.Interface()
}

// isInteger reports whether the codec writes f like an integer.
func (m mapping) isInteger(f float64) bool {
	if f != math.Trunc(f) || math.Abs(f) > 1<<53 {
		return false
	}
	asFloat, errFloat := m.codec.Encode(f)
	asInt, errInt := m.codec.Encode(int64(f))
	return errFloat == nil && errInt == nil && bytes.Equal(asFloat, asInt)
}

// fromGorilla returns head with the values and flashes of a gorilla session.
func (m mapping) fromGorilla(head *core.Record, values map[any]any) *core.Record {
	raws := make(map[string][]byte, len(values))
	for key, raw := range head.Values() {
		if isReserved(key) {
			raws[key] = raw
		}
	}
	before := make(map[string]original, len(values))
	for k, native := range values {
		key, ok := k.(string)
		if !ok || isReserved(key) {
			continue
		}
		if raw, ok := m.fromNative(native); ok {
			raws[key] = raw
			before[key] = original{native, raw}
		}
	}
	before[flashKey] = original{native: values[flashKey]}
	r := head.WithContent(sorted(raws), slices.Values(joinFlashes(head, values[flashKey])))
	r.Attach(before)
	return r
}

// fromNative is the reverse of toNative.
func (m mapping) fromNative(native any) (raw []byte, ok bool) {
	if b, isBytes := native.([]byte); isBytes {
		if bytes.HasPrefix(b, encodedMark) {
			return b[len(encodedMark):], len(b) > len(encodedMark)
		}
		if b == nil {
			native = []byte{} // gob does not tell empty from nil
		}
	}
	if m.text {
		switch v := native.(type) {
		case string:
			if encoded, ok := strings.CutPrefix(v, textMark); ok {
				raw, err := base64.RawURLEncoding.DecodeString(encoded)
				return raw, err == nil && len(raw) > 0
			}
		case float64:
			if v == math.Trunc(v) && math.Abs(v) <= 1<<53 { // whole numbers are integers
				native = int64(v)
			}
		}
	}
	raw, err := m.codec.Encode(native)
	return raw, err == nil && len(raw) > 0
}

// sorted yields the values in the order of their keys, so that a session has only one
// order.
func sorted(raws map[string][]byte) func(yield func(string, []byte) bool) {
	return func(yield func(string, []byte) bool) {
		for _, key := range slices.Sorted(maps.Keys(raws)) {
			if !yield(key, raws[key]) {
				return
			}
		}
	}
}
