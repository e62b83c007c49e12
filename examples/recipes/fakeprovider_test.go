package recipes

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"html/template"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"golang.org/x/oauth2"
)

// idp is an OpenID Connect provider whose one user, Ada, always agrees. It is as
// strict as login.gov, or stricter: no library for providers that could be had
// wants a jti to be new, or the token endpoint as audience.
type idp struct {
	*httptest.Server
	keys, clientKey *ecdsa.PrivateKey // its own, and that whose public half the client has registered

	// What a test may change before the browser comes.
	claims   func(map[string]any) // changes what an ID token says
	signKey  *ecdsa.PrivateKey    // signs ID tokens
	answer   url.Values           // are set in each answer to the browser; without a code if there is an error
	token    http.HandlerFunc     // answers in place of the token endpoint
	namesIss bool                 // RFC 9207

	mu       sync.Mutex
	base     string                // the client's address, once it has registered
	codes    map[string]url.Values // to the questions that they answer, once
	jti      map[string]bool       // of assertions, once
	signedIn map[string]bool       // cookies of browsers in which Ada is signed in here
	seen     []string              // what nobody else must see
	faults   []string              // why requests were refused
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func newIDP(t *testing.T) *idp {
	t.Helper()
	p := &idp{keys: newKey(t), clientKey: newKey(t), codes: map[string]url.Values{}, jti: map[string]bool{}, signedIn: map[string]bool{}}
	p.signKey = p.keys
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, 200, map[string]any{
			"issuer": p.URL, "authorization_endpoint": p.URL + "/authorize", "token_endpoint": p.URL + "/token", "end_session_endpoint": p.URL + "/logout",
			"jwks_uri": p.URL + "/keys", "id_token_signing_alg_values_supported": []string{"ES256"}, "authorization_response_iss_parameter_supported": p.namesIss,
		})
	})
	mux.HandleFunc("GET /keys", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, 200, jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: p.keys.Public(), Algorithm: "ES256", Use: "sig"}}})
	})
	mux.HandleFunc("GET /authorize", p.authorize)
	mux.HandleFunc("POST /token", p.exchange)
	mux.HandleFunc("GET /logout", p.askLogout)
	mux.HandleFunc("POST /logout", p.logout)
	p.Server = httptest.NewServer(mux)
	t.Cleanup(p.Close)
	return p
}

// client registers an application at base and returns what it knows of the provider.
func (p *idp) client(t *testing.T, base string, extra ...oauth2.AuthCodeOption) *provider {
	t.Helper()
	p.mu.Lock()
	p.base = base
	p.mu.Unlock()
	client, err := newProvider(t.Context(), p.URL, "app", base, jose.SigningKey{Algorithm: jose.ES256, Key: p.clientKey}, extra...)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// refuse answers a request that no right client sends.
func (p *idp) refuse(w http.ResponseWriter, code string, fault error) {
	p.faults = append(p.faults, fault.Error())
	writeJSON(w, 400, map[string]any{"error": code})
}

// form is a page that posts values to an address. The browser need not click.
var form = template.Must(template.New("").Parse(`<form method="post" action="{{.To}}">{{range $name, $v := .Values}}` +
	`<input type="hidden" name="{{$name}}" value="{{index $v 0}}">{{end}}</form><script>document.forms[0].submit()</script>`))

func showForm(w http.ResponseWriter, to string, values url.Values) {
	w.Header().Set("Content-Type", "text/html")
	_ = form.Execute(w, map[string]any{"To": to, "Values": values}) // the client may be gone
}

func (p *idp) authorize(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	q := r.URL.Query()
	mode := q.Get("response_mode")
	switch {
	case q.Get("client_id") != "app" || q.Get("response_type") != "code" || mode != "" && mode != "query" && mode != "form_post":
		p.refuse(w, "invalid_request", errors.New("client_id, response_type or response_mode"))
		return
	case q.Get("redirect_uri") != p.base+"/login/callback":
		p.refuse(w, "invalid_request", errors.New("the redirect_uri is not registered"))
		return
	case !slices.Contains(strings.Fields(q.Get("scope")), "openid") || len(q.Get("state")) < 22 || len(q.Get("nonce")) < 22:
		p.refuse(w, "invalid_request", errors.New("scope, state or nonce"))
		return
	case q.Get("code_challenge_method") != "S256" || len(q.Get("code_challenge")) != 43:
		p.refuse(w, "invalid_request", errors.New("no PKCE with S256"))
		return
	}
	in, code := rand.Text(), rand.Text()
	p.signedIn[in], p.codes[code] = true, q
	p.seen = append(p.seen, in, code, q.Get("state"), q.Get("nonce"))
	http.SetCookie(w, &http.Cookie{Name: "provider", Value: in, Path: "/"})
	answer := url.Values{"state": {q.Get("state")}, "code": {code}}
	if p.namesIss {
		answer.Set("iss", p.URL)
	}
	maps.Copy(answer, p.answer)
	if answer.Has("error") {
		answer.Del("code")
	}
	if mode == "form_post" {
		showForm(w, q.Get("redirect_uri"), answer)
		return
	}
	http.Redirect(w, r, q.Get("redirect_uri")+"?"+answer.Encode(), http.StatusFound)
}

func (p *idp) exchange(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.seen = append(p.seen, r.PostFormValue("client_assertion"), r.PostFormValue("code_verifier"))
	if p.token != nil {
		p.token(w, r)
		return
	}
	if err := p.knows(r); err != nil {
		p.refuse(w, "invalid_client", err)
		return
	}
	code := r.PostFormValue("code")
	q, ok := p.codes[code]
	delete(p.codes, code)
	sum := sha256.Sum256([]byte(r.PostFormValue("code_verifier")))
	switch {
	case r.PostFormValue("grant_type") != "authorization_code" || !ok:
		p.refuse(w, "invalid_grant", errors.New("no such code, or it was used"))
		return
	case q.Get("redirect_uri") != r.PostFormValue("redirect_uri"):
		p.refuse(w, "invalid_grant", errors.New("another redirect_uri"))
		return
	case q.Get("code_challenge") != base64.RawURLEncoding.EncodeToString(sum[:]):
		p.refuse(w, "invalid_grant", errors.New("not the verifier of this challenge"))
		return
	}
	claims := map[string]any{
		"iss": p.URL, "aud": "app", "sub": "ada", "nonce": q.Get("nonce"), "iat": time.Now().Unix(), "exp": time.Now().Add(time.Hour).Unix(),
		"email": "ada@private.example", "birthdate": "1815-12-10",
	}
	if p.claims != nil {
		p.claims(claims)
	}
	id, err := signed(p.signKey, claims)
	if err != nil {
		panic(fmt.Sprint("a mistake in this file: ", err))
	}
	access := rand.Text()
	p.seen = append(p.seen, id, access)
	writeJSON(w, 200, map[string]any{"access_token": access, "token_type": "Bearer", "expires_in": 3600, "id_token": id})
}

// knows checks that the client has signed a new statement for this endpoint (RFC 7523
// section 3, OpenID Connect Core section 9), and brings no other credentials.
func (p *idp) knows(r *http.Request) error {
	if r.Header.Get("Authorization") != "" || r.PostForm.Has("client_secret") {
		return errors.New("a secret beside the assertion")
	}
	if r.PostFormValue("client_assertion_type") != "urn:ietf:params:oauth:client-assertion-type:jwt-bearer" {
		return errors.New("another type of assertion")
	}
	token, err := jwt.ParseSigned(r.PostFormValue("client_assertion"), []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		return err
	}
	var c jwt.Claims
	if err := token.Claims(p.clientKey.Public(), &c); err != nil {
		return err
	}
	now := time.Now()
	switch {
	case c.Issuer != "app" || c.Subject != "app" || len(c.Audience) != 1 || c.Audience[0] != p.URL+"/token":
		return errors.New("iss, sub or aud of the assertion")
	case c.Expiry == nil || !now.Before(c.Expiry.Time()) || c.Expiry.Time().After(now.Add(5*time.Minute)):
		return errors.New("exp of the assertion")
	case c.ID == "" || p.jti[c.ID]:
		return errors.New("jti of the assertion")
	}
	p.jti[c.ID] = true
	return nil
}

// askLogout asks whether to log out, for any page can lead here.
func (p *idp) askLogout(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	q := r.URL.Query()
	if q.Get("client_id") != "app" || q.Get("post_logout_redirect_uri") != p.base+"/login/goodbye" || q.Has("state") && len(q.Get("state")) < 22 {
		p.refuse(w, "invalid_request", errors.New("client_id, post_logout_redirect_uri or state"))
		return
	}
	p.seen = append(p.seen, q.Get("state"))
	showForm(w, "/logout", q)
}

func (p *idp) logout(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	c, err := r.Cookie("provider")
	if err != nil || r.PostFormValue("post_logout_redirect_uri") != p.base+"/login/goodbye" {
		p.refuse(w, "invalid_request", errors.New("not asked"))
		return
	}
	delete(p.signedIn, c.Value)
	http.Redirect(w, r, p.base+"/login/goodbye?"+url.Values{"state": {r.PostFormValue("state")}}.Encode(), http.StatusSeeOther)
}

func signed(key *ecdsa.PrivateKey, claims map[string]any) (string, error) {
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: key}, nil)
	if err != nil {
		return "", err
	}
	return jwt.Signed(signer).Claims(claims).Serialize()
}
