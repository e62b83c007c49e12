package sealed

import (
	"bytes"
	"encoding/base64"
	"encoding/gob"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/internal/xaes"
)

var testScope = core.Scope{Namespace: "shop", Name: "__Host-session", Purpose: "session"}

func mustSeal(t testing.TB, s *CookieSealer, scope core.Scope, plaintext []byte) string {
	t.Helper()
	token, err := s.sealBytes(scope, plaintext)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// refuseToken checks that token does not open, and that the answer is the
// same for every token that does not.
func refuseToken(t *testing.T, s *CookieSealer, scope core.Scope, token, what string) {
	t.Helper()
	if plaintext, err := s.openBytes(scope, token); !errors.Is(err, errNotOurs) || plaintext != nil {
		t.Errorf("%s: opened to %q, %v", what, plaintext, err)
	}
}

func TestCookieSealerRoundTrip(t *testing.T) {
	s := Cookie(testRing(t, 1))
	for _, n := range []int{0, 1, 2, 3, 350, 3000, maxScratch + 1} {
		plaintext := bytes.Repeat([]byte{0xC3}, n)
		token := mustSeal(t, s, testScope, plaintext)
		if want := base64.RawURLEncoding.EncodedLen(cookieHeader + n + xaes.Overhead); len(token) != want {
			t.Errorf("%d bytes: a token of %d characters, want %d", n, len(token), want)
		}
		got, err := s.openBytes(testScope, token)
		if err != nil || !bytes.Equal(got, plaintext) {
			t.Errorf("%d bytes: opened to %d bytes, %v", n, len(got), err)
		}
	}
}

// The plaintext is the caller's: later calls must not write into it.
func TestCookieSealerPlaintextIsOwn(t *testing.T) {
	s := Cookie(testRing(t, 1))
	first, err := s.openBytes(testScope, mustSeal(t, s, testScope, []byte("first")))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.openBytes(testScope, mustSeal(t, s, testScope, []byte("other"))); err != nil {
		t.Fatal(err)
	}
	if string(first) != "first" {
		t.Errorf("became %q", first)
	}
}

// A token sealed by an earlier build still opens: the format stays.
func TestCookieSealerGolden(t *testing.T) {
	const golden = "AYNJtAXolak7eCab4E_AH6Mxt2uRSPQ5-0Om6DT81nABN1KEZcrKxnODUj5vFae9rSkr"
	got, err := Cookie(testRing(t, 1)).openBytes(testScope, golden)
	if err != nil || string(got) != "golden" {
		t.Errorf("opened to %q, %v", got, err)
	}
}

func TestCookieSealerWithoutKeys(t *testing.T) {
	var none *CookieSealer
	for name, s := range map[string]*CookieSealer{
		"nil ring": Cookie(nil), "zero ring": Cookie(&Keyring{}), "zero sealer": {}, "nil sealer": none,
	} {
		want := s.Validate()
		if want == nil || !strings.Contains(want.Error(), "no keys") {
			t.Errorf("%s: Validate() = %v", name, want)
			continue
		}
		if token, err := s.sealBytes(testScope, nil); token != "" || err == nil || err.Error() != want.Error() {
			t.Errorf("%s: seal: %q, %v", name, token, err)
		}
		if plaintext, err := s.openBytes(testScope, "x"); plaintext != nil || err == nil || err.Error() != want.Error() {
			t.Errorf("%s: open: %q, %v", name, plaintext, err)
		}
		if _, err := core.New(core.ClientSide(s), core.Config{}); err == nil || err.Error() != want.Error() {
			t.Errorf("%s: New: %v", name, err)
		}
	}
	if err := Cookie(testRing(t, 1)).Validate(); err != nil {
		t.Error(err)
	}
}

// SEC40: what does not open is nobody's session, whatever it is instead.
func TestSEC40OpeningFailedMeansNone(t *testing.T) {
	s := Cookie(testRing(t, 1))
	plaintext := []byte(`{"user":"alice"}`)
	token := mustSeal(t, s, testScope, plaintext)
	raw, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil {
		t.Fatal(err)
	}
	enc := base64.RawURLEncoding.EncodeToString
	for i := range raw {
		for bit := range 8 {
			flipped := bytes.Clone(raw)
			flipped[i] ^= 1 << bit
			refuseToken(t, s, testScope, enc(flipped), "bit flipped")
		}
		refuseToken(t, s, testScope, enc(raw[:i]), "truncated bytes")
		refuseToken(t, s, testScope, enc(raw[i+1:]), "bytes missing in front")
	}
	for i := range token {
		refuseToken(t, s, testScope, token[:i], "truncated characters")
	}
	var gobbed bytes.Buffer
	if err := gob.NewEncoder(&gobbed).Encode(map[string]string{"user": "alice"}); err != nil {
		t.Fatal(err)
	}
	jsoned, err := json.Marshal(map[string]string{"user": "alice"})
	if err != nil {
		t.Fatal(err)
	}
	header := raw[:cookieHeader]
	for what, token := range map[string]string{
		"empty":                    "",
		"JSON":                     string(jsoned),
		"JSON in base64":           enc(jsoned),
		"JSON behind our header":   enc(slices.Concat(header, make([]byte, xaes.NonceSize), jsoned)),
		"gob":                      gobbed.String(),
		"gob in base64":            enc(gobbed.Bytes()),
		"gob behind our header":    enc(slices.Concat(header, make([]byte, xaes.NonceSize), gobbed.Bytes())),
		"plaintext in base64":      enc(plaintext),
		"only a header":            enc(header),
		"one byte too few":         enc(slices.Concat(header, make([]byte, xaes.Overhead-1))),
		"zeros":                    enc(slices.Concat(header, make([]byte, 100))),
		"one byte more":            enc(append(bytes.Clone(raw), 0)),
		"token twice":              token + token,
		"version 0":                enc(slices.Concat([]byte{0}, raw[1:])),
		"version 2":                enc(slices.Concat([]byte{2}, raw[1:])),
		"nothing but a session ID": strings.Repeat("A", 64),
	} {
		refuseToken(t, s, testScope, token, what)
	}
	if got, err := s.openBytes(testScope, token); err != nil || !bytes.Equal(got, plaintext) {
		t.Errorf("the token itself: %q, %v", got, err)
	}
}

// SEC41: a token opens in its own place only.
func TestSEC41AdditionalDataBindsScope(t *testing.T) {
	s := Cookie(testRing(t, 1, 2))
	scopes := []core.Scope{
		testScope,
		{Namespace: "shop", Name: "__Host-session", Purpose: "flash"},
		{Namespace: "shop", Name: "session", Purpose: "session"},
		{Namespace: "admin", Name: "__Host-session", Purpose: "session"},
		{},
		// The same letters, cut elsewhere, or in another place.
		{Namespace: "c", Name: "b", Purpose: "a"},
		{Namespace: "", Name: "bc", Purpose: "a"},
		{Namespace: "bc", Name: "", Purpose: "a"},
		{Namespace: "", Name: "", Purpose: "abc"},
		{Namespace: "c", Name: "", Purpose: "ab"},
		{Namespace: "a", Name: "b", Purpose: "c"},
		{Namespace: "c", Name: "b", Purpose: "a\x00"},
	}
	for i, sealedFor := range scopes {
		token := mustSeal(t, s, sealedFor, []byte("x"))
		for j, scope := range scopes {
			if i != j {
				refuseToken(t, s, scope, token, "another scope")
			} else if _, err := s.openBytes(scope, token); err != nil {
				t.Errorf("its own scope: %v", err)
			}
		}
	}
}

// SEC41: the additional data binds version and key ID too, so that neither
// can be exchanged even where the key is the same.
func TestSEC41AdditionalDataBindsKeyAndVersion(t *testing.T) {
	s := Cookie(testRing(t, 1))
	k := s.all()[0]
	for what, aad := range map[string][]byte{
		"none":            nil,
		"another key ID":  appendCookieAAD(nil, keyID{1, 2, 3, 4}, testScope),
		"another version": append([]byte{2}, appendCookieAAD(nil, k.id, testScope)[1:]...),
	} {
		raw, err := k.aead.AppendSeal(append([]byte{cookieFormat}, k.id[:]...), []byte("x"), aad)
		if err != nil {
			t.Fatal(err)
		}
		refuseToken(t, s, testScope, base64.RawURLEncoding.EncodeToString(raw), what)
	}
}

// SEC42: in a million seals no nonce repeats, and neither half of one does.
func TestSEC42UniqueNonces(t *testing.T) {
	seals := 1_000_000
	if testing.Short() {
		seals = 10_000
	}
	s := Cookie(testRing(t, 1))
	const half = xaes.NonceSize / 2
	derived := make([][half]byte, seals)
	random := make([][xaes.NonceSize - half]byte, seals)
	for i := range seals {
		// 40 characters carry the header and the nonce.
		raw, err := base64.RawURLEncoding.DecodeString(mustSeal(t, s, testScope, nil)[:40])
		if err != nil {
			t.Fatal(err)
		}
		copy(derived[i][:], raw[cookieHeader:])
		copy(random[i][:], raw[cookieHeader+half:])
	}
	for what, halves := range map[string][][half]byte{"first": derived, "second": random} {
		slices.SortFunc(halves, func(a, b [half]byte) int { return bytes.Compare(a[:], b[:]) })
		if n := len(slices.Compact(halves)); n != seals {
			t.Errorf("%d seals, %d distinct values of the %s half of the nonce", seals, n, what)
		}
	}
}

// SEC44: an older key still opens, what is sealed anew needs it no more, a dropped
// one does not open, and instances in the middle of a roll-out read each other.
func TestSEC44KeyRotation(t *testing.T) {
	const oldKey, newKey = 1, 2
	before := Cookie(testRing(t, oldKey))
	prepared := Cookie(testRing(t, oldKey, newKey))
	rotated := Cookie(testRing(t, newKey, oldKey))
	after := Cookie(testRing(t, newKey))
	for _, tc := range []struct {
		name     string
		from, to *CookieSealer
		opens    bool
		needs    *CookieSealer // has the one key that to seals with
	}{
		{"old key, new one known", before, prepared, true, before},
		{"old key, rotated", before, rotated, true, after},
		{"old key, dropped", before, after, false, nil},
		{"mid-roll-out, forwards", prepared, rotated, true, after},
		{"mid-roll-out, backwards", rotated, prepared, true, before},
		{"new key, old one kept", rotated, rotated, true, after},
		{"new key, old one dropped", rotated, after, true, after},
		{"new key unknown", after, before, false, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			token := mustSeal(t, tc.from, testScope, []byte("x"))
			if !tc.opens {
				refuseToken(t, tc.to, testScope, token, "unknown key")
				return
			}
			got, err := tc.to.openBytes(testScope, token)
			if err != nil || string(got) != "x" {
				t.Fatalf("opened to %q, %v", got, err)
			}
			// Sealed anew, it needs the newest key alone.
			if _, err := tc.needs.openBytes(testScope, mustSeal(t, tc.to, testScope, got)); err != nil {
				t.Errorf("resealed: %v", err)
			}
		})
	}
}

// SEC34: a token has one spelling (RFC 4648 section 3.5).
func TestSEC34CanonicalTokens(t *testing.T) {
	s := Cookie(testRing(t, 1))
	// Three lengths, so that the last character has 0, 2 and 4 unused bits.
	for n := range 3 {
		token := mustSeal(t, s, testScope, make([]byte, 9+n))
		const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
		for _, last := range alphabet {
			if other := token[:len(token)-1] + string(last); other != token {
				refuseToken(t, s, testScope, other, "another last character")
			}
		}
		for _, extra := range []string{"=", "==", "\n", "\r", "\r\n", "\n\n\n\n", "\r\n\r\n", " ", "A", "AAAA", "\x00", ".", "~"} {
			for _, at := range []int{0, 1, 20, len(token) - 1, len(token)} {
				refuseToken(t, s, testScope, token[:at]+extra+token[at:], "something inserted")
			}
			// By chance the end may be that already.
			if other := token[:len(token)-len(extra)] + extra; other != token {
				refuseToken(t, s, testScope, other, "end replaced")
			}
		}
	}
	// The standard alphabet is another spelling of the same bytes.
	for {
		token := mustSeal(t, s, testScope, nil)
		if other := strings.NewReplacer("-", "+", "_", "/").Replace(token); other != token {
			refuseToken(t, s, testScope, other, "standard alphabet")
			return
		}
	}
}

func BenchmarkCookieSealerSeal(b *testing.B) {
	s := Cookie(testRing(b, 1, 2))
	plaintext := bytes.Repeat([]byte("x"), 350)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.sealBytes(testScope, plaintext); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCookieSealerOpen(b *testing.B) {
	s := Cookie(testRing(b, 1, 2))
	token := mustSeal(b, s, testScope, bytes.Repeat([]byte("x"), 350))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.openBytes(testScope, token); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCookieSealerOpenForged(b *testing.B) {
	s := Cookie(testRing(b, 1, 2))
	token := []byte(mustSeal(b, s, testScope, bytes.Repeat([]byte("x"), 350)))
	token[100] ^= 1
	forged := string(token)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.openBytes(testScope, forged); err == nil {
			b.Fatal("opened")
		}
	}
}
