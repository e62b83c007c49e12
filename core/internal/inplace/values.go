package inplace

import (
	"bytes"
	"encoding/base64"
	"encoding/gob"
	"encoding/json"
	"io"
	"maps"
	"math"
	"reflect"
	"slices"
	"strings"

	"github.com/satchel-go/satchel/core"
)

// EncodedMark precedes values without a basic type among the library's. It is the tag
// "self-described CBOR" (RFC 8949 section 3.4.6). A []byte that happens to start with
// it is encoded like those values.
var EncodedMark = []byte{0xd9, 0xd9, 0xf7}

// Original is a value as the library held it, with its encoding in Satchel. It is
// attached to the record, so that unchanged values go back as they came.
type Original struct {
	Native any
	Raw    []byte
}

// TextMark replaces EncodedMark in maps that are kept as text. Base64url follows it.
const TextMark = "satchel:"

// Values turns the values of a Record into those of a library, and back.
type Values struct {
	Codec core.Codec

	// Text means that the store keeps its values as JSON or similar: it returns strings,
	// bools and float64, never a []byte.
	Text bool

	// Integer is of the type that integers have if there was none under their key. Nil
	// means int64.
	Integer any
}

// ToNative returns the Go value that raw encodes, or raw itself after the mark. The value
// has the type of before if it can, and else a basic one. ToNative decodes raw and encodes
// it again. Only a value that gives the same bytes is returned, so that no value changes on
// its way through the library's.
func (m Values) ToNative(raw []byte, before Original) any {
	if before.Raw != nil && bytes.Equal(raw, before.Raw) {
		return before.Native // may be nil: a null in JSON
	}
	if v, ok := m.inTypeOf(raw, before.Native); ok {
		return v
	}
	var v any
	if m.Codec.Decode(raw, &v) == nil {
		if m.Text {
			v = asJSON(v)
		}
		if again, ok := m.FromNative(v); ok && bytes.Equal(again, raw) && m.isBasic(v, before.Native) {
			return m.integer(v)
		}
	}
	if m.Text {
		return TextMark + base64.RawURLEncoding.EncodeToString(raw)
	}
	return slices.Concat(EncodedMark, raw)
}

// asJSON returns v as JSON gives it back, or nil.
func asJSON(v any) (back any) {
	text, err := json.Marshal(v)
	if err == nil {
		err = json.Unmarshal(text, &back)
	}
	if err != nil {
		return nil
	}
	return back
}

// isBasic reports whether every program that uses the library can decode v. gob knows the basic
// types without registration. Of JSON, only a store that has returned lists and maps is known to keep them.
func (m Values) isBasic(v, before any) bool {
	switch v := v.(type) {
	case bool, string, int64, float64:
		return true
	case []byte:
		return !bytes.HasPrefix(v, EncodedMark)
	case []any, map[string]any:
		return m.Text && isList(before)
	}
	return false
}

func isList(v any) bool {
	switch v.(type) {
	case []any, map[string]any:
		return true
	}
	return false
}

// inTypeOf returns the value that raw encodes in the type of before, the library's previous
// value under the same key, if it is one of that type: session.Values["n"].(int) and
// session.Values["cart"].([]Item) keep working. What a store keeps as text has lost its type.
func (m Values) inTypeOf(raw []byte, before any) (v any, ok bool) {
	if _, isBytes := before.([]byte); isBytes || before == nil || m.Text { // bytes may be an encoded value
		return nil, false
	}
	p := reflect.New(reflect.TypeOf(before))
	if m.Codec.Decode(raw, p.Interface()) != nil {
		return nil, false
	}
	v = p.Elem().Interface()
	again, ok := m.FromNative(v)
	return v, ok && bytes.Equal(again, raw) && gob.NewEncoder(io.Discard).Encode(&v) == nil // gob knows the type, but not every value
}

// integer converts v to the type of Integer, if it is an integer and fits. From a codec
// without integers, such as JSON, v is a float64.
func (m Values) integer(v any) any {
	if m.Integer == nil {
		return v
	}
	n, ok := v.(int64)
	if f, isFloat := v.(float64); isFloat && m.isInteger(f) {
		n, ok = int64(f), true
	}
	like := reflect.New(reflect.TypeOf(m.Integer)).Elem()
	if !ok || like.OverflowInt(n) {
		return v
	}
	like.SetInt(n)
	return like.Interface()
}

// isInteger reports whether the codec writes f like an integer.
func (m Values) isInteger(f float64) bool {
	if f != math.Trunc(f) || math.Abs(f) > 1<<53 {
		return false
	}
	asFloat, errFloat := m.Codec.Encode(f)
	asInt, errInt := m.Codec.Encode(int64(f))
	return errFloat == nil && errInt == nil && bytes.Equal(asFloat, asInt)
}

// FromNative is the reverse of ToNative.
func (m Values) FromNative(native any) (raw []byte, ok bool) {
	if b, isBytes := native.([]byte); isBytes {
		if bytes.HasPrefix(b, EncodedMark) {
			return b[len(EncodedMark):], len(b) > len(EncodedMark)
		}
		if b == nil {
			native = []byte{} // gob does not tell empty from nil
		}
	}
	if m.Text {
		switch v := native.(type) {
		case string:
			if encoded, ok := strings.CutPrefix(v, TextMark); ok {
				raw, err := base64.RawURLEncoding.DecodeString(encoded)
				return raw, err == nil && len(raw) > 0
			}
		}
		native = integers(native)
	}
	raw, err := m.Codec.Encode(native)
	return raw, err == nil && len(raw) > 0
}

// integers returns v with all whole numbers as integers, which JSON does not tell apart.
func integers(v any) any {
	switch v := v.(type) {
	case float64:
		if v == math.Trunc(v) && math.Abs(v) <= 1<<53 {
			return int64(v)
		}
	case []any:
		all := make([]any, len(v))
		for i := range v {
			all[i] = integers(v[i])
		}
		return all
	case map[string]any:
		all := make(map[string]any, len(v))
		for key := range v {
			all[key] = integers(v[key])
		}
		return all
	}
	return v
}

// Bytes returns b as the store keeps it.
func (m Values) Bytes(b []byte) any {
	if m.Text {
		return base64.StdEncoding.EncodeToString(b) // like encoding/json
	}
	return b
}

// Sorted yields the values in the order of their keys, so that a session has only one
// order.
func Sorted(raws map[string][]byte) func(yield func(string, []byte) bool) {
	return func(yield func(string, []byte) bool) {
		for _, key := range slices.Sorted(maps.Keys(raws)) {
			if !yield(key, raws[key]) {
				return
			}
		}
	}
}
