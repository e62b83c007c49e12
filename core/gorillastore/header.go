package gorillastore

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"

	"github.com/satchel-go/satchel/core"
)

const (
	// headerKey is Satchel's only key in gorilla's map. It holds what gorilla's map
	// cannot:
	//
	//	format, 1 byte
	//	purpose and namespace, each after its length (uvarint)
	//	a core.Record of identity and times, with the flashes and values that
	//	are not in the map itself
	headerKey = "_satchel"

	// flashKey is the key of gorilla's AddFlash and Flashes.
	flashKey = "_flash"

	headerFormat = 1
)

// isReserved reports whether a value with this key must be in the header, because
// gorilla's map uses the key otherwise.
func isReserved(key string) bool { return key == headerKey || key == flashKey }

// appendScope appends the scope that the header is bound to. It omits the cookie's
// name, which securecookie's HMAC covers.
func appendScope(dst []byte, scope core.Scope) []byte {
	dst = append(dst, headerFormat)
	for _, s := range [...]string{scope.Purpose, scope.Namespace} {
		dst = append(binary.AppendUvarint(dst, uint64(len(s))), s...)
	}
	return dst
}

// header returns the header of a session of scope. r holds only what belongs there.
func header(scope core.Scope, r *core.Record) ([]byte, error) {
	record, err := r.MarshalBinary()
	if err != nil {
		return nil, fmt.Errorf("gorillastore: seal: %w", err)
	}
	return append(appendScope(make([]byte, 0, 32+len(record)), scope), record...), nil
}

// headerBytes returns the bytes of a value under headerKey, which is in base64 if
// the store keeps text. It returns nil for any other value.
func headerBytes(v any) []byte {
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

// parseHeader is the reverse of header. A token for another scope is not ours,
// whatever its content.
func parseHeader(scope core.Scope, v any) (*core.Record, error) {
	found, record, err := splitHeader(v)
	if err != nil {
		return nil, err
	}
	if found.Purpose != scope.Purpose || found.Namespace != scope.Namespace {
		return nil, errNotOurs
	}
	return core.ParseRecord(record)
}

// splitHeader returns the scope and the record in a header.
func splitHeader(v any) (scope core.Scope, record []byte, err error) {
	data := headerBytes(v)
	if len(data) == 0 {
		return scope, nil, fmt.Errorf("%w: gorilla's value %q is a %T", core.ErrCorrupt, headerKey, v)
	}
	if data[0] > headerFormat {
		return scope, nil, fmt.Errorf("%w: header %d", core.ErrNewerVersion, data[0])
	}
	if data[0] < headerFormat {
		return scope, nil, errNotOurs
	}
	data = data[1:]
	for _, s := range []*string{&scope.Purpose, &scope.Namespace} {
		length, size := binary.Uvarint(data)
		if size <= 0 || length > uint64(len(data)-size) {
			return scope, nil, errNotOurs
		}
		*s, data = string(data[size:size+int(length)]), data[size+int(length):]
	}
	return scope, data, nil
}
