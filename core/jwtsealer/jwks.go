package jwtsealer

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/go-jose/go-jose/v4"
)

// errNoPublicHalf is why HS256 has nothing to serve.
var errNoPublicHalf = errors.New("jwtsealer: HS256 has no public half: nobody else can verify its tokens")

// JWKS returns the public halves of the keys as a JWK set (RFC 7517), newest first,
// for servers that are no [http.Handler]. Keys from [FromKeyring] have none, which is
// an error. The caller must not change the bytes.
func (k *Keys) JWKS() ([]byte, error) {
	if err := k.Validate(); err != nil {
		return nil, err
	}
	if k.jwks == nil {
		return nil, errNoPublicHalf
	}
	return k.jwks, nil
}

// encodeJWKS returns the JWK set of keys. It sees public halves alone.
func encodeJWKS(keys []signingKey) ([]byte, error) {
	var set jose.JSONWebKeySet
	for _, k := range keys {
		set.Keys = append(set.Keys, jose.JSONWebKey{Key: k.public, KeyID: k.id, Algorithm: string(k.algorithm), Use: "sig"})
	}
	data, err := json.Marshal(set)
	if err != nil {
		return nil, fmt.Errorf("jwtsealer: keys: %w", err)
	}
	return data, nil
}

// ServeHTTP implements [http.Handler]: it serves [Keys.JWKS] to GET and HEAD, for
// caches to keep 5 minutes. Mount it where verifiers look, such as
// /.well-known/jwks.json, outside the sessions' middleware. Without public halves,
// the answer is 404.
func (k *Keys) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "Method Not Allowed", http.StatusMethodNotAllowed)
		return
	}
	data, err := k.JWKS()
	if err != nil {
		http.NotFound(w, r)
		return
	}
	h := w.Header()
	etag := fmt.Sprintf(`"%x"`, sha256.Sum256(data))
	h.Set("Cache-Control", "public, max-age=300")
	h.Set("ETag", etag)
	if strings.Contains(r.Header.Get("If-None-Match"), etag) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	h.Set("Content-Type", "application/jwk-set+json")
	h.Set("X-Content-Type-Options", "nosniff")
	if r.Method == http.MethodGet {
		_, _ = w.Write(data) // nobody is left to tell
	}
}
