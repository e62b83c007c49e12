package core

import (
	"fmt"
	"reflect"
)

// KeyOption is an option of [NewKey]. It says what becomes of a stored value that does
// not decode into the key's type, because an earlier release stored another one. By
// default it is refused: Lookup and Update return or fail with a [ValueError].
type KeyOption func(*keyOptions)

type keyOptions struct {
	replace bool
	old     []any // oldReader of the key's type
}

// ReplaceUnreadable is a [KeyOption] for values that may start afresh. One that cannot
// be read counts as absent: Get and Lookup find none, and Update begins with the zero
// value. An event tells when an Update has replaced one.
func ReplaceUnreadable(o *keyOptions) { o.replace = true }

// ReadOld returns a [KeyOption] for values that must not be lost. A value that does not
// decode into the key's type T is decoded into an Old and converted. It is stored as
// a T by the next Update or Set. If convert returns an error, the value is refused with
// that error; its text is not shown, because it may quote the value. Of several
// ReadOld, the first that can read the value counts. ReadOld panics if convert is nil,
// NewKey if T is not the type of its key.
//
// What decodes into T is never converted. So a struct should not become another struct
// under the same key: fields that are missing or unknown are no error.
func ReadOld[Old, T any](convert func(Old) (T, error)) KeyOption {
	if convert == nil {
		panic("satchel: core.ReadOld: convert is nil")
	}
	read := func(c Codec, key string, raw []byte) (v T, decoded bool, err error) {
		old, err := decodeValue[Old](c, key, raw)
		if err != nil {
			return v, false, err
		}
		if v, err = convert(old); err != nil {
			err = &ValueError{Key: key, Type: reflect.TypeFor[T]().String(), Size: len(raw), Err: notConverted{err}}
		}
		return v, true, err
	}
	return func(o *keyOptions) { o.old = append(o.old, oldReader[T](read)) }
}

// notConverted is convert's error without its text.
type notConverted struct{ err error }

func (e notConverted) Error() string { return fmt.Sprintf("ReadOld cannot convert it: %T", e.err) }

func (e notConverted) Unwrap() error { return e.err }

// oldReader reads a value of an older type. If it was decoded, the error is convert's.
type oldReader[T any] func(c Codec, key string, raw []byte) (v T, decoded bool, err error)

// reading is how a key with options reads its values. A nil reading refuses what does
// not decode.
type reading[T any] struct {
	replace bool
	old     []oldReader[T]
}

func newReading[T any](name string, options []KeyOption) *reading[T] {
	if len(options) == 0 {
		return nil
	}
	var o keyOptions
	for _, option := range options {
		option(&o)
	}
	r := &reading[T]{replace: o.replace}
	for _, old := range o.old {
		read, ok := old.(oldReader[T])
		if !ok {
			panic(fmt.Sprintf("satchel: core.NewKey(%q): ReadOld returns another type than %s, the key's", name, reflect.TypeFor[T]()))
		}
		r.old = append(r.old, read)
	}
	return r
}

// replaces reports whether what cannot be read may be replaced.
func (r *reading[T]) replaces() bool { return r != nil && r.replace }

// decode decodes raw, the value of key, in the ways that r knows.
func (r *reading[T]) decode(c Codec, key string, raw []byte) (T, error) {
	v, err := decodeValue[T](c, key, raw)
	if err == nil || r == nil {
		return v, err
	}
	for _, read := range r.old {
		old, decoded, oldErr := read(c, key, raw)
		if decoded && oldErr == nil {
			return old, nil
		}
		if decoded {
			err = oldErr
		}
	}
	var none T
	return none, err
}
