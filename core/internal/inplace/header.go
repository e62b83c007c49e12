package inplace

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	"github.com/satchel-go/satchel/core"
)

const (
	// HeaderKey is Satchel's key among the values of a library's session. It holds what
	// these cannot:
	//
	//	format, 1 byte
	//	purpose and namespace, each after its length (uvarint)
	//	a core.Record of identity and times, with the flashes and values that
	//	are not among the library's values themselves
	HeaderKey = "_satchel"

	// HeaderFormat is the first byte of a header.
	HeaderFormat = 1
)

// ErrNotOurs means that a header belongs to another scope, or to no session of Satchel's.
var ErrNotOurs = errors.New("not a session of this Manager")

// AppendScope appends the scope that the header is bound to. It omits the cookie's
// name, which securecookie's HMAC covers.
func AppendScope(dst []byte, scope core.Scope) []byte {
	dst = append(dst, HeaderFormat)
	for _, s := range [...]string{scope.Purpose, scope.Namespace} {
		dst = append(binary.AppendUvarint(dst, uint64(len(s))), s...)
	}
	return dst
}

// Header returns the header of a session of scope. r holds only what belongs there.
func Header(scope core.Scope, r *core.Record) []byte {
	record, _ := r.MarshalBinary() // its error is always nil
	return append(AppendScope(make([]byte, 0, 32+len(record)), scope), record...)
}

// HeaderBytes returns the bytes of a value under HeaderKey, which is in base64 if
// the store keeps text. It returns nil for any other value.
func HeaderBytes(v any) []byte {
	switch v := v.(type) {
	case []byte:
		return v
	case string:
		data, err := base64.StdEncoding.DecodeString(v)
		if err == nil {
			return data
		}
	}
	return nil
}

// SplitHeader returns the scope and the record in a header.
func SplitHeader(v any) (scope core.Scope, record []byte, err error) {
	data := HeaderBytes(v)
	if len(data) == 0 {
		return scope, nil, fmt.Errorf("%w: the value %q is a %T", core.ErrCorrupt, HeaderKey, v)
	}
	if data[0] > HeaderFormat {
		return scope, nil, fmt.Errorf("%w: header %d", core.ErrNewerVersion, data[0])
	}
	if data[0] < HeaderFormat {
		return scope, nil, ErrNotOurs
	}
	data = data[1:]
	for _, s := range []*string{&scope.Purpose, &scope.Namespace} {
		length, size := binary.Uvarint(data)
		if size <= 0 || length > uint64(len(data)-size) {
			return scope, nil, ErrNotOurs
		}
		*s, data = string(data[size:size+int(length)]), data[size+int(length):]
	}
	return scope, data, nil
}

// WithName adds the cookie's name to scope, for stores that do not bind a session
// to it as securecookie does. It also adds a nonce, so that no two states of a
// session are equal.
func WithName(scope core.Scope) core.Scope {
	var nonce [6]byte
	_, _ = rand.Read(nonce[:]) // never fails
	scope.Purpose += "\x00" + scope.Name + "\x00" + base64.RawURLEncoding.EncodeToString(nonce[:])
	return scope
}

// ParseNamed reads a header written with a scope from WithName.
func ParseNamed(scope core.Scope, v any) (*core.Record, error) {
	found, record, err := SplitHeader(v)
	if err != nil {
		return nil, err
	}
	if !strings.HasPrefix(found.Purpose, scope.Purpose+"\x00"+scope.Name+"\x00") || found.Namespace != scope.Namespace {
		return nil, ErrNotOurs
	}
	return core.ParseRecord(record)
}
