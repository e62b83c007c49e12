package sealed

import (
	"crypto/hkdf"
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/satchel-go/satchel/core/internal/xaes"
)

// derivedFor precedes the caller's label. It keeps these keys apart from those
// that this package derives for its own use.
const derivedFor = "satchel derived key\x00"

// Derive returns keys for a use outside this package, such as a sealer in another
// module: 32 bytes for each key of the ring, newest first. Seal with the first key
// and open with all of them; keys then rotate as [Keyring] describes.
//
// Each derived key is HKDF-SHA256 of a ring key and the label. The same two give
// the same key in every release. Keys with different labels reveal nothing about
// each other or about the ring. The label is not secret. It names the module, the
// use and a version, such as "example.com/tokens v1"; each use needs its own.
//
// The caller owns the returned keys, which are as secret as the ring's: do not
// print them. An empty label or an empty ring is an error.
func (k *Keyring) Derive(label string) ([][]byte, error) {
	if label == "" {
		return nil, errors.New("sealed: derive: the label is empty: name what the keys are for")
	}
	if k.Len() == 0 {
		return nil, errors.New("sealed: derive: no keys; pass the ring that ParseKeyring or NewKeyring returned without an error")
	}
	derived := make([][]byte, 0, k.Len())
	for _, of := range k.all() {
		// The ring's keys are random, so there is nothing to extract.
		key, err := hkdf.Expand(sha256.New, of.key[:], derivedFor+label, xaes.KeySize)
		if err != nil {
			return nil, fmt.Errorf("sealed: derive: %w", err)
		}
		derived = append(derived, key)
	}
	return derived, nil
}
