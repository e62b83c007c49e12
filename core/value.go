package core

import (
	"bytes"
	"fmt"
	"reflect"
	"slices"
)

// change is what a request wants to do to one key. Several calls fold into
// one: only Update needs to know what it started from.
type change struct {
	key     string
	raw     []byte // the value as it reads now, nil if absent
	updates []func(raw []byte) ([]byte, error)
	err     error
}

// applyTo returns the change's outcome on a record that has raw (nil: absent)
// under the key.
func (c *change) applyTo(raw []byte) ([]byte, error) {
	if c.updates == nil {
		return c.raw, nil
	}
	var err error
	for _, update := range c.updates {
		if raw, err = update(raw); err != nil {
			return nil, err
		}
	}
	return raw, nil
}

// read returns the encoded value of key as this request sees it, nil if absent.
func (s *Session) read(key string) []byte {
	for i := range s.changes {
		if s.changes[i].key == key {
			return s.changes[i].raw
		}
	}
	if s.cleared {
		return nil
	}
	return s.base.value(key)
}

// change returns the place where the change to key is kept. Until it is
// filled in it changes nothing.
func (s *Session) change(key string) *change {
	for i := range s.changes {
		if s.changes[i].key == key {
			return &s.changes[i]
		}
	}
	s.changes = append(s.changes, change{key: key, raw: s.read(key)})
	return &s.changes[len(s.changes)-1]
}

// Set stores v under key. It encodes at once: changing v afterwards changes
// nothing. A value that cannot be encoded leaves what was stored, and fails the
// commit with a [ValueError]; see [Session.Err].
func (s *Session) Set(key string, v any) {
	raw, err := encodeValue(s.m.config.Codec, key, v)
	s.mu.Lock()
	defer s.unlock()
	if !s.writable("set", key) {
		return
	}
	c := s.change(key)
	if err != nil {
		c.err = err
		return
	}
	c.raw, c.updates, c.err = raw, nil, nil
}

// Delete removes key. Deleting the absent changes nothing.
func (s *Session) Delete(key string) {
	s.mu.Lock()
	defer s.unlock()
	if !s.writable("delete", key) {
		return
	}
	c := s.change(key)
	c.raw, c.updates, c.err = nil, nil, nil
}

// Clear removes all values that are there when it commits, those included that
// other requests add in the meantime. Flashes and identity stay.
func (s *Session) Clear() {
	s.mu.Lock()
	defer s.unlock()
	if !s.writable("clear", "") {
		return
	}
	s.changes, s.cleared = nil, true
}

// Keys returns the keys of all values, sorted.
func (s *Session) Keys() []string {
	s.mu.Lock()
	defer s.unlock()
	s.used = true
	keys := []string{}
	if !s.cleared {
		for key := range s.base.Values() {
			if !slices.ContainsFunc(s.changes, func(c change) bool { return c.key == key }) {
				keys = append(keys, key)
			}
		}
	}
	for i := range s.changes {
		if s.changes[i].raw != nil {
			keys = append(keys, s.changes[i].key)
		}
	}
	slices.Sort(keys)
	return keys
}

// Get returns the value of key. ok is false if it is absent, or is not a T;
// [Lookup] tells the two apart.
func Get[T any](s *Session, key string) (v T, ok bool) {
	v, err := Lookup[T](s, key)
	return v, err == nil
}

// Lookup returns the value of key. The error matches [ErrNotFound] if it is
// absent, and is a [ValueError] if what is stored does not decode into a T.
func Lookup[T any](s *Session, key string) (T, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.used = true
	raw := s.read(key)
	if raw == nil {
		var none T
		return none, errAbsent
	}
	v, err := decodeValue[T](s.m.config.Codec, key, raw)
	if err == nil && s.m.config.Strict {
		s.watch(key, raw, v)
	}
	return v, err
}

// errAbsent is made once: asking for what is not there is ordinary.
var errAbsent = fmt.Errorf("session value: %w", ErrNotFound)

// Update replaces the value of key by f of it; f gets the zero T if it is
// absent. If another request changes the session in the meantime, f runs again
// on the newest value, so that no update is lost: f must be pure, and must not
// use the session. A value that is not a T fails the commit.
func Update[T any](s *Session, key string, f func(T) T) {
	codec := s.m.config.Codec
	update := func(raw []byte) ([]byte, error) {
		var v T
		if raw != nil {
			var err error
			if v, err = decodeValue[T](codec, key, raw); err != nil {
				return nil, err
			}
		}
		return encodeValue(codec, key, f(v))
	}
	s.mu.Lock()
	defer s.unlock()
	if !s.writable("update", key) {
		return
	}
	before := s.read(key)
	fresh := !s.cleared && !slices.ContainsFunc(s.changes, func(c change) bool { return c.key == key })
	raw, err := update(before)
	c := s.change(key)
	if err != nil {
		c.raw, c.err = before, err
		return
	}
	// What was set or deleted in this request does not depend on other
	// requests; only an update of the stored value has to run again.
	if fresh || c.updates != nil {
		c.updates = append(c.updates, update)
	}
	c.raw = raw
}

// Key is a typed name of a session value. Make one per value, at package
// level; it needs no registration and is safe for concurrent use.
type Key[T any] struct{ name string }

// NewKey returns the key called name. It panics on an empty name.
func NewKey[T any](name string) Key[T] {
	if name == "" {
		panic("satchel: core.NewKey: the name is empty")
	}
	return Key[T]{name}
}

// Name returns the name under which the value is stored.
func (k Key[T]) Name() string { return k.name }

// Get is [Get] for this key.
func (k Key[T]) Get(s *Session) (T, bool) { return Get[T](s, k.name) }

// Lookup is [Lookup] for this key.
func (k Key[T]) Lookup(s *Session) (T, error) { return Lookup[T](s, k.name) }

// Set is [Session.Set] for this key.
func (k Key[T]) Set(s *Session, v T) { s.Set(k.name, v) }

// Delete is [Session.Delete] for this key.
func (k Key[T]) Delete(s *Session) { s.Delete(k.name) }

// Update is [Update] for this key.
func (k Key[T]) Update(s *Session, f func(T) T) { Update(s, k.name, f) }

// snapshot is what Get returned, with the bytes that it came from: in strict
// mode a commit looks whether anybody changed it in place.
type snapshot struct {
	key string
	raw []byte
	v   any
}

// watch keeps v if it holds memory that the handler could change in place.
func (s *Session) watch(key string, raw []byte, v any) {
	switch reflect.ValueOf(v).Kind() {
	case reflect.Map, reflect.Slice, reflect.Pointer, reflect.Struct, reflect.Array:
		// Compare with what encodes from v now: not every encoding decodes and
		// encodes to the same bytes.
		if again, err := encodeValue(s.m.config.Codec, key, v); err == nil {
			raw = again
		}
		s.snapshots = append(s.snapshots, snapshot{key, raw, v})
	}
}

// checkSnapshots complains, in strict mode, if the handler changed in place what
// Get returned and did not Set it.
func (s *Session) checkSnapshots() {
	shots := s.snapshots
	s.snapshots = nil
	for _, shot := range shots {
		now, err := encodeValue(s.m.config.Codec, shot.key, shot.v)
		if err == nil && !bytes.Equal(now, shot.raw) && !bytes.Equal(now, s.read(shot.key)) {
			s.strict(fmt.Errorf("core: the value that Get returned for %q was changed in place and not Set: such changes are not stored: Set it, or use Update", shorten(shot.key, maxShown)))
		}
	}
}
