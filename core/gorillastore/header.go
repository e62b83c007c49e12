package gorillastore

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"

	"github.com/satchel-go/satchel/core"
)

const (
	// headerKey is the one key of gorilla's map that is Satchel's. Below it is
	// what gorilla has no place for:
	//
	//	format, 1 byte
	//	purpose and namespace, each behind its length (uvarint)
	//	a core.Record of identity and times, with those flashes and values that
	//	are not in the map itself
	headerKey = "_satchel"

	// flashKey is where gorilla's AddFlash and Flashes keep theirs.
	flashKey = "_flash"

	headerFormat = 1
)

// isReserved reports whether a value of this key cannot lie in gorilla's map
// under its own name, and lies in the header.
func isReserved(key string) bool { return key == headerKey || key == flashKey }

// appendScope appends what the header binds. The cookie's name needs no place:
// securecookie's HMAC covers it.
func appendScope(dst []byte, scope core.Scope) []byte {
	dst = append(dst, headerFormat)
	for _, s := range [...]string{scope.Purpose, scope.Namespace} {
		dst = append(binary.AppendUvarint(dst, uint64(len(s))), s...)
	}
	return dst
}

// header returns r, which has no more than the header may have, for scope.
func header(scope core.Scope, r *core.Record) ([]byte, error) {
	record, err := r.MarshalBinary()
	if err != nil {
		return nil, fmt.Errorf("gorillastore: seal: %w", err)
	}
	return append(appendScope(make([]byte, 0, 32+len(record)), scope), record...), nil
}

// headerBytes returns what a store has under headerKey: bytes, or base64 if it
// keeps text. Nil if it is neither.
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

// parseHeader reads what header wrote. A token for another scope is not ours,
// whatever else is in it.
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

// splitHeader returns the scope that a header was made for, and its record.
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
