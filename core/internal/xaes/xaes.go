// Package xaes implements XAES-256-GCM (https://c2sp.org/XAES-256-GCM).
package xaes

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"sync"
)

const (
	// KeySize is the length of a key: AES-256.
	KeySize = 32

	// NonceSize is the length of the nonce, with which a sealed message starts.
	NonceSize = prefixSize + 12 // the rest is AES-GCM's own nonce

	// Overhead is the number of bytes that sealing adds to a plaintext.
	Overhead = NonceSize + tagSize

	prefixSize = 12 // the part of the nonce that derives the key
	tagSize    = 16
)

// errOpen means that the message was not sealed with this key and this additional
// data. It does not reveal which of them is wrong.
var errOpen = errors.New("xaes: authentication failed")

// Cipher is XAES-256-GCM under one key. It derives an AES-256-GCM key for each
// message. Its nonces of 192 bits are so long that random ones do not repeat,
// however much one key seals.
//
// The standard library chooses the second half of the nonce, because
// GODEBUG=fips140=only allows no other way to seal with GCM. (That mode permits
// the raw AES blocks that the derivation uses, but Go's module does not count
// them as an approved service.)
//
// A Cipher is immutable and safe for concurrent use.
type Cipher struct {
	block cipher.Block // AES-256 under the main key
	k1    [aes.BlockSize]byte
}

// New returns the cipher for key. It does not retain key.
func New(key *[KeySize]byte) (*Cipher, error) {
	block, err := aes.NewCipher(key[:])
	if err != nil {
		return nil, fmt.Errorf("xaes: %w", err)
	}
	x := &Cipher{block: block}
	// K1 is CMAC's first subkey (NIST SP 800-38B section 6.1): the encrypted
	// zero block, doubled in GF(2^128). The mask replaces a branch on a secret.
	block.Encrypt(x.k1[:], x.k1[:])
	msb := x.k1[0] >> 7
	for i := range len(x.k1) - 1 {
		x.k1[i] = x.k1[i]<<1 | x.k1[i+1]>>7
	}
	x.k1[len(x.k1)-1] = x.k1[len(x.k1)-1]<<1 ^ (0x87 & -msb)
	// A toolchain with an unsuitable AES fails here instead of in a request.
	if _, err := x.derive(make([]byte, prefixSize)); err != nil {
		return nil, err
	}
	return x, nil
}

// AppendSeal appends nonce, ciphertext and tag to dst. The plaintext must not
// overlap the spare capacity of dst.
func (x *Cipher) AppendSeal(dst, plaintext, aad []byte) ([]byte, error) {
	n := len(dst)
	dst = slices.Grow(dst, len(plaintext)+Overhead)[:n+prefixSize]
	// rand.Read never returns an error; it ends the program instead.
	_, _ = rand.Read(dst[n:])
	gcm, err := x.derive(dst[n:])
	if err != nil {
		return nil, err
	}
	// gcm writes its own 12 bytes of nonce first. With the prefix before them,
	// that is the layout of XAES.
	return gcm.Seal(dst, nil, plaintext, aad), nil //nolint:gosec // this GCM generates its own nonce
}

// Open appends the plaintext of a message from AppendSeal to dst. sealed must not
// overlap the spare capacity of dst. If authentication fails, Open returns only
// an error.
func (x *Cipher) Open(dst, sealed, aad []byte) ([]byte, error) {
	if len(sealed) < Overhead {
		return nil, errOpen
	}
	gcm, err := x.derive(sealed[:prefixSize])
	if err != nil {
		return nil, err
	}
	plaintext, err := gcm.Open(dst, nil, sealed[prefixSize:], aad)
	if err != nil {
		return nil, errOpen
	}
	return plaintext, nil
}

// derive returns AES-256-GCM with random nonces under the key derived from prefix.
func (x *Cipher) derive(prefix []byte) (cipher.AEAD, error) {
	key := keys.Get().(*[KeySize]byte)
	defer func() {
		clear(key[:])
		keys.Put(key)
	}()
	x.deriveKey(key, prefix)
	block, err := aes.NewCipher(key[:])
	if err != nil {
		return nil, fmt.Errorf("xaes: %w", err)
	}
	gcm, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, fmt.Errorf("xaes: %w", err)
	}
	return gcm, nil
}

// deriveKey computes a message's key with two CMACs in counter mode (NIST SP
// 800-108), each over a single block.
func (x *Cipher) deriveKey(key *[KeySize]byte, prefix []byte) {
	for i, half := range [][]byte{key[:aes.BlockSize], key[aes.BlockSize:]} {
		m := [aes.BlockSize]byte{0, byte(i + 1), 'X', 0}
		copy(m[4:], prefix)
		for j := range half {
			half[j] = m[j] ^ x.k1[j]
		}
		x.block.Encrypt(half, half)
	}
}

// keys reuses the buffers for derived keys, which otherwise escape through
// cipher.Block to the heap. Each is cleared before it returns to the pool.
var keys = sync.Pool{New: func() any { return new([KeySize]byte) }}
