package jwtsealer_test

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/httpadapter"
	"github.com/satchel-go/satchel/core/jwtsealer"
	"github.com/satchel-go/satchel/core/sealed"
	"github.com/satchel-go/satchel/core/sessiontest"
)

// SEC20: tokens are ended by a time, which forgets none while it could be used: a
// list of ended ones, whose entries expire, does not exist.
func TestSEC20NotBeforeOutlivesTokens(t *testing.T) {
	keys, err := sealed.ParseKeyring(sealed.GenerateKey())
	if err != nil {
		t.Fatal(err)
	}
	c := jwtsealer.Config{Issuer: "https://app.example"}
	for _, sealer := range []core.Sealer{jwtsealer.Signed(jwtsealer.FromKeyring(keys), c), jwtsealer.Encrypted(keys, c)} {
		st := sessiontest.NewOn(t, core.ClientSide(sealer), func(c *core.Config) {
			c.NotBefore, c.IdleTimeout, c.Lifetime = time.Unix(1, 0), 90*24*time.Hour, 100*24*time.Hour
		})
		alice := st.Login("alice")
		st.Advance(time.Minute)
		alice.WantUser("alice")
		if err := st.Manager.RevokeAll(t.Context()); err != nil {
			t.Fatal(err)
		}
		for range 8 {
			alice.WantAnonymous()
			st.Advance(10 * 24 * time.Hour)
		}
	}
}

// T1, T2: the idle timeout of a session that is only read moves in its touch, whatever
// the carrier. Its token stays, and with it the exp that others read. A write moves that.
func TestT1T2IdleTimeoutMovesInTheTouch(t *testing.T) {
	text, err := jwtsealer.GenerateKey(jwtsealer.EdDSA)
	if err != nil {
		t.Fatal(err)
	}
	signing, err1 := jwtsealer.ParseKeys(text)
	keys, err2 := sealed.ParseKeyring(sealed.GenerateKey())
	if err1 != nil || err2 != nil {
		t.Fatal(err1, err2)
	}
	for what, sealer := range map[string]core.Sealer{
		"signed":    jwtsealer.Signed(signing, jwtsealer.Config{Issuer: "https://app.example", Seal: keys}),
		"encrypted": jwtsealer.Encrypted(keys, jwtsealer.Config{Issuer: "https://app.example"}),
	} {
		for _, carrier := range []core.Carrier{{}, core.Bearer} {
			st := sessiontest.NewOn(t, core.ClientSide(sealer), func(c *core.Config) { c.Carrier = carrier })
			h := httpadapter.Middleware(st.Manager)(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				s := httpadapter.Session(r)
				if r.Method == http.MethodPost {
					s.Set("k", st.Now().Unix())
				}
				_ = s.Keys()
			}))
			alice := st.Login("alice")
			token := func() string {
				r := alice.Request("GET", "/", nil)
				if carrier == core.Bearer {
					return strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
				}
				return strings.TrimSuffix(strings.TrimPrefix(strings.Split(r.Header.Get("Cookie"), ";")[0], "__Host-session="), ";")
			}
			first, written := token(), st.Now()
			for range 6 {
				st.Advance(20 * time.Minute)
				alice.Do(h, alice.Request("GET", "/", nil))
				alice.WantUser("alice")
			}
			if token() != first {
				t.Errorf("%s, %s: reading has replaced the token", what, carrier)
			}
			if exp := expOf(t, first); exp != 0 && exp != written.Add(30*time.Minute).Unix() {
				t.Errorf("%s, %s: exp is %d, want that of the last write, %d", what, carrier, exp, written.Add(30*time.Minute).Unix())
			}
			alice.Do(h, alice.Request("POST", "/", nil))
			if exp := expOf(t, token()); token() == first || exp != 0 && exp != st.Now().Add(30*time.Minute).Unix() {
				t.Errorf("%s, %s: after a write, exp is %d, want %d", what, carrier, exp, st.Now().Add(30*time.Minute).Unix())
			}
			st.Advance(31 * time.Minute)
			alice.WantAnonymous()
		}
	}
}

// expOf returns what other services read of a signed token, or 0 if it is encrypted.
func expOf(t *testing.T, token string) int64 {
	t.Helper()
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return 0
	}
	var claims struct{ Exp int64 }
	data, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil || json.Unmarshal(data, &claims) != nil || claims.Exp == 0 {
		t.Fatalf("%v: %s", err, data)
	}
	return claims.Exp
}
