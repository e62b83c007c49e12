package gorillastore

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"slices"
	"strings"
	"testing"

	"github.com/gorilla/securecookie"
	"github.com/gorilla/sessions"

	"github.com/satchel-go/satchel/core"
)

func TestSEC43WeakKeys(t *testing.T) {
	hash, block := testKey("hash", 32), testKey("block", 32)
	step := make([]byte, 32)
	for i := range step {
		step[i] = byte(3 * i)
	}
	for name, c := range map[string]struct {
		keys [][]byte
		want string
	}{
		"none":                  {nil, "no keys"},
		"nil hash key":          {[][]byte{nil, block}, "missing"},
		"empty hash key":        {[][]byte{{}, block}, "missing"},
		"short hash key":        {[][]byte{hash[:31], block}, "31 bytes"},
		"no block key":          {[][]byte{hash}, "no block key"},
		"nil block key":         {[][]byte{hash, nil}, "no block key"},
		"empty block key":       {[][]byte{hash, {}}, "0 bytes"},
		"odd block key":         {[][]byte{hash, block[:20]}, "20 bytes"},
		"zero hash key":         {[][]byte{make([]byte, 32), block}, "pattern"},
		"zero block key":        {[][]byte{hash, make([]byte, 16)}, "pattern"},
		"periodic":              {[][]byte{bytes.Repeat(hash[:16], 2), block}, "pattern"},
		"sequence":              {[][]byte{step, block}, "pattern"},
		"passphrase":            {[][]byte{[]byte("correct horse battery staple, again and again"), block}, "passphrase"},
		"words":                 {[][]byte{[]byte("correcthorsebatterystaplecorrectly"), block}, "passphrase"},
		"alphabet":              {[][]byte{[]byte("0123456789abcdefghijklmnopqrstuv"), block}, "pattern"},
		"digits at the end":     {[][]byte{[]byte("ThisIsMySuperPrivateKey123456789"), block}, "pattern"},
		"digits in a block key": {[][]byte{hash, []byte("Nobody012345678901234567")}, "pattern"},
		"says what it is":       {[][]byte{[]byte("YourSecretKeyHereMustBe32Bytes00"), block}, "passphrase"},
		"says it with hyphens":  {[][]byte{[]byte("secret-key-that-is-32-bytes-long"), block}, "passphrase"},
		"CHANGEME":              {[][]byte{[]byte("ChangeMeBeforeYouDeployThis4Real"), block}, "passphrase"},
		"gorilla's README":      {[][]byte{[]byte("something-very-secret"), block}, "bytes"},
		"hash key as block key": {[][]byte{hash, hash}, "twice"},
		"pair repeated":         {[][]byte{hash, block, hash, block}, "twice"},
		"hash key repeated":     {[][]byte{hash, block, hash, testKey("b2", 32)}, "twice"},
		"zero old block key":    {[][]byte{hash, block, testKey("old", 32), make([]byte, 32)}, "block key of pair 2"},
		"block key of DES":      {[][]byte{hash, testKey("block", 8)}, "8 bytes"},
		"two kinds of bytes":    {[][]byte{[]byte("\x01\x02\x02\x01\x01\x01\x02\x01\x02\x02\x02\x01\x01\x02\x01\x02\x02\x01\x01\x02\x02\x02\x02\x01\x01\x01\x01\x02\x01\x02\x01\x01"), block}, "pattern"},
		"short old key":         {[][]byte{hash, block, testKey("old", 8), nil}, "pair 2"},
	} {
		_, err := core.New(Cookie(sessions.NewCookieStore(c.keys...), CookieConfig{}), core.Config{})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("SEC43: %s: %v, want %q", name, err, c.want)
		}
	}
	for name, keys := range map[string][][]byte{
		"AES-128":             {hash, block[:16]},
		"AES-192":             {hash, block[:24]},
		"a longer hash key":   {slices.Concat(hash, testKey("more", 32)), block},
		"in hex":              {[]byte(hex.EncodeToString(hash)), []byte(hex.EncodeToString(block[:16]))},
		"in base64":           {[]byte(base64.StdEncoding.EncodeToString(hash)), block},
		"old pair for signed": {hash, block, testKey("old", 32), nil},
		"old key, no pair":    {hash, block, testKey("old", 32)},
	} {
		if _, err := core.New(Cookie(sessions.NewCookieStore(keys...), CookieConfig{}), core.Config{}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestRandomKeysPass(t *testing.T) {
	for range 20_000 {
		if err := checkBlockKey(securecookie.GenerateRandomKey(32)); err != nil {
			t.Fatal(err)
		}
		text := base64.StdEncoding.EncodeToString(securecookie.GenerateRandomKey(32))
		if err := checkHashKey([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
}

func TestSigned(t *testing.T) {
	hash := testKey("hash", 32)
	if _, err := core.New(Cookie(sessions.NewCookieStore(hash), CookieConfig{InsecureAllowReadable: true}), core.Config{}); err != nil {
		t.Errorf("signed only: %v", err)
	}
	if _, err := core.New(Cookie(sessions.NewCookieStore(hash[:16]), CookieConfig{InsecureAllowReadable: true}), core.Config{}); err == nil {
		t.Error("SEC43: signed only, it takes a short key")
	}
	// What the names say: the content can be read, or cannot.
	for _, c := range []struct {
		store    *sessions.CookieStore
		readable bool
	}{{sessions.NewCookieStore(hash), true}, {cookieStore("a"), false}} {
		raw, err := base64.URLEncoding.DecodeString(seal(t, newSealer(c.store, CookieConfig{InsecureAllowReadable: true}), testRecord(t)))
		if err != nil {
			t.Fatal(err)
		}
		content, err := base64.URLEncoding.DecodeString(string(bytes.SplitN(raw, []byte("|"), 3)[1]))
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(content, []byte("u-17")) != c.readable {
			t.Errorf("user ID readable: want %v", c.readable)
		}
	}
}

// otherCodec is a codec of somebody's own.
type otherCodec struct{ securecookie.Codec }

func TestStoresThatCannotBeUsed(t *testing.T) {
	keyless := sessions.NewCookieStore()
	other := cookieStore("a")
	other.Codecs[0] = otherCodec{}
	null := cookieStore("a")
	null.Codecs[0] = (*securecookie.SecureCookie)(nil)
	for name, store := range map[string]*sessions.CookieStore{
		"nil": nil, "zero": {}, "keyless": keyless, "foreign codec": other, "nil codec": null,
		"short": sessions.NewCookieStore([]byte("secret")), "signed": sessions.NewCookieStore(testKey("hash", 32)),
	} {
		backend := Cookie(store, CookieConfig{})
		if _, err := core.New(backend, core.Config{}); err == nil {
			t.Errorf("SEC43: a %s store is accepted", name)
		}
		// Not even to those who do not ask.
		if _, _, err := backend.Save(t.Context(), scope, testRecord(t), nil, true); err == nil {
			t.Errorf("SEC43: a %s store seals", name)
		}
		if _, err := backend.Load(t.Context(), scope, core.Tokens{Session: "AAAA"}); err == nil {
			t.Errorf("a %s store opens", name)
		}
	}
}
