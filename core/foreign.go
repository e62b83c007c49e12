package core

import (
	"iter"
	"time"
)

// What a [Sealer], a [Store] or a [Backend] in another module needs beyond its
// interface.

// Configurable is the optional ability of a [Sealer] to know the Config of the
// Manager that uses it: the Codec, for a sealer that looks into values. [New]
// calls WithConfig, with all defaults filled in, and uses the Sealer that it
// returns. Several Managers may share the original, which stays as it was.
type Configurable interface {
	WithConfig(c Config) (Sealer, error)
}

// configured returns the sealer that a Manager with c is to use.
func configured(sealer Sealer, c *Config) (Sealer, error) {
	if s, ok := sealer.(Configurable); ok {
		return s.WithConfig(*c)
	}
	return sealer, nil
}

// ConfigurableBackend is the same ability of a [Backend] that another module
// makes of neither a Store nor a Sealer. An error of WithConfig is one of [New].
type ConfigurableBackend interface {
	Backend

	// WithConfig returns the Backend that a Manager with c is to use. The
	// original stays as it was, and what the two store is in one place.
	WithConfig(c Config) (Backend, error)
}

// StoredFlash is a flash as a [Record] keeps it.
type StoredFlash struct {
	// Number is its place in the order of adding, unique in its session.
	// A negative one stands for the next that is free.
	Number int64

	Kind    string    // a Flash's kind, or the name of a FlashKey
	Typed   bool      // belongs to a FlashKey
	Expires time.Time // zero: with its session
	Payload []byte    // a Flash's text, or what the codec wrote of a typed one
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

// WithContent returns a copy of r that has these values, whose keys differ from
// each other, and these flashes instead of its own. Either may be nil. Values
// and payloads are copied.
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

// MarkOld says that the token which r came from was made with a key, or in a
// form, that is being retired: [ClientSide] makes a new one at the next
// opportunity. Call it in [Sealer.Open].
func (r *Record) MarkOld() { r.oldKey = true }

// Attach hangs v on r: what a [Sealer] found in a token on Open and wants to
// see again on Seal, though sessions have no place for it. It stays with the
// session during the request, is never stored, and is never changed.
func (r *Record) Attach(v any) { r.attachment = v }

// Attachment returns what Attach was given, nil without.
func (r *Record) Attachment() any { return r.attachment }
