package jwtsealer

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/sealed"
)

const issuer = "https://app.example"

var (
	testScope = core.Scope{Namespace: "shop", Name: "__Host-session", Purpose: "session"}
	testNow   = time.UnixMilli(1_900_000_000_123)
)

func testRing(t testing.TB) *sealed.Keyring {
	t.Helper()
	ring, err := sealed.ParseKeyring(sealed.GenerateKey())
	if err != nil {
		t.Fatal(err)
	}
	return ring
}

// rsaPEM is one key for all tests, since making one takes long.
var rsaPEM = sync.OnceValues(func() (string, error) {
	key, err := rsa.GenerateKey(rand.Reader, minRSABits)
	if err != nil {
		return "", err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})), err
})

func testPEM(t testing.TB, algorithm Algorithm) string {
	t.Helper()
	make := func() (string, error) { return GenerateKey(algorithm) }
	if algorithm == RS256 {
		make = rsaPEM
	}
	text, err := make()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func testKeys(t testing.TB, algorithms ...Algorithm) *Keys {
	t.Helper()
	if len(algorithms) == 1 && algorithms[0] == HS256 {
		return FromKeyring(testRing(t))
	}
	var text string
	for _, a := range algorithms {
		text += testPEM(t, a)
	}
	keys, err := ParseKeys(text)
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

var algorithms = []Algorithm{EdDSA, ES256, RS256, HS256}

// world is one kind of sealer, with what makes tokens of any header and claims with
// the right key.
type world struct {
	name   string
	sealer *Sealer
	forge  func(header, claims string) string
}

func (w world) state() *state { return w.sealer.state() }

// header returns the key's only header for sessions, decoded.
func (w world) header(t testing.TB) string {
	t.Helper()
	token, _, _ := strings.Cut(w.seal(t, testScope, record()), ".")
	text, err := encoding.DecodeString(token)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// claims returns those that the sealer writes for r.
func (w world) claims(t testing.TB, r *core.Record) string {
	t.Helper()
	claims, err := w.state().claims.encode(context.Background(), session, testScope, r)
	if err != nil {
		t.Fatal(err)
	}
	return string(claims)
}

func (w world) seal(t testing.TB, scope core.Scope, r *core.Record) string {
	t.Helper()
	token, err := w.sealer.Seal(context.Background(), scope, r)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func (w world) open(token string) (*core.Record, error) {
	return w.sealer.Open(context.Background(), testScope, token)
}

// refuse checks that token does not open, with the one answer for all.
func (w world) refuse(t *testing.T, token, what string) {
	t.Helper()
	if r, err := w.open(token); err != errNotOurs || r != nil { //nolint:errorlint // the very same answer
		t.Errorf("%s: %s: opened to %v, %v", w.name, what, r, err)
	}
}

func (w world) accept(t *testing.T, token, what string) {
	t.Helper()
	if _, err := w.open(token); err != nil {
		t.Errorf("%s: %s: %v", w.name, what, err)
	}
}

// configured gives a sealer the clock of testNow.
func configured(t testing.TB, s *Sealer, codec core.Codec) *Sealer {
	t.Helper()
	c, err := s.WithConfig(core.Config{Codec: codec, Now: func() time.Time { return testNow }})
	if err != nil {
		t.Fatal(err)
	}
	own, ok := c.(*Sealer)
	if !ok {
		t.Fatalf("%T", c)
	}
	return own
}

func signedWorld(t testing.TB, name string, keys *Keys, c Config) world {
	t.Helper()
	codec := core.CBOR()
	if c.Readable {
		codec = core.JSON()
	}
	k := keys.all()[0]
	return world{name: name, sealer: configured(t, Signed(keys, c), codec), forge: func(header, claims string) string {
		text := encoding.EncodeToString([]byte(header)) + "." + encoding.EncodeToString([]byte(claims))
		signature, err := k.method.Sign(text, k.private)
		if err != nil {
			t.Fatal(err)
		}
		return text + "." + encoding.EncodeToString(signature)
	}}
}

func encryptedWorld(t testing.TB, name string, c Config) world {
	t.Helper()
	codec := core.CBOR()
	if c.Readable {
		codec = core.JSON()
	}
	s := configured(t, Encrypted(testRing(t), c), codec)
	e, ok := s.state().envelope.(encrypted)
	if !ok {
		t.Fatalf("%T", s.state().envelope)
	}
	return world{name: name, sealer: s, forge: func(header, claims string) string {
		k := e.keys()[0]
		k.headers = headers{session: encoding.EncodeToString([]byte(header))}
		token, err := encrypted{keys: func() []contentKey { return []contentKey{k} }}.seal(session, []byte(claims))
		if err != nil {
			t.Fatal(err)
		}
		return token
	}}
}

// worlds are all kinds of sealers.
func worlds(t testing.TB) (all []world) {
	t.Helper()
	for _, a := range algorithms {
		all = append(all, signedWorld(t, string(a), testKeys(t, a), Config{Issuer: issuer, Seal: testRing(t)}))
	}
	return append(all,
		signedWorld(t, "readable", testKeys(t, EdDSA), Config{Issuer: issuer, Readable: true}),
		encryptedWorld(t, "encrypted", Config{Issuer: issuer}),
		encryptedWorld(t, "encrypted readable", Config{Issuer: issuer, Readable: true}),
	)
}

// record returns a session with something of everything. Its values are both CBOR
// and JSON.
func record() *core.Record {
	r := &core.Record{
		ID: core.ID{1, 2, 3, 4, 5}, User: "ann", Label: "Firefox", Remembered: true,
		CreatedAt: testNow.Add(-time.Hour), AuthenticatedAt: testNow.Add(-time.Minute), SavedAt: testNow,
		Deadline: testNow.Add(24 * time.Hour), Expires: testNow.Add(time.Hour),
	}
	return r.WithContent(maps.All(map[string][]byte{"cart": []byte("7"), "a<b>": []byte(`"x"`)}),
		slices.Values([]core.StoredFlash{{Number: 8, Kind: "info", Expires: testNow, Payload: []byte("hello")}}))
}

// anonymous returns a session without a login, user, values or flashes.
func anonymous() *core.Record {
	return &core.Record{ID: core.ID{9}, CreatedAt: testNow, SavedAt: testNow, Expires: testNow.Add(time.Hour)}
}

// same compares records by what is stored of them, values in any order.
func same(t *testing.T, got, want *core.Record) bool {
	t.Helper()
	values := func(r *core.Record) map[string]string {
		m := map[string]string{}
		for key, raw := range r.Values() {
			m[key] = string(raw)
		}
		return m
	}
	bytes := func(r *core.Record) string {
		data, err := r.WithContent(nil, r.StoredFlashes()).MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	return maps.Equal(values(got), values(want)) && bytes(got) == bytes(want)
}
