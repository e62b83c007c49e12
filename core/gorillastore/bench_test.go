package gorillastore

import (
	"context"
	"testing"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/sealed"
)

// fourValues is the session that the project measures everything with.
func fourValues(b *testing.B) *core.Record {
	b.Helper()
	blob := make([]byte, 200)
	copy(blob, testKey("blob", 32))
	r := testRecord(b)
	r.Label, r.Remembered = "", false
	return r.WithContent(func(yield func(string, []byte) bool) {
		for _, v := range []struct {
			key   string
			value any
		}{{"id", int64(1234567)}, {"name", "Ada Lovelace"}, {"role", "editor"}, {"blob", blob}} {
			raw, err := core.CBOR().Encode(v.value)
			if err != nil {
				b.Fatal(err)
			}
			if !yield(v.key, raw) {
				return
			}
		}
	}, nil)
}

func BenchmarkCookie(b *testing.B) {
	ring, err := sealed.ParseKeyring(sealed.GenerateKey())
	if err != nil {
		b.Fatal(err)
	}
	for name, s := range map[string]core.Sealer{"gorilla": testSealer(b, "a"), "native": sealed.Cookie(ring)} {
		r := fourValues(b)
		token := seal(b, s, r)
		b.Run(name+"/open", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := open(s, token); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(len("session=")+len(token)), "cookie-bytes")
		})
		b.Run(name+"/seal", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := s.Seal(context.Background(), scope, r); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
