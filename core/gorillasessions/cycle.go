package gorillasessions

import (
	"encoding"
	"encoding/gob"
	"errors"
	"reflect"
)

const (
	maxDepth  = 1000    // how deep a value may nest
	maxVisits = 1 << 22 // how much it may hold
)

var errCyclic = errors.New("it contains itself, or nests or holds more than a session can")

// finite returns an error if gob would never be done with v. Gob ends the process
// then.
func finite(v any) error {
	left := maxVisits
	if !isFinite(reflect.ValueOf(v), maxDepth, &left) {
		return errCyclic
	}
	return nil
}

func isFinite(v reflect.Value, depth int, left *int) bool {
	if depth--; depth < 0 {
		return false
	}
	if *left--; *left < 0 {
		return false
	}
	switch v.Kind() {
	case reflect.Interface, reflect.Pointer:
		return v.IsNil() || isFinite(v.Elem(), depth, left)
	case reflect.Slice, reflect.Array, reflect.Map, reflect.Struct:
		if encodesItself(v.Type()) {
			return true
		}
	}
	switch v.Kind() {
	case reflect.Slice, reflect.Array:
		if isPlain(v.Type().Elem().Kind()) {
			return true
		}
		for i := range v.Len() {
			if !isFinite(v.Index(i), depth, left) {
				return false
			}
		}
	case reflect.Map:
		for entries := v.MapRange(); entries.Next(); {
			if !isFinite(entries.Key(), depth, left) || !isFinite(entries.Value(), depth, left) {
				return false
			}
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() && !isFinite(v.Field(i), depth, left) {
				return false
			}
		}
	}
	return true
}

// isPlain reports whether values of this kind contain no others.
func isPlain(k reflect.Kind) bool { return k <= reflect.Complex128 || k == reflect.String }

// encodesItself reports whether gob leaves the encoding of a t to its methods.
func encodesItself(t reflect.Type) bool {
	pointer := reflect.PointerTo(t)
	return pointer.Implements(reflect.TypeFor[gob.GobEncoder]()) ||
		pointer.Implements(reflect.TypeFor[encoding.BinaryMarshaler]()) ||
		pointer.Implements(reflect.TypeFor[encoding.TextMarshaler]())
}
