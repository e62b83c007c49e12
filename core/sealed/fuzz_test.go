package sealed

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/internal/testing/alloctest"
)

// slack is what a bounded parser may allocate whatever its input: its result,
// an error.
const slack = 2 << 10

// FuzzSEC40SEC46SealedCookie: only sealed tokens open, and refusing others takes
// memory for the token alone.
func FuzzSEC40SEC46SealedCookie(f *testing.F) {
	s := Cookie(testRing(f, 1, 2))
	older := Cookie(testRing(f, 2))
	good := mustSeal(f, s, testScope, []byte("fuzz"))
	for _, token := range []string{
		good, mustSeal(f, older, testScope, []byte("fuzz")), mustSeal(f, s, core.Scope{}, []byte("fuzz")),
		mustSeal(f, Cookie(testRing(f, 3)), testScope, []byte("fuzz")),
		"", good + "=", good[:len(good)-1], "\n" + good, good[:20], strings.Repeat("A", 200), base64.RawURLEncoding.EncodeToString([]byte(`{"user":"admin"}`)),
	} {
		f.Add(token)
	}
	f.Fuzz(func(t *testing.T, token string) {
		var plaintext []byte
		var err error
		alloctest.Bound(t, 4*len(token)+slack, func() { plaintext, err = s.openBytes(testScope, token) })
		if err != nil {
			if !errors.Is(err, errNotOurs) || plaintext != nil {
				t.Fatalf("%q, %v", plaintext, err)
			}
			return
		}
		// Without the key, no input is a token of anything but the seeds' text.
		if string(plaintext) != "fuzz" {
			t.Fatalf("opened to %q", plaintext)
		}
		raw, err := base64.RawURLEncoding.DecodeString(token)
		if err != nil || base64.RawURLEncoding.EncodeToString(raw) != token {
			t.Fatalf("not canonical: %q", token)
		}
	})
}

// recordSeeds are records, and what is nearly one.
func recordSeeds(f *testing.F) (seeds [][]byte) {
	f.Helper()
	now := time.UnixMilli(1_900_000_000_123)
	bare := &core.Record{ID: core.ID{1, 2, 3, 4, 5}, CreatedAt: now, SavedAt: now, Expires: now}
	full := *bare
	full.User, full.Label, full.Remembered, full.AuthenticatedAt, full.Deadline = "ann", "Firefox", true, now, now
	whole := full.WithContent(maps.All(map[string][]byte{"k": {0x61, 'v'}, "": {0xf6}}),
		slices.Values([]core.StoredFlash{{Number: 8, Kind: "info", Expires: now, Payload: []byte("hello")}}))
	for _, r := range []*core.Record{whole, bare} {
		good, err := r.MarshalBinary()
		if err != nil {
			f.Fatal(err)
		}
		seeds = append(seeds, good, good[:len(good)-1], append(bytes.Clone(good), 0))
	}
	return append(seeds, nil, []byte{1}, []byte{2, 0}, []byte{0, 0})
}

// FuzzSEC46SealedContent: opening a cookie or an entry that we have sealed is
// bounded, whatever a fault or another release has put into it.
func FuzzSEC46SealedContent(f *testing.F) {
	for _, seed := range recordSeeds(f) {
		f.Add(seed)
	}
	cookies := Cookie(testRing(f, 1))
	store := new(encrypted)
	if err := store.prepare(testRing(f, 1)); err != nil {
		f.Fatal(err)
	}
	key, id := store.keys()[0], core.ID{1, 2, 3, 4, 5}
	f.Fuzz(func(t *testing.T, content []byte) {
		token := mustSeal(t, cookies, testScope, content)
		var r *core.Record
		var err error
		alloctest.Bound(t, 6*len(token)+slack, func() { r, err = cookies.Open(t.Context(), testScope, token) })
		_, want := core.ParseRecord(content)
		if (err == nil) != (want == nil) || (err == nil) != (r != nil) {
			t.Errorf("the cookie: %v, its content: %v", err, want)
		}

		var aad [sealedAAD]byte
		sealed := append([]byte{sealedFormat}, key.id[:]...)
		if sealed, err = key.aead.AppendSeal(sealed, content, fillSealedAAD(&aad, key.id, id)); err != nil {
			t.Fatal(err)
		}
		var user string
		var data []byte
		alloctest.Bound(t, 4*len(sealed)+slack, func() { user, data, err = store.open(id, sealed) })
		if err != nil && !errors.Is(err, core.ErrCorrupt) || len(user)+len(data) > len(content) {
			t.Errorf("the entry: %d and %d bytes of %d, %v", len(user), len(data), len(content), err)
		}
		if _, _, err := store.open(core.ID{6}, sealed); !errors.Is(err, core.ErrCorrupt) {
			t.Errorf("opens under another ID: %v", err)
		}
		if _, _, err := store.open(id, content); !errors.Is(err, core.ErrCorrupt) {
			t.Errorf("opens though nobody has sealed it: %v", err)
		}
	})
}

// FuzzSEC46Keyring: the result is a ring, or an error that repeats no key.
func FuzzSEC46Keyring(f *testing.F) {
	good := base64.StdEncoding.EncodeToString(testKey(1))
	for _, s := range []string{
		"", ",", good, good + ", " + base64.RawURLEncoding.EncodeToString(testKey(2)), exampleKey, hex.EncodeToString(testKey(1)),
		good + "," + good, strings.Repeat(good+",", 20), " \t\n", good[:43], good + "=", strings.Repeat(",", 1000), good[:20] + "\n" + good[20:],
		base64.StdEncoding.EncodeToString([]byte("correct horse battery staple 123")),
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		var ring *Keyring
		var err error
		alloctest.Bound(t, 64*len(s)+8<<10, func() { ring, err = ParseKeyring(s) })
		if (ring == nil) == (err == nil) {
			t.Fatal("want either a ring or an error")
		}
		if err != nil {
			for item := range strings.SplitSeq(s, ",") {
				if item = strings.TrimSpace(item); len(item) >= 16 && strings.Contains(err.Error(), item) && !strings.Contains(howToMake, item) {
					t.Errorf("%q is in the error: %v", item, err)
				}
			}
			return
		}
		if n := ring.Len(); n != strings.Count(s, ",")+1 || n > maxKeys {
			t.Fatalf("%d keys", n)
		}
		var again []string
		for _, k := range ring.all() {
			again = append(again, base64.StdEncoding.EncodeToString(k.key[:]))
		}
		if _, err := ParseKeyring(strings.Join(again, ",")); err != nil {
			t.Fatal(err)
		}
	})
}
