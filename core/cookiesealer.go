package core

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"sync"
)

const (
	// cookieFormat is the first byte of a token. Another layout or another
	// cipher takes another number.
	cookieFormat = 1

	cookieHeader = 1 + len(keyID{}) // format and key ID, before what xaes wrote

	// maxScratch is the largest buffer that is kept for the next call.
	maxScratch = 16 << 10
)

// errNotOurs is the one answer to every token that does not open, so that
// nobody learns from the answer what was wrong with it.
var errNotOurs = errors.New("core: cookie: not a token of ours")

// CookieSealer keeps sessions in the client's cookie, encrypted and
// authenticated with XAES-256-GCM (https://c2sp.org/XAES-256-GCM). Hand it to
// [ClientSide].
//
// The newest key of its ring seals, all of them open, and what an older one
// sealed is sealed anew. A token opens only under the cookie name, purpose
// and namespace that it was sealed for. Nothing is compressed, so a token's
// length tells the length of its content and nothing more (RFC 8725 section
// 3.6).
//
// A CookieSealer is safe for concurrent use. Printing, logging or marshalling
// it never shows a key.
type CookieSealer struct {
	// keys is a func for the reason given in Keyring.
	keys func() []sealingKey
	err  error // why no key can be used
}

// sealingKey is a key of the ring, ready for use.
type sealingKey struct {
	id   keyID
	aead *xaes
}

// NewCookieSealer returns a sealer for keys. With a nil or empty ring it
// returns a sealer that neither seals nor opens; [New] refuses it.
func NewCookieSealer(keys *Keyring) *CookieSealer {
	ring := make([]sealingKey, 0, keys.Len())
	for _, k := range keys.all() {
		aead, err := newXAES(&k.key)
		if err != nil {
			return &CookieSealer{err: fmt.Errorf("core: cookie sealer: %w", err)}
		}
		ring = append(ring, sealingKey{id: k.id, aead: aead})
	}
	return &CookieSealer{keys: func() []sealingKey { return ring }}
}

// String returns a text such as "core.CookieSealer(2 keys)".
func (s *CookieSealer) String() string { return redacted("core.CookieSealer", len(s.all())) }

// Format implements [fmt.Formatter]: every verb prints [CookieSealer.String].
func (s *CookieSealer) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(s.String())) }

// MarshalText implements [encoding.TextMarshaler], and so decides what JSON
// shows: [CookieSealer.String]. It cannot be read back.
func (s *CookieSealer) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// LogValue implements [slog.LogValuer]: logs show [CookieSealer.String].
func (s *CookieSealer) LogValue() slog.Value { return slog.StringValue(s.String()) }

// Validate says why s cannot be used, for the constructor of whoever got it.
func (s *CookieSealer) Validate() error {
	if s != nil && s.err != nil {
		return s.err
	}
	if len(s.all()) == 0 {
		return errors.New("core: cookie sealer: no keys; pass the ring that ParseKeyring or NewKeyring returned without an error")
	}
	return nil
}

// all returns the keys, newest first, for reading only.
func (s *CookieSealer) all() []sealingKey {
	if s == nil || s.keys == nil {
		return nil
	}
	return s.keys()
}

// Seal implements [Sealer].
func (s *CookieSealer) Seal(_ context.Context, scope Scope, r *Record) (string, error) {
	return s.sealBytes(scope, r.appendTo(make([]byte, 0, r.sizeHint()), true))
}

// Open implements [Sealer].
func (s *CookieSealer) Open(_ context.Context, scope Scope, token string) (*Record, error) {
	data, old, err := s.openBytes(scope, token)
	if err != nil {
		return nil, err
	}
	r, err := ParseRecord(data)
	if err == nil {
		r.oldKey = old
	}
	return r, err
}

// sealBytes returns the token that carries plaintext, sealed with the newest
// key: unpadded base64url of format, key ID, nonce, ciphertext and tag.
func (s *CookieSealer) sealBytes(scope Scope, plaintext []byte) (string, error) {
	if err := s.Validate(); err != nil {
		return "", err
	}
	k := s.all()[0]
	b := cookieScratches.Get().(*cookieScratch)
	defer b.release()
	b.aad = appendCookieAAD(b.aad[:0], k.id, scope)
	header := append(append(b.raw[:0], cookieFormat), k.id[:]...)
	raw, err := k.aead.appendSeal(header, plaintext, b.aad)
	if err != nil {
		return "", fmt.Errorf("core: cookie: seal: %w", err)
	}
	b.raw = raw
	b.text = idEncoding.AppendEncode(b.text[:0], b.raw)
	return string(b.text), nil
}

// openBytes returns what sealBytes was given, in a slice of its own, and
// whether it was sealed with another key than the newest. A token that is not
// ours, for whatever reason, is errNotOurs, and no plaintext is returned.
func (s *CookieSealer) openBytes(scope Scope, token string) (plaintext []byte, old bool, err error) {
	if err := s.Validate(); err != nil {
		return nil, false, err
	}
	b := cookieScratches.Get().(*cookieScratch)
	defer b.release()
	b.text = append(b.text[:0], token...)
	raw, err := idEncoding.AppendDecode(b.raw[:0], b.text)
	// Go's decoder skips line breaks, so a token that has some is longer than
	// what it decodes to: only one spelling of a token is ours.
	if err != nil || idEncoding.EncodedLen(len(raw)) != len(token) {
		return nil, false, errNotOurs
	}
	b.raw = raw
	if len(raw) < cookieHeader+xaesOverhead || raw[0] != cookieFormat {
		return nil, false, errNotOurs
	}
	id := keyID(raw[1:cookieHeader])
	for i, k := range s.all() {
		if k.id != id {
			continue
		}
		b.aad = appendCookieAAD(b.aad[:0], id, scope)
		// IDs are unique in a ring: no other key is worth a try.
		if plaintext, err = k.aead.open(nil, raw[cookieHeader:], b.aad); err != nil {
			return nil, false, errNotOurs
		}
		return plaintext, i > 0, nil
	}
	return nil, false, errNotOurs
}

// appendCookieAAD appends the additional data, which the tag protects without
// carrying it. Each name comes after its length, so that no two scopes have
// the same additional data.
func appendCookieAAD(dst []byte, id keyID, scope Scope) []byte {
	dst = append(dst, cookieFormat)
	dst = append(dst, id[:]...)
	for _, s := range [...]string{scope.Purpose, scope.Name, scope.Namespace} {
		dst = binary.BigEndian.AppendUint64(dst, uint64(len(s)))
		dst = append(dst, s...)
	}
	return dst
}

// cookieScratch is working memory of one call. It holds what the client holds
// anyway; plaintexts and keys never enter it.
type cookieScratch struct{ raw, text, aad []byte }

var cookieScratches = sync.Pool{New: func() any { return new(cookieScratch) }}

// release keeps b for the next call, unless it has grown large.
func (b *cookieScratch) release() {
	if max(cap(b.raw), cap(b.text), cap(b.aad)) <= maxScratch {
		cookieScratches.Put(b)
	}
}
