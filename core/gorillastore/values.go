package gorillastore

import (
	"maps"
	"slices"
	"time"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/internal/inplace"
)

// mapping turns records into gorilla's maps of values, and back.
type mapping struct {
	inplace.Values

	users inplace.Users
}

func newMapping(text bool, userKey string, userValue func(user string) (any, error)) mapping {
	return mapping{inplace.Values{Codec: core.CBOR(), Text: text}, inplace.Users{Key: userKey, Value: userValue, Text: text}}
}

// validate returns an error for what no session can come of.
func (m mapping) validate() error {
	return m.users.Validate("gorillastore", headerKey, inplace.LeftKey, flashKey)
}

// toGorilla returns r as the values of a gorilla session, with those that it cannot hold.
func (m mapping) toGorilla(scope core.Scope, r *core.Record, others map[any]any) (map[any]any, error) {
	before, _ := r.Attachment().(map[string]inplace.Original)
	values := make(map[any]any, 8)
	maps.Copy(values, others)
	reserved := map[string][]byte{}
	for key, raw := range r.Values() {
		if m.isReserved(key) {
			reserved[key] = raw
			continue
		}
		values[key] = m.ToNative(raw, before[key])
	}
	if r.User != "" && m.users.Key != "" {
		native, err := m.users.Native(r.User, before[m.users.Key].Native)
		if err != nil {
			return nil, inplace.Fail("gorillastore", "save", err)
		}
		values[m.users.Key] = native
	}
	texts, rest := splitFlashes(r)
	if len(texts) > 0 {
		values[flashKey] = restoreTypes(texts, before[flashKey].Native)
	}
	values[headerKey] = m.Bytes(inplace.Header(scope, r.WithContent(maps.All(reserved), slices.Values(rest))))
	return values, nil
}

// fromGorilla returns head with the user, values and flashes of a gorilla session.
func (m mapping) fromGorilla(head *core.Record, values map[any]any) (*core.Record, error) {
	user, err := m.users.User(values[m.users.Key])
	if err != nil {
		return nil, inplace.Fail("gorillastore", "load", err)
	}
	if m.users.Key != "" && head.User != user { // gorilla has logged somebody in, or out
		head.User, head.AuthenticatedAt = user, time.Time{}
	}
	raws := make(map[string][]byte, len(values))
	for key, raw := range head.Values() {
		if m.isReserved(key) {
			raws[key] = raw
		}
	}
	before := make(map[string]inplace.Original, len(values))
	for k, native := range values {
		key, ok := k.(string)
		if !ok || m.isReserved(key) {
			continue
		}
		if raw, ok := m.FromNative(native); ok {
			raws[key] = raw
			before[key] = inplace.Original{Native: native, Raw: raw}
		}
	}
	before[flashKey] = inplace.Original{Native: values[flashKey]}
	if m.users.Key != "" {
		before[m.users.Key] = inplace.Original{Native: values[m.users.Key]}
	}
	r := head.WithContent(inplace.Sorted(raws), slices.Values(joinFlashes(head, values[flashKey])))
	r.Attach(before)
	return r, nil
}
