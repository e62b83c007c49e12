package core

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// Set stores v under key. It encodes v at once: changing v afterwards has no
// effect. If v cannot be encoded, Set keeps the previous value and the commit fails
// with a [ValueError]; see [Session.Err]. The same goes for values that this request
// sets beyond Config.MaxBytes together: the error is a [SizeError]. A value that could
// not come back is a ValueError too; [CBOR] says which.
func (s *Session) Set(key string, v any) { set(s, key, v) }

func set[T any](s *Session, key string, v T) {
	raw, err := encodeValue(s.m.config.Codec, key, v)
	s.mu.Lock()
	defer s.unlock()
	if !s.writable("set", key) {
		return
	}
	c := s.change(key)
	if s.put(c, raw, err); c.err == nil {
		c.updates = nil
		if s.m.config.Strict {
			s.comesBack(key, v, raw)
		}
	}
}

// Delete removes the value of key. Deleting an absent key changes nothing.
func (s *Session) Delete(key string) {
	s.mu.Lock()
	defer s.unlock()
	if !s.writable("delete", key) {
		return
	}
	c := s.change(key)
	s.put(c, nil, nil)
	c.updates = nil
}

// Clear removes all values that exist when the request commits, including those
// that other requests add in the meantime. Flashes and identity stay.
func (s *Session) Clear() {
	s.mu.Lock()
	defer s.unlock()
	if !s.writable("clear", "") {
		return
	}
	s.changes, s.tally, s.cleared = nil, tally{}, true
}

// Keys returns the keys of all values, sorted. It never returns nil.
func (s *Session) Keys() []string {
	s.mu.Lock()
	defer s.unlock()
	s.used = true
	keys := []string{}
	if !s.cleared {
		for key := range s.base.Values() {
			if find(&s.intent, key) < 0 {
				keys = append(keys, key)
			}
		}
	}
	for i := range s.changes {
		if s.changes[i].raw != nil {
			keys = append(keys, strings.Clone(s.changes[i].key)) // it may be a view of a buffer that Fiber reuses
		}
	}
	slices.Sort(keys)
	return keys
}

// Get returns the value of key. The result ok is false if the value is absent or
// does not decode into a T; [Lookup] tells the two apart.
func Get[T any](s *Session, key string) (v T, ok bool) {
	v, err := Lookup[T](s, key)
	return v, err == nil
}

// Lookup returns the value of key. The error matches [ErrNotFound] if the value
// is absent, and is a [ValueError] if it does not decode into a T.
func Lookup[T any](s *Session, key string) (T, error) { return lookup[T](s, key, nil) }

func lookup[T any](s *Session, key string, r *reading[T]) (T, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.used = true
	raw := s.read(key)
	if raw == nil {
		var none T
		return none, errAbsent
	}
	v, err := r.decode(s.m.config.Codec, key, raw)
	switch {
	case err != nil && r.replaces():
		err = fmt.Errorf("%w: %w", errAbsent, err)
	case err == nil && s.m.config.Strict:
		s.watch(key, raw, v)
	}
	return v, err
}

// errAbsent is made once, because absent values are common.
var errAbsent = fmt.Errorf("session value: %w", ErrNotFound)

// Update replaces the value of key with what f returns for it; f gets the zero T
// if the value is absent. If another request changes the session in the meantime, f
// runs again on the newest value, so that no update is lost. Therefore f must be
// pure and must not use the session. A value that does not decode into a T fails
// the commit; a [Key] with options can do otherwise.
func Update[T any](s *Session, key string, f func(T) T) { update(s, key, f, nil) }

func update[T any](s *Session, key string, f func(T) T, r *reading[T]) {
	codec, told := s.m.config.Codec, false
	again := func(raw []byte) ([]byte, error) {
		_, raw, lost, err := apply(codec, key, f, raw, r)
		if lost != nil && !told {
			told = true
			s.emit(Event{Kind: EventReplaced, Detail: "the new value does not depend on the old one", Err: lost})
		}
		return raw, err
	}
	s.mu.Lock()
	defer s.unlock()
	if !s.writable("update", key) {
		return
	}
	before := s.read(key)
	fresh := !s.cleared && find(&s.intent, key) < 0
	v, raw, _, err := apply(codec, key, f, before, r)
	c := s.change(key)
	failed := c.err
	if s.put(c, raw, err); c.err != nil {
		return
	}
	if s.m.config.Strict {
		s.comesBack(key, v, raw)
	}
	if failed != nil {
		c.err = failed // only Set and Delete replace what failed
		s.failed++
	}
	// A value that this request set or deleted does not depend on other
	// requests; only an update of the stored value has to run again.
	if fresh || c.updates != nil {
		c.updates = append(c.updates, again)
	}
}

// apply returns what f makes of an encoded value, and its encoding. lost says why the
// value could not be read, if r replaces it.
func apply[T any](codec Codec, key string, f func(T) T, raw []byte, r *reading[T]) (v T, _ []byte, lost, err error) {
	if raw != nil {
		if v, err = r.decode(codec, key, raw); err != nil {
			if !r.replaces() {
				return v, nil, nil, err
			}
			lost = err
		}
	}
	v = f(v)
	raw, err = encodeValue(codec, key, v)
	return v, raw, lost, err
}

// Pop returns the value of key and deletes it, for what is used once: the answer to a
// captcha, a login's state with an identity provider. If it cannot be read, it stays.
// Requests that overlap may each get it.
func Pop[T any](s *Session, key string) (v T, ok bool) {
	if v, ok = Get[T](s, key); ok {
		s.Delete(key)
	}
	return v, ok
}

// Key is the typed name of a session value. Make one for each value, at package
// level. It needs no registration and is safe for concurrent use.
type Key[T any] struct {
	name    string
	reading *reading[T]
}

// NewKey returns the key called name. It panics if name is empty. The options
// [ReplaceUnreadable] and [ReadOld] say what becomes of stored values of another type;
// see docs/changing-what-you-store.md.
func NewKey[T any](name string, options ...KeyOption) Key[T] {
	if name == "" {
		panic("satchel: core.NewKey: the name is empty")
	}
	return Key[T]{strings.Clone(name), newReading[T](name, options)}
}

// Name returns the name under which the value is stored.
func (k Key[T]) Name() string { return k.name }

// Get is [Get] for this key.
func (k Key[T]) Get(s *Session) (T, bool) {
	v, err := k.Lookup(s)
	return v, err == nil
}

// Lookup is [Lookup] for this key. With [ReplaceUnreadable], the error of a value that
// does not decode matches [ErrNotFound] too.
func (k Key[T]) Lookup(s *Session) (T, error) { return lookup(s, k.name, k.reading) }

// Set is [Session.Set] for this key.
func (k Key[T]) Set(s *Session, v T) { set(s, k.name, v) }

// Delete is [Session.Delete] for this key.
func (k Key[T]) Delete(s *Session) { s.Delete(k.name) }

// Pop is [Pop] for this key.
func (k Key[T]) Pop(s *Session) (T, bool) {
	v, ok := k.Get(s)
	if ok {
		k.Delete(s)
	}
	return v, ok
}

// Update is [Update] for this key.
func (k Key[T]) Update(s *Session, f func(T) T) { update(s, k.name, f, k.reading) }

// snapshot is what Get returned, with its encoding. In strict mode a commit checks
// whether the handler changed it in place.
type snapshot struct {
	key string
	raw []byte
	v   any
}

// watch keeps v if it holds memory that the handler could change in place.
func (s *Session) watch(key string, raw []byte, v any) {
	switch reflect.ValueOf(v).Kind() {
	case reflect.Map, reflect.Slice, reflect.Pointer, reflect.Struct, reflect.Array:
		// Compare with v's encoding now: not every encoding decodes and encodes
		// to the same bytes.
		if again, err := encodeValue(s.m.config.Codec, key, v); err == nil {
			raw = again
		}
		s.seldom().snapshots = append(s.seldom().snapshots, snapshot{key, raw, v})
	}
}

// checkSnapshots reports, in strict mode, a value from Get that the handler changed
// in place and did not Set.
func (s *Session) checkSnapshots() {
	if s.rare == nil {
		return
	}
	shots := s.rare.snapshots
	s.rare.snapshots = nil
	for _, shot := range shots {
		now, err := encodeValue(s.m.config.Codec, shot.key, shot.v)
		if err == nil && !bytes.Equal(now, shot.raw) && !bytes.Equal(now, s.read(shot.key)) {
			s.strict(fmt.Errorf("core: the value that Get returned for %q was changed in place and not Set, so the change is not stored: Set it, or use Update", shorten(shot.key, maxShown)))
		}
	}
}

// comesBack reports, in strict mode, a value whose encoding does not survive being
// decoded and encoded again, so that another one would come back.
func (s *Session) comesBack(key string, v any, raw []byte) {
	if v == nil {
		return
	}
	codec := s.m.config.Codec
	back := reflect.New(reflect.TypeOf(v))
	var again []byte
	err := codec.Decode(raw, back.Interface())
	if err == nil {
		again, err = codec.Encode(back.Elem().Interface())
	}
	if err == nil && bytes.Equal(raw, again) {
		return
	}
	// Not every type encodes itself the same way twice.
	if twice, twiceErr := codec.Encode(v); twiceErr != nil || !bytes.Equal(raw, twice) || err == nil && sameJSON(codec, raw, again) {
		return
	}
	text := fmt.Sprintf("core: the value under %q does not come back as it was Set: the type %T does not decode what it encodes; store a type that does", shorten(key, maxShown), v)
	if err != nil {
		s.strict(fmt.Errorf("%s: %w", text, withoutValue(err)))
		return
	}
	s.strict(errors.New(text))
}
