package jwtsealer

import (
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/elliptic"
	"encoding/asn1"
	"encoding/hex"
	"math/big"
	"os"
	"slices"
	"strings"
	"testing"

	josecipher "github.com/go-jose/go-jose/v4/cipher"
	"github.com/golang-jwt/jwt/v5"
)

const rfc7515RSA = `{"kty":"RSA",
 "n":"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ",
 "e":"AQAB",
 "d":"Eq5xpGnNCivDflJsRQBXHx1hdR1k6Ulwe2JZD50LpXyWPEAeP88vLNO97IjlA7_GQ5sLKMgvfTeXZx9SE-7YwVol2NXOoAJe46sui395IW_GO-pWJ1O0BkTGoVEn2bKVRUCgu-GjBVaYLU6f3l9kJfFNS3E0QbVdxzubSu3Mkqzjkn439X0M_V51gfpRLI9JYanrC4D4qAdGcopV_0ZHHzQlBjudU2QvXt4ehNYTCBr6XCLQUShb1juUO1ZdiYoFaFQT5Tw8bGUl_x_jTj3ccPDVZFD9pIuhLhBOneufuBiB4cS98l2SR_RQyGWSeWjnczT0QU91p1DhOVRuOopznQ",
 "p":"4BzEEOtIpmVdVEZNCqS7baC4crd0pqnRH_5IB3jw3bcxGn6QLvnEtfdUdiYrqBdss1l58BQ3KhooKeQTa9AB0Hw_Py5PJdTJNPY8cQn7ouZ2KKDcmnPGBY5t7yLc1QlQ5xHdwW1VhvKn-nXqhJTBgIPgtldC-KDV5z-y2XDwGUc",
 "q":"uQPEfgmVtjL0Uyyx88GZFF1fOunH3-7cepKmtH4pxhtCoHqpWmT8YAmZxaewHgHAjLYsp1ZSe7zFYHj7C6ul7TjeLQeZD_YwD66t62wDmpe_HlB-TnBA-njbglfIsRLtXlnDzQkv5dTltRJ11BKBBypeeF6689rjcJIDEz9RWdc",
 "dp":"BwKfV3Akq5_MFZDFZCnW-wzl-CCo83WoZvnLQwCTeDv8uzluRSnm71I3QCLdhrqE2e9YkxvuxdBfpT_PI7Yz-FOKnu1R6HsJeDCjn12Sk3vmAktV2zb34MCdy7cpdTh_YVr7tss2u6vneTwrA86rZtu5Mbr1C1XsmvkxHQAdYo0",
 "dq":"h_96-mK1R_7glhsum81dZxjTnYynPbZpHziZjeeHcXYsXaaMwkOlODsWa7I9xXDoRwbKgB719rrmI2oKr6N3Do9U0ajaHF-NKJnwgjMd2w9cjz3_-kyNlxAr2v4IKhGNpmM5iIgOS1VZnOZ68m6_pbLBSp3nssTdlqvd0tIiTHU",
 "qi":"IYd7DHOhrWvxkwPQsRM2tOgrjbcrfvtQJipd-DlcxyVuuM9sQLdgjVk2oy26F0EmpScGLq2MowX7fhd_QJQ3ydy5cY7YIBi87w93IKLEdfnbJtoOPLUW0ITrJReOgo1cq9SbsxYawBgfp_gh6A5603k2-ZQwVK0JKSHuLFkuQ3U"}`

const (
	rfc7515Payload = "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
	rfc7520Payload = "SXTigJlzIGEgZGFuZ2Vyb3VzIGJ1c2luZXNzLCBGcm9kbywgZ29pbmcgb3V0IHlvdXIgZG9vci4gWW91IHN0ZXAgb250byB0aGUgcm9hZCwgYW5kIGlmIHlvdSBkb24ndCBrZWVwIHlvdXIgZmVldCwgdGhlcmXigJlzIG5vIGtub3dpbmcgd2hlcmUgeW91IG1pZ2h0IGJlIHN3ZXB0IG9mZiB0by4"
)

// TestSEC54SignatureVectors checks the primitives with the examples of RFCs.
func TestSEC54SignatureVectors(t *testing.T) {
	for _, v := range []struct {
		name   string
		method jwt.SigningMethod
		key    string
		text   string
		want   string
	}{
		{
			"RFC 7515 A.1", jwt.SigningMethodHS256, `{"kty":"oct","k":"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"}`,
			"eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9." + rfc7515Payload, "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
		},
		{
			"RFC 7515 A.2", jwt.SigningMethodRS256, rfc7515RSA, "eyJhbGciOiJSUzI1NiJ9." + rfc7515Payload,
			"cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw",
		},
		{
			"RFC 7515 A.3", jwt.SigningMethodES256, `{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}`,
			"eyJhbGciOiJFUzI1NiJ9." + rfc7515Payload, "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q",
		},
		{
			"RFC 7520 4.1", jwt.SigningMethodRS256, `{"kty":"RSA","e":"AQAB","n":"n4EPtAOCc9AlkeQHPzHStgAbgs7bTZLwUBZdR8_KuKPEHLd4rHVTeT-O-XV2jRojdNhxJWTDvNd7nqQ0VEiZQHz_AJmSCpMaJMRBSFKrKb2wqVwGU_NsYOYL-QtiWN2lbzcEe6XC0dApr5ydQLrHqkHHig3RBordaZ6Aj-oBHqFEHYpPe7Tpe-OfVfHd1E6cS6M1FZcD1NNLYD5lFHpPI9bTwJlsde3uhGqC0ZCuEHg8lhzwOHrtIQbS0FVbb9k3-tVTU4fg_3L_vniUFAKwuCLqKnS2BYwdq_mzSnbLY7h_qixoR7jig3__kRhuaxwUkRz5iaiQkqgc5gHdrNP5zw"}`,
			"eyJhbGciOiJSUzI1NiIsImtpZCI6ImJpbGJvLmJhZ2dpbnNAaG9iYml0b24uZXhhbXBsZSJ9." + rfc7520Payload,
			"MRjdkly7_-oTPTS3AXP41iQIGKa80A0ZmTuV5MEaHoxnW2e5CZ5NlKtainoFmKZopdHM1O2U4mwzJdQx996ivp83xuglII7PNDi84wnB-BDkoBwA78185hX-Es4JIwmDLJK3lfWRa-XtL0RnltuYv746iYTh_qHRD68BNt1uSNCrUCTJDt5aAE6x8wW1Kt9eRo4QPocSadnHXFxnt8Is9UzpERV0ePPQdLuW3IS_de3xyIrDaLGdjluPxUAhb6L2aXic1U12podGU0KLUQSE_oI-ZnmKJ3F4uOZDnd6QZWJushZ41Axf_fcIe8u9ipH84ogoree7vjbU5y18kDquDg",
		},
		{
			"RFC 7520 4.4", jwt.SigningMethodHS256, `{"kty":"oct","k":"hJtXIZ2uSN5kbQfbtTNWbpdmhkV8FJG-Onbc6mxCcYg"}`,
			"eyJhbGciOiJIUzI1NiIsImtpZCI6IjAxOGMwYWU1LTRkOWItNDcxYi1iZmQ2LWVlZjMxNGJjNzAzNyJ9." + rfc7520Payload, "s0h6KThzkfBBBkLspW1h84VsJZFTsPPqMDA7g1Md7p0",
		},
		{
			"RFC 8037 A.4", jwt.SigningMethodEdDSA, `{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}`,
			"eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc", "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg",
		},
	} {
		key := parsedJWK(t, v.key)
		if private, ok := key.(crypto.Signer); ok {
			key = private.Public()
		}
		signature, ok := decode(v.want)
		if err := v.method.Verify(v.text, signature, key); !ok || err != nil {
			t.Errorf("%s: %v", v.name, err)
		}
		if v.method.Verify(v.text+"x", signature, key) == nil {
			t.Errorf("%s: another text", v.name)
		}
		signature[len(signature)-1] ^= 1
		if v.method.Verify(v.text, signature, key) == nil {
			t.Errorf("%s: another signature", v.name)
		}
	}
}

// blocks counts uses of a cipher.
type blocks struct {
	cipher.Block
	decrypted *int
}

func (b blocks) Decrypt(dst, src []byte) { *b.decrypted++; b.Block.Decrypt(dst, src) }

// TestSEC40ContentVector is RFC 7518 B.3. With any bit of the tag flipped, nothing is
// decrypted.
func TestSEC40ContentVector(t *testing.T) {
	unhex := func(s string) []byte {
		b, err := hex.DecodeString(s)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	key := make([]byte, 64)
	for i := range key {
		key[i] = byte(i)
	}
	iv := unhex("1af38c2dc2b96ffdd86694092341bc04")
	plain := "A cipher system must not be required to be secret, and it must be able to fall into the hands of the enemy without inconvenience"
	data := []byte("The second principle of Auguste Kerckhoffs")
	box := unhex("4affaaadb78c31c5da4b1b590d10ffbd3dd8d5d302423526912da037ecbcc7bd822c301dd67c373bccb584ad3e9279c2e6d12a1374b77f077553df829410446b" +
		"36ebd97066296ae6427ea75c2e0846a11a09ccf5370dc80bfecbad28c73f09b3a3b75e662a2594410ae496b2e2e6609e31e6e02cc837f053d21f37ff4f51950b" +
		"be2638d09dd7a4930930806d0703b1f6" + "4dd3b4c088a7f45c216839645b2012bf2e6269a8c56a816dbc1b267761955bc5")
	decrypted := 0
	counting := !strings.Contains(os.Getenv("GODEBUG"), "fips140=only") // which lets AES itself in alone
	aead, err := josecipher.NewCBCHMAC(key, func(key []byte) (cipher.Block, error) {
		block, err := aes.NewCipher(key)
		if !counting {
			return block, err
		}
		return blocks{block, &decrypted}, err
	})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := aead.Open(nil, iv, box, data); err != nil || string(got) != plain || counting && decrypted == 0 {
		t.Errorf("%q, %v, %d blocks", got, err, decrypted)
	}
	if got := aead.Seal(nil, iv, []byte(plain), data); string(got) != string(box) {
		t.Errorf("%x", got)
	}
	decrypted = 0
	for bit := range 8 * len(box) {
		box[bit/8] ^= 1 << (bit % 8)
		if got, err := aead.Open(nil, iv, box, data); err == nil || got != nil {
			t.Errorf("bit %d flipped: %q", bit, got)
		}
		box[bit/8] ^= 1 << (bit % 8)
	}
	if decrypted != 0 {
		t.Errorf("%d blocks were decrypted before the tag was compared", decrypted)
	}
}

// TestSEC54DegenerateP256 has what Wycheproof tries with ECDSA: r and s of 0, n and
// beyond, the twin of a signature, and encodings of other lengths.
func TestSEC54DegenerateP256(t *testing.T) {
	k := testKeys(t, ES256).all()[0]
	good, err := k.method.Sign("text", k.private)
	if err != nil || k.method.Verify("text", good, k.public) != nil {
		t.Fatal(err)
	}
	n := elliptic.P256().Params().N
	number := func(i *big.Int) []byte { return i.FillBytes(make([]byte, p256Size)) }
	r, s := good[:p256Size], good[p256Size:]
	twin := number(new(big.Int).Sub(n, new(big.Int).SetBytes(s)))
	bad := [][]byte{slices.Concat(r, twin), nil, r, good[:63], append(slices.Clone(good), 0), slices.Concat([]byte{0}, good), slices.Concat(s, r)}
	der, err := asn1.Marshal(struct{ R, S *big.Int }{new(big.Int).SetBytes(r), new(big.Int).SetBytes(s)})
	if err != nil {
		t.Fatal(err)
	}
	bad = append(bad, der)
	odd := []*big.Int{big.NewInt(0), big.NewInt(1), new(big.Int).Sub(n, big.NewInt(1)), n, new(big.Int).Add(n, big.NewInt(1)), new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 256), big.NewInt(1))}
	for _, a := range odd {
		bad = append(bad, slices.Concat(number(a), s), slices.Concat(r, number(a)))
		for _, b := range odd {
			bad = append(bad, slices.Concat(number(a), number(b)))
		}
	}
	for _, signature := range bad {
		if k.method.Verify("text", signature, k.public) == nil {
			t.Errorf("%x verifies", signature)
		}
	}
	if jwt.SigningMethodES256.Verify("text", bad[0], k.public) != nil {
		t.Error("the twin is none: this test shows nothing")
	}
	// Signing always makes the smaller s.
	for range 64 {
		signature, err := k.method.Sign("text", k.private)
		if err != nil || k.method.Verify("text", signature, k.public) != nil {
			t.Fatal(err)
		}
	}
}
