package sealed

import (
	"bytes"
	"io/fs"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/internal/xaes"
)

// TestSEC42EncryptedUniqueNonces: entries of a store are sealed under one key
// for as long as it is in use.
func TestSEC42EncryptedUniqueNonces(t *testing.T) {
	seals := 200_000
	if testing.Short() {
		seals = 10_000
	}
	store := new(encrypted)
	if err := store.prepare(testRing(t, 1)); err != nil {
		t.Fatal(err)
	}
	nonces := make([][xaes.NonceSize]byte, seals)
	for i := range nonces {
		sealed, err := store.keys()[0].seal(core.ID{1}, "ann", []byte("the same"))
		if err != nil {
			t.Fatal(err)
		}
		nonces[i] = [xaes.NonceSize]byte(sealed[sealedHeader:])
	}
	slices.SortFunc(nonces, func(a, b [xaes.NonceSize]byte) int { return bytes.Compare(a[:], b[:]) })
	if n := len(slices.Compact(nonces)); n != seals {
		t.Errorf("%d seals, %d distinct nonces", seals, n)
	}
}

func TestSEC45EncryptedNoCompression(t *testing.T) {
	store := new(encrypted)
	if err := store.prepare(testRing(t, 1)); err != nil {
		t.Fatal(err)
	}
	random := slices.Concat(testKey(1), testKey(2), testKey(3), testKey(4))
	length := func(data []byte) int {
		sealed, err := store.keys()[0].seal(core.ID{1}, "ann", data)
		if err != nil {
			t.Fatal(err)
		}
		return len(sealed)
	}
	if a, b := length(random), length(bytes.Repeat([]byte("a"), len(random))); a != b {
		t.Errorf("%d bytes for random ones, %d for repeated ones", a, b)
	}
}

// keyLike finds what ParseKeyring might take for a key.
var keyLike = regexp.MustCompile(`[A-Za-z0-9+/_-]{43}=?`)

// TestSEC43NoDocumentedKeyWorks: whoever copies a key from the documentation
// gets an error, and not a key that everyone has.
func TestSEC43NoDocumentedKeyWorks(t *testing.T) {
	if _, err := ParseKeyring(exampleKey); err == nil {
		t.Error("the key for examples is accepted")
	}
	if !keyLike.MatchString("keys: `" + exampleKey + "`") {
		t.Error("not even that would be found")
	}
	pages := 0
	err := fs.WalkDir(os.DirFS("../.."), ".", func(name string, _ fs.DirEntry, err error) error {
		if name == "tmp" {
			return fs.SkipDir // not ours
		}
		if err != nil || !strings.HasSuffix(name, ".md") {
			return err
		}
		pages++
		text, err := fs.ReadFile(os.DirFS("../.."), name)
		if err != nil {
			return err
		}
		for _, key := range keyLike.FindAllString(written(string(text)), -1) {
			if _, err := ParseKeyring(key); err == nil {
				t.Errorf("%s has a key that works: %s", name, key)
			}
		}
		return nil
	})
	if err != nil || pages == 0 {
		t.Errorf("%d pages, %v", pages, err)
	}
}

// written returns a page without its generated table, whose names of tests are
// as long as keys.
func written(page string) string {
	before, rest, _ := strings.Cut(page, "<!-- begin: generated")
	_, after, _ := strings.Cut(rest, "<!-- end: generated")
	return before + after
}

// TestSEC43WeakKeysInTheEnvironment: the error says what to do, and shows no key.
func TestSEC43WeakKeysInTheEnvironment(t *testing.T) {
	for what, key := range map[string]string{
		"the documentation's": exampleKey, "a passphrase": "correct horse battery staple", "zeros": strings.Repeat("A", 43) + "=",
		"short": "c2hvcnQ=", "a trailing comma": exampleKey + ",",
	} {
		t.Setenv("WEAK_KEYS", key)
		if keys, err := ParseKeyring(os.Getenv("WEAK_KEYS")); err == nil || keys != nil || strings.Contains(err.Error(), key) || !strings.Contains(err.Error(), "; ") {
			t.Errorf("%s: %v, %v", what, keys, err)
		}
	}
	_, err := ParseKeyring(os.Getenv("UNSET_KEYS"))
	if err == nil || !strings.Contains(err.Error(), howToMake) || !strings.Contains(err.Error(), "SESSION_KEYS") {
		t.Errorf("unset: %v", err)
	}
}
