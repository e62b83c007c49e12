package jwtsealer

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// What other languages get: our token, our keys, and what the services check. With
// Secret, Header and Claims they make tokens themselves.
type foreign struct {
	Token, Issuer, Audience, Algorithm, Sub, Sid string
	Header, Claims                               string
	JWKS, Secret                                 json.RawMessage

	sealer *Sealer
}

// What other languages answer.
type made struct {
	Same  string            // a token of the same header and claims
	Usual string            // one with the header that the library prefers
	Keys  []json.RawMessage // private keys that the library made
}

const pythonVerifier = `
import json, sys
import jwt
x = json.load(sys.stdin)
kid = jwt.get_unverified_header(x["Token"])["kid"]
key = [k for k in jwt.PyJWKSet.from_dict(x["JWKS"]).keys if k.key_id == kid][0].key
c = jwt.decode(x["Token"], key, algorithms=[x["Algorithm"]], audience=x["Audience"], issuer=x["Issuer"], options={"require": ["exp", "iat", "iss", "aud"]})
assert jwt.get_unverified_header(x["Token"])["typ"] == "satchel-session+jwt"
assert c["sub"] == x["Sub"] and c["sid"] == x["Sid"], c
print("{}")
`

// nodeVerifier uses node's own cryptography, and for encrypted tokens follows
// RFC 7518 section 5.2.2.
const nodeVerifier = `
const c = require("node:crypto"), x = JSON.parse(require("node:fs").readFileSync(0)), s = x.Token.split(".");
const raw = t => Buffer.from(t, "base64url"), header = JSON.parse(raw(s[0])), jwk = x.JWKS.keys.find(k => k.kid === header.kid);
let claims;
if (header.alg === "dir") {
	const key = raw(jwk.k), aad = Buffer.from(s[0]), bits = Buffer.alloc(8);
	bits.writeBigUInt64BE(BigInt(aad.length * 8));
	const tag = c.createHmac("sha512", key.subarray(0, 32)).update(Buffer.concat([aad, raw(s[2]), raw(s[3]), bits])).digest().subarray(0, 32);
	if (!c.timingSafeEqual(tag, raw(s[4]))) throw new Error("tag");
	const d = c.createDecipheriv("aes-256-cbc", key.subarray(32), raw(s[2]));
	claims = JSON.parse(Buffer.concat([d.update(raw(s[3])), d.final()]));
} else {
	const key = c.createPublicKey({key: jwk, format: "jwk"});
	if (!c.verify(header.alg === "EdDSA" ? null : "sha256", Buffer.from(s[0] + "." + s[1]), {key, dsaEncoding: "ieee-p1363"}, raw(s[2]))) throw new Error("signature");
	claims = JSON.parse(raw(s[1]));
}
if (header.typ !== "satchel-session+jwt" || claims.iss !== x.Issuer || ![].concat(claims.aud).includes(x.Audience) || claims.exp <= Date.now() / 1000) throw new Error("claims");
if (claims.sub !== x.Sub || claims.sid !== x.Sid) throw new Error("session");
console.log("{}");
`

// joseProgram uses npm's jose.
const joseProgram = `
import { readFileSync } from "node:fs";
import * as jose from "jose";
const x = JSON.parse(readFileSync(0)), header = jose.decodeProtectedHeader(x.Token), text = new TextEncoder().encode(x.Claims);
const check = { issuer: x.Issuer, audience: x.Audience, typ: "satchel-session+jwt", requiredClaims: ["exp", "iat", "sub", "sid"] };
const secret = await jose.importJWK(x.Secret, x.Algorithm === "dir" ? header.enc : x.Algorithm), symmetric = x.Secret.kty === "oct";
const sign = h => new jose.CompactSign(text).setProtectedHeader(h).sign(secret);
let make = sign, claims, Keys = [];
if (x.Algorithm === "dir") {
	const only = { keyManagementAlgorithms: ["dir"], contentEncryptionAlgorithms: ["A256CBC-HS512"] };
	claims = (await jose.jwtDecrypt(x.Token, secret, { ...check, ...only })).payload;
	make = h => new jose.CompactEncrypt(text).setProtectedHeader({ ...h, enc: header.enc }).encrypt(secret);
} else {
	claims = (await jose.jwtVerify(x.Token, symmetric ? secret : jose.createLocalJWKSet(x.JWKS), { ...check, algorithms: [x.Algorithm] })).payload;
}
if (!symmetric) {
	for (const k of x.JWKS.keys) {
		const thumbprint = Buffer.from(await jose.calculateJwkThumbprint(k), "base64url");
		if (k.kid !== thumbprint.subarray(0, 8).toString("base64url") || k.use !== "sig" || k.alg !== x.Algorithm) throw new Error("JWK set");
	}
	Keys = [await jose.exportJWK((await jose.generateKeyPair(x.Algorithm, { extractable: true })).privateKey)];
}
if (claims.sub !== x.Sub || claims.sid !== x.Sid) throw new Error("session");
console.log(JSON.stringify({ Same: await make(JSON.parse(x.Header)), Usual: await make({ alg: header.alg, typ: "JWT", kid: header.kid }), Keys }));
`

// jwcryptoProgram uses Python's jwcrypto.
const jwcryptoProgram = `
import json, sys, time
from jwcrypto import jwe, jwk, jws
from jwcrypto.common import base64url_decode, base64url_encode
x = json.load(sys.stdin)
keys, secret, text = jwk.JWKSet.from_json(json.dumps(x["JWKS"])), jwk.JWK.from_json(json.dumps(x["Secret"])), x["Claims"].encode()
made, key = [], keys.get_key(json.loads(base64url_decode(x["Token"].split(".")[0]))["kid"])
if x["Algorithm"] == "dir":
    t = jwe.JWE(algs=["dir", "A256CBC-HS512"])
    t.deserialize(x["Token"], key)
    def make(header):
        m = jwe.JWE(text, protected=header)
        m.add_recipient(secret)
        return m.serialize(compact=True)
else:
    t = jws.JWS()
    t.allowed_algs = [x["Algorithm"]]
    t.deserialize(x["Token"], key)
    def make(header):
        m = jws.JWS(text)
        m.add_signature(secret, None, header, None)
        return m.serialize(compact=True)
    kind = {"EdDSA": {"kty": "OKP", "crv": "Ed25519"}, "ES256": {"kty": "EC", "crv": "P-256"}, "RS256": {"kty": "RSA", "size": 2048}}.get(x["Algorithm"])
    if kind:
        assert base64url_encode(base64url_decode(key.thumbprint())[:8]) == json.loads(x["Header"])["kid"]
        made = [jwk.JWK.generate(**kind).export(as_dict=True)]
c = json.loads(t.payload)
assert t.jose_header["typ"] == "satchel-session+jwt" and c["iss"] == x["Issuer"] and x["Audience"] in c["aud"] and c["exp"] > time.time()
assert c["sub"] == x["Sub"] and c["sid"] == x["Sid"], c
usual = dict(json.loads(x["Header"]), typ="JWT")
print(json.dumps({"Same": make(x["Header"]), "Usual": make(json.dumps(usual)), "Keys": made}))
`

// language is a program with a library of another language.
type language struct {
	name, program string
	candidates    []string // interpreters
	args          []string // before the program
	check         string   // a program that runs if the library is there
	dir           string   // where it runs; the module's if empty
	algorithms    string
	makes         bool // tokens and keys
}

// "make interop" fetches what is missing.
var languages = []language{
	{"PyJWT", pythonVerifier, []string{"python3", "/usr/bin/python3"}, []string{"-c"}, "import jwt, cryptography", "", "EdDSA ES256 RS256 HS256", false},
	{"node", nodeVerifier, []string{"node"}, []string{"-e"}, "0", "", "EdDSA ES256 RS256 dir", false},
	{"jose", joseProgram, []string{"node"}, []string{"--input-type=module", "-e"}, `await import("jose")`, "../../tmp/interop", "EdDSA ES256 RS256 HS256 dir", true},
	{"jwcrypto", jwcryptoProgram, []string{"python3", "/usr/bin/python3"}, []string{"-c"}, "import jwcrypto.jwe", "", "EdDSA ES256 RS256 HS256 dir", true},
}

// interpreter returns a program that runs l's, or skips the test. With SATCHEL_INTEROP
// set, it fails the test.
func (l language) interpreter(t *testing.T) string {
	t.Helper()
	for _, name := range l.candidates {
		path, err := exec.LookPath(name)
		if err != nil {
			continue
		}
		cmd := l.command(t.Context(), path, l.check)
		if cmd.Run() == nil {
			return path
		}
	}
	const missing = "none of %v has %s: `make interop` fetches it"
	if os.Getenv("SATCHEL_INTEROP") != "" {
		t.Fatalf(missing, l.candidates, l.name)
	}
	t.Skipf(missing, l.candidates, l.name)
	return ""
}

func (l language) command(ctx context.Context, path, program string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, path, append(slices.Clip(l.args), program)...)
	cmd.Env, cmd.Dir = append(os.Environ(), "GODEBUG="), filepath.FromSlash(l.dir)
	return cmd
}

func (l language) run(t *testing.T, path string, x foreign) (m made, out string, err error) {
	t.Helper()
	input, err := json.Marshal(x)
	if err != nil {
		t.Fatal(err)
	}
	cmd := l.command(t.Context(), path, l.program)
	cmd.Stdin = strings.NewReader(string(input))
	data, err := cmd.CombinedOutput()
	if err == nil {
		err = json.Unmarshal(data, &m)
	}
	return m, string(data), err
}

// elsewhere returns tokens of now, which other languages check against their clocks.
func elsewhere(t *testing.T) (all []foreign) {
	t.Helper()
	r := record()
	r.SavedAt = time.Now().Truncate(time.Millisecond)
	r.Expires, r.Deadline = r.SavedAt.Add(time.Hour), r.SavedAt.Add(2*time.Hour)
	add := func(algorithm string, sealer *Sealer, header headers, secret jose.JSONWebKey, jwks []byte) {
		t.Helper()
		claims, err1 := sealer.state().claims.encode(t.Context(), session, testScope, r)
		token, err2 := sealer.Seal(t.Context(), testScope, r)
		text, err3 := encoding.DecodeString(header[session])
		data, err4 := json.Marshal(secret)
		for _, err := range []error{err1, err2, err3, err4} {
			if err != nil {
				t.Fatal(err)
			}
		}
		if jwks == nil { // symmetric
			jwks = []byte(`{"keys":[` + string(data) + `]}`)
		}
		all = append(all, foreign{
			Token: token, Algorithm: algorithm, JWKS: jwks, Secret: data, Header: string(text), Claims: string(claims), sealer: sealer,
			Issuer: issuer, Audience: "billing", Sub: r.User, Sid: r.ID.String(),
		})
	}
	c := Config{Issuer: issuer, Audience: []string{"billing"}}
	for _, a := range algorithms {
		keys := testKeys(t, a)
		k := keys.all()[0]
		c.Seal = testRing(t)
		jwks, err := keys.JWKS()
		if (err != nil) != (a == HS256) {
			t.Fatal(err)
		}
		add(string(a), Signed(keys, c), k.headers, jose.JSONWebKey{Key: k.private, KeyID: k.id, Algorithm: string(a)}, jwks)
	}
	ring := testRing(t)
	raw, err := contentKeys(ring)
	if err != nil {
		t.Fatal(err)
	}
	jwks, err := ExportSecretJWK(ring)
	if err != nil {
		t.Fatal(err)
	}
	c.Seal = nil
	add("dir", Encrypted(ring, c), encryptedHeaders(raw[0].id), jose.JSONWebKey{Key: raw[0].key, KeyID: raw[0].id}, jwks)
	return all
}

// TestOthersVerify: other languages verify what we make, and refuse what was changed.
// What they make of our header and claims with our key is ours; under the header that
// they prefer it is not. The keys that they make sign.
func TestOthersVerify(t *testing.T) {
	for _, l := range languages {
		t.Run(l.name, func(t *testing.T) {
			path := l.interpreter(t)
			for _, x := range elsewhere(t) {
				if !strings.Contains(l.algorithms, x.Algorithm) {
					continue
				}
				m, out, err := l.run(t, path, x)
				if err != nil {
					t.Errorf("%s: %v: %s", x.Algorithm, err, out)
					continue
				}
				if l.makes {
					m.check(t, x)
				}
				before, last := cutLast(x.Token)
				x.Token = before + "." + strings.ToLower(last)
				if _, out, err := l.run(t, path, x); err == nil {
					t.Errorf("%s: verifies though it was changed: %s", x.Algorithm, out)
				}
			}
		})
	}
}

// check checks what another language made with the keys of x.
func (m made) check(t *testing.T, x foreign) {
	t.Helper()
	want, err := x.sealer.Open(t.Context(), testScope, x.Token)
	if err != nil {
		t.Fatal(err)
	}
	got, err := x.sealer.Open(t.Context(), testScope, m.Same)
	switch {
	case isTwin(x.Algorithm, m.Same):
		if err == nil {
			t.Errorf("%s: a signature with a large s opens", x.Algorithm)
		}
	case err != nil || !same(t, got, want):
		t.Errorf("%s: what another signed with our key, header and claims: %v, %v", x.Algorithm, got, err)
	}
	if r, err := x.sealer.Open(t.Context(), testScope, m.Usual); err != errNotOurs || r != nil { //nolint:errorlint // the very same answer
		t.Errorf("%s: another header opens: %v", x.Algorithm, err)
	}
	if asymmetric := x.Algorithm != "dir" && x.Algorithm != string(HS256); asymmetric != (len(m.Keys) > 0) {
		t.Errorf("%s: made %d keys", x.Algorithm, len(m.Keys))
	}
	for _, key := range m.Keys {
		keys, err := ParseKeys(string(key))
		if err != nil || string(keys.all()[0].algorithm) != x.Algorithm {
			t.Errorf("%s: a key that another made: %v", x.Algorithm, err)
			continue
		}
		theirs := Signed(keys, Config{Issuer: issuer, Seal: testRing(t)})
		token, err := theirs.Seal(t.Context(), testScope, record())
		if err != nil {
			t.Errorf("%s: %v", x.Algorithm, err)
		}
		if _, err := x.sealer.Open(t.Context(), testScope, token); err == nil {
			t.Errorf("%s: a token under another key opens", x.Algorithm)
		}
	}
}

// isTwin reports whether token has the one of two valid signatures of ES256 that we
// refuse: others make either.
func isTwin(algorithm, token string) bool {
	_, last := cutLast(token)
	signature, ok := decode(last)
	return algorithm == string(ES256) && ok && len(signature) == 2*p256Size && string(signature[p256Size:]) > string(p256Half)
}
