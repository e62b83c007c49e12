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

// isReserved reports whether a value with this key must be in the header, because
// gorilla's map uses the key otherwise.
func isReserved(key string) bool { return key == headerKey || key == flashKey }

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
