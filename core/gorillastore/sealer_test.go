package gorillastore

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/securecookie"
	"github.com/gorilla/sessions"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/internal/inplace"
)

func TestRoundTrip(t *testing.T) {
	for _, codec := range []core.Codec{core.CBOR(), core.JSON()} {
		s, err := testSealer(t, "a").WithConfig(core.Config{Codec: codec})
		if err != nil {
			t.Fatal(err)
		}
		r := testRecord(t) // of CBOR: to the JSON codec, arbitrary bytes
		for range 3 {
			again, err := open(s, seal(t, s, r))
			if err != nil {
				t.Fatal(err)
			}
			if got, want := dump(again), dump(testRecord(t)); got != want {
				t.Fatalf("%T: got\n%swant\n%s", codec, got, want)
			}
			r = again
		}
		// Without what Open found, as well.
		r.Attach(nil)
		again, err := open(s, seal(t, s, r))
		if err != nil || dump(again) != dump(testRecord(t)) {
			t.Errorf("%T: without the attachment: %v", codec, err)
		}
	}
}

// The record's own expiry counts: gorilla's timestamp, its MaxAge of any
// length and its limit of 4096 bytes cut nothing short.
func TestGorillasLimitsAreLifted(t *testing.T) {
	store := cookieStore("a")
	store.MaxAge(1)
	s := newSealer(store, CookieConfig{})
	r := testRecord(t)
	big, err := core.CBOR().Encode(make([]byte, 20_000))
	if err != nil {
		t.Fatal(err)
	}
	r = r.WithContent(func(yield func(string, []byte) bool) { yield("big", big) }, nil)
	token := seal(t, s, r)
	if len(token) < 30_000 {
		t.Fatalf("token of %d bytes", len(token))
	}
	if _, err := open(s, token); err != nil {
		t.Error(err)
	}
	if _, err := open(s, aged(t, pair("a")[0], token, 100*24*time.Hour)); err != nil {
		t.Errorf("T1: securecookie's timestamp has ended the session: %v", err)
	}
	if err := securecookie.DecodeMulti("session", token, &map[any]any{}, store.Codecs...); err == nil {
		t.Error("the application's own store has lost its limits")
	}
}

func TestSEC34OneSpelling(t *testing.T) {
	s := testSealer(t, "a")
	tails := 0
	for i := range 6 { // all lengths modulo 3
		r := testRecord(t)
		r.User = strings.Repeat("u", i)
		token := seal(t, s, r)
		bare := strings.TrimRight(token, "=")
		others := []string{bare, token + "=", token + "\n", "\n" + token, token[:8] + "\r\n" + token[8:], token[:8] + "\n\n\n\n" + token[8:], token + "====", token + "AAAA", " " + token}
		if len(bare) < len(token) {
			const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
			for j := range len(alphabet) {
				others = append(others, bare[:len(bare)-1]+alphabet[j:j+1]+token[len(bare):])
			}
			tails++
		}
		if std := strings.NewReplacer("-", "+", "_", "/").Replace(token); std != token {
			others = append(others, std)
		}
		for _, other := range others {
			if _, err := open(s, other); other != token && err == nil {
				t.Errorf("SEC34: another spelling opens: %q", other[max(0, len(other)-8):])
			}
		}
	}
	if tails == 0 {
		t.Error("no token had unused bits: the test has shown nothing")
	}
}

// countingGob counts how often the decoder is reached.
type countingGob struct {
	securecookie.GobEncoder
	calls *int
}

func (c countingGob) Deserialize(src []byte, dst any) error {
	*c.calls++
	return c.GobEncoder.Deserialize(src, dst)
}

func TestSEC46DecoderSeesAuthenticatedBytesOnly(t *testing.T) {
	calls := 0
	store := cookieStore("a", "b")
	for _, codec := range store.Codecs {
		codec.(*securecookie.SecureCookie).SetSerializer(countingGob{calls: &calls})
	}
	s := newSealer(store, CookieConfig{})
	token := seal(t, s, testRecord(t))
	stranger := seal(t, testSealer(t, "c"), testRecord(t))
	random := rand.New(rand.NewPCG(1, 2))
	for range 20_000 {
		raw, err := base64.URLEncoding.DecodeString(token)
		if err != nil {
			t.Fatal(err)
		}
		for range 1 + random.IntN(4) {
			raw[random.IntN(len(raw))] ^= byte(1 + random.IntN(255))
		}
		_, _ = open(s, base64.URLEncoding.EncodeToString(raw[:len(raw)-random.IntN(2)*random.IntN(40)]))
	}
	_, _ = open(s, stranger)
	if calls != 0 {
		t.Fatalf("SEC46: the decoder was called %d times with what no key has authenticated", calls)
	}
	if _, err := open(s, token); err != nil || calls != 1 {
		t.Errorf("the genuine token: %v, %d calls", err, calls)
	}
}

func TestSEC41Scope(t *testing.T) {
	ctx := context.Background()
	s := testSealer(t, "a")
	scopes := []core.Scope{scope, {Name: "other", Purpose: "session"}, {Name: "session", Purpose: "flash"}, {Name: "session", Purpose: "session", Namespace: "shop"}, {Name: "session", Purpose: "sessionshop"}, {Name: "session", Namespace: "session"}}
	for i, made := range scopes {
		token, err := s.Seal(ctx, made, testRecord(t))
		if err != nil {
			t.Fatal(err)
		}
		for j, used := range scopes {
			if _, err := s.Open(ctx, used, token); (err == nil) != (i == j) {
				t.Errorf("SEC41: made for %+v, opened for %+v: %v", made, used, err)
			}
		}
	}
}

func TestSEC44Rotation(t *testing.T) {
	before, during, after := testSealer(t, "old"), testSealer(t, "new", "old"), testSealer(t, "new")
	old := seal(t, before, testRecord(t))
	r, err := open(during, old)
	if err != nil || dump(r) != dump(testRecord(t)) {
		t.Fatalf("SEC44: the old pair does not open: %v", err)
	}
	if _, err := open(after, old); err == nil {
		t.Error("SEC44: a dropped pair opens")
	}
	if _, err := open(after, seal(t, during, r)); err != nil {
		t.Errorf("SEC44: the newest pair does not seal: %v", err)
	}
	// In the middle of a rollout, instances that have the new pair second.
	if _, err := open(testSealer(t, "old", "new"), seal(t, during, r)); err != nil {
		t.Errorf("SEC44: %v", err)
	}
}

func TestSEC53CheapRefusal(t *testing.T) {
	s := testSealer(t, "a")
	if _, err := open(s, strings.Repeat(".", maxToken)); err == nil {
		t.Error("SEC53: dots open")
	}
	dots, pipes := strings.Repeat(".", 1<<20), base64.URLEncoding.EncodeToString(bytes.Repeat([]byte("|"), 1<<20))
	if n := testing.AllocsPerRun(100, func() { _, _ = open(s, dots); _, _ = open(s, pipes) }); n > 0 {
		t.Errorf("SEC53: %v allocations to refuse a megabyte", n)
	}
}

func TestE3CorruptAndNewer(t *testing.T) {
	s := testSealer(t, "a")
	for name, c := range map[string]struct {
		header any
		want   error
	}{
		"a newer header": {append([]byte{inplace.HeaderFormat + 1}, inplace.AppendScope(nil, scope)[1:]...), core.ErrNewerVersion},
		"a newer record": {append(inplace.AppendScope(nil, scope), 200, 0, 0), core.ErrNewerVersion},
		"no record":      {inplace.AppendScope(nil, scope), core.ErrCorrupt},
		"empty":          {[]byte{}, core.ErrCorrupt},
		"another type":   {"no bytes", core.ErrCorrupt},
	} {
		token, err := s.codecs()[0].Encode(scope.Name, map[any]any{headerKey: c.header})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := open(s, token); !errors.Is(err, c.want) {
			t.Errorf("E3: %s: %v", name, err)
		}
	}
}

func TestSEC67NoKeysShown(t *testing.T) {
	s := testSealer(t, "a")
	backend := Cookie(cookieStore("a"), CookieConfig{})
	m, err := core.New(backend, core.Config{})
	if err != nil {
		t.Fatal(err)
	}
	type holder struct{ S any }
	var shown strings.Builder
	for _, v := range []any{s, *s, backend, m, holder{s}, &holder{backend}, []any{s}} {
		text, err := json.Marshal(v)
		fmt.Fprintf(&shown, "%v %+v %#v %s %x %s %v\n", v, v, v, v, v, text, err)
	}
	for _, bad := range [][][]byte{{testKey("a hash", 31)}, {testKey("a hash", 32), testKey("a block", 31)}, {testKey("a hash", 32), testKey("a hash", 32)}} {
		_, err := core.New(Cookie(sessions.NewCookieStore(bad...), CookieConfig{}), core.Config{})
		fmt.Fprintf(&shown, "%v %+v\n", err, err)
	}
	for _, key := range pair("a") {
		for _, form := range []string{string(key[:8]), fmt.Sprintf("%x", key[:8]), base64.StdEncoding.EncodeToString(key[:6]), strings.Trim(fmt.Sprintf("%d", key[:8]), "[]"), strings.Trim(fmt.Sprintf("%#v", key[:8]), "[]byte{}")} {
			if strings.Contains(shown.String(), form) {
				t.Errorf("SEC67: a key is shown: %s", form)
			}
		}
	}
}

// SEC42: securecookie draws 16 bytes for each token.
func TestSEC42UniqueIVs(t *testing.T) {
	seals := 10_000
	if testing.Short() {
		seals = 2_000
	}
	s, r := testSealer(t, "a"), testRecord(t)
	seen := make(map[string]bool, seals)
	for range seals {
		raw, err := base64.URLEncoding.DecodeString(seal(t, s, r))
		if err != nil {
			t.Fatal(err)
		}
		sealed, err := base64.URLEncoding.DecodeString(strings.Split(string(raw), "|")[1])
		if err != nil {
			t.Fatal(err)
		}
		seen[string(sealed[:16])] = true
	}
	if len(seen) != seals {
		t.Errorf("SEC42: %d seals, %d distinct initialisation vectors", seals, len(seen))
	}
}
