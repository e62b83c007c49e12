package jwtsealer

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/go-jose/go-jose/v4"
)

const (
	maxKeys    = 16 // more is a configuration mistake, not a rotation
	minRSABits = 2048
	maxRSABits = 8192 // beyond it, verifying is expensive
	minRSAE    = 65537

	// howToMake ends the errors that a new key would fix.
	howToMake = "make one with jwtsealer.GenerateKey or `openssl genpkey -algorithm ed25519`"
)

// ParseKeys reads private keys from a string, such as the value of an environment
// variable: blocks of PEM (PKCS #8), or a JWK or JWK set (RFC 7517), newest first.
// Each key's type decides its algorithm: Ed25519 for EdDSA, P-256 for ES256, RSA for
// RS256.
//
// The error says what to do and never repeats a key. ParseKeys refuses:
//
//   - no keys, more than 16, or a key that occurs twice
//   - public keys, certificates, secrets, and keys with a passphrase
//   - other curves, RSA keys below 2,048 bits or with an exponent below 65,537
//   - keys whose halves do not belong together, or that are not right in another way
//   - JWKs whose use, key_ops or alg are not for signing sessions
//   - keys that are printed in RFCs
func ParseKeys(s string) (*Keys, error) {
	s = strings.TrimSpace(s)
	var privates []crypto.Signer
	var err error
	switch {
	case s == "":
		return nil, errors.New("jwtsealer: keys: no keys: set the variable that holds them, such as SESSION_SIGNING_KEYS; " + howToMake)
	case s[0] == '{':
		privates, err = parseJWKs([]byte(s))
	default:
		privates, err = parsePEM([]byte(s))
	}
	if err != nil {
		return nil, err
	}
	return newKeys(privates)
}

func newKeys(privates []crypto.Signer) (*Keys, error) {
	if len(privates) > maxKeys {
		return nil, fmt.Errorf("jwtsealer: keys: %d keys; keep at most %d, drop the oldest", len(privates), maxKeys)
	}
	keys := make([]signingKey, 0, len(privates))
	for i, private := range privates {
		if err := check(private); err != nil {
			return nil, keyError(i, err)
		}
		k, err := newKey(private)
		if err != nil {
			return nil, keyError(i, errors.New("has no thumbprint; "+howToMake))
		}
		for j, other := range keys {
			if other.id == k.id {
				return nil, keyError(i, fmt.Errorf("is the same as key %d; list each key once", j+1))
			}
		}
		keys = append(keys, k)
	}
	jwks, err := encodeJWKS(keys)
	if err != nil {
		return nil, err
	}
	return &Keys{keys: func() []signingKey { return keys }, jwks: jwks}, nil
}

// keyError adds which key is wrong, counted from 1. Never pass it a decoder's
// error, which may quote the key.
func keyError(i int, err error) error {
	return fmt.Errorf("jwtsealer: keys: key %d: %w", i+1, err)
}

func parsePEM(data []byte) ([]crypto.Signer, error) {
	var keys []crypto.Signer
	for i := 0; len(data) > 0; i++ {
		block, rest := pem.Decode(data)
		if block == nil {
			if i == 0 {
				return nil, errors.New("jwtsealer: keys: neither PEM nor JSON; are its line breaks missing? " + howToMake)
			}
			return nil, keyError(i, errors.New("is not PEM; remove what follows the last block"))
		}
		// Decode skips what it cannot read, also a block that is damaged.
		switch read := strings.TrimSpace(string(data[:len(data)-len(rest)])); {
		case !strings.HasPrefix(read, "-----BEGIN"):
			return nil, keyError(i, errors.New("has text in front of it; remove it"))
		case strings.Count(read, "-----BEGIN") > 1:
			return nil, keyError(i, errors.New("is damaged; copy it again, or remove it"))
		}
		key, err := parseBlock(block)
		if err != nil {
			return nil, keyError(i, err)
		}
		keys = append(keys, key)
		data = []byte(strings.TrimSpace(string(rest)))
	}
	return keys, nil
}

func parseBlock(block *pem.Block) (crypto.Signer, error) {
	switch {
	case block.Type == "ENCRYPTED PRIVATE KEY" || block.Headers["DEK-Info"] != "":
		return nil, errors.New("has a passphrase; remove it with `openssl pkcs8 -topk8 -nocrypt`")
	case block.Type == "CERTIFICATE":
		return nil, errors.New("is a certificate; the private key is wanted")
	case strings.HasSuffix(block.Type, "PUBLIC KEY"):
		return nil, errors.New("is a public key, which cannot sign; the private key is wanted")
	case block.Type != "PRIVATE KEY":
		return nil, errors.New("is not PKCS #8; convert it with `openssl pkcs8 -topk8 -nocrypt`")
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	signer, ok := key.(crypto.Signer)
	if err != nil || !ok {
		return nil, errors.New("cannot be read as a private key that signs; " + howToMake)
	}
	return signer, nil
}

// jwkInfo is what a JWK says about its use, which go-jose leaves to us.
type jwkInfo struct {
	Type   string          `json:"kty"`
	Curve  string          `json:"crv"`
	Use    string          `json:"use"`
	Ops    []string        `json:"key_ops"`
	Alg    string          `json:"alg"`
	D      string          `json:"d"`
	Keys   json.RawMessage `json:"keys"`
	Others json.RawMessage `json:"oth"`
}

func parseJWKs(data []byte) ([]crypto.Signer, error) {
	var top jwkInfo
	if json.Unmarshal(data, &top) != nil {
		return nil, errors.New("jwtsealer: keys: not JSON, or not a JWK set; " + howToMake)
	}
	raw := []json.RawMessage{data}
	if top.Keys != nil {
		raw = nil
		if json.Unmarshal(top.Keys, &raw) != nil || len(raw) == 0 {
			return nil, errors.New("jwtsealer: keys: the JWK set has no keys; " + howToMake)
		}
	}
	keys := make([]crypto.Signer, len(raw))
	for i, data := range raw {
		key, err := parseJWK(data)
		if err != nil {
			return nil, keyError(i, err)
		}
		keys[i] = key
	}
	return keys, nil
}

func parseJWK(data []byte) (crypto.Signer, error) {
	var info jwkInfo
	if json.Unmarshal(data, &info) != nil {
		return nil, errors.New("is not a JWK; " + howToMake)
	}
	switch {
	case info.Type == "oct":
		return nil, errors.New("is a secret, for HS256: give its keys to FromKeyring instead, and do not mix them with others")
	case info.Type != "OKP" && info.Type != "EC" && info.Type != "RSA":
		return nil, errors.New("is of an unknown type; " + howToMake)
	case info.D == "":
		return nil, errors.New("is a public key, which cannot sign; the private key is wanted")
	case info.Use != "" && info.Use != "sig":
		return nil, errors.New("has a use other than sig; take a key that is for signing")
	case info.Ops != nil && !slices.Contains(info.Ops, "sign"):
		return nil, errors.New("has key_ops without sign; take a key that is for signing")
	case info.Others != nil:
		return nil, errors.New("is an RSA key of more than two primes; " + howToMake)
	}
	var jwk jose.JSONWebKey
	if jwk.UnmarshalJSON(data) != nil {
		return nil, errors.New("cannot be read as a JWK; are its halves of one key? " + howToMake)
	}
	signer, ok := jwk.Key.(crypto.Signer)
	if !ok {
		return nil, errors.New("is not a private key that signs; " + howToMake)
	}
	if err := check(signer); err != nil {
		return nil, err
	}
	if k, err := newKey(signer); err != nil || info.Alg != "" && info.Alg != string(k.algorithm) {
		return nil, errors.New("has an alg that this package does not sign with that type of key; remove it, or take another key")
	}
	return signer, nil
}

// check refuses a key that cannot be right, or that everybody knows.
func check(private crypto.Signer) error {
	switch key := private.(type) {
	case ed25519.PrivateKey:
		if len(key) != ed25519.PrivateKeySize || !key.Equal(ed25519.NewKeyFromSeed(key.Seed())) {
			return errors.New("has a public half of another key; " + howToMake)
		}
		if isGuessable(key.Seed()) {
			return errGuessable
		}
	case *ecdsa.PrivateKey:
		if err := checkP256(key); err != nil {
			return err
		}
	case *rsa.PrivateKey:
		if err := checkRSA(key); err != nil {
			return err
		}
	default:
		return errors.New("is of a type that signs no session; " + howToMake)
	}
	thumbprint, err := thumbprintOf(private.Public())
	if err != nil {
		return errors.New("has no thumbprint; " + howToMake)
	}
	if _, known := printedKeys[encoding.EncodeToString(thumbprint)]; known {
		return errors.New("is an example from an RFC, known to everyone; " + howToMake)
	}
	return nil
}

func checkP256(key *ecdsa.PrivateKey) error {
	if key.Curve != elliptic.P256() {
		return errors.New("is on another curve than P-256; make one with jwtsealer.GenerateKey(jwtsealer.ES256)")
	}
	secret, err := key.Bytes()
	if err != nil {
		return errors.New("is no key of P-256; make one with jwtsealer.GenerateKey(jwtsealer.ES256)")
	}
	again, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), secret)
	if err != nil || !again.Equal(key) {
		return errors.New("has a public half of another key; make one with jwtsealer.GenerateKey(jwtsealer.ES256)")
	}
	if isGuessable(secret) {
		return errGuessable
	}
	return nil
}

func checkRSA(key *rsa.PrivateKey) error {
	switch bits := key.N.BitLen(); {
	case bits < minRSABits || bits > maxRSABits:
		return fmt.Errorf("has %d bits; take an RSA key of %d to %d, or better Ed25519", bits, minRSABits, maxRSABits)
	case key.E < minRSAE || key.E%2 == 0:
		return fmt.Errorf("has the exponent %d; take an RSA key with 65537", key.E)
	case len(key.Primes) != 2:
		return errors.New("is an RSA key of more than two primes; " + howToMake)
	case key.Validate() != nil:
		return errors.New("has halves that do not belong together; " + howToMake)
	}
	return nil
}

var errGuessable = errors.New("is one byte repeated, or a small number, not a secret; " + howToMake)

func isGuessable(b []byte) bool {
	for _, c := range b[:len(b)-1] {
		if c != b[0] {
			return false
		}
	}
	return true
}
