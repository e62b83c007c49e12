package jwtsealer

import (
	"fmt"
	"strings"
)

// envelope signs or encrypts the claims, and gives back only those that it has
// signed or encrypted for the same kind.
type envelope interface {
	seal(kind kind, claims []byte) (token string, err error)
	open(kind kind, token string) (claims []byte, ok bool)
}

// signed is a JWS in compact serialization (RFC 7515 section 7.1).
type signed struct{ *Keys }

func (s signed) seal(kind kind, claims []byte) (string, error) {
	k := &s.all()[0]
	header := k.headers[kind]
	b := make([]byte, 0, len(header)+2+encoding.EncodedLen(len(claims))+encoding.EncodedLen(k.size))
	b = append(append(b, header...), '.')
	b = encoding.AppendEncode(b, claims)
	signature, err := k.method.Sign(string(b), k.private)
	if err != nil {
		return "", fmt.Errorf("jwtsealer: sign: %w", err)
	}
	return string(encoding.AppendEncode(append(b, '.'), signature)), nil
}

func (s signed) open(kind kind, token string) ([]byte, bool) {
	header, rest, _ := strings.Cut(token, ".")
	for i := range s.all() {
		k := &s.all()[i]
		if k.headers[kind] != header {
			continue
		}
		// Key IDs are unique, so no other key can verify it.
		claims, text, ok := strings.Cut(rest, ".")
		if !ok || len(text) != encoding.EncodedLen(k.size) {
			return nil, false
		}
		signature, ok := decode(text)
		if !ok || k.method.Verify(token[:len(header)+1+len(claims)], signature, k.public) != nil {
			return nil, false
		}
		return decode(claims)
	}
	return nil, false
}
