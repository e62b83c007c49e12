package gorillastore

import (
	"bytes"
	"errors"
	"fmt"
)

// minHashKey is the least that HMAC-SHA256 should have (RFC 2104 section 3).
const minHashKey = 32

// checkKeys refuses keys that sign or hide nothing. It never repeats a key.
func checkKeys(pairs [][]byte) error {
	const how = "; make keys with securecookie.GenerateRandomKey(32)"
	if len(pairs) == 0 {
		return errors.New("gorillastore: no keys: pass a hash key and a block key" + how)
	}
	if len(pairs)%2 != 0 {
		return errors.New("gorillastore: the last pair has no block key, so that clients could read their sessions: pass one, or use CookieStore" + how)
	}
	for i, key := range pairs {
		kind := "hash"
		if i%2 == 1 {
			kind = "block"
		}
		pair := i/2 + 1
		switch {
		case kind == "hash" && len(key) < minHashKey:
			return fmt.Errorf("gorillastore: the hash key of pair %d has %d bytes, want %d or more%s", pair, len(key), minHashKey, how)
		case kind == "block" && len(key) != 16 && len(key) != 24 && len(key) != 32:
			return fmt.Errorf("gorillastore: the block key of pair %d has %d bytes, want 16, 24 or 32%s", pair, len(key), how)
		case distinct(key) < 8:
			return fmt.Errorf("gorillastore: the %s key of pair %d repeats a few bytes: it is not random%s", kind, pair, how)
		}
		for j := range i {
			if bytes.Equal(key, pairs[j]) {
				return fmt.Errorf("gorillastore: the %s key of pair %d is the same as another key%s", kind, pair, how)
			}
		}
	}
	return nil
}

// distinct counts the different bytes of key.
func distinct(key []byte) int {
	var seen [256]bool
	n := 0
	for _, b := range key {
		if !seen[b] {
			seen[b] = true
			n++
		}
	}
	return n
}
