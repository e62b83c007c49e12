package jwtsealer

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
)

// rsaBits is the size of new RSA keys.
const rsaBits = 3072

// GenerateKey returns a new key for [ParseKeys] in PEM (PKCS #8): [EdDSA], [ES256]
// or [RS256], with 3,072 bits. For HS256, use [sealed.GenerateKey] and [FromKeyring];
// any other algorithm is an error.
func GenerateKey(algorithm Algorithm) (string, error) {
	var key crypto.Signer
	var err error
	switch algorithm {
	case EdDSA:
		_, key, err = ed25519.GenerateKey(rand.Reader)
	case ES256:
		key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case RS256:
		key, err = rsa.GenerateKey(rand.Reader, rsaBits)
	case HS256:
		return "", fmt.Errorf("jwtsealer: generate: HS256 takes its keys from a ring: use sealed.GenerateKey and FromKeyring")
	default:
		return "", fmt.Errorf("jwtsealer: generate: unknown algorithm %q; take EdDSA, ES256 or RS256", algorithm)
	}
	if err != nil {
		return "", fmt.Errorf("jwtsealer: generate: %w", err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return "", fmt.Errorf("jwtsealer: generate: %w", err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})), nil
}
