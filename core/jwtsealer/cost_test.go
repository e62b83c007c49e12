package jwtsealer

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/golang-jwt/jwt/v5"

	"github.com/satchel-go/satchel/core"
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
// memory for the token alone. Each process has keys of its own, so what is tried is an
// edit of a token that this one has made, and a text without relation to one.
func FuzzSEC40SEC46Open(f *testing.F) {
	all := worlds(f)
	made := make([]string, len(all))
	for i, w := range all {
		made[i] = w.seal(f, testScope, record())
		f.Add(uint8(i), uint16(0), uint16(0), "", "a.b.c")
		f.Add(uint8(i), uint16(len(made[i])-1), uint16(1), "A", "....")
		f.Add(uint8(i), uint16(len(made[i])), uint16(0), "\n", "eyJhbGciOiJub25lIn0.e30.")
		f.Add(uint8(i), uint16(strings.LastIndexByte(made[i], '.')), uint16(1), "..", "e30..e30.e30.e30")
	}
	f.Fuzz(func(t *testing.T, which uint8, at, cut uint16, insert, other string) {
		w, token := all[int(which)%len(all)], made[int(which)%len(all)]
		i := min(int(at), len(token))
		edited := token[:i] + insert + token[i+min(int(cut), len(token)-i):]
		for _, text := range []string{edited, other} {
			var err error
			alloctest.Bound(t, 24*len(text)+(32<<10), func() { _, err = w.open(text) })
			if (err == nil) != (text == token) || err != nil && err != errNotOurs { //nolint:errorlint // the very same answer
				t.Fatalf("%s: %q: %v", w.name, text, err)
			}
		}
	})
}

// FuzzSEC46Claims: claims of any bytes, with a good signature, are one spelling of a
// session or refused, and the short way gives the same answer as the long one.
func FuzzSEC46Claims(f *testing.F) {
	all := []world{
		signedWorld(f, "readable", testKeys(f, HS256), Config{Issuer: issuer, Readable: true}),
		encryptedWorld(f, "encrypted", Config{Issuer: issuer}),
	}
	for _, w := range all {
		claims := w.claims(f, record())
		f.Add(claims)
		for _, row := range []string{`"iat":1900000000`, `"sub":"ann"`, `"satchel":`} {
			f.Add(strings.Replace(claims, row, row+","+row, 1))
		}
		f.Add(strings.Replace(claims, `"satchel"`, `"a":{"b":[1,null]},"satchel"`, 1))
	}
	f.Fuzz(func(t *testing.T, claims string) {
		for _, w := range all {
			format := &w.state().claims
			var r *core.Record
			var err error
			alloctest.Bound(t, 64*len(claims)+(32<<10), func() { r, err = format.decode(t.Context(), session, testScope, []byte(claims)) })
			if (err == nil) != (r != nil) {
				t.Fatal(err)
			}
			if err != nil {
				continue
			}
			// sub is the only claim that the record does not decide: a pseudonym may change.
			again := []byte(w.claims(t, r))
			if head, _, _ := strings.Cut(claims, `"sub":`); !strings.HasPrefix(string(again), head) && !strings.HasPrefix(claims, `{"iss":"`+issuer+`","aud":[`) {
				t.Fatalf("%s: %s is read as %s", w.name, claims, again)
			}
			if !strings.HasSuffix(claims, string(again[strings.Index(string(again), `,"satchel":`):])) {
				t.Fatalf("%s: %s is read as %s", w.name, claims, again)
			}
		}
	})
}

// BenchmarkForeign is a token that its header refuses.
func BenchmarkForeign(b *testing.B) {
	for _, w := range worlds(b) {
		b.Run(w.name, func(b *testing.B) {
			token := "eyJhbGciOiJSUzI1NiIsImtpZCI6ImV4YW1wbGUiLCJ0eXAiOiJKV1QifQ.eyJpc3MiOiJ4In0." + strings.Repeat("A", 342)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := w.open(token); err == nil {
					b.Fatal("opens")
				}
			}
		})
	}
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
