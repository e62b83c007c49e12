package core

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"fmt"
)

// sealLink returns token in a form that only who has the token own can open: a
// ServerSide's store must not be enough to take sessions over (row SEC7).
func sealLink(own, token string) (string, error) {
	aead, err := linkCipher(own)
	if err != nil {
		return "", err
	}
	return string(aead.Seal(nil, nil, []byte(token), nil)), nil //nolint:gosec // the AEAD draws its nonce
}

func openLink(own, link string) (string, error) {
	aead, err := linkCipher(own)
	if err != nil {
		return "", err
	}
	token, err := aead.Open(nil, nil, []byte(link), nil)
	if err != nil {
		return "", fmt.Errorf("%w: link to a moved session", ErrCorrupt)
	}
	return string(token), nil
}

func linkCipher(own string) (cipher.AEAD, error) {
	id, sec, _ := parseToken(own)
	key, err := hkdf.Key(sha256.New, sec[:], id[:], "satchel migration link", 32)
	if err != nil {
		return nil, fmt.Errorf("core: Migrating: %w", err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("core: Migrating: %w", err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block) // draws and keeps the nonce
	if err != nil {
		return nil, fmt.Errorf("core: Migrating: %w", err)
	}
	return aead, nil
}
