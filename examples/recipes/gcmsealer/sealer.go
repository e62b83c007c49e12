// Package gcmsealer seals sessions with AES-GCM.
package gcmsealer

import (
	"context"
	"crypto/cipher"
	"encoding/base64"
	"errors"

	"github.com/satchel-go/satchel/core"
)

//recipe:sealer

// Sealer is a core.Sealer around a cipher that makes its own nonces, such as
// cipher.NewGCMWithRandomNonce.
type Sealer struct{ aead cipher.AEAD }

// New returns a sealer that uses aead.
func New(aead cipher.AEAD) *Sealer { return &Sealer{aead} }

var encoding = base64.RawURLEncoding.Strict() // one token has one spelling

var errNotOurs = errors.New("gcmsealer: not a token of ours") // and not why

// Seal implements core.Sealer.
func (s *Sealer) Seal(_ context.Context, scope core.Scope, r *core.Record) (string, error) {
	data, err := r.MarshalBinary()
	if err != nil {
		return "", err
	}
	return encoding.EncodeToString(s.aead.Seal(nil, nil, data, bind(scope))), nil //nolint:gosec // no nonce: the cipher draws one
}

// Open implements core.Sealer. Expired records open too: the core checks the times.
func (s *Sealer) Open(_ context.Context, scope core.Scope, token string) (*core.Record, error) {
	sealed, err := encoding.DecodeString(token)
	if err != nil || len(token) != encoding.EncodedLen(len(sealed)) { // line breaks
		return nil, errNotOurs
	}
	data, err := s.aead.Open(nil, nil, sealed, bind(scope))
	if err != nil {
		return nil, errNotOurs
	}
	return core.ParseRecord(data) // core.ErrCorrupt or core.ErrNewerVersion, if at all
}

// bind returns what a token opens with and not otherwise: its purpose, the cookie's name and
// the application. Lengths keep two scopes from reading alike.
func bind(scope core.Scope) []byte {
	var b []byte
	for _, part := range [...]string{scope.Purpose, scope.Name, scope.Namespace} {
		b = append(append(b, byte(len(part)>>8), byte(len(part))), part...)
	}
	return b
}

//recipe:end
