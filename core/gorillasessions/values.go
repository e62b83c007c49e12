package gorillasessions

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/satchel-go/satchel/core"
)

// keyPrefix begins the keys of all values of gorilla sessions. The session's name
// follows, and then
//
//	/ and the key, if it is a string
//	: and a checksum of the key's type and value, if it is anything else
//
// A name is a token, so it contains neither character.
const keyPrefix = "gorilla/"

// ValueKey returns the key in Satchel's session of the value that the named gorilla
// session has under a string key.
func ValueKey(session, key string) string { return keyPrefix + session + "/" + key }

// Value returns the value that the named gorilla session has under key, for handlers
// that have only Satchel's session. It is the value in that session, which gorilla's
// changes reach at Save. ok is false if there is no value, or if it is not a T.
func Value[T any](s *core.Session, session string, key any) (v T, ok bool) {
	got, err := read(s, valueKey(session, key))
	if err != nil {
		return v, false
	}
	v, ok = got.decoded().(T)
	return v, ok
}

func valueKey(session string, key any) string {
	if text, ok := key.(string); ok {
		return ValueKey(session, text)
	}
	name := "nil"
	if t := reflect.TypeOf(key); t != nil {
		name = t.PkgPath() + "\x00" + t.String()
	}
	// Gob's own bytes are no use: they differ between processes.
	sum := sha256.Sum256(fmt.Appendf(nil, "%s\x00%#v", name, key))
	return keyPrefix + session + ":" + base64.RawURLEncoding.EncodeToString(sum[:16])
}

// part is the part of a Satchel session that is one gorilla session.
type part struct {
	name   string
	values map[any]stored // by gorilla's key, as loaded or last saved
	err    error          // why not all could be loaded
	broken bool           // it is unknown what is stored
}

// owns reports whether the Satchel key belongs to this part.
func (p *part) owns(key string) bool {
	rest, ok := strings.CutPrefix(key, keyPrefix+p.name)
	return ok && rest != "" && (rest[0] == '/' || rest[0] == ':')
}

// read fills values from s. It leaves out values that cannot be decoded, and
// returns an error for them.
func (p *part) read(s *core.Session, values map[any]any) (err error) {
	p.values = map[any]stored{}
	for _, key := range s.Keys() {
		if !p.owns(key) {
			continue
		}
		v, readErr := read(s, key)
		if errors.Is(readErr, core.ErrNotFound) {
			continue
		}
		if readErr != nil {
			err = errors.Join(err, fmt.Errorf("gorillasessions: session %q: %w", p.name, readErr))
			continue
		}
		id := v.id
		if text := key[len(keyPrefix)+len(p.name):]; text[0] == '/' {
			id = text[1:]
		}
		p.values[id] = v
		if again, err := read(s, key); err == nil { // gorilla may change its value in place, so ours must be another
			values[id] = again.decoded()
		}
	}
	return err
}

// remove deletes all values of the part, including those that cannot be decoded.
func (p *part) remove(s *core.Session) {
	for _, key := range s.Keys() {
		if p.owns(key) {
			s.Delete(key)
		}
	}
	s.Delete(ValueKey(p.name, "")) // so that a read-only session reports an error
}

// edit is the change of one value.
type edit struct {
	id     any
	key    string
	before stored
	after  stored
	gone   bool
}

// edits returns the changes after which the part holds values, sorted by key.
func (p *part) edits(values map[any]any) ([]edit, error) {
	var edits []edit
	for id, v := range values {
		before, ok := p.values[id]
		if ok && before.is(v) {
			continue
		}
		after, err := newStored(id, v)
		if err != nil {
			return nil, err
		}
		edits = append(edits, edit{id: id, key: valueKey(p.name, id), before: before, after: after})
	}
	for id, before := range p.values {
		if _, ok := values[id]; !ok {
			edits = append(edits, edit{id: id, key: valueKey(p.name, id), before: before, gone: true})
		}
	}
	slices.SortFunc(edits, func(a, b edit) int { return cmp.Compare(a.key, b.key) })
	return edits, nil
}

// apply makes the change in s.
func (e *edit) apply(s *core.Session) {
	switch {
	case e.merges():
		core.Update(s, e.key, e.merge)
	case e.gone:
		s.Delete(e.key)
	case e.after.blob != nil:
		s.Set(e.key, e.after.blob)
	default:
		s.Set(e.key, e.after.native)
		// Not every codec returns the value that it was given, with its type.
		if back, err := read(s, e.key); err != nil || !back.is(e.after.native) {
			if blob, err := encodeGob(e.id, e.after.native); err == nil {
				e.after = stored{id: e.id, blob: blob}
				s.Set(e.key, blob)
			}
		}
	}
}

// done notes that edits are stored.
func (p *part) done(edits []edit) {
	for _, e := range edits {
		if e.gone {
			delete(p.values, e.id)
		} else {
			p.values[e.id] = e.after
		}
	}
}

// lists returns the flashes before and after the change. Gorilla keeps them in a
// []any. ok is false unless the edit changes such a list, written by gob.
func (e *edit) lists() (before, after []any, ok bool) {
	before, ok = e.before.decoded().([]any)
	if e.before.native != nil || !ok && !e.before.empty() {
		return nil, nil, false
	}
	if e.gone {
		return before, nil, ok
	}
	after, ok = e.after.decoded().([]any)
	return before, after, ok
}

func (e *edit) merges() bool {
	_, _, ok := e.lists()
	return ok
}

// merge makes the change to a list that another request may have changed too. It
// removes what this request took, adds what this request added, and keeps the rest.
func (e *edit) merge(newest []byte) []byte {
	before, after, _ := e.lists()
	list := before
	if len(newest) == 0 {
		list = nil
	} else if _, v, err := decodeGob(newest); err == nil {
		list, _ = v.([]any)
	}
	list = slices.Concat(without(list, without(before, after)), without(after, before))
	if len(list) == 0 {
		return []byte{} // reads as absent
	}
	blob, err := encodeGob(e.id, list)
	if err != nil {
		return newest // cannot happen: all of it has been encoded before
	}
	return blob
}

// without returns list without the members of others. Each of them removes one member.
func without(list, others []any) []any {
	others = slices.Clone(others)
	return slices.DeleteFunc(slices.Clone(list), func(v any) bool {
		i := slices.IndexFunc(others, func(other any) bool { return bytesOrDeepEqual(v, other) })
		if i >= 0 {
			others = slices.Delete(others, i, i+1)
		}
		return i >= 0
	})
}

func bytesOrDeepEqual(a, b any) bool {
	x, isBytes := a.([]byte)
	y, areBytes := b.([]byte)
	if isBytes && areBytes {
		return bytes.Equal(x, y) // gob does not tell empty from nil
	}
	return reflect.DeepEqual(a, b)
}
