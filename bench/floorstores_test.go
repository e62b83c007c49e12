package bench

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/satchel-go/satchel/core/goredisstore"
	"github.com/satchel-go/satchel/internal/testing/redistest"
)

// floors returns the floor on each backend.
func floors(tb testing.TB) []struct {
	name  string
	store floorStore
} {
	return []struct {
		name  string
		store floorStore
	}{
		{"memory/floor", newFloorMemory()},
		{"cookie/floor", newFloorSealer(tb)},
		{"redis/floor", newFloorRedis(tb, ourClient(tb, redistest.Shared(tb)))},
	}
}

// floorMemory is a map behind a mutex.
type floorMemory struct {
	mu       sync.Mutex
	sessions map[[16]byte]floorState
}

func newFloorMemory() *floorMemory { return &floorMemory{sessions: map[[16]byte]floorState{}} }

func (m *floorMemory) load(s *floorSession, token string) {
	id, hash, ok := floorParse(token)
	if !ok {
		return
	}
	m.mu.Lock()
	state, ok := m.sessions[id]
	m.mu.Unlock()
	if ok {
		s.admit(id, hash, state)
	}
}

func (m *floorMemory) save(s *floorSession) (token string) {
	base := s.version
	if base == 0 {
		token = s.newToken()
	}
	s.version++
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.sessions[s.id].version == base {
		m.sessions[s.id] = s.floorState
	}
	return token
}

// floorSealer keeps sessions in the cookie, encrypted as Satchel's sealed cookie is: with
// XAES-256-GCM (https://c2sp.org/XAES-256-GCM), in base64url, with the name of the cookie as
// additional data.
type floorSealer struct {
	block cipher.Block
	k1    [aes.BlockSize]byte
	aad   []byte
}

const (
	floorHeader   = "\x01KEYI" // format and key ID
	floorHead     = len(floorHeader)
	floorPrefix   = 12 // the part of the nonce that derives the key
	floorOverhead = floorHead + floorPrefix + 12 + 16
)

func newFloorSealer(tb testing.TB) *floorSealer {
	var key [32]byte
	_, _ = rand.Read(key[:])
	block, err := aes.NewCipher(key[:])
	if err != nil {
		tb.Fatal(err)
	}
	f := &floorSealer{block: block, aad: []byte(floorHeader + "session" + floorCookie)}
	block.Encrypt(f.k1[:], f.k1[:])
	msb := f.k1[0] >> 7
	for i := range len(f.k1) - 1 {
		f.k1[i] = f.k1[i]<<1 | f.k1[i+1]>>7
	}
	f.k1[len(f.k1)-1] = f.k1[len(f.k1)-1]<<1 ^ (0x87 & -msb)
	return f
}

// floorScratch is the working memory of one call.
type floorScratch struct {
	raw, text []byte
	key       [32]byte
}

var floorScratches = sync.Pool{New: func() any { return new(floorScratch) }}

// derive returns the cipher of one message.
func (f *floorSealer) derive(b *floorScratch, prefix []byte) cipher.AEAD {
	for i := range 2 {
		half := b.key[i*aes.BlockSize:][:aes.BlockSize]
		m := [aes.BlockSize]byte{0, byte(i + 1), 'X', 0}
		copy(m[4:], prefix)
		for j := range half {
			half[j] = m[j] ^ f.k1[j]
		}
		f.block.Encrypt(half, half)
	}
	block, err := aes.NewCipher(b.key[:])
	if err != nil {
		panic(err)
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		panic(err)
	}
	return gcm
}

func (f *floorSealer) load(s *floorSession, token string) {
	b := floorScratches.Get().(*floorScratch)
	defer floorScratches.Put(b)
	b.text = append(b.text[:0], token...)
	raw, err := floorEncoding.AppendDecode(b.raw[:0], b.text)
	if err != nil || len(raw) < floorOverhead || string(raw[:floorHead]) != floorHeader {
		return
	}
	b.raw = raw
	raw = raw[floorHead:]
	gcm := f.derive(b, raw[:floorPrefix])
	plain, err := gcm.Open(nil, raw[floorPrefix:][:12], raw[floorPrefix+12:], f.aad)
	if err != nil || len(plain) < 8 {
		return
	}
	if expires := int64(binary.BigEndian.Uint64(plain)); time.Now().UnixMilli() < expires {
		s.expires, s.data = expires, plain[8:]
	}
}

func (f *floorSealer) save(s *floorSession) (token string) {
	b := floorScratches.Get().(*floorScratch)
	defer floorScratches.Put(b)
	b.text = append(binary.BigEndian.AppendUint64(b.text[:0], uint64(s.expires)), s.data...)
	const nonceEnd = floorHead + floorPrefix + 12
	b.raw = append(append(b.raw[:0], floorHeader...), make([]byte, nonceEnd-floorHead)...)
	nonce := b.raw[floorHead:nonceEnd]
	_, _ = rand.Read(nonce) // never fails
	gcm := f.derive(b, nonce[:floorPrefix])
	b.raw = gcm.Seal(b.raw, nonce[floorPrefix:], b.text, f.aad)
	b.text = floorEncoding.AppendEncode(b.text[:0], b.raw)
	return string(b.text)
}

// floorRedis keeps sessions in Redis, with Satchel's client and commands: GETEX for a
// read, and a script that compares and sets for a write. Each is one round trip.
type floorRedis struct {
	client redis.UniversalClient
	script string // its hash
}

// The state of a session in Redis is its version, expiry, hash and data.
const (
	floorHashAt = 16
	floorDataAt = floorHashAt + 24

	floorCompareAndSet = `
if redis.call('GETRANGE', KEYS[1], 0, 7) ~= ARGV[1] then
  return 0
end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return 1`
)

func newFloorRedis(tb testing.TB, client redis.UniversalClient) *floorRedis {
	hash, err := client.ScriptLoad(context.Background(), floorCompareAndSet).Result()
	if err != nil {
		tb.Fatal(err)
	}
	return &floorRedis{client: client, script: hash}
}

func ourClient(tb testing.TB, server *redistest.Server) redis.UniversalClient {
	client, err := goredisstore.NewClient(server.URL())
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = client.Close() })
	return client
}

func floorRedisKey(id *[16]byte) string {
	var key [6 + 22]byte
	copy(key[:], "floor:")
	base64.RawURLEncoding.Encode(key[6:], id[:])
	return string(key[:])
}

func (f *floorRedis) load(s *floorSession, token string) {
	id, hash, ok := floorParse(token)
	if !ok {
		return
	}
	cmd := redis.NewStringCmd(s.Context, "getex", floorRedisKey(&id))
	_ = f.client.Process(s.Context, cmd) // its error is cmd's
	value, err := cmd.Bytes()
	if err != nil || len(value) < floorDataAt {
		return
	}
	s.admit(id, hash, floorState{
		hash:    [24]byte(value[floorHashAt:]),
		version: binary.BigEndian.Uint64(value),
		expires: int64(binary.BigEndian.Uint64(value[8:])),
		data:    value[floorDataAt:],
	})
}

func (f *floorRedis) save(s *floorSession) (token string) {
	base := []byte{}
	if s.version == 0 {
		token = s.newToken()
	} else {
		base = binary.BigEndian.AppendUint64(nil, s.version)
	}
	s.version++
	value := make([]byte, 0, floorDataAt+len(s.data))
	value = binary.BigEndian.AppendUint64(value, s.version)
	value = binary.BigEndian.AppendUint64(value, uint64(s.expires))
	value = append(append(value, s.hash[:]...), s.data...)
	left := max(time.Until(time.UnixMilli(s.expires)).Milliseconds(), 1)
	cmd := redis.NewCmd(s.Context, "evalsha", f.script, 1, floorRedisKey(&s.id), base, value, left)
	_ = f.client.Process(s.Context, cmd) // its error is cmd's
	if err := cmd.Err(); err != nil {
		panic(err)
	}
	return token
}
