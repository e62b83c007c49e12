package core

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
	xaesPrefix   = 12                      // the part of the nonce that the key is derived with
	xaesNonce    = xaesPrefix + 12         // the rest is AES-GCM's own nonce
	xaesOverhead = xaesNonce + gcmTagBytes // what sealing adds to a plaintext
	gcmTagBytes  = 16
)

// errXAESOpen says that what was opened is not what was sealed with this key
// and this additional data, and nothing else: not which part is wrong.
var errXAESOpen = errors.New("xaes: authentication failed")

// xaes is XAES-256-GCM, see https://c2sp.org/XAES-256-GCM: AES-256-GCM under
// a key derived for each message, with nonces of 192 bits. They are so long
// that random ones do not repeat, however much one key seals.
//
// Sealing lets the standard library choose the second half of the nonce,
// which is the only way to seal with GCM under GODEBUG=fips140=only. (That
// mode permits raw AES blocks, which the derivation uses, but Go's module
// does not count them as an approved service.)
//
// An xaes never changes and is safe for concurrent use.
type xaes struct {
	block cipher.Block // AES-256 under the main key
	k1    [aes.BlockSize]byte
}

// newXAES prepares key. It does not keep a reference to it.
func newXAES(key *[keySize]byte) (*xaes, error) {
	block, err := aes.NewCipher(key[:])
	if err != nil {
		return nil, fmt.Errorf("xaes: %w", err)
	}
	x := &xaes{block: block}
	// K1 is CMAC's first subkey (NIST SP 800-38B section 6.1): the encrypted
	// zero block, doubled in GF(2^128). The mask replaces a branch on a secret.
	block.Encrypt(x.k1[:], x.k1[:])
	msb := x.k1[0] >> 7
	for i := range len(x.k1) - 1 {
		x.k1[i] = x.k1[i]<<1 | x.k1[i+1]>>7
	}
	x.k1[len(x.k1)-1] = x.k1[len(x.k1)-1]<<1 ^ (0x87 & -msb)
	// A toolchain whose AES does not fit is to fail here, not in a request.
	if _, err := x.derive(make([]byte, xaesPrefix)); err != nil {
		return nil, err
	}
	return x, nil
}

// appendSeal appends nonce, ciphertext and tag to dst. The plaintext must not
// overlap what dst has room for.
func (x *xaes) appendSeal(dst, plaintext, aad []byte) ([]byte, error) {
	n := len(dst)
	dst = slices.Grow(dst, len(plaintext)+xaesOverhead)[:n+xaesPrefix]
	// rand.Read never returns an error; it ends the program instead.
	_, _ = rand.Read(dst[n:])
	gcm, err := x.derive(dst[n:])
	if err != nil {
		return nil, err
	}
	// gcm writes its own 12 bytes of nonce first: with the prefix before
	// them, that is XAES's layout.
	return gcm.Seal(dst, nil, plaintext, aad), nil //nolint:gosec // this GCM draws its nonce itself
}

// open appends the plaintext of what appendSeal appended. sealed must not
// overlap what dst has room for. Without authentication nothing is returned.
func (x *xaes) open(dst, sealed, aad []byte) ([]byte, error) {
	if len(sealed) < xaesOverhead {
		return nil, errXAESOpen
	}
	gcm, err := x.derive(sealed[:xaesPrefix])
	if err != nil {
		return nil, err
	}
	plaintext, err := gcm.Open(dst, nil, sealed[xaesPrefix:], aad)
	if err != nil {
		return nil, errXAESOpen
	}
	return plaintext, nil
}

// derive returns AES-256-GCM, with random nonces, under the key that belongs
// to prefix.
func (x *xaes) derive(prefix []byte) (cipher.AEAD, error) {
	key := xaesKeys.Get().(*[keySize]byte)
	defer func() {
		clear(key[:])
		xaesKeys.Put(key)
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

// deriveKey computes a message's key: two blocks of CMAC in counter mode (NIST
// SP 800-108), each over a single block.
func (x *xaes) deriveKey(key *[keySize]byte, prefix []byte) {
	for i, half := range [][]byte{key[:aes.BlockSize], key[aes.BlockSize:]} {
		m := [aes.BlockSize]byte{0, byte(i + 1), 'X', 0}
		copy(m[4:], prefix)
		for j := range half {
			half[j] = m[j] ^ x.k1[j]
		}
		x.block.Encrypt(half, half)
	}
}

// xaesKeys lends room for derived keys, which calls through cipher.Block
// would otherwise have allocated each time. They are cleared before return.
var xaesKeys = sync.Pool{New: func() any { return new([keySize]byte) }}
