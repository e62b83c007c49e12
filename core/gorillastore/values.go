package gorillastore

import (
	"encoding/base64"
	"maps"
	"slices"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/internal/inplace"
)

// mapping turns records into gorilla's maps of values, and back.
type mapping struct{ inplace.Values }

// toGorilla returns r as the values of a gorilla session.
func (m mapping) toGorilla(scope core.Scope, r *core.Record) map[any]any {
	before, _ := r.Attachment().(map[string]inplace.Original)
	values := make(map[any]any, 8)
	reserved := map[string][]byte{}
	for key, raw := range r.Values() {
		if isReserved(key) {
			reserved[key] = raw
			continue
		}
		values[key] = m.ToNative(raw, before[key])
	}
	texts, rest := splitFlashes(r)
	if len(texts) > 0 {
		values[flashKey] = restoreTypes(texts, before[flashKey].Native)
	}
	head := inplace.Header(scope, r.WithContent(maps.All(reserved), slices.Values(rest)))
	values[headerKey] = head
	if m.Text {
		values[headerKey] = base64.StdEncoding.EncodeToString(head) // like encoding/json
	}
	return values
}

// fromGorilla returns head with the values and flashes of a gorilla session.
func (m mapping) fromGorilla(head *core.Record, values map[any]any) *core.Record {
	raws := make(map[string][]byte, len(values))
	for key, raw := range head.Values() {
		if isReserved(key) {
			raws[key] = raw
		}
	}
	before := make(map[string]inplace.Original, len(values))
	for k, native := range values {
		key, ok := k.(string)
		if !ok || isReserved(key) {
			continue
		}
		if raw, ok := m.FromNative(native); ok {
			raws[key] = raw
			before[key] = inplace.Original{Native: native, Raw: raw}
		}
	}
	before[flashKey] = inplace.Original{Native: values[flashKey]}
	r := head.WithContent(inplace.Sorted(raws), slices.Values(joinFlashes(head, values[flashKey])))
	r.Attach(before)
	return r
}
