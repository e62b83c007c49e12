package jwtsealer

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"

	"github.com/go-jose/go-jose/v4"
	"github.com/golang-jwt/jwt/v5"

	"github.com/satchel-go/satchel/core/sealed"
)

// Algorithm is how a token is signed. A key has one algorithm.
type Algorithm string

const (
	// EdDSA signs with Ed25519. Take it unless a verifier does not know it.
	EdDSA Algorithm = "EdDSA"

	// ES256 signs with ECDSA on P-256, which nearly all verifiers know.
	ES256 Algorithm = "ES256"

	// RS256 signs with RSA, for verifiers that know nothing else. Signing takes a
	// millisecond of CPU.
	RS256 Algorithm = "RS256"

	// HS256 signs with a secret, for [FromKeyring]. Nobody else can verify it.
	HS256 Algorithm = "HS256"
)

// Keys are the keys that sign tokens, newest first. The newest signs and every key
// verifies, so keys can be rotated without logging anyone out: add the new key at
// the end on every instance, wait until verifiers have fetched it (5 minutes, unless
// yours cache longer), then move it to the front. Drop the old key once everything
// it signed has expired. After a leak, replace all.
//
// Make Keys with [ParseKeys] or [FromKeyring]. They are immutable and safe for
// concurrent use. Printing, logging or marshalling them shows how many there are,
// never a key. Keys is an [http.Handler] that serves the public halves.
type Keys struct {
	// keys is a func, not a slice, to hide the keys from anything that walks
	// values by reflection.
	keys func() []signingKey
	jwks []byte          // the public halves; nil if there are none
	ring *sealed.Keyring // what FromKeyring was given
	err  error           // why they cannot be used
}

// signingKey is one key, ready for use.
type signingKey struct {
	id        string // kid
	algorithm Algorithm
	method    jwt.SigningMethod
	private   any // of the types that method wants
	public    any
	size      int // of a signature, in bytes
	headers   headers
}

// Labels of the keys that are derived from a ring.
const (
	labelHS256 = "satchel jwt HS256 1"
	labelKeyID = "satchel jwt kid 1"
)

// keyIDSize is how many bytes of a hash identify a key.
const keyIDSize = 8

// FromKeyring returns keys for HS256, one derived from each key of ring. Tokens
// that they sign are verified by nobody else. Rotate the ring as it says.
//
// An empty ring is an error, which core.New reports.
func FromKeyring(ring *sealed.Keyring) *Keys {
	secrets, err := ring.Derive(labelHS256)
	if err != nil {
		return &Keys{err: fmt.Errorf("jwtsealer: %w", err)}
	}
	ids, err := ring.Derive(labelKeyID)
	if err != nil {
		return &Keys{err: fmt.Errorf("jwtsealer: %w", err)}
	}
	keys := make([]signingKey, len(secrets))
	for i, secret := range secrets {
		keys[i] = signingKey{
			id: encoding.EncodeToString(ids[i][:keyIDSize]), algorithm: HS256, method: jwt.SigningMethodHS256,
			private: secret, public: secret, size: 32,
		}
		keys[i].headers = signedHeaders(HS256, keys[i].id)
	}
	return &Keys{keys: func() []signingKey { return keys }, ring: ring}
}

// newKey returns the key with this private half, which was checked.
func newKey(private crypto.Signer) (signingKey, error) {
	k := signingKey{private: private, public: private.Public()}
	switch public := k.public.(type) {
	case ed25519.PublicKey:
		k.algorithm, k.method, k.size = EdDSA, jwt.SigningMethodEdDSA, ed25519.SignatureSize
	case *ecdsa.PublicKey:
		k.algorithm, k.method, k.size = ES256, lowS{jwt.SigningMethodES256}, 2*p256Size
	case *rsa.PublicKey:
		k.algorithm, k.method, k.size = RS256, jwt.SigningMethodRS256, public.Size()
	}
	thumbprint, err := thumbprintOf(k.public)
	if err != nil {
		return k, err
	}
	k.id = encoding.EncodeToString(thumbprint[:keyIDSize])
	k.headers = signedHeaders(k.algorithm, k.id)
	return k, nil
}

// thumbprintOf returns a public key's thumbprint (RFC 7638).
func thumbprintOf(public any) ([]byte, error) {
	jwk := jose.JSONWebKey{Key: public}
	return jwk.Thumbprint(crypto.SHA256)
}

// Validate returns why the keys cannot be used, or nil.
func (k *Keys) Validate() error {
	switch {
	case k != nil && k.err != nil:
		return k.err
	case len(k.all()) == 0:
		return errors.New("jwtsealer: no keys; pass what ParseKeys returned without an error, or FromKeyring")
	}
	return nil
}

// Len returns the number of keys. Nil or zero Keys have none.
func (k *Keys) Len() int { return len(k.all()) }

// String returns a text such as "jwtsealer.Keys(2 keys)".
func (k *Keys) String() string {
	if k.Len() == 1 {
		return "jwtsealer.Keys(1 key)"
	}
	return fmt.Sprintf("jwtsealer.Keys(%d keys)", k.Len())
}

// Format implements [fmt.Formatter]: every verb prints [Keys.String].
func (k *Keys) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(k.String())) }

// MarshalText implements [encoding.TextMarshaler]: JSON shows [Keys.String], which
// cannot be read back. For the public halves, see [Keys.JWKS].
func (k *Keys) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// LogValue implements [slog.LogValuer]: logs show [Keys.String].
func (k *Keys) LogValue() slog.Value { return slog.StringValue(k.String()) }

// all returns the keys, newest first, for reading only.
func (k *Keys) all() []signingKey {
	if k == nil || k.keys == nil {
		return nil
	}
	return k.keys()
}

// encoding is unpadded base64url. Strict refuses nonzero unused bits at the end,
// which would give one token several spellings (RFC 4648 section 3.5).
var encoding = base64.RawURLEncoding.Strict()
