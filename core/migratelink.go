package core

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"fmt"
	"io"
)

// sealLink returns token in a form that only who has the token own can open: a
// ServerSide's store must not be enough to take sessions over (row SEC7).
func sealLink(random io.Reader, own, token string) (string, error) {
	aead, err := linkCipher(own)
	if err != nil {
		return "", err
	}
	nonce := make([]byte, aead.NonceSize())
	if _, err := io.ReadFull(random, nonce); err != nil {
		return "", fmt.Errorf("%w: draw a nonce: %w", ErrUnavailable, err)
	}
	return string(aead.Seal(nonce, nonce, []byte(token), nil)), nil
}

func openLink(own, link string) (string, error) {
	aead, err := linkCipher(own)
	if err != nil {
		return "", err
	}
	if len(link) < aead.NonceSize() {
		return "", fmt.Errorf("%w: link to a moved session", ErrCorrupt)
	}
	token, err := aead.Open(nil, []byte(link[:aead.NonceSize()]), []byte(link[aead.NonceSize():]), nil)
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
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, fmt.Errorf("core: Migrating: %w", err)
	}
	return aead, nil
}
