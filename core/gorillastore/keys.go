package gorillastore

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"unicode"

	"github.com/gorilla/securecookie"
)

const (
	minHashKey  = 32 // the output of HMAC-SHA-256: RFC 2104 section 3
	minDistinct = 9  // one in 10^10 keys of 16 random bytes has fewer distinct ones

	howToMake = "make one with securecookie.GenerateRandomKey(32) and keep it in the configuration"
)

// keyPair holds the keys of a codec.
type keyPair struct{ hash, block []byte }

// pairOf returns the keys of a codec. securecookie does not expose them, so pairOf
// reads the struct's fields. In a release with other fields, ok is false.
func pairOf(codec *securecookie.SecureCookie) (p keyPair, ok bool) {
	s := reflect.ValueOf(codec).Elem()
	hash, block := s.FieldByName("hashKey"), s.FieldByName("blockKey")
	for _, field := range []reflect.Value{hash, block} {
		if !field.IsValid() || field.Type() != reflect.TypeFor[[]byte]() {
			return keyPair{}, false
		}
	}
	return keyPair{hash.Bytes(), block.Bytes()}, true
}

// checkCodecs returns an error if a key is unsafe. It takes the newest pair first.
// The error never repeats a key.
func checkCodecs(codecs []*securecookie.SecureCookie, c CookieConfig) error {
	var seen [][]byte
	for i, codec := range codecs {
		pair, ok := pairOf(codec)
		if !ok {
			return errors.New("gorillastore: this release of gorilla/securecookie is unknown: its keys cannot be checked")
		}
		if err := checkHashKey(pair.hash); err != nil {
			return fmt.Errorf("gorillastore: hash key of pair %d: %w", i+1, err)
		}
		seen = append(seen, pair.hash)
		if pair.block == nil {
			if i == 0 && !c.InsecureAllowReadable {
				return errors.New("gorillastore: the newest key pair has no block key, so clients could read their sessions: " +
					"add one of 32 bytes, or set InsecureAllowReadable if this is intended")
			}
			continue
		}
		if err := checkBlockKey(pair.block); err != nil {
			return fmt.Errorf("gorillastore: block key of pair %d: %w", i+1, err)
		}
		seen = append(seen, pair.block)
	}
	// If two pairs shared a hash key, the first would accept the other's tokens and
	// decrypt them with the wrong block key. Garbage would reach the decoder.
	for i, key := range seen {
		for _, other := range seen[:i] {
			if string(key) == string(other) {
				return errors.New("gorillastore: a key occurs twice: give each hash key and each block key a value of its own")
			}
		}
	}
	return nil
}

func checkHashKey(key []byte) error {
	if len(key) == 0 {
		return errors.New("is missing; " + howToMake)
	}
	if len(key) < minHashKey {
		return fmt.Errorf("has %d bytes, want at least %d; %s", len(key), minHashKey, howToMake)
	}
	return checkRandom(key)
}

func checkBlockKey(key []byte) error {
	switch len(key) {
	case 16, 24, 32:
		return checkRandom(key)
	}
	return fmt.Errorf("has %d bytes, AES wants 16, 24 or 32; %s", len(key), howToMake)
}

// checkRandom refuses a key that is visibly not random.
func checkRandom(key []byte) error {
	distinct, step := map[byte]bool{}, true
	for i, b := range key {
		distinct[b] = true
		step = step && (i == 0 || b-key[i-1] == key[1]-key[0])
	}
	switch {
	case len(distinct) < minDistinct || step || isPeriodic(key) || hasRun(key):
		return errors.New("is a pattern, not a secret; " + howToMake)
	case isPassphrase(key):
		return errors.New("is a passphrase, not a random key; " + howToMake)
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

// hasRun reports whether key contains a run like 123456789. Fewer than one random
// key in 10^8 does, whether bytes, base64 or hex.
func hasRun(key []byte) bool {
	const most = 9
	run := 1
	for i := 1; i < len(key) && run < most; i++ {
		if run++; key[i] != key[i-1]+1 {
			run = 1
		}
	}
	return run >= most
}

// giveaways are words in keys written by hand. Fewer than one random text in 10^6
// contains one.
var giveaways = []string{"secret", "password", "passphrase", "changeme"}

// isPassphrase reports whether key is text. Random bytes in hex or base64 do not
// count: many applications pass them to gorilla without decoding.
func isPassphrase(key []byte) bool {
	text := string(key)
	// Look only for ASCII: random bytes are too often valid UTF-8 of other scripts.
	if strings.ContainsFunc(text, func(r rune) bool { return r > unicode.MaxASCII || !unicode.IsPrint(r) && !unicode.IsSpace(r) }) {
		return false
	}
	if _, err := hex.DecodeString(text); err == nil {
		return false
	}
	for _, word := range giveaways {
		if strings.Contains(strings.ToLower(text), word) {
			return true
		}
	}
	bare := strings.NewReplacer("+", "-", "/", "_").Replace(strings.TrimRight(text, "="))
	if _, err := base64.RawURLEncoding.DecodeString(bare); err != nil {
		return true
	}
	// Words are valid base64 too, but have only one kind of character.
	kinds := 0
	for _, is := range []func(rune) bool{unicode.IsUpper, unicode.IsLower, unicode.IsDigit} {
		if strings.ContainsFunc(text, is) {
			kinds++
		}
	}
	return kinds < 2
}
