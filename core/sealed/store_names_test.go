package sealed_test

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"testing"
	"time"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/sealed"
)

// TestSEC7EncryptedPseudonymsNeedTheKey computes a pseudonym as an attacker
// would have to. The key's ID is in every entry, so a name that could be made of it
// would be found by trying all users. It must not change either: under another name
// an application would not find its users' sessions.
func TestSEC7EncryptedPseudonymsNeedTheKey(t *testing.T) {
	text := sealed.GenerateKey()
	key, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	names, err := hkdf.Expand(sha256.New, key, "satchel user pseudonym 1", 32)
	if err != nil {
		t.Fatal(err)
	}
	mac := hmac.New(sha256.New, names)
	mac.Write([]byte("ann"))
	want := base64.RawURLEncoding.EncodeToString(mac.Sum(nil)[:12])
	store := newMemory(t)
	if got := sealedEntry(t, store, ring(t, text, sealed.GenerateKey()), core.ID{1}).User; got != want {
		t.Errorf("the store knows ann as %q, want %q", got, want)
	}
}

// TestSEC24EncryptedVisitorsStayVisitors: a store that is full lets go of
// those who are not logged in, so it must be able to tell.
func TestSEC24EncryptedVisitorsStayVisitors(t *testing.T) {
	store := newMemory(t)
	e := core.Entry{Data: []byte("x"), Expires: time.Now().Add(time.Hour)}
	if _, err := sealed.Store(store, ring(t, newKeys(2)...)).Save(t.Context(), core.ID{1}, e, 0); err != nil {
		t.Fatal(err)
	}
	e, err := store.Load(t.Context(), core.ID{1})
	if err != nil || e.User != "" {
		t.Errorf("a visitor's entry is under the name %q: %v", e.User, err)
	}
}
