package core

import (
	"encoding/binary"
	"slices"
	"strings"
	"time"
)

// Flash is a message for the next page that the user sees.
type Flash struct {
	Kind string `json:"kind"` // a word of the application's choosing: "success", "error"
	Text string `json:"text"` // as given: escape it like any other data when showing it
}

// flash is a Flash or a typed flash, stored or to be stored.
type flash struct {
	number   uint64 // its place in the order of adding, within its session
	typed    bool   // belongs to a FlashKey
	kind     string
	expires  int64 // Unix milliseconds, zero for no limit
	payload  []byte
	consumed bool  // read by this request
	err      error // why it could not be encoded
}

func (f *flash) expired(now time.Time) bool {
	return f.expires != 0 && now.UnixMilli() >= f.expires
}

func (f *flash) appendTo(dst []byte) []byte {
	dst = binary.AppendUvarint(dst, f.number)
	typed := byte(0)
	if f.typed {
		typed = 1
	}
	dst = append(dst, typed)
	dst = binary.AppendVarint(dst, f.expires)
	dst = appendString(dst, f.kind)
	return appendString(dst, f.payload)
}

func (c *cursor) flash() (f flash) {
	f.number = c.uvarint()
	f.typed = c.uvarint() == 1
	f.expires = c.varint()
	f.kind = string(c.bytes())
	f.payload = c.bytes()
	return f
}

// eachFlash calls visit with every stored flash, oldest first, until it
// returns false.
func (r *Record) eachFlash(visit func(flash) bool) {
	c := cursor{buf: r.flashes}
	for range c.count() {
		if !visit(c.flash()) {
			return
		}
	}
}

// flashCount returns how many flashes are stored, expired ones included.
func (r *Record) flashCount() int {
	n, _ := binary.Uvarint(r.flashes)
	return int(n) // parse has checked that there are that many
}

// Flash adds a message for the next page. The message stays until a page shows it:
// redirects, errors and failed commits lose nothing. The same request can read it,
// for handlers that render without a redirect.
func (s *Session) Flash(kind, text string) {
	kind = strings.Clone(kind) // it may be a view of a buffer that Fiber reuses
	s.addFlash(flash{kind: kind, payload: []byte(text)})
}

func (s *Session) addFlash(f flash) {
	s.mu.Lock()
	defer s.unlock()
	if !s.writable("flash", f.kind) {
		return
	}
	if life := s.m.config.FlashLifetime; life != NoTimeout {
		f.expires = s.m.config.Now().Add(life).UnixMilli()
	}
	s.added = append(s.added, f)
}

// Flashes returns the unread messages of the given kinds, or of all kinds if none
// is given, oldest first, and marks them as read. They are removed if the response
// can show them: its status is 4xx, or 2xx other than 204 and 205, and the request is
// no HEAD and not for an image, script or the like. Otherwise they stay for the next page.
//
// A page that is fetched in advance (prefetch, preload, prerender) may be shown later or
// never: it gets only the messages that its own request has added, and all of them stay.
func (s *Session) Flashes(kinds ...string) []Flash {
	return s.flashes(kinds, true)
}

// PeekFlashes returns the same messages as Flashes and leaves them unread.
func (s *Session) PeekFlashes(kinds ...string) []Flash {
	return s.flashes(kinds, false)
}

// KeepFlashes makes the flashes that this request has read unread again: those of
// the given kinds, or of all kinds if none is given. Typed flashes are included;
// their kind is the name of their FlashKey.
func (s *Session) KeepFlashes(kinds ...string) {
	s.mu.Lock()
	defer s.unlock()
	match := func(kind string) bool { return len(kinds) == 0 || slices.Contains(kinds, kind) }
	s.base.eachFlash(func(f flash) bool {
		if i := slices.Index(s.consumed, f.number); i >= 0 && match(f.kind) {
			s.consumed = slices.Delete(s.consumed, i, i+1)
		}
		return true
	})
	for i := range s.added {
		if match(s.added[i].kind) {
			s.added[i].consumed = false
		}
	}
}

func (s *Session) flashes(kinds []string, take bool) []Flash {
	s.mu.Lock()
	defer s.unlock()
	found := []Flash{} // not nil, so that JSON has an empty list
	s.visitFlashes(func(f *flash) (consumed, more bool) {
		if f.typed || len(kinds) > 0 && !slices.Contains(kinds, f.kind) {
			return false, true
		}
		found = append(found, Flash{Kind: f.kind, Text: string(f.payload)})
		return take, true
	})
	return found
}

// visitFlashes calls visit with every unread flash, stored ones first. Visit
// returns whether it consumes the flash and whether it wants more. A page that is
// fetched in advance gets none of other requests: shown again later, they would be stale.
func (s *Session) visitFlashes(visit func(*flash) (consumed, more bool)) {
	s.used = true
	now := s.m.config.Now()
	more, before := true, len(s.consumed)
	s.base.eachFlash(func(f flash) bool {
		if s.audience == audienceLater && !slices.Contains(s.own, f.number) {
			return true
		}
		if f.expired(now) || slices.Contains(s.consumed, f.number) {
			return true
		}
		var take bool
		if take, more = visit(&f); take {
			s.consumed = append(s.consumed, f.number)
		}
		return more
	})
	for i := 0; i < len(s.added) && more; i++ {
		f := &s.added[i]
		if f.consumed || f.err != nil {
			continue
		}
		f.consumed, more = visit(f)
	}
	if s.over && len(s.consumed) > before {
		s.tooLate(ReasonAfterwards, "read flashes") // they will be shown again
	}
}

// FlashKey is a typed flash: a value for the next page, such as a form's input
// and its errors. It lives as long as a [Flash]. [Session.Flashes] ignores it.
type FlashKey[T any] struct{ name string }

// NewFlashKey returns the typed flash called name. It panics if name is empty.
func NewFlashKey[T any](name string) FlashKey[T] {
	if name == "" {
		panic("satchel: core.NewFlashKey: the name is empty")
	}
	return FlashKey[T]{strings.Clone(name)}
}

// Add adds v for the next page. A value that cannot be encoded fails the commit.
func (k FlashKey[T]) Add(s *Session, v T) {
	raw, err := encodeValue(s.m.config.Codec, k.name, v)
	s.addFlash(flash{kind: k.name, typed: true, payload: raw, err: err})
	if err == nil && s.m.config.Strict {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.comesBack(k.name, v, raw)
	}
}

// Take returns the oldest unread value and marks it as read; ok is false if there
// is none. A value that no longer decodes into a T is marked as read and skipped.
func (k FlashKey[T]) Take(s *Session) (v T, ok bool) { return k.next(s, true) }

// Peek returns the same value as Take and leaves it unread.
func (k FlashKey[T]) Peek(s *Session) (v T, ok bool) { return k.next(s, false) }

func (k FlashKey[T]) next(s *Session, take bool) (v T, ok bool) {
	s.mu.Lock()
	defer s.unlock()
	s.visitFlashes(func(f *flash) (bool, bool) {
		if !f.typed || f.kind != k.name {
			return false, true
		}
		decoded, err := decodeValue[T](s.m.config.Codec, k.name, f.payload)
		if err != nil {
			return take, true
		}
		v, ok = decoded, true
		return take, false
	})
	return v, ok
}
