package sealed

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"testing"
)

func derive(t *testing.T, ring *Keyring, label string) [][]byte {
	t.Helper()
	keys, err := ring.Derive(label)
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

// What was sealed with a derived key must open in every release.
func TestDeriveKnownAnswer(t *testing.T) {
	got := derive(t, testRing(t, 1), "example.com/tokens v1")
	// HKDF-Expand of one block (RFC 5869 section 2.3).
	mac := hmac.New(sha256.New, testKey(1))
	mac.Write([]byte("satchel derived key\x00example.com/tokens v1\x01"))
	if want := mac.Sum(nil); len(got) != 1 || !bytes.Equal(got[0], want) {
		t.Errorf("derived %x, want %x", got, want)
	}
	if want := "06d96f1f0e3da5103ebe752e35e16b017bc786d6ee444466bb00dc7f99373c4f"; hex.EncodeToString(got[0]) != want {
		t.Errorf("derived %x, want %s", got[0], want)
	}
}

func TestDeriveKeepsTheRingsOrder(t *testing.T) {
	one, two := derive(t, testRing(t, 1), "a")[0], derive(t, testRing(t, 2), "a")[0]
	for range 3 {
		got := derive(t, testRing(t, 2, 1), "a")
		if len(got) != 2 || !bytes.Equal(got[0], two) || !bytes.Equal(got[1], one) {
			t.Fatalf("derived %x, want %x and %x", got, two, one)
		}
	}
}

// Keys of different labels and of different keys of the ring differ, from each
// other and from all that the package uses itself.
func TestDeriveKeepsKeysApart(t *testing.T) {
	ring := testRing(t, 1, 2)
	seen := map[string]string{}
	note := func(what string, key []byte) {
		if len(key) != 32 {
			t.Errorf("%s: %d bytes", what, len(key))
		}
		if other, ok := seen[string(key)]; ok {
			t.Errorf("%s has the key of %s", what, other)
		}
		seen[string(key)] = what
	}
	for i, k := range ring.all() {
		note(fmt.Sprintf("key %d", i), k.key[:])
		mac := hmac.New(sha256.New, k.key[:])
		mac.Write([]byte(pseudonymFor + "\x01"))
		note(fmt.Sprintf("the pseudonyms of key %d", i), mac.Sum(nil))
	}
	for _, label := range []string{"a", "b", "ab", "a\x00", "a\x01", "\x00a", " a", "A", pseudonymFor, derivedFor, "satchel key id\x00"} {
		for i, key := range derive(t, ring, label) {
			note(fmt.Sprintf("label %q of key %d", label, i), key)
		}
	}
}

func TestDeriveIsTheCallers(t *testing.T) {
	ring := testRing(t, 1)
	want := bytes.Clone(derive(t, ring, "a")[0])
	clear(derive(t, ring, "a")[0])
	if got := derive(t, ring, "a")[0]; !bytes.Equal(got, want) || !bytes.Equal(ring.all()[0].key[:], testKey(1)) {
		t.Error("clearing a derived key has changed the ring")
	}
}

func TestSEC43DeriveRefusesNoLabelAndNoKeys(t *testing.T) {
	var none *Keyring
	for what, d := range map[string]func() ([][]byte, error){
		"an empty label": func() ([][]byte, error) { return testRing(t, 1).Derive("") },
		"a nil ring":     func() ([][]byte, error) { return none.Derive("a") },
		"a zero ring":    func() ([][]byte, error) { return new(Keyring).Derive("a") },
	} {
		if keys, err := d(); err == nil || keys != nil {
			t.Errorf("%s: %d keys, %v", what, len(keys), err)
		}
	}
}
