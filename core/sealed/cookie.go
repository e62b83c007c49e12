package sealed

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/internal/xaes"
)

const (
	// cookieFormat is the first byte of a token. A new layout or cipher gets a
	// new number.
	cookieFormat = 1

	cookieHeader = 1 + len(keyID{}) // format and key ID, before the output of xaes

	// maxScratch is the size of the largest buffer kept for the next call.
	maxScratch = 16 << 10
)

// encoding is unpadded base64url. Strict refuses nonzero unused bits at the end,
// which would give one token several spellings (RFC 4648 section 3.5).
var encoding = base64.RawURLEncoding.Strict()

// errNotOurs answers every token that does not open, so that the answer never
// reveals what was wrong with it.
var errNotOurs = errors.New("sealed: cookie: not a token of ours")

// CookieSealer keeps sessions in the client's cookie, encrypted and
// authenticated with XAES-256-GCM (https://c2sp.org/XAES-256-GCM). Pass it
// to [core.ClientSide].
//
// The newest key of the ring seals and every key opens; the next write reseals a
// session that an older key sealed. A token opens only under the cookie
// name, purpose and namespace it was sealed for. Nothing is compressed, so a
// token's length reveals only the length of its content (RFC 8725 section 3.6).
//
// A CookieSealer is safe for concurrent use. Printing, logging or marshalling
// it never shows a key.
type CookieSealer struct {
	// keys is a func for the reason given in Keyring.
	keys func() []sealingKey
	err  error // why it cannot be used
}

var (
	_ core.Sealer    = (*CookieSealer)(nil)
	_ core.Validator = (*CookieSealer)(nil)
)

// sealingKey is a key of the ring, ready for use.
type sealingKey struct {
	id   keyID
	aead *xaes.Cipher
}

// Cookie returns a sealer that uses keys. A sealer with a nil or empty ring
// neither seals nor opens; [core.New] refuses it.
func Cookie(keys *Keyring) *CookieSealer {
	ring := make([]sealingKey, 0, keys.Len())
	for _, k := range keys.all() {
		aead, err := xaes.New(&k.key)
		if err != nil {
			return &CookieSealer{err: fmt.Errorf("sealed: cookie sealer: %w", err)}
		}
		ring = append(ring, sealingKey{id: k.id, aead: aead})
	}
	return &CookieSealer{keys: func() []sealingKey { return ring }}
}

// String returns a text such as "sealed.CookieSealer(2 keys)".
func (s *CookieSealer) String() string { return redacted("sealed.CookieSealer", len(s.all())) }

// Format implements [fmt.Formatter]: every verb prints [CookieSealer.String].
func (s *CookieSealer) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(s.String())) }

// MarshalText implements [encoding.TextMarshaler]: JSON shows
// [CookieSealer.String], which cannot be read back.
func (s *CookieSealer) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// LogValue implements [slog.LogValuer]: logs show [CookieSealer.String].
func (s *CookieSealer) LogValue() slog.Value { return slog.StringValue(s.String()) }

// Validate implements [core.Validator]: it reports why s cannot be used.
func (s *CookieSealer) Validate() error {
	if s != nil && s.err != nil {
		return s.err
	}
	if len(s.all()) == 0 {
		return errors.New("sealed: cookie sealer: no keys; pass the ring that ParseKeyring or NewKeyring returned without an error")
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

// Seal implements [core.Sealer].
func (s *CookieSealer) Seal(_ context.Context, scope core.Scope, r *core.Record) (string, error) {
	plaintext, err := r.MarshalBinary()
	if err != nil {
		return "", err
	}
	return s.sealBytes(scope, plaintext)
}

// Open implements [core.Sealer].
func (s *CookieSealer) Open(_ context.Context, scope core.Scope, token string) (*core.Record, error) {
	data, err := s.openBytes(scope, token)
	if err != nil {
		return nil, err
	}
	return core.ParseRecord(data)
}

// sealBytes seals plaintext with the newest key. The token is the unpadded
// base64url of format, key ID, nonce, ciphertext and tag.
func (s *CookieSealer) sealBytes(scope core.Scope, plaintext []byte) (string, error) {
	if err := s.Validate(); err != nil {
		return "", err
	}
	k := s.all()[0]
	b := cookieScratches.Get().(*cookieScratch)
	defer b.release()
	b.aad = appendCookieAAD(b.aad[:0], k.id, scope)
	header := append(append(b.raw[:0], cookieFormat), k.id[:]...)
	raw, err := k.aead.AppendSeal(header, plaintext, b.aad)
	if err != nil {
		return "", fmt.Errorf("sealed: cookie: seal: %w", err)
	}
	b.raw = raw
	b.text = encoding.AppendEncode(b.text[:0], b.raw)
	return string(b.text), nil
}

// openBytes returns the plaintext of a token in a slice of its own. Any token that
// does not open yields errNotOurs and no plaintext.
func (s *CookieSealer) openBytes(scope core.Scope, token string) (plaintext []byte, err error) {
	if err := s.Validate(); err != nil {
		return nil, err
	}
	b := cookieScratches.Get().(*cookieScratch)
	defer b.release()
	b.text = append(b.text[:0], token...)
	raw, err := encoding.AppendDecode(b.raw[:0], b.text)
	// Go's decoder skips line breaks. Comparing lengths refuses them, so that
	// each token has only one spelling.
	if err != nil || encoding.EncodedLen(len(raw)) != len(token) {
		return nil, errNotOurs
	}
	b.raw = raw
	if len(raw) < cookieHeader+xaes.Overhead || raw[0] != cookieFormat {
		return nil, errNotOurs
	}
	id := keyID(raw[1:cookieHeader])
	for _, k := range s.all() {
		if k.id != id {
			continue
		}
		b.aad = appendCookieAAD(b.aad[:0], id, scope)
		// IDs are unique in a ring, so no other key can open the token.
		if plaintext, err = k.aead.Open(nil, raw[cookieHeader:], b.aad); err != nil {
			return nil, errNotOurs
		}
		return plaintext, nil
	}
	return nil, errNotOurs
}

// appendCookieAAD appends the additional data, which the tag authenticates but
// the token does not contain. A length precedes each name, so that no two scopes
// have the same additional data.
func appendCookieAAD(dst []byte, id keyID, scope core.Scope) []byte {
	dst = append(dst, cookieFormat)
	dst = append(dst, id[:]...)
	for _, s := range [...]string{scope.Purpose, scope.Name, scope.Namespace} {
		dst = binary.BigEndian.AppendUint64(dst, uint64(len(s)))
		dst = append(dst, s...)
	}
	return dst
}

// cookieScratch is the working memory of one call. It holds only data that the
// client has too, never plaintexts or keys.
type cookieScratch struct{ raw, text, aad []byte }

var cookieScratches = sync.Pool{New: func() any { return new(cookieScratch) }}

// release keeps b for the next call, unless it has grown large.
func (b *cookieScratch) release() {
	if max(cap(b.raw), cap(b.text), cap(b.aad)) <= maxScratch {
		cookieScratches.Put(b)
	}
}
