package core

import (
	"encoding/binary"
	"fmt"
	"iter"
	"time"
)

// Record is what a backend keeps of a session between requests. Handlers work with
// a [Session]; a Record is for authors of a [Sealer] or a [Backend].
//
// Times have a resolution of one millisecond. Values and flashes are kept as the
// bytes that the codec wrote, and are decoded only when they are read.
type Record struct {
	ID              ID
	User            string    // "" for an anonymous session
	Label           string    // what Config.Describe said, "" by default
	CreatedAt       time.Time // when the session began
	AuthenticatedAt time.Time // of the last Login or Reauthenticate; zero for an anonymous session
	SavedAt         time.Time // of the last save
	Deadline        time.Time // absolute: no activity moves it; zero means none
	Expires         time.Time // when the session ends unless it is used before
	Remembered      bool      // outlives the browser

	// What tells when it was last used, where the deadline caps Expires; see storedExpiry.
	seen  time.Time // that use
	uncut time.Time // until when it is kept, if today's lifetime is shorter than it was

	idle, lifetime time.Duration // per-session overrides: zero means the Config's
	adopted        bool          // begun by other software, and not written to since; never stored

	move moveState // while sessions are moved between backends, see Migrating

	token      string // that carries it; "" unless client-side
	attachment any    // what Attach was given

	nextFlash uint64 // number of the next flash to be added
	values    []byte // count, then key and raw value of each, length-prefixed
	flashes   []byte // count, then each flash
}

// errOtherID means that a store has returned another session's record.
var errOtherID = fmt.Errorf("%w: the store answered with another session's record", ErrUnavailable)

// recordVersion is the first byte of every whole record, so that the rest can change.
// A record in an entry has the entry's version.
const recordVersion = 1

const (
	flagRemembered = 1 << iota
	flagUser
	flagLabel
	flagAuthenticated
	flagDeadline
	flagFlashes // with flashes, or once with some: their numbers go on
	flagTimeouts
	flagMove // the last bit
)

// shortID is how many bytes of its ID a record in an entry repeats. They show when a
// store mixes up its answers. Whether a client may have the record depends on the hash
// of its secret, which is bound to the whole ID.
const shortID = 2

// emptySection is the encoding of "no values" and of "no flashes".
var emptySection = []byte{0}

// begun returns the time of the last login or, for an anonymous session, of its
// creation. Not-before times are compared with it.
func (r *Record) begun() time.Time {
	if r.AuthenticatedAt.IsZero() {
		return r.CreatedAt
	}
	return r.AuthenticatedAt
}

// Values returns the keys and the encoded values, in the order in which they are
// stored. The caller must not change the bytes.
func (r *Record) Values() iter.Seq2[string, []byte] {
	return func(yield func(string, []byte) bool) {
		c := cursor{buf: r.values}
		for range c.count() {
			if key, raw := c.bytes(), c.bytes(); !yield(string(key), raw) {
				return
			}
		}
	}
}

// MarshalBinary implements [encoding.BinaryMarshaler]. It encodes the whole record,
// expiry included, in the format that [ParseRecord] reads.
func (r *Record) MarshalBinary() ([]byte, error) {
	return r.appendTo(make([]byte, 0, r.sizeHint()), true), nil
}

// ParseRecord decodes what [Record.MarshalBinary] wrote. It keeps data, which must
// not change afterwards. Errors match [ErrCorrupt] or [ErrNewerVersion].
func ParseRecord(data []byte) (*Record, error) {
	if len(data) == 0 {
		return nil, fmt.Errorf("%w: no bytes", ErrCorrupt)
	}
	if data[0] > recordVersion {
		return nil, fmt.Errorf("%w: %d, this release knows up to %d", ErrNewerVersion, data[0], recordVersion)
	}
	if data[0] != recordVersion {
		return nil, fmt.Errorf("%w: version %d", ErrCorrupt, data[0])
	}
	r := new(Record)
	if err := r.parse(data[1:], true); err != nil {
		return nil, err
	}
	return r, nil
}

// Format implements [fmt.Formatter]. With every verb, a record prints its ID and
// never its content.
func (r Record) Format(f fmt.State, _ rune) {
	_, _ = fmt.Fprintf(f, "core.Record(%s)", r.ID)
}

// size is the size that Config.MaxBytes limits: everything that can grow.
func (r *Record) size() int { return len(r.values) + len(r.flashes) + len(r.User) + len(r.Label) }

// sizeHint is never below the encoded size.
func (r *Record) sizeHint() int {
	const fixed = 2 + 16 + 11*binary.MaxVarintLen64
	most := fixed
	if r.move != (moveState{}) {
		most += maxMoveState
	}
	return most + len(r.User) + len(r.Label) + len(r.values) + len(r.flashes)
}

// appendTo appends the record: flags, ID, times, user, label, overrides, the state of
// moves, values, flashes; what the flags do not name is left out. A record that is not
// whole is part of an entry, which knows the version, the rest of the ID, the expiry and
// the user.
func (r *Record) appendTo(dst []byte, whole bool) []byte {
	var flags byte
	set := func(on bool, flag byte) bool {
		if on {
			flags |= flag
		}
		return on
	}
	if whole {
		dst = append(dst, recordVersion)
	}
	at := len(dst)
	dst = append(dst, 0)
	if whole {
		dst = append(dst, r.ID[:]...)
	} else {
		dst = append(dst, r.ID[:shortID]...)
	}
	created := r.CreatedAt.UnixMilli()
	dst = binary.AppendVarint(dst, created)
	delta := func(t time.Time) { dst = binary.AppendVarint(dst, t.UnixMilli()-created) }
	delta(r.SavedAt)
	if set(!r.Deadline.IsZero(), flagDeadline) {
		dst = appendSpan(dst, r.Deadline.UnixMilli()-created)
	}
	if whole {
		delta(r.storedExpiry())
	}
	if set(!r.AuthenticatedAt.IsZero(), flagAuthenticated) {
		delta(r.AuthenticatedAt)
	}
	if set(r.User != "", flagUser) && whole {
		dst = appendString(dst, r.User)
	}
	if set(r.Label != "", flagLabel) {
		dst = appendString(dst, r.Label)
	}
	if set(r.idle != 0 || r.lifetime != 0, flagTimeouts) {
		dst = binary.AppendVarint(dst, int64(r.idle))
		dst = binary.AppendVarint(dst, int64(r.lifetime))
	}
	if set(r.move != moveState{}, flagMove) {
		dst = r.move.appendTo(dst)
	}
	set(r.Remembered, flagRemembered)
	dst = append(dst, sectionOrEmpty(r.values)...)
	if set(r.nextFlash != 0 || len(r.flashes) > len(emptySection), flagFlashes) {
		dst = binary.AppendUvarint(dst, r.nextFlash)
		dst = append(dst, sectionOrEmpty(r.flashes)...)
	}
	dst[at] = flags
	return dst
}

func sectionOrEmpty(section []byte) []byte {
	if len(section) == 0 {
		return emptySection
	}
	return section
}

// parse reads what follows the version, in place. One pass checks every length, so that
// later scans need not. For a record that is not whole, the caller has put the ID and
// the user of its entry into r.
func (r *Record) parse(data []byte, whole bool) error {
	idLength := shortID
	if whole {
		idLength = len(r.ID)
	}
	if len(data) < 1+idLength {
		return fmt.Errorf("%w: %d bytes", ErrCorrupt, len(data))
	}
	flags := data[0]
	r.Remembered = flags&flagRemembered != 0
	c := cursor{buf: data[1:]}
	if id := c.take(idLength); whole {
		r.ID = ID(id)
	} else if string(id) != string(r.ID[:shortID]) {
		return errOtherID
	}
	created := c.varint()
	r.CreatedAt = time.UnixMilli(created)
	r.SavedAt = time.UnixMilli(created + c.varint())
	if flags&flagDeadline != 0 {
		r.Deadline = time.UnixMilli(created + c.span())
	}
	if whole {
		r.setStoredExpiry(time.UnixMilli(created + c.varint()))
	}
	if flags&flagAuthenticated != 0 {
		r.AuthenticatedAt = time.UnixMilli(created + c.varint())
	}
	switch {
	case !whole:
		if flags&flagUser != 0 != (r.User != "") {
			c.fail()
		}
	case flags&flagUser != 0:
		r.User = string(c.bytes())
	}
	if flags&flagLabel != 0 {
		r.Label = string(c.bytes())
	}
	if flags&flagTimeouts != 0 {
		r.idle, r.lifetime = time.Duration(c.varint()), time.Duration(c.varint())
	}
	if flags&flagMove != 0 {
		r.move = c.moveState()
	}
	r.values = c.section(func() { c.bytes(); c.bytes() })
	if flags&flagFlashes != 0 {
		r.nextFlash = c.uvarint()
		r.flashes = c.section(func() { c.flash() })
	}
	if c.bad || len(c.buf) != 0 || r.ID.IsZero() {
		return fmt.Errorf("%w: malformed", ErrCorrupt)
	}
	return nil
}

// value returns the encoded value of key, or nil if it is absent.
func (r *Record) value(key string) []byte {
	c := cursor{buf: r.values}
	for range c.count() {
		if k, raw := c.bytes(), c.bytes(); string(k) == key {
			return raw
		}
	}
	return nil
}

// largest returns the key and the size of the largest value.
func (r *Record) largest() (key string, size int) {
	for k, raw := range r.Values() {
		if len(raw) > size {
			key, size = k, len(raw)
		}
	}
	return key, size
}

// spanUnit is what most lifetimes are multiples of, in milliseconds.
const spanUnit = 60_000

// appendSpan appends a length of time in milliseconds. Whole minutes take fewer bytes.
func appendSpan(dst []byte, ms int64) []byte {
	if ms%spanUnit == 0 {
		return binary.AppendVarint(dst, ms/spanUnit<<1|1)
	}
	return binary.AppendVarint(dst, ms<<1)
}

func appendString[T string | []byte](dst []byte, s T) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(s))), s...)
}
