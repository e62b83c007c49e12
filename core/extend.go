package core

import (
	"iter"
	"time"
)

// What a [Sealer], a [Store] or a [Backend] in another module needs beyond its
// interface.

// Configurable is the optional ability of a [Store], a [Sealer] or a [Backend]
// to know the Config of the Manager that uses it, its Codec for example. A Store
// implements Configurable[Store], and so on.
//
// [New] asks it, once. What wraps another passes WithConfig on if the other has
// it: a wrapper without the method hides it.
type Configurable[T any] interface {
	// WithConfig returns what a Manager with c is to use, or an error that says
	// what to change. All defaults in c are filled in. Several Managers may
	// share the original, which stays as it was; what all store is in one place.
	WithConfig(c Config) (T, error)
}

// Validator is the optional ability of a [Store], a [Sealer] or a [Backend] to
// refuse to be used: with keys that are missing or weak, for example. [New] asks
// it, so that constructors need no error of their own.
type Validator interface {
	// Validate returns an error that says what to change.
	Validate() error
}

// configured returns what a Manager with c uses for t, a Store, a Sealer or a
// Backend. Of what a store wraps, it finds the Validator.
func configured[T any](t T, c Config) (T, error) {
	validator, ok := any(t).(Validator)
	if store, is := any(t).(Store); is {
		validator, ok = StoreAs[Validator](store)
	}
	if ok {
		if err := validator.Validate(); err != nil {
			var none T
			return none, err
		}
	}
	if t, ok := any(t).(Configurable[T]); ok {
		return t.WithConfig(c)
	}
	return t, nil
}

// StoredFlash is a flash as a [Record] keeps it.
type StoredFlash struct {
	// Number is its place in the order of adding, unique in its session. For
	// WithContent, a negative number means the next free one.
	Number int64

	Kind    string    // a Flash's kind, or the name of a FlashKey
	Typed   bool      // belongs to a FlashKey
	Expires time.Time // zero if it lasts as long as its session
	Payload []byte    // a Flash's text, or the encoded value of a typed flash
}

// StoredFlashes returns the flashes, oldest first, expired ones included. The
// payloads must not be changed.
func (r *Record) StoredFlashes() iter.Seq[StoredFlash] {
	return func(yield func(StoredFlash) bool) {
		r.eachFlash(func(f flash) bool {
			stored := StoredFlash{Number: int64(f.number), Kind: f.kind, Typed: f.typed, Payload: f.payload}
			if f.expires != 0 {
				stored.Expires = time.UnixMilli(f.expires)
			}
			return yield(stored)
		})
	}
}

// WithContent returns a copy of r with these values and flashes instead of its own.
// The keys of values must differ from each other. Nil means none. Values and
// payloads are copied.
func (r *Record) WithContent(values iter.Seq2[string, []byte], flashes iter.Seq[StoredFlash]) *Record {
	c := *r
	c.values, c.flashes = nil, nil
	if values != nil {
		buf, count := make([]byte, 1), uint64(0)
		for key, raw := range values {
			buf = appendString(appendString(buf, key), raw)
			count++
		}
		c.values = withCount(buf, count)
	}
	if flashes != nil {
		buf, count := make([]byte, 1), uint64(0)
		for s := range flashes {
			f := flash{number: c.nextFlash, kind: s.Kind, typed: s.Typed, payload: s.Payload}
			if s.Number >= 0 {
				f.number = uint64(s.Number)
			}
			if !s.Expires.IsZero() {
				f.expires = s.Expires.UnixMilli()
			}
			c.nextFlash = max(c.nextFlash, f.number+1)
			buf = f.appendTo(buf)
			count++
		}
		c.flashes = withCount(buf, count)
	}
	return &c
}

// KeepTimes makes r's deadline one of its own, which no later Config shortens, and
// keeps r's expiry until something is written: for a session that other software has
// begun, under its own timeouts.
func (r *Record) KeepTimes() {
	r.adopted, r.lifetime = true, NoTimeout
	if !r.Deadline.IsZero() {
		r.lifetime = max(r.Deadline.Sub(r.begun()), time.Millisecond)
	}
}

// Attach attaches v to r: something that a [Sealer] finds in a token on Open and
// needs again on Seal, for which sessions have no place. It stays with the session
// during the request, and is neither stored nor changed.
func (r *Record) Attach(v any) { r.attachment = v }

// Attachment returns what Attach has attached, or nil.
func (r *Record) Attachment() any { return r.attachment }
