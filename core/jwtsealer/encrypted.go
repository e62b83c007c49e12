package jwtsealer

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha512"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/go-jose/go-jose/v4"
	josecipher "github.com/go-jose/go-jose/v4/cipher"

	"github.com/satchel-go/satchel/core/sealed"
)

const (
	ivSize  = aes.BlockSize
	tagSize = sha512.Size / 2
)

// Labels of the two halves of a content key, and of what identifies it.
const (
	labelMAC          = "satchel jwt A256CBC-HS512 mac 1"
	labelEncryption   = "satchel jwt A256CBC-HS512 enc 1"
	labelContentKeyID = "satchel jwt A256CBC-HS512 kid 1"
)

// encrypted is a JWE in compact serialization, with a content key that both sides
// have: "dir" and A256CBC-HS512 (RFC 7518 sections 4.5 and 5.2.5). Its random IVs
// of 128 bits do not run out under one key as those of GCM do.
type encrypted struct {
	// keys is a func for the reason given in Keys.
	keys func() []contentKey
}

// contentKey is one key, ready for use.
type contentKey struct {
	aead    cipher.AEAD
	headers headers
}

// rawContentKey is a key that may leave the process.
type rawContentKey struct {
	id  string
	key []byte
}

// contentKeys derives the content keys from a ring, newest first.
func contentKeys(ring *sealed.Keyring) ([]rawContentKey, error) {
	var halves [3][][]byte
	for i, label := range [...]string{labelMAC, labelEncryption, labelContentKeyID} {
		derived, err := ring.Derive(label)
		if err != nil {
			return nil, fmt.Errorf("jwtsealer: %w", err)
		}
		halves[i] = derived
	}
	keys := make([]rawContentKey, ring.Len())
	for i := range keys {
		keys[i] = rawContentKey{
			id:  encoding.EncodeToString(halves[2][i][:keyIDSize]),
			key: slices.Concat(halves[0][i], halves[1][i]),
		}
	}
	return keys, nil
}

func newEncrypted(ring *sealed.Keyring) (encrypted, error) {
	raw, err := contentKeys(ring)
	if err != nil {
		return encrypted{}, err
	}
	keys := make([]contentKey, len(raw))
	for i, k := range raw {
		aead, err := josecipher.NewCBCHMAC(k.key, aes.NewCipher)
		if err != nil {
			return encrypted{}, fmt.Errorf("jwtsealer: %w", err)
		}
		keys[i] = contentKey{aead: aead, headers: encryptedHeaders(k.id)}
	}
	return encrypted{keys: func() []contentKey { return keys }}, nil
}

func (e encrypted) seal(kind kind, claims []byte) (string, error) {
	k := &e.keys()[0]
	header := k.headers[kind]
	iv := make([]byte, ivSize)
	_, _ = rand.Read(iv) // never fails; it ends the program instead
	box := k.aead.Seal(nil, iv, claims, []byte(header))
	text, tag := box[:len(box)-tagSize], box[len(box)-tagSize:]
	b := make([]byte, 0, len(header)+4+encoding.EncodedLen(ivSize)+encoding.EncodedLen(len(text))+encoding.EncodedLen(tagSize))
	b = append(append(b, header...), ".."...)
	b = append(encoding.AppendEncode(b, iv), '.')
	b = append(encoding.AppendEncode(b, text), '.')
	return string(encoding.AppendEncode(b, tag)), nil
}

func (e encrypted) open(kind kind, token string) ([]byte, bool) {
	header, rest, _ := strings.Cut(token, ".")
	for i := range e.keys() {
		k := &e.keys()[i]
		if k.headers[kind] != header {
			continue
		}
		rest, ok := strings.CutPrefix(rest, ".") // no encrypted key
		if !ok {
			return nil, false
		}
		ivText, rest, _ := strings.Cut(rest, ".")
		text, tagText, _ := strings.Cut(rest, ".")
		if len(ivText) != encoding.EncodedLen(ivSize) || len(tagText) != encoding.EncodedLen(tagSize) {
			return nil, false
		}
		iv, ok1 := decode(ivText)
		box, ok2 := decode(text)
		tag, ok3 := decode(tagText)
		if !ok1 || !ok2 || !ok3 {
			return nil, false
		}
		// It compares the tag, in constant time, before it decrypts.
		claims, err := k.aead.Open(nil, iv, append(box, tag...), []byte(header))
		return claims, err == nil
	}
	return nil, false
}

// ExportSecretJWK returns the content keys of [Encrypted] as a JWK set (RFC 7517),
// newest first, for a program in another language that is to decrypt tokens. They
// are as secret as the ring: who has one can also make tokens for any user. The
// error is that of an empty ring.
func ExportSecretJWK(keys *sealed.Keyring) ([]byte, error) {
	raw, err := contentKeys(keys)
	if err != nil {
		return nil, err
	}
	var set jose.JSONWebKeySet
	for _, k := range raw {
		set.Keys = append(set.Keys, jose.JSONWebKey{Key: k.key, KeyID: k.id, Use: "enc"})
	}
	data, err := json.Marshal(set)
	if err != nil {
		return nil, errors.New("jwtsealer: cannot encode the keys") // without them
	}
	return data, nil
}
