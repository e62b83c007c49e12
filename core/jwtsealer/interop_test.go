package jwtsealer

import (
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// What other languages get: our token, our keys, and what the services check.
type foreign struct {
	Token, Issuer, Audience, Algorithm, Sub, Sid string
	JWKS                                         json.RawMessage
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
print("ok")
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
console.log("ok");
`

// interpreter returns a program that runs check, or skips the test.
func interpreter(t *testing.T, candidates []string, flag, check string) string {
	t.Helper()
	for _, name := range candidates {
		if path, err := exec.LookPath(name); err == nil && exec.CommandContext(t.Context(), path, flag, check).Run() == nil {
			return path
		}
	}
	t.Skipf("none of %v runs %q", candidates, check)
	return ""
}

func verifyElsewhere(t *testing.T, path, flag, program string, x foreign) (string, error) {
	t.Helper()
	input, err := json.Marshal(x)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), path, flag, program)
	cmd.Stdin, cmd.Env = strings.NewReader(string(input)), append(os.Environ(), "GODEBUG=")
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// elsewhere returns tokens of now, which other languages check against their clocks.
func elsewhere(t *testing.T) (all []foreign) {
	t.Helper()
	r := record()
	r.SavedAt = time.Now().Truncate(time.Millisecond)
	r.Expires, r.Deadline = r.SavedAt.Add(time.Hour), r.SavedAt.Add(2*time.Hour)
	c := Config{Issuer: issuer, Audience: []string{"billing"}}
	for _, a := range []Algorithm{EdDSA, ES256, RS256} {
		keys := testKeys(t, a)
		jwks, err := keys.JWKS()
		if err != nil {
			t.Fatal(err)
		}
		c.Seal = testRing(t)
		token, err := Signed(keys, c).Seal(t.Context(), testScope, r)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, foreign{Token: token, Algorithm: string(a), JWKS: jwks})
	}
	ring := testRing(t)
	jwks, err := ExportSecretJWK(ring)
	if err != nil {
		t.Fatal(err)
	}
	c.Seal = nil
	token, err := Encrypted(ring, c).Seal(t.Context(), testScope, r)
	if err != nil {
		t.Fatal(err)
	}
	all = append(all, foreign{Token: token, Algorithm: "dir", JWKS: jwks})
	for i := range all {
		all[i].Issuer, all[i].Audience, all[i].Sub, all[i].Sid = issuer, "billing", r.User, r.ID.String()
	}
	return all
}

// TestOthersVerify: other languages verify what we make, and refuse what was changed.
func TestOthersVerify(t *testing.T) {
	for _, language := range []struct {
		name, flag, check, program string
		candidates                 []string
		encrypted                  bool
	}{
		{"PyJWT", "-c", "import jwt, cryptography", pythonVerifier, []string{"python3", "/usr/bin/python3"}, false},
		{"node", "-e", "0", nodeVerifier, []string{"node"}, true},
	} {
		t.Run(language.name, func(t *testing.T) {
			path := interpreter(t, language.candidates, language.flag, language.check)
			for _, x := range elsewhere(t) {
				if x.Algorithm == "dir" && !language.encrypted {
					continue
				}
				if out, err := verifyElsewhere(t, path, language.flag, language.program, x); err != nil || strings.TrimSpace(out) != "ok" {
					t.Errorf("%s: %v: %s", x.Algorithm, err, out)
				}
				before, last := cutLast(x.Token)
				x.Token = before + "." + strings.ToLower(last)
				if out, err := verifyElsewhere(t, path, language.flag, language.program, x); err == nil {
					t.Errorf("%s: verifies though it was changed: %s", x.Algorithm, out)
				}
			}
		})
	}
}
