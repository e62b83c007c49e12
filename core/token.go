package core

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
)

// secret proves the right to an ID. Printing one reveals nothing.
type secret [32]byte

// Format implements [fmt.Formatter], so that no verb prints a secret.
func (secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "core.secret") }

// hash is what a store keeps of a secret: the first 128 bits of SHA-256. Whoever reads
// it must find a secret with this hash, 2^128 tries whatever SHA-256 is worth beyond
// that. Collisions give nothing: the two secrets would be of one session, and only their
// maker could know them.
type hash [16]byte

const (
	tokenBytes = 16 + 32
	tokenChars = 64 // tokenBytes in base64url, without padding or unused bits
)

var tokenEncoding = base64.RawURLEncoding.Strict()

// newID draws an ID. The zero ID stands for "none"; no working source draws it.
func newID(source io.Reader) (id ID, err error) {
	if _, err := io.ReadFull(source, id[:]); err != nil {
		return ID{}, fmt.Errorf("%w: draw a session ID: %w", ErrUnavailable, err)
	}
	if id.IsZero() {
		return ID{}, fmt.Errorf("%w: draw a session ID: the random source returned only zeros", ErrUnavailable)
	}
	return id, nil
}

func newSecret(source io.Reader) (s secret, err error) {
	if _, err := io.ReadFull(source, s[:]); err != nil {
		return secret{}, fmt.Errorf("%w: draw a session secret: %w", ErrUnavailable, err)
	}
	return s, nil
}

func formatToken(id ID, s secret) string {
	var raw [tokenBytes]byte
	copy(raw[:], id[:])
	copy(raw[len(id):], s[:])
	return tokenEncoding.EncodeToString(raw[:])
}

// parseToken accepts exactly what formatToken writes (promise L1). 64 characters
// of base64url leave no unused bits, so each token has one spelling. Go's decoder
// skips CR and LF; such a token decodes to fewer bytes.
func parseToken(token string) (id ID, s secret, ok bool) {
	if len(token) != tokenChars {
		return ID{}, secret{}, false
	}
	var text [tokenChars]byte
	copy(text[:], token)
	var raw [tokenBytes]byte
	if n, err := tokenEncoding.Decode(raw[:], text[:]); err != nil || n != tokenBytes {
		return ID{}, secret{}, false
	}
	copy(id[:], raw[:])
	copy(s[:], raw[len(id):])
	return id, s, !id.IsZero()
}

// hashSecret binds a secret to its ID, application and cookie name. Each string
// is hashed with its length, so that no two scopes hash alike.
func hashSecret(scope Scope, id ID, s secret) hash {
	buf := make([]byte, 0, 256)
	buf = appendString(buf, scope.Namespace)
	buf = appendString(buf, scope.Name)
	buf = append(buf, id[:]...)
	buf = append(buf, s[:]...)
	sum := sha256.Sum256(buf)
	return hash(sum[:len(hash{})])
}
