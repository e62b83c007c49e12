package gorillastore

import (
	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/internal/inplace"
)

const (
	// headerKey is Satchel's only key in gorilla's map.
	headerKey = inplace.HeaderKey

	// flashKey is the key of gorilla's AddFlash and Flashes.
	flashKey = "_flash"
)

// isReserved reports whether a value of Satchel's with this key must be in the header,
// because gorilla's map uses the key otherwise.
func (m mapping) isReserved(key string) bool {
	return key == headerKey || key == inplace.LeftKey || key == flashKey || key == m.users.Key && key != ""
}

// left returns what is in place of a session that has moved away, or nil.
func left(values map[any]any) any {
	if len(values) > 1 {
		return nil // gorilla has begun a session under the token
	}
	return values[inplace.LeftKey]
}

// parseHeader reads a header for cookies, which are bound to their names. A token for
// another scope is not ours, whatever its content.
func parseHeader(scope core.Scope, v any) (*core.Record, error) {
	found, record, err := inplace.SplitHeader(v)
	if err != nil {
		return nil, err
	}
	if found.Purpose != scope.Purpose || found.Namespace != scope.Namespace {
		return nil, errNotOurs
	}
	return core.ParseRecord(record)
}
