package sealed

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

	"github.com/satchel-go/satchel/core/internal/xaes"
)

const (
	maxKeys     = 16 // more is a configuration mistake, not a rotation
	minDistinct = 12 // one random key in 10^22 has fewer distinct bytes

	// exampleKey is the key that the documentation may print. It looks like a
	// real key, but is refused so that it never protects real sessions.
	exampleKey = "ThisKeyIsPrintedInTheDocsSoNobodyMayUseIt00="

	// howToMake ends the errors that a new key would fix.
	howToMake = "make one with sealed.GenerateKey or `openssl rand -base64 32`"
)

// keyEncodings are the encodings that ParseKeyring accepts: either alphabet of
// RFC 4648, padded or not.
var keyEncodings = []*base64.Encoding{
	base64.StdEncoding.Strict(), base64.RawStdEncoding.Strict(),
	base64.URLEncoding.Strict(), base64.RawURLEncoding.Strict(),
}

// Keyring holds the secret keys of an application, newest first. The newest
// key seals and every key opens, so keys can be rotated without logging anyone
// out. Add the new key at the end on every instance, then move it to the front.
// Drop the old key once everything it sealed has expired.
//
// Create a Keyring with [ParseKeyring] or [NewKeyring]. It is immutable and
// safe for concurrent use. Printing, logging or marshalling it shows how many
// keys it holds, never a key.
type Keyring struct {
	// keys is a func, not a slice, to hide the keys from anything that walks
	// values by reflection, such as a debugger's dump or a test's diff.
	keys func() []ringKey
}

// keyID identifies the key that sealed something: the first bytes of its hash.
type keyID [4]byte

// ringKey is one key of a ring.
type ringKey struct {
	id  keyID
	key [xaes.KeySize]byte
}

// ParseKeyring reads keys from a string, such as the value of an environment
// variable. Each key is 32 random bytes in base64 (either alphabet, padded or
// not). Keys are separated by commas, newest first; white space around them is
// allowed.
//
// The error says what to do and never repeats a key. ParseKeyring refuses:
//
//   - no keys, an empty item, or more than 16 keys
//   - a key of another length, or one that occurs twice
//   - a key that is visibly not random: a pattern, a passphrase, or the key
//     printed in the documentation
func ParseKeyring(s string) (*Keyring, error) {
	if strings.TrimSpace(s) == "" {
		return nil, errors.New("sealed: keyring: no keys: set the variable that holds them, such as SESSION_KEYS; " + howToMake)
	}
	items := strings.Split(s, ",")
	keys := make([][]byte, len(items))
	for i, item := range items {
		if strings.ContainsAny(item, `"'`) {
			return nil, keyError(i, errors.New("has quotation marks around it; remove them"))
		}
		key, err := decodeKey(strings.TrimSpace(item))
		if err != nil {
			return nil, keyError(i, err)
		}
		keys[i] = key
	}
	return NewKeyring(keys...)
}

// NewKeyring returns a ring of keys of 32 random bytes each, newest first. It
// copies the keys and refuses the same ones as [ParseKeyring].
func NewKeyring(newestFirst ...[]byte) (*Keyring, error) {
	if len(newestFirst) == 0 {
		return nil, errors.New("sealed: keyring: no keys; " + howToMake)
	}
	if len(newestFirst) > maxKeys {
		return nil, fmt.Errorf("sealed: keyring: %d keys; keep at most %d, drop the oldest", len(newestFirst), maxKeys)
	}
	ring := make([]ringKey, 0, len(newestFirst))
	for i, key := range newestFirst {
		if err := checkKey(key); err != nil {
			return nil, keyError(i, err)
		}
		k := ringKey{id: idOfKey(key), key: [xaes.KeySize]byte(key)}
		for j, other := range ring {
			if other.key == k.key {
				return nil, keyError(i, fmt.Errorf("is the same as key %d; list each key once", j+1))
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
	var key [xaes.KeySize]byte
	for {
		// rand.Read never returns an error; it ends the program instead.
		_, _ = rand.Read(key[:])
		// One random key in 10^11 looks like text.
		if checkKey(key[:]) == nil {
			return base64.StdEncoding.EncodeToString(key[:])
		}
	}
}

// Len returns the number of keys in the ring. A nil or zero Keyring has none.
func (k *Keyring) Len() int { return len(k.all()) }

// String returns a text such as "sealed.Keyring(2 keys)".
func (k *Keyring) String() string { return redacted("sealed.Keyring", k.Len()) }

// Format implements [fmt.Formatter]: every verb prints [Keyring.String].
func (k *Keyring) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(k.String())) }

// MarshalText implements [encoding.TextMarshaler]: JSON shows [Keyring.String],
// which cannot be read back.
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

// redacted returns the text that stands for a value with n keys.
func redacted(name string, n int) string {
	if n == 1 {
		return name + "(1 key)"
	}
	return fmt.Sprintf("%s(%d keys)", name, n)
}

// keyError adds which key is wrong, counted from 1. Never pass it a decoder's
// error, which may quote the key.
func keyError(i int, err error) error {
	return fmt.Errorf("sealed: keyring: key %d: %w", i+1, err)
}

// decodeKey decodes one item of a ring. checkKey checks its length.
func decodeKey(item string) ([]byte, error) {
	if item == "" {
		return nil, errors.New("is empty; remove the extra comma")
	}
	if len(item) == hex.EncodedLen(xaes.KeySize) {
		if _, err := hex.DecodeString(item); err == nil {
			return nil, errors.New("is in hex; encode the bytes in base64")
		}
	}
	// Go's decoder skips line breaks, which quoted settings can hide.
	if !strings.ContainsAny(item, "\r\n") {
		for _, enc := range keyEncodings {
			if key, err := enc.DecodeString(item); err == nil {
				return key, nil
			}
		}
	}
	return nil, errors.New("is not base64; " + howToMake)
}

// checkKey refuses a key that is visibly not 32 random bytes. Together, the checks
// refuse fewer than one random key in 10^11.
func checkKey(key []byte) error {
	if len(key) != xaes.KeySize {
		return fmt.Errorf("has %d bytes, want %d; %s", len(key), xaes.KeySize, howToMake)
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
		return errors.New("is text; do not use a passphrase as a key: " + howToMake)
	}
	return nil
}

// isPeriodic reports whether key repeats a prefix of at most half its length.
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

// idOfKey derives a key's ID. The label separates this hash from any other hash
// of the key.
func idOfKey(key []byte) keyID {
	h := sha256.Sum256(append([]byte("satchel key id\x00"), key...))
	return keyID(h[:4])
}
