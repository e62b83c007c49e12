package gcmsealer_test

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"net/http"
	"testing"
	"time"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/adaptertest"
	"github.com/satchel-go/satchel/core/httpadapter/httpapp"
	"github.com/satchel-go/satchel/examples/recipes/gcmsealer"
)

//recipe:proof

func TestSealer(t *testing.T) {
	adaptertest.Run(t, "net/http", httpapp.New, adaptertest.Backend{Name: "gcm", Sealer: newSealer, Limits: adaptertest.ClientSideLimits()})
}

//recipe:end

func newSealer(t *testing.T) core.Sealer {
	t.Helper()
	key := make([]byte, 32)
	_, _ = rand.Read(key) // never fails
	block, err := aes.NewCipher(key)
	if err != nil {
		t.Fatal(err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		t.Fatal(err)
	}
	return gcmsealer.New(aead)
}

// TestSEC8TokensOpenInTheirScopeAlone also covers what is damaged or spelled otherwise.
func TestSEC8TokensOpenInTheirScopeAlone(t *testing.T) {
	s, ctx := newSealer(t), t.Context()
	scope := core.Scope{Namespace: "shop", Name: "session", Purpose: "session"}
	now := time.Now()
	token, err := s.Seal(ctx, scope, &core.Record{ID: core.ID{1}, CreatedAt: now, SavedAt: now, Expires: now.Add(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Open(ctx, scope, token); err != nil {
		t.Fatalf("a good token does not open: %v", err)
	}
	for _, other := range []core.Scope{{Namespace: "shop", Name: "session", Purpose: "touch"}, {Namespace: "", Name: "session", Purpose: "session"}, {Namespace: "sho", Name: "psession", Purpose: "session"}} {
		if _, err := s.Open(ctx, other, token); err == nil {
			t.Errorf("SEC8: it opens in the scope %+v", other)
		}
	}
	for _, bad := range []string{"", "\n" + token, token + "\n", token + "=", token[1:], http.MethodGet} {
		if _, err := s.Open(ctx, scope, bad); err == nil {
			t.Errorf("%q opens", bad)
		}
	}
}
