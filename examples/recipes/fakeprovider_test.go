package recipes

import (
	"cmp"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"html/template"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"golang.org/x/oauth2"
)

// idp is an OpenID Connect provider whose one user, Ada, always agrees. It
// answers with a form that its page posts.
type idp struct {
	*httptest.Server
	key *ecdsa.PrivateKey

	forged string // a nonce for all tokens, "" for the right one

	mu    sync.Mutex
	codes map[string]url.Values // to the questions that they answer, once
}

func newIDP(t *testing.T) *idp {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	p := &idp{key: key, codes: map[string]url.Values{}}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, 200, map[string]any{
			"issuer": p.URL, "authorization_endpoint": p.URL + "/authorize", "token_endpoint": p.URL + "/token",
			"jwks_uri": p.URL + "/keys", "id_token_signing_alg_values_supported": []string{"ES256"},
		})
	})
	mux.HandleFunc("GET /keys", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, 200, jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: p.key.Public(), Algorithm: "ES256", Use: "sig"}}})
	})
	mux.HandleFunc("GET /authorize", p.authorize)
	mux.HandleFunc("POST /token", p.token)
	p.Server = httptest.NewServer(mux)
	t.Cleanup(p.Close)
	return p
}

// client returns what an application at base knows about the provider.
func (p *idp) client(t *testing.T, base string) *provider {
	t.Helper()
	found, err := oidc.NewProvider(t.Context(), p.URL)
	if err != nil {
		t.Fatal(err)
	}
	return &provider{
		oauth: oauth2.Config{
			ClientID: "app", ClientSecret: "only-for-this-test", Endpoint: found.Endpoint(),
			RedirectURL: base + "/login/callback", Scopes: []string{oidc.ScopeOpenID},
		},
		verifier: found.VerifierContext(t.Context(), &oidc.Config{ClientID: "app"}),
	}
}

var formPost = template.Must(template.New("").Parse(
	`<form method="post" action="{{.Get "redirect_uri"}}"><input type="hidden" name="state" value="{{.Get "state"}}">` +
		`<input type="hidden" name="code" value="{{.Get "code"}}"></form><script>document.forms[0].submit()</script>`))

func (p *idp) authorize(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	if q.Get("client_id") != "app" || q.Get("response_type") != "code" || q.Get("response_mode") != "form_post" || q.Get("code_challenge_method") != "S256" {
		http.Error(w, "bad request", http.StatusBadRequest)
		return
	}
	code := rand.Text()
	p.mu.Lock()
	p.codes[code] = q
	p.mu.Unlock()
	q.Set("code", code)
	w.Header().Set("Content-Type", "text/html")
	_ = formPost.Execute(w, q) // the client may be gone
}

func (p *idp) token(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	code := r.PostFormValue("code")
	q, ok := p.codes[code]
	delete(p.codes, code)
	_, secret, _ := r.BasicAuth()
	if secret == "" {
		secret = r.PostFormValue("client_secret")
	}
	sum := sha256.Sum256([]byte(r.PostFormValue("code_verifier")))
	if !ok || secret != "only-for-this-test" || q.Get("redirect_uri") != r.PostFormValue("redirect_uri") ||
		q.Get("code_challenge") != base64.RawURLEncoding.EncodeToString(sum[:]) {
		writeJSON(w, 400, map[string]any{"error": "invalid_grant"})
		return
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: p.key}, nil)
	if err != nil {
		panic(fmt.Sprint("a mistake in this file: ", err))
	}
	id, err := jwt.Signed(signer).Claims(map[string]any{
		"iss": p.URL, "aud": "app", "sub": "ada", "nonce": cmp.Or(p.forged, q.Get("nonce")),
		"iat": time.Now().Unix(), "exp": time.Now().Add(time.Hour).Unix(),
	}).Serialize()
	if err != nil {
		panic(fmt.Sprint("a mistake in this file: ", err))
	}
	writeJSON(w, 200, map[string]any{"access_token": rand.Text(), "token_type": "Bearer", "expires_in": 3600, "id_token": id})
}
