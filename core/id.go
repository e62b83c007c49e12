package core

import (
	"encoding/base64"
	"errors"
)

// ID is the public name of a session for its whole life: 16 random bytes. It is
// safe to log, to show and to revoke by, because it gives no access. A secret
// proves the right to a session, and stores keep only its hash.
type ID [16]byte

// idEncoding is unpadded base64url; Strict refuses the unused tail bits that
// would give one ID several spellings (RFC 4648 section 3.5).
var idEncoding = base64.RawURLEncoding.Strict()

// ParseID parses the form that [ID.String] writes. Its errors do not repeat
// the input.
func ParseID(s string) (ID, error) {
	var id ID
	if len(s) != idEncoding.EncodedLen(len(id)) {
		return ID{}, errors.New("core: parse session ID: want 22 characters of base64url")
	}
	// Go's decoder skips line breaks, and then decodes fewer bytes.
	if n, err := idEncoding.Decode(id[:], []byte(s)); err != nil || n != len(id) {
		return ID{}, errors.New("core: parse session ID: not canonical base64url")
	}
	if id.IsZero() {
		return ID{}, errors.New("core: parse session ID: all zero")
	}
	return id, nil
}

// String returns the ID as 22 characters of base64url, or "" for the zero ID.
func (id ID) String() string {
	if id.IsZero() {
		return ""
	}
	return idEncoding.EncodeToString(id[:])
}

// AppendText implements [encoding.TextAppender]. It appends [ID.String].
func (id ID) AppendText(b []byte) ([]byte, error) {
	if id.IsZero() {
		return b, nil
	}
	return idEncoding.AppendEncode(b, id[:]), nil
}

// IsZero reports whether id names no session.
func (id ID) IsZero() bool { return id == ID{} }

// MarshalText implements [encoding.TextMarshaler]. It returns [ID.String].
func (id ID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// UnmarshalText implements [encoding.TextUnmarshaler]. It reads what
// MarshalText wrote; empty text is the zero ID.
func (id *ID) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		*id = ID{}
		return nil
	}
	parsed, err := ParseID(string(text))
	if err != nil {
		return err
	}
	*id = parsed
	return nil
}
