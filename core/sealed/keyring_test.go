package sealed

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"reflect"
	"strings"
	"testing"

	"github.com/satchel-go/satchel/core/internal/xaes"
)

// testKey returns the n-th of many keys that look random and stay the same.
func testKey(n int) []byte {
	h := sha256.Sum256(binary.BigEndian.AppendUint64([]byte("satchel test key"), uint64(n)))
	return h[:]
}

func testRing(t testing.TB, numbers ...int) *Keyring {
	t.Helper()
	keys := make([][]byte, len(numbers))
	for i, n := range numbers {
		keys[i] = testKey(n)
	}
	ring, err := NewKeyring(keys...)
	if err != nil {
		t.Fatal(err)
	}
	return ring
}

func TestParseKeyringSpellings(t *testing.T) {
	a, b := testKey(1), testKey(2)
	std, raw := base64.StdEncoding.EncodeToString, base64.RawStdEncoding.EncodeToString
	url, rawURL := base64.URLEncoding.EncodeToString, base64.RawURLEncoding.EncodeToString
	for _, tc := range []struct {
		name, in string
		want     [][]byte
	}{
		{"standard, padded", std(a), [][]byte{a}},
		{"standard, not padded", raw(a), [][]byte{a}},
		{"URL, padded", url(a), [][]byte{a}},
		{"URL, not padded", rawURL(a), [][]byte{a}},
		{"white space around", " \t" + std(a) + " ,\n" + rawURL(b) + "\r\n", [][]byte{a, b}},
		{"newest first", std(b) + "," + std(a), [][]byte{b, a}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			ring, err := ParseKeyring(tc.in)
			if err != nil {
				t.Fatal(err)
			}
			if ring.Len() != len(tc.want) {
				t.Fatalf("Len() = %d, want %d", ring.Len(), len(tc.want))
			}
			for i, k := range ring.all() {
				if !bytes.Equal(k.key[:], tc.want[i]) {
					t.Errorf("key %d is another", i+1)
				}
			}
		})
	}
}

func TestNewKeyringCopies(t *testing.T) {
	key := testKey(1)
	ring, err := NewKeyring(key)
	if err != nil {
		t.Fatal(err)
	}
	clear(key)
	if got := ring.all()[0].key; !bytes.Equal(got[:], testKey(1)) {
		t.Error("clearing the caller's slice has changed the ring")
	}
}

func TestGenerateKey(t *testing.T) {
	seen := map[string]bool{}
	for range 1000 {
		key := GenerateKey()
		if _, err := ParseKeyring(key); err != nil {
			t.Fatal(err)
		}
		if seen[key] {
			t.Fatal("the same key twice")
		}
		seen[key] = true
	}
}

// SEC43: no default or weak key is taken, and no refusal repeats one.
func TestSEC43WeakKeysRefused(t *testing.T) {
	good := base64.StdEncoding.EncodeToString(testKey(1))
	enc := func(key []byte) string { return base64.StdEncoding.EncodeToString(key) }
	fill := func(f func(i int) byte) string {
		key := make([]byte, xaes.KeySize)
		for i := range key {
			key[i] = f(i)
		}
		return enc(key)
	}
	many := make([]string, maxKeys+1)
	for i := range many {
		many[i] = enc(testKey(i))
	}
	for _, tc := range []struct{ name, in, wantErr string }{
		{"nothing", "", "no keys"},
		{"only white space", " \n", "no keys"},
		{"empty item", good + ",," + enc(testKey(2)), "key 2: is empty"},
		{"comma at the end", good + ",", "key 2: is empty"},
		{"too many", strings.Join(many, ","), "at most 16"},
		{"short", enc(testKey(1)[:16]), "has 16 bytes, want 32"},
		{"long", enc(append(testKey(1), 7)), "has 33 bytes, want 32"},
		{"hex", hex.EncodeToString(testKey(1)), "in hex"},
		{"not base64", "correct horse battery staple", "not base64"},
		{"alphabets mixed", "-_+/" + good[4:], "not base64"},
		{"unused bits set", good[:42] + string(good[42]+1) + "=", "not base64"},
		{"line break inside", good[:20] + "\n" + good[20:], "not base64"},
		{"half of the padding gone", enc(testKey(1)[:31])[:43], "not base64"},
		{"all zero", fill(func(int) byte { return 0 }), "one byte repeated"},
		{"one byte repeated", fill(func(int) byte { return 0xA7 }), "one byte repeated"},
		{"0, 1, 2, …", fill(func(i int) byte { return byte(i) }), "a sequence"},
		{"255, 254, 253, …", fill(func(i int) byte { return byte(255 - i) }), "a sequence"},
		{"few distinct bytes", fill(func(i int) byte { return byte(i*i) % 11 }), "a pattern"},
		{"16 bytes twice", fill(func(i int) byte { return testKey(1)[i%16] }), "a pattern"},
		{"passphrase", enc([]byte("correct horse battery staple 123")), "passphrase"},
		{"passphrase with a line break", enc([]byte("correct horse battery staple 12\n")), "passphrase"},
		{"passphrase with umlauts", enc([]byte("zwölf Boxkämpfer jagen Viktor …")[:32]), "passphrase"},
		{"hex digits", enc([]byte("0123456789abcdef0f1e2d3c4b5a6978")), "passphrase"},
		{"the documentation's", exampleKey, "example"},
		{"the documentation's, as an older key", good + "," + exampleKey[:43], "key 2: is the example"},
		{"one key twice", good + "," + enc(testKey(2)) + "," + good[:43], "key 3: is the same as key 1"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			refuseRing(t, tc.in, tc.wantErr)
		})
	}
}

// refuseRing checks that ParseKeyring refuses in, says why and repeats no key.
func refuseRing(t *testing.T, in, wantErr string) {
	t.Helper()
	ring, err := ParseKeyring(in)
	if err == nil {
		t.Fatal("taken")
	}
	if ring != nil {
		t.Error("a ring beside an error")
	}
	if !strings.Contains(err.Error(), wantErr) {
		t.Errorf("error %q does not say %q", err, wantErr)
	}
	for item := range strings.SplitSeq(in, ",") {
		if item = strings.TrimSpace(item); item != "" && strings.Contains(err.Error(), item) {
			t.Errorf("error %q repeats the key", err)
		}
	}
}

func TestNewKeyringRefusesNone(t *testing.T) {
	if _, err := NewKeyring(); err == nil {
		t.Error("NewKeyring() took no keys")
	}
	if _, err := NewKeyring(nil); err == nil {
		t.Error("NewKeyring(nil) took a nil key")
	}
}

// Two keys with one ID in a ring would make one of them useless. 32 bits
// collide among some 80,000 keys.
func TestNewKeyringRefusesIDCollision(t *testing.T) {
	seen := map[keyID]int{}
	for n := range 1 << 20 {
		id := idOfKey(testKey(n))
		if other, ok := seen[id]; ok {
			_, err := NewKeyring(testKey(other), testKey(n))
			if err == nil || !strings.Contains(err.Error(), "same key ID") {
				t.Errorf("err = %v, want one about the key ID", err)
			}
			return
		}
		seen[id] = n
	}
	t.Fatal("no collision found")
}

func TestKeyringNilAndZero(t *testing.T) {
	var none *Keyring
	for _, k := range []*Keyring{none, {}} {
		if k.Len() != 0 || k.String() != "sealed.Keyring(0 keys)" {
			t.Errorf("Len() = %d, String() = %q", k.Len(), k.String())
		}
	}
}

// SEC67: keys are in no output, however their holder is printed.
func TestSEC67KeysNeverPrinted(t *testing.T) {
	key := testKey(1)
	ring := testRing(t, 1, 2)
	sealer := Cookie(ring)
	type config struct {
		Ring   *Keyring
		Sealer *CookieSealer
		ring   *Keyring
		sealer *CookieSealer
		value  Keyring
		sealed CookieSealer
	}
	held := config{ring, sealer, ring, sealer, *ring, *sealer}
	var out strings.Builder
	for _, v := range []any{ring, sealer, *ring, *sealer, held, &held, []*Keyring{ring}, map[string]any{"k": held}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%c", "%U", "%p", "%T", "%z"} {
			fmt.Fprintf(&out, verb+"\n", v)
		}
		text, err := json.Marshal(v)
		if err != nil {
			t.Errorf("json.Marshal(%T): %v", v, err)
		}
		out.Write(text)
		slog.New(slog.NewTextHandler(&out, nil)).Info("m", "v", v)
		slog.New(slog.NewJSONHandler(&out, nil)).Info("m", "v", v)
	}
	for name, spelling := range map[string]string{
		"raw": string(key), "hex": hex.EncodeToString(key), "HEX": strings.ToUpper(hex.EncodeToString(key)),
		"base64": base64.RawStdEncoding.EncodeToString(key), "base64url": base64.RawURLEncoding.EncodeToString(key),
		"decimal": strings.Trim(fmt.Sprintf("%d", key[:8]), "[]"), "Go": strings.TrimSuffix(fmt.Sprintf("%#v", key[:8]), "}")[7:],
	} {
		if strings.Contains(out.String(), spelling) {
			t.Errorf("a key is printed (%s)", name)
		}
	}
	if !strings.Contains(out.String(), `"sealed.Keyring(2 keys)"`) || !strings.Contains(out.String(), `"sealed.CookieSealer(2 keys)"`) {
		t.Error("JSON does not say what it hides")
	}
	if got := fmt.Sprintf("%#v", testRing(t, 1)); got != "sealed.Keyring(1 key)" {
		t.Errorf("%%#v prints %s", got)
	}

	// Dumpers follow pointers and unexported fields: no bytes may be in reach.
	if !reachesNumbers(reflect.ValueOf(struct{ k *ringKey }{&ringKey{}})) {
		t.Fatal("the walk does not find a key where there is one")
	}
	if reachesNumbers(reflect.ValueOf(held)) {
		t.Error("a walk by reflection reaches a key")
	}
}

// reachesNumbers reports whether any array or slice of numbers is reachable
// from v by reflection: key bytes, or the words of an expanded key.
func reachesNumbers(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		return !v.IsNil() && reachesNumbers(v.Elem())
	case reflect.Struct:
		for i := range v.NumField() {
			if reachesNumbers(v.Field(i)) {
				return true
			}
		}
	case reflect.Array, reflect.Slice:
		if k := v.Type().Elem().Kind(); k >= reflect.Int && k <= reflect.Uintptr {
			return true
		}
		for i := range v.Len() {
			if reachesNumbers(v.Index(i)) {
				return true
			}
		}
	}
	return false
}

// Keys live outside the program, newest first. To exchange a key, add the new
// one, and drop the old one once its sessions have expired.
func ExampleParseKeyring() {
	newest, older := GenerateKey(), GenerateKey() // once, with `openssl rand -base64 32`

	keys, err := ParseKeyring(newest + ", " + older) // os.Getenv("SESSION_KEYS")
	fmt.Println(keys, err)

	_, err = ParseKeyring("correct horse battery staple")
	fmt.Println(err)
	// Output:
	// sealed.Keyring(2 keys) <nil>
	// sealed: keyring: key 1: is not base64; make one with sealed.GenerateKey or `openssl rand -base64 32`
}

func TestParseKeyringNamesQuotationMarks(t *testing.T) {
	for _, mark := range []string{`"`, "'"} {
		if _, err := ParseKeyring(mark + GenerateKey() + mark); err == nil || !strings.Contains(err.Error(), "quotation marks") {
			t.Errorf("%v; want it to name the quotation marks", err)
		}
	}
}
