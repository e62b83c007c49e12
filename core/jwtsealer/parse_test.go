package jwtsealer

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"github.com/satchel-go/satchel/core/sealed"
)

// jwkOf returns a PEM key as a JWK, with members changed; an empty text removes one.
func jwkOf(t testing.TB, text string, members map[string]any) string {
	t.Helper()
	block, _ := pem.Decode([]byte(text))
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	jwk := jose.JSONWebKey{Key: key}
	data, err := jwk.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	var m map[string]any
	if err := json.Unmarshal(data, &m); err != nil {
		t.Fatal(err)
	}
	for name, value := range members {
		if m[name] = value; value == "" {
			delete(m, name)
		}
	}
	if data, err = json.Marshal(m); err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func pemOf(t testing.TB, key any) string {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

func TestParseKeys(t *testing.T) {
	a, b, c := testPEM(t, EdDSA), testPEM(t, ES256), testPEM(t, RS256)
	jwk := func(text string) string { return jwkOf(t, text, nil) }
	set := `{"keys":[` + jwk(a) + "," + jwk(b) + "," + jwk(c) + `]}`
	want, err := ParseKeys(a + "\n\n" + b + "\r\n" + c)
	if err != nil || want.Len() != 3 {
		t.Fatalf("%v, %v", want, err)
	}
	for i, algorithm := range []Algorithm{EdDSA, ES256, RS256} {
		if k := want.all()[i]; k.algorithm != algorithm || len(k.id) != 11 {
			t.Errorf("key %d: %s, %q", i, k.algorithm, k.id)
		}
	}
	for what, text := range map[string]string{
		"JWK set": set, "with white space": " \n" + set + "\n",
		"with use": `{"keys":[` + jwkOf(t, a, map[string]any{"use": "sig", "alg": "EdDSA", "key_ops": []string{"sign"}}) + "," + jwk(b) + "," + jwk(c) + `]}`,
	} {
		keys, err := ParseKeys(text)
		if err != nil {
			t.Errorf("%s: %v", what, err)
			continue
		}
		for i := range keys.all() {
			if keys.all()[i].id != want.all()[i].id {
				t.Errorf("%s: key %d is another", what, i)
			}
		}
	}
	if keys, err := ParseKeys(jwk(a)); err != nil || keys.Len() != 1 {
		t.Errorf("one JWK: %v", err)
	}
}

// SEC43: keys that cannot be right are errors that say what to do, and repeat no key.
func TestSEC43KeysThatCannotBeRight(t *testing.T) {
	ed, ec, rs := testPEM(t, EdDSA), testPEM(t, ES256), testPEM(t, RS256)
	private := func(text string) crypto.Signer {
		keys, err := ParseKeys(text)
		if err != nil {
			t.Fatal(err)
		}
		signer, ok := keys.all()[0].private.(crypto.Signer)
		if !ok {
			t.Fatal("no signer")
		}
		return signer
	}
	public, err := x509.MarshalPKIXPublicKey(private(ed).Public())
	if err != nil {
		t.Fatal(err)
	}
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode([]byte(ec))
	sec1 := string(pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: block.Bytes}))
	zero := make([]byte, ed25519.SeedSize)
	other := jwkOf(t, testPEM(t, EdDSA), nil)
	var otherMembers map[string]any
	if err := json.Unmarshal([]byte(other), &otherMembers); err != nil {
		t.Fatal(err)
	}
	one := make([]byte, p256Size)
	one[p256Size-1] = 1
	small, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), one)
	if err != nil {
		t.Fatal(err)
	}
	cut, _, _ := strings.Cut(ed, "-----END")
	var many strings.Builder
	for range maxKeys + 1 {
		many.WriteString(testPEM(t, EdDSA))
	}
	for what, test := range map[string]struct{ text, want string }{
		"nothing":              {" \n", "SESSION_SIGNING_KEYS"},
		"no PEM":               {"hunter2", "neither PEM nor JSON"},
		"PEM without breaks":   {strings.ReplaceAll(ed, "\n", ""), "line breaks"},
		"text in front":        {"hunter2\n" + ed, "text in front"},
		"text behind":          {ed + "hunter2", "what follows"},
		"text between":         {ed + "hunter2\n" + ec, "text in front"},
		"cut, then another":    {cut + ec, "key 1: is damaged"},
		"damaged, another":     {ec + strings.Replace(ed, "MC4", "M!4", 1) + rs, "key 2: is damaged"},
		"too many":             {many.String(), "at most 16"},
		"twice":                {ed + ec + ed, "key 3: is the same as key 1"},
		"twice, in JWKs":       {`{"keys":[` + other + "," + other + `]}`, "same as key 1"},
		"public key":           {string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public})), "public key"},
		"certificate":          {string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: public})), "certificate"},
		"passphrase":           {string(pem.EncodeToMemory(&pem.Block{Type: "ENCRYPTED PRIVATE KEY", Bytes: public})), "passphrase"},
		"old passphrase":       {string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Headers: map[string]string{"DEK-Info": "AES"}, Bytes: public})), "passphrase"},
		"SEC 1":                {sec1, "PKCS #8"},
		"garbage inside":       {string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: public})), "cannot be read"},
		"P-384":                {pemOf(t, p384), "P-256"},
		"P-384 JWK":            {jwkOf(t, pemOf(t, p384), nil), "P-256"},
		"all zero":             {pemOf(t, ed25519.NewKeyFromSeed(zero)), "one byte repeated"},
		"P-256, one":           {pemOf(t, small), "small number"},
		"no JSON":              {"{hunter2", "not JSON"},
		"empty set":            {`{"keys":[]}`, "no keys"},
		"secret":               {`{"kty":"oct","k":"c2VjcmV0"}`, "FromKeyring"},
		"mixed with a secret":  {`{"keys":[` + other + `,{"kty":"oct","k":"c2VjcmV0"}]}`, "do not mix"},
		"unknown type":         {`{"kty":"AKP","d":"x"}`, "unknown type"},
		"public JWK":           {jwkOf(t, ed, map[string]any{"d": ""}), "public key"},
		"for encryption":       {jwkOf(t, ed, map[string]any{"use": "enc"}), "use other than sig"},
		"to verify":            {jwkOf(t, ed, map[string]any{"key_ops": []string{"verify"}}), "key_ops"},
		"another alg":          {jwkOf(t, ed, map[string]any{"alg": "HS256"}), "alg"},
		"alg none":             {jwkOf(t, ed, map[string]any{"alg": "none"}), "alg"},
		"PS256":                {jwkOf(t, rs, map[string]any{"alg": "PS256"}), "alg"},
		"X25519":               {jwkOf(t, ed, map[string]any{"crv": "X25519"}), "key 1"},
		"Ed25519, other half":  {jwkOf(t, ed, map[string]any{"x": otherMembers["x"]}), "key 1"},
		"P-256, not on curve":  {jwkOf(t, ec, map[string]any{"y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}), "key 1"},
		"P-256, other half":    {jwkOf(t, ec, map[string]any{"d": "jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI"}), "another key"},
		"P-256, zero":          {jwkOf(t, ec, map[string]any{"d": strings.Repeat("A", 43)}), "key 1"},
		"RSA, even exponent":   {jwkOf(t, rs, map[string]any{"e": "AQAC"}), "key 1"},
		"RSA, exponent 3":      {jwkOf(t, rs, map[string]any{"e": "Aw"}), "key 1"},
		"RSA, other d":         {jwkOf(t, rs, map[string]any{"d": "AQAB"}), "key 1"},
		"RSA without primes":   {jwkOf(t, rs, map[string]any{"p": "", "q": "", "dp": "", "dq": "", "qi": ""}), "key 1"},
		"RSA of three primes":  {jwkOf(t, rs, map[string]any{"oth": []int{}}), "two primes"},
		"RFC 8037":             {`{"kty":"OKP","crv":"Ed25519","d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}`, "example"},
		"RFC 7515":             {`{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0","d":"jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI"}`, "example"},
		"RFC 7515, RSA":        {rfc7515RSA, "example"},
		"RFC 7515, RSA in PEM": {pemOf(t, parsedJWK(t, rfc7515RSA)), "example"},
	} {
		keys, err := ParseKeys(test.text)
		if err == nil || keys != nil || !strings.HasPrefix(err.Error(), "jwtsealer: keys: ") || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, %v", what, keys, err)
			continue
		}
		for _, secret := range []string{"hunter2", "c2VjcmV0", "nWGxne", "jpsQnn"} {
			if strings.Contains(err.Error(), secret) {
				t.Errorf("%s: shows the key: %v", what, err)
			}
		}
	}
	// What Go itself no longer makes.
	for what, key := range map[string]*rsa.PrivateKey{
		"1,024 bits": {PublicKey: rsa.PublicKey{N: new(big.Int).Lsh(big.NewInt(1), 1023), E: 65537}},
		"even":       {PublicKey: rsa.PublicKey{N: new(big.Int).Lsh(big.NewInt(1), 2047), E: 65538}},
		"e is 3":     {PublicKey: rsa.PublicKey{N: new(big.Int).Lsh(big.NewInt(1), 2047), E: 3}},
	} {
		if err := check(key); err == nil {
			t.Errorf("%s: accepted", what)
		}
	}
}

func parsedJWK(t testing.TB, text string) any {
	t.Helper()
	var jwk jose.JSONWebKey
	if err := jwk.UnmarshalJSON([]byte(text)); err != nil {
		t.Fatal(err)
	}
	return jwk.Key
}

func TestGenerateKey(t *testing.T) {
	for _, a := range []Algorithm{EdDSA, ES256, RS256} {
		first, err := GenerateKey(a)
		if err != nil {
			t.Fatal(err)
		}
		keys, err := ParseKeys(first)
		if err != nil || keys.all()[0].algorithm != a {
			t.Errorf("%s: %v", a, err)
		}
		if a == RS256 && keys.all()[0].size*8 != rsaBits {
			t.Errorf("%d bytes", keys.all()[0].size)
		}
	}
	for _, a := range []Algorithm{HS256, "none", ""} {
		if text, err := GenerateKey(a); err == nil || text != "" {
			t.Errorf("%q: generated", a)
		}
	}
}

// No key serves two algorithms: what is derived from a ring differs.
func TestDerivedKeysDiffer(t *testing.T) {
	ring, err := sealed.ParseKeyring(sealed.GenerateKey() + "," + sealed.GenerateKey())
	if err != nil {
		t.Fatal(err)
	}
	content, err := contentKeys(ring)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for i, k := range FromKeyring(ring).all() {
		for _, key := range []string{fmt.Sprintf("%s", k.private), string(content[i].key[:32]), string(content[i].key[32:]), k.id, content[i].id} {
			if seen[key] {
				t.Error("a key is used twice")
			}
			seen[key] = true
		}
	}
}
