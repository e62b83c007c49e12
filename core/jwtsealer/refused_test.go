package jwtsealer

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/satchel-go/satchel/core"
)

// swap returns text with old replaced once, and fails the test if it is not there.
func swap(t *testing.T, text, old, by string) string {
	t.Helper()
	if !strings.Contains(text, old) {
		t.Fatalf("%q is not in %q", old, text)
	}
	return strings.Replace(text, old, by, 1)
}

// refusedHeaders are headers on good claims, signed or encrypted with the right key.
var refusedHeaders = []struct {
	name   string
	change func(t *testing.T, header string) string
}{
	{"SEC47_other_algorithm", replacing(`"alg":"`, `"alg":"X`)},
	{"SEC47_none", func(*testing.T, string) string { return `{"alg":"none"}` }},
	{"SEC47_algorithm_twice_none_first", replacing(`{"alg"`, `{"alg":"none","alg"`)},
	{"SEC47_algorithm_in_other_case", replacing(`"alg"`, `"Alg"`)},
	{"SEC48_embedded_key", adding(`"jwk":{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}`)},
	{"SEC48_address_of_a_key", adding(`"jku":"https://127.0.0.1:1/keys"`)},
	{"SEC48_certificate", adding(`"x5c":["MIIB"]`)},
	{"SEC48_address_of_a_certificate", adding(`"x5u":"https://127.0.0.1:1/cert"`)},
	{"SEC48_unknown_key", replacing(`"kid":"`, `"kid":"A`)},
	{"SEC48_key_ID_is_a_path", replacing(`"kid":"`, `"kid":"../../dev/null`)},
	{"SEC48_no_key_ID", func(_ *testing.T, h string) string {
		before, rest, _ := strings.Cut(h, `"kid":"`)
		_, after, _ := strings.Cut(rest, `",`)
		return before + after
	}},
	{"SEC51_typ_JWT", replacing("satchel-session+jwt", "JWT")},
	{"SEC51_typ_of_an_access_token", replacing("satchel-session+jwt", "at+jwt")},
	{"SEC51_typ_of_a_touch", replacing("satchel-session+jwt", "satchel-touch+jwt")},
	{"SEC51_typ_of_a_logout_token", replacing("satchel-session+jwt", "logout+jwt")},
	{"SEC51_typ_in_other_case", replacing("satchel-session+jwt", "Satchel-Session+JWT")},
	{"SEC51_no_typ", replacing(`,"typ":"satchel-session+jwt"`, "")},
	{"SEC47_crit", adding(`"crit":["exp2"],"exp2":1`)},
	{"SEC47_crit_b64", adding(`"crit":["b64"],"b64":false`)},
	{"SEC47_b64_without_crit", adding(`"b64":false`)},
	{"SEC45_zip", adding(`"zip":"DEF"`)},
	{"SEC47_algorithm_null", changingMember("alg", `null`)},
	{"SEC47_algorithm_array", changingMember("alg", `["EdDSA","ES256","RS256","HS256","dir"]`)},
	{"SEC47_algorithm_with_NUL", changingMember("alg", `"none\u0000"`)},
	{"SEC47_password", changingMember("alg", `"PBES2-HS512+A256KW","p2c":1000000000,"p2s":"AAAA"`)},
	{"SEC47_key_agreement", changingMember("alg", `"ECDH-ES","epk":{"kty":"EC","crv":"P-256","x":"AA","y":"AA"}`)},
	{"SEC47_other_content_encryption", adding(`"enc":"A128CBC-HS256"`)},
	{"SEC48_key_ID_twice", replacing(`"kid":"`, `"kid":"../x","kid":"`)},
	{"SEC48_key_ID_is_a_query", changingMember("kid", `"' OR '1'='1"`)},
	{"SEC48_key_ID_empty", changingMember("kid", `""`)},
	{"SEC48_key_ID_number", changingMember("kid", `0`)},
	{"SEC48_thumbprint_of_a_certificate", adding(`"x5t#S256":"AAAA"`)},
	{"SEC51_nested", adding(`"cty":"JWT"`)},
	{"SEC51_typ_twice", replacing(`"typ"`, `"typ":"JWT","typ"`)},
	{"SEC51_typ_as_a_media_type", replacing("satchel-session+jwt", "application/satchel-session+jwt")},
	{"SEC47_crit_empty", adding(`"crit":[]`)},
	{"SEC34_byte_order_mark", replacing(`{"`, "\ufeff{\"")},
	{"SEC34_escaped_value", replacing("satchel-session+jwt", `satchel\u002dsession+jwt`)},
	{"SEC34_escaped_slash", replacing(`"typ":"s`, `"typ":"\/s`)},
	{"SEC34_invalid_UTF_8", replacing(`"typ"`, "\"t\xffp\":1,\"typ\"")},
	{"SEC34_newline_behind", func(_ *testing.T, h string) string { return h + "\n" }},
	{"SEC34_blank", replacing(`{"`, `{ "`)},
	{"SEC34_blank_in_front", replacing(`{"`, ` {"`)},
	{"SEC34_escaped", replacing(`"typ"`, `"\u0074yp"`)},
	{"SEC34_other_order", func(_ *testing.T, h string) string {
		before, typ, _ := strings.Cut(h, `,"typ"`)
		return `{"typ"` + strings.TrimSuffix(typ, "}") + "," + strings.TrimPrefix(before, "{") + "}"
	}},
	{"SEC34_garbage_behind", func(_ *testing.T, h string) string { return h + "x" }},
	{"SEC34_empty", func(*testing.T, string) string { return "" }},
}

func replacing(old, by string) func(*testing.T, string) string {
	return func(t *testing.T, text string) string { t.Helper(); return swap(t, text, old, by) }
}

func adding(member string) func(*testing.T, string) string {
	return func(_ *testing.T, header string) string { return strings.TrimSuffix(header, "}") + "," + member + "}" }
}

// changingMember replaces the value of a header's member, a string.
func changingMember(name, value string) func(*testing.T, string) string {
	return func(t *testing.T, header string) string {
		t.Helper()
		before, rest, _ := strings.Cut(header, `"`+name+`":"`)
		_, after, ok := strings.Cut(rest, `"`)
		if !ok {
			t.Fatalf("no %s in %s", name, header)
		}
		return before + `"` + name + `":` + value + after
	}
}

// TestRefusedHeaders: each key has one header, and no other is even decoded.
func TestRefusedHeaders(t *testing.T) {
	for _, w := range worlds(t) {
		header, claims := w.header(t), w.claims(t, record())
		w.accept(t, w.forge(header, claims), "our own header")
		for _, row := range refusedHeaders {
			t.Run(row.name, func(t *testing.T) { w.refuse(t, w.forge(row.change(t, header), claims), row.name) })
		}
	}
}

// refusedClaims are claims under a good header, signed or encrypted with the right
// key.
var refusedClaims = []struct {
	name   string
	change func(t *testing.T, claims string) string
}{
	{"SEC49_exp_missing", replacing(`"exp":1900003600,`, "")},
	{"SEC49_exp_null", replacing(`"exp":1900003600`, `"exp":null`)},
	{"SEC49_exp_text", replacing(`"exp":1900003600`, `"exp":"1900003600"`)},
	{"SEC49_exp_fraction", replacing(`"exp":1900003600`, `"exp":1900003600.0`)},
	{"SEC49_exp_exponent", replacing(`"exp":1900003600`, `"exp":19000036e2`)},
	{"SEC49_exp_huge", replacing(`"exp":1900003600`, `"exp":99999999999999999999`)},
	{"SEC49_exp_negative", replacing(`"exp":1900003600`, `"exp":-1`)},
	{"SEC49_exp_negative_zero", replacing(`"exp":1900003600`, `"exp":-0`)},
	{"SEC49_exp_zero", replacing(`"exp":1900003600`, `"exp":0`)},
	{"SEC49_exp_leading_zero", replacing(`"exp":1900003600`, `"exp":01900003600`)},
	{"SEC49_exp_plus", replacing(`"exp":1900003600`, `"exp":+1900003600`)},
	{"SEC49_exp_largest", replacing(`"exp":1900003600`, `"exp":9223372036854775807`)},
	{"SEC49_exp_wraps_around", replacing(`"exp":1900003600`, `"exp":18446744075609555216`)},
	{"SEC49_exp_infinite", replacing(`"exp":1900003600`, `"exp":1e400`)},
	{"SEC49_exp_true", replacing(`"exp":1900003600`, `"exp":true`)},
	{"SEC49_exp_array", replacing(`"exp":1900003600`, `"exp":[1900003600]`)},
	{"SEC49_exp_in_milliseconds", replacing(`"exp":1900003600`, `"exp":1900003600000`)},
	{"SEC49_exp_again_in_other_case", replacing(`"satchel"`, `"EXP":9223372036854775807,"satchel"`)},
	{"SEC49_exp_again_with_a_long_s", replacing(`"satchel"`, `"\u017fub":"root","satchel"`)},
	{"SEC49_iat_negative", replacing(`"iat":1900000000`, `"iat":-1`)},
	{"SEC49_iat_text", replacing(`"iat":1900000000`, `"iat":"1900000000"`)},
	{"SEC49_iat_fraction", replacing(`"iat":1900000000`, `"iat":1900000000.5`)},
	{"SEC49_auth_time_fraction", replacing(`"auth_time":1899999940`, `"auth_time":1899999940.5`)},
	{"SEC49_exp_later_than_the_session", replacing(`"exp":1900003600`, `"exp":1900003601`)},
	{"SEC49_exp_twice", replacing(`"exp":1900003600`, `"exp":1,"exp":1900003600`)},
	{"SEC49_iat_missing", replacing(`"iat":1900000000,`, "")},
	{"SEC49_iat_earlier_than_the_save", replacing(`"iat":1900000000`, `"iat":1899999999`)},
	{"SEC49_auth_time_later_than_the_login", replacing(`"auth_time":1899999940`, `"auth_time":1900000000`)},
	{"SEC49_nbf", replacing(`"satchel"`, `"nbf":1,"satchel"`)},
	{"SEC50_iss_missing", replacing(`"iss":"https://app.example",`, "")},
	{"SEC50_iss_of_another", replacing(`"iss":"https://app.example"`, `"iss":"https://evil.example"`)},
	{"SEC50_iss_with_a_slash", replacing(`"iss":"https://app.example"`, `"iss":"https://app.example/"`)},
	{"SEC50_iss_in_other_case", replacing(`"iss":"https://app.example"`, `"iss":"https://App.example"`)},
	{"SEC50_iss_twice", replacing(`"iss":"https://app.example"`, `"iss":"https://evil.example","iss":"https://app.example"`)},
	{"SEC50_iss_array", replacing(`"iss":"https://app.example"`, `"iss":["https://app.example"]`)},
	{"SEC50_aud_missing", replacing(`"aud":"https://app.example",`, "")},
	{"SEC50_aud_null", replacing(`"aud":"https://app.example"`, `"aud":null`)},
	{"SEC50_aud_of_another", replacing(`"aud":"https://app.example"`, `"aud":"billing"`)},
	{"SEC50_aud_contains_ours", replacing(`"aud":"https://app.example"`, `"aud":"https://app.example.evil.example"`)},
	{"SEC50_aud_is_part_of_ours", replacing(`"aud":"https://app.example"`, `"aud":"https://app.exampl"`)},
	{"SEC50_aud_of_others", replacing(`"aud":"https://app.example"`, `"aud":["billing","https://app.example.evil.example"]`)},
	{"SEC50_aud_empty", replacing(`"aud":"https://app.example"`, `"aud":[]`)},
	{"SEC50_aud_object", replacing(`"aud":"https://app.example"`, `"aud":{"https://app.example":1}`)},
	{"SEC50_aud_breaks_out", replacing(`"aud":"https://app.example"`, `"aud":["billing"],"aud":"https://app.example"`)},
	{"SEC34_aud_array_of_one", replacing(`"aud":"https://app.example"`, `"aud":["https://app.example"]`)},
	{"SEC34_sub_twice", replacing(`"sub":"ann"`, `"sub":"root","sub":"ann"`)},
	{"SEC34_sub_twice_last_wins", replacing(`"sub":"ann"`, `"sub":"ann","sub":"root"`)},
	{"SEC34_sub_again_in_other_case", replacing(`"satchel"`, `"SUB":"root","satchel"`)},
	{"SEC34_sub_in_other_case", replacing(`"sub"`, `"Sub"`)},
	{"SEC34_satchel_twice", replacing(`"satchel":{"v":1,`, `"satchel":{},"satchel":{"v":1,`)},
	{"SEC34_satchel_unknown_member", replacing(`"satchel":{"v":1,`, `"satchel":{"v":1,"x":1,`)},
	{"SEC34_sid_of_another_session", replacing(`"sid":"AQIDBAUA`, `"sid":"AQIDBAUB`)},
	{"SEC34_sid_missing", func(t *testing.T, c string) string {
		return swap(t, c, `"sid":"`+record().ID.String()+`",`, "")
	}},
	{"SEC34_escaped", replacing(`"sub":"ann"`, `"sub":"\u0061nn"`)},
	{"SEC34_blank", replacing(`"sub":"ann"`, `"sub": "ann"`)},
	{"SEC34_blank_in_front", func(_ *testing.T, c string) string { return " " + c }},
	{"SEC34_newline_behind", func(_ *testing.T, c string) string { return c + "\n" }},
	{"SEC34_garbage_behind", func(_ *testing.T, c string) string { return c + "x" }},
	{"SEC34_two_objects", func(_ *testing.T, c string) string { return c + c }},
	{"SEC34_null", func(*testing.T, string) string { return "null" }},
	{"SEC34_array", func(_ *testing.T, c string) string { return "[" + c + "]" }},
	{"SEC34_nothing", func(*testing.T, string) string { return "" }},
	{"SEC34_further_claims_unsorted", replacing(`"satchel"`, `"z":1,"a":1,"satchel"`)},
	{"SEC34_further_claim_twice", replacing(`"satchel"`, `"a":1,"a":2,"satchel"`)},
	{"SEC34_further_claim_with_a_member_twice", replacing(`"satchel"`, `"a":{"b":1,"b":2},"satchel"`)},
	{"SEC34_further_claims_huge", replacing(`"satchel"`, `"a":"`+strings.Repeat("x", maxClaims)+`","satchel"`)},
	{"SEC34_jti", replacing(`"satchel"`, `"jti":"1","satchel"`)},
	{"SEC41_other_namespace", replacing(`"ns":"shop"`, `"ns":"admin"`)},
	{"SEC41_other_cookie", replacing(`"nm":"__Host-session"`, `"nm":"session"`)},
	{"SEC51_other_purpose", replacing(`"for":"session"`, `"for":"touch"`)},
	{"SEC41_version_0", replacing(`"v":1`, `"v":0`)},
	{"SEC41_version_missing", replacing(`"v":1,`, ``)},
	{"SEC34_satchel_twice_last_wins", func(_ *testing.T, c string) string { return strings.TrimSuffix(c, "}") + `,"satchel":{}}` }},
	{"SEC34_satchel_escaped", replacing(`"satchel"`, `"satche\u006c"`)},
	{"SEC34_further_claim_escaped", replacing(`"satchel"`, `"\u0061":1,"satchel"`)},
	{"SEC34_further_claim_deep", replacing(`"satchel"`, `"a":`+strings.Repeat("[", 900)+strings.Repeat("]", 900)+`x,"satchel"`)},
	{"SEC34_further_claims_break_out", replacing(`"satchel"`, `"a":1}{"b":1,"satchel"`)},
	{"SEC34_byte_order_mark", func(_ *testing.T, c string) string { return "\ufeff" + c }},
	{"SEC34_comment", replacing(`"satchel"`, `/**/"satchel"`)},
	{"SEC34_trailing_comma", func(_ *testing.T, c string) string { return strings.TrimSuffix(c, "}") + ",}" }},
	{"SEC34_invalid_UTF_8", replacing(`"satchel"`, "\"a\":\"\xff\",\"satchel\"")},
	{"SEC51_nested_none", func(_ *testing.T, c string) string {
		return encoding.EncodeToString([]byte(`{"alg":"none"}`)) + "." + encoding.EncodeToString([]byte(c)) + "."
	}},
	{"SEC51_logout_token", func(*testing.T, string) string {
		return `{"iss":"https://app.example","aud":"https://app.example","sub":"ann","iat":1900000000,"exp":1900003600,"jti":"x","events":{"http://schemas.openid.net/event/backchannel-logout":{}}}`
	}},
	{"SEC51_ID_token", func(*testing.T, string) string {
		return `{"iss":"https://app.example","aud":"https://app.example","sub":"ann","iat":1900000000,"exp":1900003600,"nonce":"x"}`
	}},
}

// TestRefusedClaims: claims have one spelling, and must be ours in all.
func TestRefusedClaims(t *testing.T) {
	for _, w := range worlds(t) {
		header, claims := w.header(t), w.claims(t, record())
		w.accept(t, w.forge(header, swap(t, claims, `"satchel"`, `"a":{"b":1},"role":"admin","satchel"`)), "further claims")
		for _, row := range refusedClaims {
			t.Run(row.name, func(t *testing.T) { w.refuse(t, w.forge(header, row.change(t, claims)), row.name) })
		}
	}
}

// TestSEC34SubIsTheUser: the core takes the user from the record. Where sub cannot be a
// pseudonym, it must be the same.
func TestSEC34SubIsTheUser(t *testing.T) {
	for _, w := range worlds(t) {
		token := w.forge(w.header(t), swap(t, w.claims(t, record()), `"sub":"ann"`, `"sub":"root"`))
		if w.state().readable {
			w.refuse(t, token, "another sub")
		} else if r, err := w.open(token); err != nil || r.User != "ann" {
			t.Errorf("%s: %v, %v", w.name, r, err)
		}
	}
}

// TestSEC34OneSpelling: no text but the token itself opens.
func TestSEC34OneSpelling(t *testing.T) {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	for _, w := range worlds(t) {
		token := w.seal(t, testScope, record())
		at := 0
		for segment := range strings.SplitSeq(token, ".") {
			at += len(segment)
			for _, last := range alphabet {
				if len(segment) == 0 {
					break
				}
				if other := token[:at-1] + string(last) + token[at:]; other != token {
					w.refuse(t, other, "another last character of a segment")
				}
			}
			for _, extra := range []string{"=", "==", "\n", "\r\n", "\r\n\r\n", " ", "A", "AAAA", "\x00", ".", "..", "~", "+"} {
				w.refuse(t, token[:at]+extra+token[at:], "something inserted")
				w.refuse(t, token[:at/2]+extra+token[at/2:], "something inserted")
			}
			at++
		}
		w.refuse(t, "Bearer "+token, "a scheme in front")
		for _, blank := range []string{" ", "\n", "\x00", "\ufeff", ".", "="} {
			w.refuse(t, blank+token, "something in front")
		}
		w.refuse(t, w.forge(w.header(t), token), "nested in itself")
		if parts := strings.Split(token, "."); len(parts) == 3 {
			w.refuse(t, `{"payload":"`+parts[1]+`","protected":"`+parts[0]+`","signature":"`+parts[2]+`"}`, "flattened JSON")
			w.refuse(t, `{"payload":"`+parts[1]+`","signatures":[{"protected":"`+parts[0]+`","signature":"`+parts[2]+`"}]}`, "JSON")
			w.refuse(t, parts[0]+".."+parts[2], "detached payload")
			w.refuse(t, parts[0]+"."+parts[1]+"."+parts[2]+"."+parts[2], "two signatures")
			w.refuse(t, parts[0]+"..."+parts[1]+"."+parts[2], "as JWE")
		} else {
			w.refuse(t, `{"protected":"`+parts[0]+`","iv":"`+parts[2]+`","ciphertext":"`+parts[3]+`","tag":"`+parts[4]+`"}`, "flattened JSON")
			w.refuse(t, parts[0]+".AAAA."+parts[2]+"."+parts[3]+"."+parts[4], "encrypted key")
			w.refuse(t, parts[0]+"."+parts[3]+"."+parts[4], "as JWS")
		}
		w.refuse(t, token+token, "twice")
		w.refuse(t, `{"payload":"x","protected":"x","signature":"x"}`, "JSON serialization")
		w.refuse(t, "", "nothing")
		w.refuse(t, strings.Repeat(".", 5), "dots")
		for {
			if other := strings.NewReplacer("-", "+", "_", "/").Replace(token); other != token {
				w.refuse(t, other, "standard alphabet")
				break
			}
			token = w.seal(t, testScope, record())
		}
	}
}

// TestSEC40EveryBit: a token with anything changed, or cut off, does not open.
func TestSEC40EveryBit(t *testing.T) {
	step := 1
	if testing.Short() {
		step = 7
	}
	for _, w := range worlds(t) {
		token := w.seal(t, testScope, record())
		for i := 0; i < len(token); i += step {
			w.refuse(t, token[:i], "truncated")
			w.refuse(t, token[:i]+string(token[i]^1)+token[i+1:], "bit flipped")
		}
	}
}

// TestSEC54Signatures: no signature that is none is one.
func TestSEC54Signatures(t *testing.T) {
	for _, w := range worlds(t) {
		token := w.seal(t, testScope, record())
		text, last := cutLast(token)
		size := encoding.DecodedLen(len(last))
		for what, signature := range map[string][]byte{
			"empty": {}, "zeros": make([]byte, size), "ones": []byte(strings.Repeat("\xff", size)), "one byte": {1},
			"short": make([]byte, size-1), "long": make([]byte, size+1),
		} {
			w.refuse(t, text+"."+encoding.EncodeToString(signature), what)
		}
		w.refuse(t, text, "no signature")
		w.refuse(t, text+".", "empty signature")
		other := w.seal(t, testScope, anonymous())
		_, foreign := cutLast(other)
		w.refuse(t, text+"."+foreign, "another token's")
	}
}

func cutLast(token string) (before, last string) {
	i := strings.LastIndexByte(token, '.')
	return token[:i], token[i+1:]
}

// TestSEC47PublicKeyIsNoSecret: the oldest attack on JWT signs with HMAC, and the
// public key as secret.
func TestSEC47PublicKeyIsNoSecret(t *testing.T) {
	for _, algorithm := range []Algorithm{EdDSA, ES256, RS256} {
		keys := testKeys(t, algorithm)
		w := signedWorld(t, string(algorithm), keys, Config{Issuer: issuer, Seal: testRing(t)})
		der, err := x509.MarshalPKIXPublicKey(keys.all()[0].public)
		if err != nil {
			t.Fatal(err)
		}
		jwks, err := keys.JWKS()
		if err != nil {
			t.Fatal(err)
		}
		header, claims := w.header(t), w.claims(t, record())
		for _, secret := range [][]byte{der, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), jwks} {
			for _, header := range []string{header, swap(t, header, string(algorithm), "HS256")} {
				text := encoding.EncodeToString([]byte(header)) + "." + encoding.EncodeToString([]byte(claims))
				mac := hmac.New(sha256.New, secret)
				mac.Write([]byte(text))
				w.refuse(t, text+"."+encoding.EncodeToString(mac.Sum(nil)), "HMAC with the public key")
			}
		}
		w.refuse(t, encoding.EncodeToString([]byte(`{"alg":"none"}`))+"."+encoding.EncodeToString([]byte(claims))+".", "none")
	}
}

// TestSEC48KeysDoNotStandForEachOther: each key's ID goes with its own signature, also
// where another key of the ring has another algorithm.
func TestSEC48KeysDoNotStandForEachOther(t *testing.T) {
	var texts []string
	for _, a := range []Algorithm{EdDSA, EdDSA, ES256, ES256, RS256} {
		texts = append(texts, testPEM(t, a))
	}
	c := Config{Issuer: issuer, Seal: testRing(t)}
	parsed, err := ParseKeys(strings.Join(texts, ""))
	if err != nil {
		t.Fatal(err)
	}
	ring := signedWorld(t, "ring", parsed, c)
	var single []world
	for _, text := range texts {
		keys, err := ParseKeys(text)
		if err != nil {
			t.Fatal(err)
		}
		single = append(single, signedWorld(t, "one", keys, c))
	}
	for i, w := range single {
		claims := w.claims(t, record())
		for j, other := range single {
			token := w.forge(other.header(t), claims)
			if i == j {
				ring.accept(t, token, "its own key ID")
			} else {
				ring.refuse(t, token, "another key's ID")
				other.refuse(t, token, "another key's ID")
			}
		}
	}
	// A content key signs nothing, and a signing key encrypts nothing.
	secret := testRing(t)
	hs256 := signedWorld(t, "HS256", FromKeyring(secret), Config{Issuer: issuer})
	jwe := world{name: "encrypted", sealer: configured(t, Encrypted(secret, Config{Issuer: issuer}), core.CBOR())}
	hs256.refuse(t, jwe.seal(t, testScope, record()), "encrypted with the same ring")
	jwe.refuse(t, hs256.seal(t, testScope, record()), "signed with the same ring")
}

// TestSEC52ClaimsAreNotReadBefore: what has no signature is refused without a look
// at its claims, which otherwise would say "newer".
func TestSEC52ClaimsAreNotReadBefore(t *testing.T) {
	for _, w := range worlds(t) {
		header := w.header(t)
		newer := w.forge(header, `{"satchel":{"v":2}}`)
		if _, err := w.open(newer); !errors.Is(err, core.ErrNewerVersion) {
			t.Errorf("%s: a token of a later release: %v", w.name, err)
		}
		before, last := cutLast(newer)
		forged := "A" + last[1:]
		if last[0] == 'A' {
			forged = "B" + last[1:]
		}
		w.refuse(t, before+"."+forged, "later release, without a signature")
	}
}

// TestSEC49Clock: a token from beyond the leeway is refused, to the second.
func TestSEC49Clock(t *testing.T) {
	for _, leeway := range []time.Duration{0, time.Second, time.Minute} {
		w := signedWorld(t, leeway.String(), testKeys(t, HS256), Config{Issuer: issuer, Leeway: leeway})
		if leeway == 0 {
			leeway = defaultLeeway
		}
		for _, ahead := range []time.Duration{-time.Hour, 0, leeway, leeway + time.Millisecond, time.Hour} {
			r := record()
			r.SavedAt = testNow.Add(ahead)
			token := w.seal(t, testScope, r)
			if ahead > leeway {
				w.refuse(t, token, ahead.String())
			} else {
				w.accept(t, token, ahead.String())
			}
		}
		// The core decides about touches.
		touchScope := testScope
		touchScope.Purpose = "touch"
		r := anonymous()
		r.SavedAt = testNow.Add(leeway + time.Second)
		if _, err := w.sealer.Open(t.Context(), touchScope, w.seal(t, touchScope, r)); err != nil {
			t.Errorf("touch: %v", err)
		}
	}
}

// TestDamagedContent: what a good token holds can be from a later release, or
// damaged, which the core reports.
func TestDamagedContent(t *testing.T) {
	w := encryptedWorld(t, "encrypted", Config{Issuer: issuer})
	header, claims := w.header(t), w.claims(t, record())
	before, rest, _ := strings.Cut(claims, `"r":"`)
	_, after, _ := strings.Cut(rest, `"`)
	for what, want := range map[string]error{"AQ": core.ErrCorrupt, "AgAA" + strings.Repeat("A", 40): core.ErrNewerVersion, "A": errNotOurs, "AR": errNotOurs} {
		if r, err := w.open(w.forge(header, before+`"r":"`+what+`"`+after)); !errors.Is(err, want) || r != nil {
			t.Errorf("%s: %v, %v", what, r, err)
		}
	}
	// No kind of content opens in the place of another.
	all := map[string]string{}
	for _, c := range []struct {
		name string
		c    Config
	}{{"sealed", Config{Seal: testRing(t)}}, {"readable", Config{Readable: true}}} {
		c.c.Issuer = issuer
		w := signedWorld(t, c.name, testKeys(t, HS256), c.c)
		all[c.name] = w.claims(t, record())
	}
	sealedWorld := signedWorld(t, "sealed", testKeys(t, HS256), Config{Issuer: issuer})
	readableWorld := signedWorld(t, "readable", testKeys(t, EdDSA), Config{Issuer: issuer, Readable: true})
	sealedWorld.refuse(t, sealedWorld.forge(sealedWorld.header(t), all["readable"]), "readable")
	sealedWorld.refuse(t, sealedWorld.forge(sealedWorld.header(t), all["sealed"]), "sealed with another ring")
	readableWorld.refuse(t, readableWorld.forge(readableWorld.header(t), all["sealed"]), "sealed")
	w.refuse(t, w.forge(header, all["readable"]), "readable")
	readableWorld.refuse(t, readableWorld.forge(readableWorld.header(t), claims), "values twice")
}
