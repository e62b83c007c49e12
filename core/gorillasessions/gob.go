package gorillasessions

import (
	"bytes"
	"encoding/gob"
	"errors"
	"fmt"
	"slices"

	"github.com/satchel-go/satchel/core"
)

// gobMark precedes a value that gob wrote. A []byte that happens to begin with it is
// written by gob too.
var gobMark = []byte("\x00gob1")

// gobValue is what gob writes. Key is nil for a string, which is in Satchel's key.
type gobValue struct{ Key, Value any }

func encodeGob(id, v any) ([]byte, error) {
	if _, ok := id.(string); ok {
		id = nil
	}
	b := bytes.NewBuffer(slices.Clone(gobMark))
	if err := gob.NewEncoder(b).Encode(gobValue{id, v}); err != nil {
		return nil, fmt.Errorf("encode %T: %w", v, err)
	}
	return b.Bytes(), nil
}

func decodeGob(blob []byte) (id, v any, err error) {
	data, ok := bytes.CutPrefix(blob, gobMark)
	if !ok {
		return nil, nil, errors.New("not written by gob")
	}
	defer func() { // methods of the application's types may panic on damaged data
		if p := recover(); p != nil {
			id, v, err = nil, nil, fmt.Errorf("gob: panic: %v", p)
		}
	}()
	var p gobValue
	if err := gob.NewDecoder(bytes.NewReader(data)).Decode(&p); err != nil { //nolint:gosec // no client can write it, because it is in a store or a sealed cookie
		return nil, nil, err
	}
	return p.Key, p.Value, nil
}

// stored is a value as Satchel stores it.
type stored struct {
	id     any    // gorilla's key, if it is not a string
	native any    // the value, unless it is in blob; no other code has it
	blob   []byte // the value as gob wrote it
}

// newStored returns v as it will be stored under gorilla's key id.
func newStored(id, v any) (stored, error) {
	if _, ok := id.(string); ok {
		switch v := v.(type) {
		case string, bool, int, float64:
			return stored{native: v}, nil
		case []byte:
			if len(v) > 0 && !bytes.HasPrefix(v, gobMark) {
				return stored{native: slices.Clone(v)}, nil
			}
		}
	}
	if err := finite(id); err != nil {
		return stored{}, fmt.Errorf("key of type %T: %w", id, err)
	}
	if err := finite(v); err != nil {
		return stored{}, fmt.Errorf("value %q: encode %T: %w", fmt.Sprint(id), v, err)
	}
	blob, err := encodeGob(id, v)
	if err != nil {
		return stored{}, fmt.Errorf("value %q: %w", fmt.Sprint(id), err)
	}
	return stored{id: id, blob: blob}, nil
}

// read returns the value that s has under key. Without one, the error matches
// [core.ErrNotFound].
func read(s *core.Session, key string) (stored, error) {
	if b, ok := core.Get[[]byte](s, key); ok {
		if id, _, err := decodeGob(b); err == nil {
			return stored{id: id, blob: b}, nil
		} else if bytes.HasPrefix(b, gobMark) {
			return stored{}, fmt.Errorf("value %q: decode: %w (has its type been registered with gob.Register?)", key, err)
		}
	}
	v, err := core.Lookup[any](s, key)
	if err != nil {
		return stored{}, err
	}
	if b, ok := v.([]byte); ok && len(b) == 0 {
		return stored{}, core.ErrNotFound // see edit.merge
	}
	if n, ok := v.(int64); ok && int64(int(n)) == n {
		v = int(n) // the type that gorilla's programs use for counting
	}
	return stored{native: v}, nil
}

func (v stored) empty() bool { return v.native == nil && v.blob == nil }

// decoded returns the value. Unless v is a blob or a scalar, it must not leave
// this package.
func (v stored) decoded() any {
	if v.blob != nil {
		_, value, err := decodeGob(v.blob)
		if err != nil {
			return nil // cannot happen: it has been decoded before
		}
		return value
	}
	return v.native
}

// is reports whether the value is w and has the same type.
func (v stored) is(w any) bool { return bytesOrDeepEqual(v.decoded(), w) }
