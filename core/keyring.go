package core

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	keySize     = 32 // AES-256
	maxKeys     = 16 // more is a mistake in the configuration, not a rotation
	minDistinct = 12 // a random key has fewer distinct bytes once in 10^22

	// exampleKey is the key that the documentation may print. It parses, so
	// that examples look right, and is refused, so that nobody runs on it.
	exampleKey = "ThisKeyIsPrintedInTheDocsSoNobodyMayUseIt00="

	// howToMake ends the errors that a new key would solve.
	howToMake = "make one with core.GenerateKey or `openssl rand -base64 32`"
)

// keyEncodings are the spellings of a key that ParseKeyring takes: either
// alphabet of RFC 4648, padded or not.
var keyEncodings = []*base64.Encoding{
	base64.StdEncoding.Strict(), base64.RawStdEncoding.Strict(),
	base64.URLEncoding.Strict(), base64.RawURLEncoding.Strict(),
}

// Keyring holds the secret keys of an application, newest first. The newest
// seals; all of them open, so that keys can be exchanged without logging
// anyone out: put the new key last on every instance, then move it to the
// front, and drop the old one once what it sealed has expired.
//
// A Keyring comes from [ParseKeyring] or [NewKeyring], never changes and is
// safe for concurrent use. Printing, logging or marshalling it shows how many
// keys it holds, never a key.
type Keyring struct {
	// keys is a func and no slice so that nothing that walks values by
	// reflection, such as a debugger's dump or a test's diff, gets to see a key.
	keys func() []ringKey
}

// keyID names a key in what it sealed: the first bytes of a hash of the key.
type keyID [4]byte

// ringKey is one key of a ring.
type ringKey struct {
	id  keyID
	key [keySize]byte
}

// ParseKeyring reads keys from a string such as an environment variable: each
// 32 random bytes in base64 (either alphabet, padded or not), separated by
// commas, newest first. White space around keys is allowed.
//
// It returns an error, which says what to do and never repeats a key, if
// there is no key, an empty item, more than 16 keys, a key of another length,
// a key that occurs twice, or one that is visibly not random: a pattern, a
// passphrase, the key printed in the documentation.
func ParseKeyring(s string) (*Keyring, error) {
	if strings.TrimSpace(s) == "" {
		return nil, errors.New("core: keyring: no keys; " + howToMake)
	}
	items := strings.Split(s, ",")
	keys := make([][]byte, len(items))
	for i, item := range items {
		key, err := decodeKey(strings.TrimSpace(item))
		if err != nil {
			return nil, keyError(i, err)
		}
		keys[i] = key
	}
	return NewKeyring(keys...)
}

// NewKeyring makes a ring of keys of 32 random bytes each, newest first. It
// copies them, and refuses the same keys as [ParseKeyring].
func NewKeyring(newestFirst ...[]byte) (*Keyring, error) {
	if len(newestFirst) == 0 {
		return nil, errors.New("core: keyring: no keys; " + howToMake)
	}
	if len(newestFirst) > maxKeys {
		return nil, fmt.Errorf("core: keyring: %d keys; keep at most %d, drop the oldest", len(newestFirst), maxKeys)
	}
	ring := make([]ringKey, 0, len(newestFirst))
	for i, key := range newestFirst {
		if err := checkKey(key); err != nil {
			return nil, keyError(i, err)
		}
		k := ringKey{id: idOfKey(key), key: [keySize]byte(key)}
		for j, other := range ring {
			if other.key == k.key {
				return nil, keyError(i, fmt.Errorf("the same as key %d; list each key once", j+1))
			}
			if other.id == k.id {
				return nil, keyError(i, fmt.Errorf("has the same key ID as key %d by chance; %s", j+1, howToMake))
			}
		}
		ring = append(ring, k)
	}
	return &Keyring{keys: func() []ringKey { return ring }}, nil
}

// GenerateKey returns a new key for [ParseKeyring]: 32 random bytes in base64.
func GenerateKey() string {
	var key [keySize]byte
	for {
		// rand.Read never returns an error; it ends the program instead.
		_, _ = rand.Read(key[:])
		// Once in 10^11 chance makes a key that looks like text.
		if checkKey(key[:]) == nil {
			return base64.StdEncoding.EncodeToString(key[:])
		}
	}
}

// Len returns how many keys the ring holds, 0 for a nil or zero Keyring.
func (k *Keyring) Len() int { return len(k.all()) }

// String returns a text such as "core.Keyring(2 keys)".
func (k *Keyring) String() string { return redacted("core.Keyring", k.Len()) }

// Format implements [fmt.Formatter]: every verb prints [Keyring.String].
func (k *Keyring) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(k.String())) }

// MarshalText implements [encoding.TextMarshaler], and so decides what JSON
// shows: [Keyring.String]. It cannot be read back.
func (k *Keyring) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// LogValue implements [slog.LogValuer]: logs show [Keyring.String].
func (k *Keyring) LogValue() slog.Value { return slog.StringValue(k.String()) }

// all returns the keys, newest first, for reading only.
func (k *Keyring) all() []ringKey {
	if k == nil || k.keys == nil {
		return nil
	}
	return k.keys()
}

// redacted is what is shown of something that holds n keys.
func redacted(name string, n int) string {
	if n == 1 {
		return name + "(1 key)"
	}
	return fmt.Sprintf("%s(%d keys)", name, n)
}

// keyError says which key, counted from 1, is wrong. It wraps no error of a
// decoder, for those may quote their input.
func keyError(i int, err error) error {
	return fmt.Errorf("core: keyring: key %d: %w", i+1, err)
}

// decodeKey reads one item of a ring; the length is checked with the rest.
func decodeKey(item string) ([]byte, error) {
	if item == "" {
		return nil, errors.New("empty; remove the comma that is too many")
	}
	if len(item) == hex.EncodedLen(keySize) {
		if _, err := hex.DecodeString(item); err == nil {
			return nil, errors.New("is in hex; write the bytes in base64")
		}
	}
	// Go's decoder skips line breaks, which hide in quoted settings.
	if !strings.ContainsAny(item, "\r\n") {
		for _, enc := range keyEncodings {
			if key, err := enc.DecodeString(item); err == nil {
				return key, nil
			}
		}
	}
	return nil, errors.New("not base64; " + howToMake)
}

// checkKey refuses what is visibly not 32 random bytes. All of the checks
// together refuse a random key less than once in 10^11.
func checkKey(key []byte) error {
	if len(key) != keySize {
		return fmt.Errorf("has %d bytes, want %d; %s", len(key), keySize, howToMake)
	}
	if example, err := base64.StdEncoding.DecodeString(exampleKey); err != nil || string(key) == string(example) {
		return errors.New("is the example from the documentation, known to everyone; " + howToMake)
	}
	var seen [256]bool
	distinct, step := 0, true
	for i, b := range key {
		if !seen[b] {
			seen[b] = true
			distinct++
		}
		step = step && (i == 0 || b-key[i-1] == key[1]-key[0]) //nolint:gosec // the length was checked
	}
	switch {
	case distinct == 1:
		return errors.New("is one byte repeated, not a secret; " + howToMake)
	case step:
		return errors.New("is a sequence, not a secret; " + howToMake)
	case distinct < minDistinct || isPeriodic(key):
		return errors.New("is a pattern, not a secret; " + howToMake)
	case isText(key):
		return errors.New("is text; a passphrase is no key: " + howToMake)
	}
	return nil
}

// isPeriodic reports whether key repeats its first half or less of it.
func isPeriodic(key []byte) bool {
	for p := 1; p <= len(key)/2; p++ {
		if string(key[p:]) == string(key[:len(key)-p]) {
			return true
		}
	}
	return false
}

// isText reports whether key consists of printable characters and white space.
func isText(key []byte) bool {
	return utf8.Valid(key) && !strings.ContainsFunc(string(key), func(r rune) bool {
		return !unicode.IsPrint(r) && !unicode.IsSpace(r)
	})
}

// idOfKey derives a key's ID. The label keeps the hash apart from any other
// that is ever taken of a key.
func idOfKey(key []byte) keyID {
	h := sha256.Sum256(append([]byte("satchel key id\x00"), key...))
	return keyID(h[:4])
}
