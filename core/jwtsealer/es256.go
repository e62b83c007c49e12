package jwtsealer

import (
	"bytes"
	"crypto/elliptic"
	"errors"
	"math/big"

	"github.com/golang-jwt/jwt/v5"
)

// p256Size is the size of a scalar of P-256, in bytes.
const p256Size = 32

// p256Half is half of P-256's order, rounded down.
var p256Half = new(big.Int).Rsh(elliptic.P256().Params().N, 1).FillBytes(make([]byte, p256Size))

var errHighS = errors.New("jwtsealer: the signature has a twin with a smaller s")

// lowS is ES256 with one spelling of each signature. Whoever has a signature (r, s)
// can make (r, n-s) of it, which is valid too.
type lowS struct{ *jwt.SigningMethodECDSA }

// Sign implements [jwt.SigningMethod].
func (m lowS) Sign(text string, key any) ([]byte, error) {
	signature, err := m.SigningMethodECDSA.Sign(text, key)
	if err != nil {
		return nil, err
	}
	if s := signature[p256Size:]; bytes.Compare(s, p256Half) > 0 {
		n := elliptic.P256().Params().N
		new(big.Int).Sub(n, new(big.Int).SetBytes(s)).FillBytes(s)
	}
	return signature, nil
}

// Verify implements [jwt.SigningMethod].
func (m lowS) Verify(text string, signature []byte, key any) error {
	if err := m.SigningMethodECDSA.Verify(text, signature, key); err != nil {
		return err
	}
	if bytes.Compare(signature[p256Size:], p256Half) > 0 {
		return errHighS
	}
	return nil
}
