package core

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/satchel-go/satchel/internal/alloctest"
)

// FuzzSEC40SEC46SealedCookie: nothing opens but what was sealed, and finding
// that out takes memory for the token alone.
func FuzzSEC40SEC46SealedCookie(f *testing.F) {
	s := NewCookieSealer(testRing(f, 1, 2))
	older := NewCookieSealer(testRing(f, 2))
	good := mustSeal(f, s, testScope, []byte("fuzz"))
	for _, token := range []string{
		good, mustSeal(f, older, testScope, []byte("fuzz")), mustSeal(f, s, Scope{}, []byte("fuzz")),
		mustSeal(f, NewCookieSealer(testRing(f, 3)), testScope, []byte("fuzz")),
		"", good + "=", good[:len(good)-1], "\n" + good, good[:20], strings.Repeat("A", 200), base64.RawURLEncoding.EncodeToString([]byte(`{"user":"admin"}`)),
	} {
		f.Add(token)
	}
	f.Fuzz(func(t *testing.T, token string) {
		var plaintext []byte
		var err error
		alloctest.Bound(t, 4*len(token)+slack, func() { plaintext, _, err = s.openBytes(testScope, token) })
		if err != nil {
			if !errors.Is(err, errNotOurs) || plaintext != nil {
				t.Fatalf("%q, %v", plaintext, err)
			}
			return
		}
		// Nobody without the key makes a token for anything but the seeds' text.
		if string(plaintext) != "fuzz" {
			t.Fatalf("opened to %q", plaintext)
		}
		raw, err := base64.RawURLEncoding.DecodeString(token)
		if err != nil || base64.RawURLEncoding.EncodeToString(raw) != token {
			t.Fatalf("not canonical: %q", token)
		}
	})
}

// FuzzSEC46SealedContent: whatever is in a cookie or an entry that we have
// sealed, by a fault or by another release, opening it is bounded.
func FuzzSEC46SealedContent(f *testing.F) {
	for _, seed := range recordSeeds() {
		f.Add(seed)
	}
	cookies := NewCookieSealer(testRing(f, 1))
	store := new(encrypted)
	if err := store.prepare(testRing(f, 1)); err != nil {
		f.Fatal(err)
	}
	key, id := store.keys()[0], ID{1, 2, 3, 4, 5}
	f.Fuzz(func(t *testing.T, content []byte) {
		token := mustSeal(t, cookies, testScope, content)
		var r *Record
		var err error
		alloctest.Bound(t, 6*len(token)+slack, func() { r, err = cookies.Open(t.Context(), testScope, token) })
		_, want := ParseRecord(content)
		if (err == nil) != (want == nil) || (err == nil) != (r != nil) {
			t.Errorf("the cookie: %v, its content: %v", err, want)
		}

		var aad [sealedAAD]byte
		sealed := append([]byte{sealedFormat}, key.id[:]...)
		if sealed, err = key.aead.appendSeal(sealed, content, fillSealedAAD(&aad, key.id, id)); err != nil {
			t.Fatal(err)
		}
		var user string
		var data []byte
		alloctest.Bound(t, 4*len(sealed)+slack, func() { user, data, err = store.open(id, sealed) })
		if err != nil && !errors.Is(err, ErrCorrupt) || len(user)+len(data) > len(content) {
			t.Errorf("the entry: %d and %d bytes of %d, %v", len(user), len(data), len(content), err)
		}
		if _, _, err := store.open(ID{6}, sealed); !errors.Is(err, ErrCorrupt) {
			t.Errorf("opens under another ID: %v", err)
		}
		if _, _, err := store.open(id, content); !errors.Is(err, ErrCorrupt) {
			t.Errorf("opens though nobody has sealed it: %v", err)
		}
	})
}

// FuzzSEC46Keyring: a ring or an error, which repeats no key.
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

// FuzzSEC46Environment: a Config that New takes, or an error that shows no key.
func FuzzSEC46Environment(f *testing.F) {
	key := base64.StdEncoding.EncodeToString(testKey(1))
	f.Add("30", "12", "2026-01-02T03:04:05Z", "__Host-s", "", "/", "lax", "true", key)
	f.Add("", " ", "", "", "", "", "", "", "")
	f.Add("0", "0.5", "", "", "example.com", "/app", "STRICT", "", "")
	f.Add("1e-12", "-0", "yesterday", "a b", ".-.", "x", "None", "maybe", key[:30])
	f.Add("1e-12", "12", "", "", "", "", "", "", "")
	f.Add("1", "0.0000000000001", "", "", "", "", "", "", "")
	f.Add("NaN", "+Inf", "0000-00-00T00:00:00Z", "s-1", "xn--", "/;", "", "1", ","+key)
	f.Add("0x1p-9", "876000", "9999-12-31T23:59:59.999999999+23:59", "__HOST-x", "a", "/\x7f", "lax ", "T", key+","+key)
	f.Fuzz(func(t *testing.T, idle, life, notBefore, name, domain, path, sameSite, flag, keyText string) {
		all := strings.Join([]string{idle, life, notBefore, name, domain, path, sameSite, flag}, " ")
		if strings.Contains(all+keyText, "\x00") {
			return
		}
		for n, v := range map[string]string{
			"IDLE_TIMEOUT_IN_MINUTES": idle, "LIFETIME_IN_HOURS": life, "NOT_BEFORE": notBefore, "COOKIE_NAME": name, "COOKIE_DOMAIN": domain,
			"COOKIE_PATH": path, "COOKIE_SAME_SITE": sameSite, "COOKIE_PARTITIONED": flag, "KEYS": keyText,
		} {
			t.Setenv("FUZZ_"+n, v)
		}
		var c Config
		var keys *Keyring
		var err error
		alloctest.Bound(t, 64*(len(all)+len(keyText))+32<<10, func() { c, keys, err = ConfigFromEnv("FUZZ_") })
		if err != nil {
			if keys != nil || len(keyText) >= 16 && strings.Contains(err.Error(), keyText) && !strings.Contains(all+howToMake, keyText) {
				t.Errorf("shows the keys: %v", err)
			}
			return
		}
		if (keys == nil) != (strings.TrimSpace(keyText) == "") {
			t.Errorf("%d keys of %d bytes", keys.Len(), len(keyText))
		}
		wantTimeout(t, idle, c.IdleTimeout, time.Minute)
		wantTimeout(t, life, c.Lifetime, time.Hour)
		if err := c.withDefaults().validate(); err != nil {
			t.Errorf("New would refuse it: %v", err)
		}
	})
}

// wantTimeout checks that what was set is what holds, and not the default in
// its place.
func wantTimeout(t *testing.T, text string, got, unit time.Duration) {
	t.Helper()
	n, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
	switch {
	case err != nil && strings.TrimSpace(text) == "":
		if got != 0 {
			t.Errorf("nothing is set, and holds as %v", got)
		}
	case n == 0:
		if got != NoTimeout {
			t.Errorf("%q holds as %v", text, got)
		}
	case got != time.Duration(n*float64(unit)) || got <= 0:
		t.Errorf("%q holds as %v", text, got)
	}
}
