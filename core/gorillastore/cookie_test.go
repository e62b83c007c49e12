package gorillastore_test

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/gob"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gorilla/securecookie"
	"github.com/gorilla/sessions"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/gorillastore"
	"github.com/satchel-go/satchel/core/httpadapter"
)

func key(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b)
	return b
}

func record() *core.Record {
	return &core.Record{ID: core.ID{1, 2, 3}, User: "ann"}
}

var scope = core.Scope{Name: "__Host-session", Purpose: "session"}

func seal(t *testing.T, s core.Sealer, scope core.Scope) string {
	t.Helper()
	token, err := s.Seal(t.Context(), scope, record())
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func opens(t *testing.T, s core.Sealer, scope core.Scope, token string) bool {
	t.Helper()
	r, err := s.Open(t.Context(), scope, token)
	if (r == nil) == (err == nil) {
		t.Fatalf("record %v with error %v", r, err)
	}
	return err == nil
}

func TestSEC40OpeningFailedMeansNone(t *testing.T) {
	s := gorillastore.NewSealer(key(32), key(32))
	token := seal(t, s, scope)
	if !opens(t, s, scope, token) {
		t.Fatal("does not open what it sealed")
	}
	for i := range token {
		for bit := range 7 {
			b := []byte(token)
			b[i] ^= 1 << bit
			if opens(t, s, scope, string(b)) {
				t.Errorf("SEC40: opens with bit %d of byte %d flipped", bit, i)
			}
		}
		if opens(t, s, scope, token[:i]) {
			t.Errorf("SEC40: opens when cut to %d characters", i)
		}
	}
	var plain bytes.Buffer
	if err := gob.NewEncoder(&plain).Encode(map[any]any{"_satchel": []byte("x")}); err != nil {
		t.Fatal(err)
	}
	text, _ := json.Marshal(map[string]string{"user": "ann"})
	for _, forged := range []string{base64.URLEncoding.EncodeToString(plain.Bytes()), base64.URLEncoding.EncodeToString(text), "", "=", "\n"} {
		if opens(t, s, scope, forged) {
			t.Errorf("SEC40: opens %.10q", forged)
		}
	}
}

func TestSEC34OneSpellingOnly(t *testing.T) {
	s := gorillastore.NewSealer(key(32), key(32))
	token := seal(t, s, scope)
	for _, other := range []string{token + "\n", token[:8] + "\r\n" + token[8:], strings.TrimRight(token, "="), token + "="} {
		if other != token && opens(t, s, scope, other) {
			t.Errorf("SEC34: opens another spelling: ...%q", other[len(other)-4:])
		}
	}
}

func TestSEC41BoundToNamePurposeAndNamespace(t *testing.T) {
	s := gorillastore.NewSealer(key(32), key(32))
	scopes := []core.Scope{
		scope, {Name: "other", Purpose: "session"}, {Name: scope.Name, Purpose: "form"}, {Name: scope.Name, Purpose: "session", Namespace: "shop"},
	}
	for i, from := range scopes {
		token := seal(t, s, from)
		for j, to := range scopes {
			if opens(t, s, to, token) != (i == j) {
				t.Errorf("SEC41: from %+v to %+v", from, to)
			}
		}
	}
}

func TestSEC44KeyRotation(t *testing.T) {
	oldHash, oldBlock, newHash, newBlock := key(64), key(16), key(32), key(32)
	before := gorillastore.NewSealer(oldHash, oldBlock)
	during := gorillastore.NewSealer(newHash, newBlock, oldHash, oldBlock)
	after := gorillastore.NewSealer(newHash, newBlock)
	old, fresh := seal(t, before, scope), seal(t, during, scope)
	if !opens(t, during, scope, old) || !opens(t, during, scope, fresh) || !opens(t, after, scope, fresh) || opens(t, before, scope, fresh) || opens(t, after, scope, old) {
		t.Error("SEC44: the newest pair does not seal, or the older does not open")
	}
}

func TestSEC43WeakKeys(t *testing.T) {
	good, block := key(32), key(32)
	for what, keys := range map[string][][]byte{
		"none": nil, "no block key": {good}, "short hash key": {key(31), block}, "empty hash key": {nil, block}, "odd block key": {good, key(31)},
		"nil block key": {good, nil}, "zero": {make([]byte, 32), block}, "repeated": {good, good}, "repeated pair": {good, block, good, block},
		"pattern": {bytes.Repeat([]byte("ab"), 16), block},
	} {
		_, err := core.New(gorillastore.Cookie(keys...), core.Config{})
		if err == nil || !strings.HasPrefix(err.Error(), "gorillastore: ") {
			t.Errorf("SEC43: %s: %v", what, err)
		}
		for _, k := range keys {
			if err != nil && len(k) > 0 && strings.Contains(err.Error(), string(k)) {
				t.Errorf("SEC67: %s: the error repeats the key", what)
			}
		}
	}
	if _, err := core.New(gorillastore.CookieStore(nil), core.Config{}); err == nil {
		t.Error("SEC43: no store was accepted")
	}
	if _, err := core.New(gorillastore.CookieStore(sessions.NewCookieStore(good)), core.Config{}); err != nil {
		t.Errorf("a store that the application chose: %v", err)
	}
}

func TestSEC67KeysAreNotPrinted(t *testing.T) {
	hashKey := []byte("canary-canary-canary-0123456789-abcdef")
	s := gorillastore.NewSealer(hashKey, key(32))
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x"} {
		if out := fmt.Sprintf(verb, s); strings.Contains(out, "canary") || strings.Contains(out, "63616e617279") {
			t.Errorf("SEC67: %s prints %s", verb, out)
		}
	}
}

// visit serves one request through the net/http adapter.
func visit(t *testing.T, m *core.Manager, jar map[string]string, f func(*core.Session)) {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "https://example.com/", nil)
	for name, value := range jar {
		r.Header.Add("Cookie", name+"="+value)
	}
	w := httptest.NewRecorder()
	httpadapter.Middleware(m)(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { f(httpadapter.Session(r)) })).ServeHTTP(w, r)
	if w.Code != http.StatusOK {
		t.Fatalf("status %d", w.Code)
	}
	for _, line := range w.Header().Values("Set-Cookie") {
		pair, rest, _ := strings.Cut(line, ";")
		name, value, _ := strings.Cut(pair, "=")
		jar[name] = value
		if strings.Contains(rest, "Max-Age=0") {
			delete(jar, name)
		}
	}
}

func TestE2SessionsSplitBeyondGorillasLimit(t *testing.T) {
	m, err := core.New(gorillastore.Cookie(key(32), key(32)), core.Config{})
	if err != nil {
		t.Fatal(err)
	}
	jar := map[string]string{}
	data := key(6000)
	visit(t, m, jar, func(s *core.Session) { s.Login("ann"); s.Set("blob", data) })
	if len(jar) < 2 {
		t.Errorf("E2: %d cookies", len(jar))
	}
	visit(t, m, jar, func(s *core.Session) {
		if got, _ := core.Get[[]byte](s, "blob"); !bytes.Equal(got, data) || s.UserID() != "ann" {
			t.Error("E2: does not come back")
		}
		s.Delete("blob")
	})
	if len(jar) != 1 {
		t.Errorf("E2: %d cookies after shrinking", len(jar))
	}
	visit(t, m, jar, func(s *core.Session) { s.Logout() })
	if len(jar) != 0 {
		t.Errorf("%d cookies after logout", len(jar))
	}
}

// TestGorillaReadsTheCookie shows that it is a cookie of gorilla's: with the
// same keys, its own store opens it.
func TestGorillaReadsTheCookie(t *testing.T) {
	hashKey, blockKey := key(32), key(32)
	m, err := core.New(gorillastore.Cookie(hashKey, blockKey), core.Config{})
	if err != nil {
		t.Fatal(err)
	}
	jar := map[string]string{}
	visit(t, m, jar, func(s *core.Session) { s.Set("k", "v") })
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "https://example.com/", nil)
	r.Header.Set("Cookie", "__Host-session="+jar["__Host-session"])
	session, err := sessions.NewCookieStore(hashKey, blockKey).Get(r, "__Host-session")
	if err != nil || session.IsNew || len(session.Values) != 1 {
		t.Errorf("gorilla reads %v, %v", session.Values, err)
	}
	var values map[any]any
	err = securecookie.DecodeMulti("__Host-session", jar["__Host-session"], &values, securecookie.CodecsFromPairs(key(32), key(32))...)
	if err == nil || errors.Is(err, http.ErrNoCookie) {
		t.Error("other keys open it")
	}
}
