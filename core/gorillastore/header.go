package gorillastore

import (
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

// parseHeader reads what header wrote. A token for another scope is not ours,
// whatever else is in it.
func parseHeader(scope core.Scope, v any) (*core.Record, error) {
	data, ok := v.([]byte)
	if !ok || len(data) == 0 {
		return nil, fmt.Errorf("%w: gorilla's value %q is a %T", core.ErrCorrupt, headerKey, v)
	}
	if data[0] > headerFormat {
		return nil, fmt.Errorf("%w: header %d", core.ErrNewerVersion, data[0])
	}
	want := appendScope(nil, scope)
	if len(data) < len(want) || string(data[:len(want)]) != string(want) {
		return nil, errNotOurs
	}
	return core.ParseRecord(data[len(want):])
}
