// Package entry is how stores of keys and values keep a [core.Entry] in one value.
package entry

import (
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/satchel-go/satchel/core"
)

// A value holds a format byte, the version in six bytes, the expiry in milliseconds in
// six, with WithUser the length of the user and the user, and the entry's data. Numbers
// are big-endian. Redis's scripts know both formats and the positions of version and
// expiry.
const (
	plain = 1

	// WithUser is the format of an entry with a user.
	WithUser = 2

	versionAt = 1
	expiresAt = versionAt + versionLength

	// HeadLength is the length of what precedes the user and the data.
	HeadLength = expiresAt + expiryLength

	versionLength = 6
	expiryLength  = 6
	maxExpiry     = 1<<(8*expiryLength) - 1
)

// NewVersion returns a version that an entry has not had before: 48 random bits, so that
// they do not repeat when an ID is used again. Only versions of one session are ever
// compared, between a load and the save that follows it. The version is chosen before
// the command is sent, so a save that is sent twice recognises itself.
func NewVersion() core.Version {
	var b [versionLength]byte
	for {
		_, _ = rand.Read(b[:]) // never fails
		if v := uint48(b[:]); v != 0 {
			return core.Version(v)
		}
	}
}

// AppendVersion appends v as a value holds it.
func AppendVersion(dst []byte, v core.Version) []byte { return appendUint48(dst, uint64(v)) }

func appendUint48(dst []byte, n uint64) []byte {
	return append(dst, byte(n>>40), byte(n>>32), byte(n>>24), byte(n>>16), byte(n>>8), byte(n))
}

func uint48(b []byte) uint64 {
	return uint64(binary.BigEndian.Uint16(b))<<32 | uint64(binary.BigEndian.Uint32(b[2:]))
}

// Append appends the value that keeps e at the version v.
func Append(dst []byte, e *core.Entry, v core.Version) []byte {
	if e.User == "" {
		dst = append(dst, plain)
	} else {
		dst = append(dst, WithUser)
	}
	dst = AppendVersion(dst, v)
	dst = AppendExpiry(dst, e.Expires)
	if e.User != "" {
		dst = binary.AppendUvarint(dst, uint64(len(e.User)))
		dst = append(dst, e.User...)
	}
	return append(dst, e.Data...)
}

// Size returns the most bytes that Append needs for e.
func Size(e *core.Entry) int {
	return HeadLength + binary.MaxVarintLen32 + len(e.User) + len(e.Data)
}

// AppendExpiry appends t as a value holds it.
func AppendExpiry(dst []byte, t time.Time) []byte {
	return appendUint48(dst, uint64(min(max(t.UnixMilli(), 0), maxExpiry)))
}

// SetExpiry writes t into a value that Parse could read.
func SetExpiry(value []byte, t time.Time) { AppendExpiry(value[:expiresAt], t) }

// Parse reads what Append wrote. The entry shares value's bytes. The error matches
// [core.ErrCorrupt] or [core.ErrNewerVersion].
func Parse(value []byte) (core.Entry, error) {
	switch {
	case len(value) > 0 && value[0] > WithUser && value[0] < firstText:
		return core.Entry{}, fmt.Errorf("%w: format %d", core.ErrNewerVersion, value[0])
	case len(value) < HeadLength || value[0] != plain && value[0] != WithUser:
		return core.Entry{}, fmt.Errorf("%w: %d bytes that are not a session", core.ErrCorrupt, len(value))
	}
	e := core.Entry{
		Data:    value[HeadLength:],
		Version: core.Version(uint48(value[versionAt:])),
		Expires: time.UnixMilli(int64(uint48(value[expiresAt:]))),
	}
	if value[0] == WithUser {
		n, size := binary.Uvarint(e.Data)
		if size <= 0 || n > uint64(len(e.Data)-size) {
			return core.Entry{}, fmt.Errorf("%w: truncated", core.ErrCorrupt)
		}
		rest := e.Data[size:]
		e.User, e.Data = string(rest[:n]), rest[n:]
	}
	return e, nil
}

// firstText is the lowest byte that begins a text. Such values come from another
// program, not from a newer format.
const firstText = 0x20
