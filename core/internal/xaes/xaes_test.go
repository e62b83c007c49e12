package xaes

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
	"crypto/sha3"
	"encoding/hex"
	"errors"
	"sync"
	"testing"
)

// testKey returns the n-th of many keys that look random and stay the same.
func testKey(n byte) []byte {
	h := sha256.Sum256([]byte{n})
	return h[:]
}

func newCipher(t testing.TB, key []byte) *Cipher {
	t.Helper()
	x, err := New((*[KeySize]byte)(key))
	if err != nil {
		t.Fatal(err)
	}
	return x
}

// sealWithNonce is XAES with a nonce of the test's choosing, and an
// independent check of what Open reads. Under GODEBUG=fips140=only nobody may
// choose nonces, so the test that calls it is skipped.
func sealWithNonce(t *testing.T, x *Cipher, nonce, plaintext, aad []byte) []byte {
	t.Helper()
	var key [KeySize]byte
	x.deriveKey(&key, nonce[:prefixSize])
	block, err := aes.NewCipher(key[:])
	if err != nil {
		t.Fatal(err)
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		t.Skip("chosen nonces: ", err)
	}
	return gcm.Seal(bytes.Clone(nonce), nonce[prefixSize:], plaintext, aad)
}

// The vectors of https://c2sp.org/XAES-256-GCM: one for each value of the bit
// that decides how K1 is doubled.
var vectors = []struct {
	name        string
	key         byte
	aad, sealed string
}{
	{"MSB of L is 0", 0x01, "", "ce546ef63c9cc60765923609b33a9a1974e96e52daf2fcf7075e2271"},
	{"MSB of L is 1", 0x03, "c2sp.org/XAES-256-GCM", "986ec1832593df5443a179437fd083bf3fdb41abd740a21f71eb769d"},
}

const (
	vectorNonce     = "ABCDEFGHIJKLMNOPQRSTUVWX"
	vectorPlaintext = "XAES-256-GCM"
)

func TestXAESVectorsOpen(t *testing.T) {
	for _, v := range vectors {
		t.Run(v.name, func(t *testing.T) {
			sealed, err := hex.DecodeString(v.sealed)
			if err != nil {
				t.Fatal(err)
			}
			x := newCipher(t, bytes.Repeat([]byte{v.key}, KeySize))
			got, err := x.Open([]byte("dst:"), append([]byte(vectorNonce), sealed...), []byte(v.aad))
			if err != nil {
				t.Fatal(err)
			}
			if string(got) != "dst:"+vectorPlaintext {
				t.Errorf("opened to %q", got)
			}
		})
	}
}

func TestXAESVectorsSeal(t *testing.T) {
	for _, v := range vectors {
		t.Run(v.name, func(t *testing.T) {
			x := newCipher(t, bytes.Repeat([]byte{v.key}, KeySize))
			got := sealWithNonce(t, x, []byte(vectorNonce), []byte(vectorPlaintext), []byte(v.aad))
			if hex.EncodeToString(got[NonceSize:]) != v.sealed {
				t.Errorf("sealed to %x", got[NonceSize:])
			}
		})
	}
}

// The specification's randomized vectors: SHAKE128 draws the inputs and
// gathers the outputs.
func TestXAESVectorsAccumulated(t *testing.T) {
	const want = "e6b9edf2df6cec60c8cbd864e2211b597fb69a529160cd040d56c0c210081939"
	in, out := sha3.NewSHAKE128(), sha3.NewSHAKE128()
	draw := func(n int) []byte {
		b := make([]byte, n)
		_, _ = in.Read(b) // never returns an error
		return b
	}
	for range 10_000 {
		key, nonce := draw(KeySize), draw(NonceSize)
		plaintext := draw(int(draw(1)[0]))
		aad := draw(int(draw(1)[0]))
		x := newCipher(t, key)
		sealed := sealWithNonce(t, x, nonce, plaintext, aad)
		if got, err := x.Open(nil, sealed, aad); err != nil || !bytes.Equal(got, plaintext) {
			t.Fatal("what was sealed does not open", err)
		}
		_, _ = out.Write(sealed[NonceSize:])
	}
	digest := make([]byte, 32)
	_, _ = out.Read(digest)
	if got := hex.EncodeToString(digest); got != want {
		t.Errorf("digest %s, want %s", got, want)
	}
}

func TestXAESRoundTrip(t *testing.T) {
	x := newCipher(t, testKey(1))
	for _, n := range []int{0, 1, 15, 16, 17, 350, 4096, 100_000} {
		plaintext := bytes.Repeat([]byte{0xA5}, n)
		sealed, err := x.AppendSeal([]byte("head"), plaintext, []byte("aad"))
		if err != nil {
			t.Fatal(err)
		}
		if len(sealed) != len("head")+n+Overhead || string(sealed[:4]) != "head" {
			t.Fatalf("%d bytes sealed to %d, starting %q", n, len(sealed), sealed[:4])
		}
		got, err := x.Open([]byte("head"), sealed[4:], []byte("aad"))
		if err != nil {
			t.Fatal(err)
		}
		if string(got) != "head"+string(plaintext) {
			t.Errorf("%d bytes opened to something else", n)
		}
	}
}

// What AppendSeal wrote is what the specification says for its nonce.
func TestXAESSealIsTheSpecifications(t *testing.T) {
	x := newCipher(t, testKey(1))
	sealed, err := x.AppendSeal(nil, []byte("plaintext"), []byte("aad"))
	if err != nil {
		t.Fatal(err)
	}
	if want := sealWithNonce(t, x, sealed[:NonceSize], []byte("plaintext"), []byte("aad")); !bytes.Equal(sealed, want) {
		t.Errorf("sealed to %x, want %x", sealed, want)
	}
}

func TestXAESRefuses(t *testing.T) {
	x := newCipher(t, testKey(1))
	sealed, err := x.AppendSeal(nil, []byte("plaintext"), []byte("aad"))
	if err != nil {
		t.Fatal(err)
	}
	refused := func(what string, x *Cipher, sealed []byte, aad string) {
		t.Helper()
		if got, err := x.Open(nil, sealed, []byte(aad)); !errors.Is(err, errOpen) || got != nil {
			t.Errorf("%s: %q, %v", what, got, err)
		}
	}
	refused("another key", newCipher(t, testKey(2)), sealed, "aad")
	refused("other additional data", x, sealed, "aae")
	refused("nothing", x, nil, "aad")
	for i := range sealed {
		refused("truncated", x, sealed[:i], "aad")
		for bit := range 8 {
			flipped := bytes.Clone(sealed)
			flipped[i] ^= 1 << bit
			refused("bit flipped", x, flipped, "aad")
		}
	}
}

func TestXAESConcurrentUse(t *testing.T) {
	x := newCipher(t, testKey(1))
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			plaintext := bytes.Repeat([]byte{byte(g)}, 64)
			for range 500 {
				sealed, err := x.AppendSeal(nil, plaintext, nil)
				if err != nil {
					t.Error(err)
					return
				}
				if got, err := x.Open(nil, sealed, nil); err != nil || !bytes.Equal(got, plaintext) {
					t.Errorf("opened to %x, %v", got, err)
					return
				}
			}
		})
	}
	wg.Wait()
}
