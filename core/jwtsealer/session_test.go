package jwtsealer_test

import (
	"testing"
	"time"

	"github.com/satchel-go/satchel/core"
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
