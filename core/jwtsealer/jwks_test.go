package jwtsealer

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"
)

func TestJWKSet(t *testing.T) {
	keys := testKeys(t, ES256, EdDSA, RS256)
	get := func(method, etag string) *httptest.ResponseRecorder {
		r := httptest.NewRequestWithContext(t.Context(), method, "/.well-known/jwks.json", nil)
		if etag != "" {
			r.Header.Set("If-None-Match", etag)
		}
		w := httptest.NewRecorder()
		keys.ServeHTTP(w, r)
		return w
	}
	w := get(http.MethodGet, "")
	if w.Code != 200 || w.Header().Get("Content-Type") != "application/jwk-set+json" || w.Header().Get("Cache-Control") != "public, max-age=300" {
		t.Errorf("%d %v", w.Code, w.Header())
	}
	var raw struct{ Keys []map[string]any }
	if err := json.Unmarshal(w.Body.Bytes(), &raw); err != nil || len(raw.Keys) != 3 {
		t.Fatalf("%v in %s", err, w.Body)
	}
	// SEC48: nothing of a private half, and no address.
	public := []string{"kty", "crv", "x", "y", "n", "e", "kid", "alg", "use"}
	for i, key := range raw.Keys {
		for name := range key {
			if !slices.Contains(public, name) {
				t.Errorf("key %d has %s", i, name)
			}
		}
		if want := keys.all()[i]; key["kid"] != want.id || key["alg"] != string(want.algorithm) || key["use"] != "sig" {
			t.Errorf("key %d: %v", i, key)
		}
	}
	var set jose.JSONWebKeySet
	if err := json.Unmarshal(w.Body.Bytes(), &set); err != nil || !set.Keys[0].IsPublic() {
		t.Errorf("go-jose: %v", err)
	}
	if head := get(http.MethodHead, ""); head.Code != 200 || head.Body.Len() != 0 || head.Header().Get("ETag") != w.Header().Get("ETag") {
		t.Errorf("HEAD: %d, %v, %q", head.Code, head.Header(), head.Body)
	}
	if same := get(http.MethodGet, w.Header().Get("ETag")); same.Code != http.StatusNotModified || same.Body.Len() != 0 {
		t.Errorf("with its ETag: %d", same.Code)
	}
	if other := get(http.MethodGet, `"x"`); other.Code != 200 {
		t.Errorf("with another ETag: %d", other.Code)
	}
	if post := get(http.MethodPost, ""); post.Code != http.StatusMethodNotAllowed || post.Header().Get("Allow") != "GET, HEAD" {
		t.Errorf("POST: %d", post.Code)
	}
}

func TestSecretsAreNotServed(t *testing.T) {
	keys := testKeys(t, HS256)
	if data, err := keys.JWKS(); err == nil || data != nil || !strings.Contains(err.Error(), "no public half") {
		t.Errorf("%s, %v", data, err)
	}
	w := httptest.NewRecorder()
	keys.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil))
	if w.Code != http.StatusNotFound {
		t.Error(w.Code)
	}
}
