package jwtsealer

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/golang-jwt/jwt/v5"

	"github.com/satchel-go/satchel/internal/testing/alloctest"
)

// TestSEC53CheapRefusal: what is not ours by its header or length is refused without
// an allocation, however long it is.
func TestSEC53CheapRefusal(t *testing.T) {
	for _, w := range worlds(t) {
		header := w.state().envelopeHeader()
		for what, token := range map[string]string{
			"another issuer's": "eyJhbGciOiJSUzI1NiIsImtpZCI6IngifQ.eyJpc3MiOiJ4In0.c2ln", "random": strings.Repeat("A", 64), "empty": "", "a dot": ".",
			"1 MB of dots": strings.Repeat(".", 1<<20), "80 KB of dots": strings.Repeat(".", maxToken), "our header and dots": header + strings.Repeat(".", maxToken-len(header)),
			"our header and 1 MB": header + "." + strings.Repeat("A", 1<<20), "our header alone": header,
		} {
			if n := testing.AllocsPerRun(20, func() { w.refuse(t, token, what) }); n != 0 {
				t.Errorf("%s: %s: %v allocations", w.name, what, n)
			}
		}
	}
}

// envelopeHeader returns the newest key's header for sessions.
func (s *state) envelopeHeader() string {
	switch e := s.envelope.(type) {
	case signed:
		return e.all()[0].headers[session]
	case encrypted:
		return e.keys()[0].headers[session]
	}
	return ""
}

// FuzzSEC40SEC46Open: only tokens that were made open, and refusing others takes
// memory for the token alone.
func FuzzSEC40SEC46Open(f *testing.F) {
	all := worlds(f)
	made := map[string]bool{}
	for _, w := range all {
		token := w.seal(f, testScope, record())
		made[token] = true
		f.Add(token)
		f.Add(token + ".")
		f.Add(token[:len(token)-1])
		f.Add(w.state().envelopeHeader() + "..." + ".")
	}
	f.Fuzz(func(t *testing.T, token string) {
		for _, w := range all {
			var err error
			alloctest.Bound(t, 24*len(token)+(32<<10), func() { _, err = w.open(token) })
			if err == nil && !made[token] || err != nil && err != errNotOurs { //nolint:errorlint // the very same answer
				t.Fatalf("%s: %v", w.name, err)
			}
		}
	})
}

// FuzzSEC46Claims: claims of any bytes, with a good signature, are one spelling of a
// session or refused.
func FuzzSEC46Claims(f *testing.F) {
	w := signedWorld(f, "readable", testKeys(f, HS256), Config{Issuer: issuer, Readable: true})
	claims := w.claims(f, record())
	f.Add(claims)
	for _, row := range []string{`"iat":1900000000`, `"sub":"ann"`, `"satchel":`} {
		f.Add(strings.Replace(claims, row, row+","+row, 1))
	}
	f.Fuzz(func(t *testing.T, claims string) {
		r, err := w.state().claims.decode(t.Context(), session, testScope, []byte(claims))
		if (err == nil) != (r != nil) {
			t.Fatal(err)
		}
		if err != nil {
			return
		}
		head := w.state().claims.publicOf(session, r)
		if !strings.Contains(claims, `"sid":"`+head.Session+`"`) {
			t.Fatalf("%s gives %s", claims, head.Session)
		}
	})
}

func BenchmarkOpen(b *testing.B) {
	for _, w := range worlds(b) {
		token := w.seal(b, testScope, record())
		b.Run(w.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := w.open(token); err != nil {
					b.Fatal(err)
				}
			}
		})
		e, ok := w.state().envelope.(signed)
		if !ok {
			continue
		}
		k := e.all()[0]
		method := k.method
		if low, ok := method.(lowS); ok {
			method = low.SigningMethodECDSA
		}
		b.Run(w.name+"/golang-jwt", func(b *testing.B) {
			parser := jwt.NewParser(jwt.WithValidMethods([]string{method.Alg()}), jwt.WithIssuer(issuer), jwt.WithAudience(issuer), jwt.WithExpirationRequired(), jwt.WithStrictDecoding(),
				jwt.WithTimeFunc(func() time.Time { return testNow }))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := parser.Parse(token, func(*jwt.Token) (any, error) { return k.public, nil }); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(w.name+"/signature", func(b *testing.B) {
			text, last := cutLast(token)
			signature, _ := decode(last)
			b.ReportAllocs()
			for b.Loop() {
				if err := k.method.Verify(text, signature, k.public); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	ring := testRing(b)
	s := Encrypted(ring, Config{Issuer: issuer})
	token, err := s.Seal(context.Background(), testScope, record())
	if err != nil {
		b.Fatal(err)
	}
	raw, err := contentKeys(ring)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("encrypted/go-jose", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			jwe, err := jose.ParseEncryptedCompact(token, []jose.KeyAlgorithm{jose.DIRECT}, []jose.ContentEncryption{jose.A256CBC_HS512})
			if err != nil {
				b.Fatal(err)
			}
			if _, err := jwe.Decrypt(raw[0].key); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// TestUnchangedTokensDecodeNoJSON: ordinary tokens take the short way, which gives the
// same answer as the long one.
func TestUnchangedTokensDecodeNoJSON(t *testing.T) {
	for _, w := range worlds(t) {
		f := &w.state().claims
		claims := []byte(w.claims(t, record()))
		r := f.unchanged(t.Context(), session, testScope, claims)
		if (r != nil) == f.readable || r != nil && !same(t, r, record()) {
			t.Errorf("%s: %v", w.name, r)
		}
		for _, row := range refusedClaims {
			if r := f.unchanged(t.Context(), session, testScope, []byte(row.change(t, string(claims)))); r != nil {
				t.Errorf("%s: %s is taken for ours", w.name, row.name)
			}
		}
	}
}
