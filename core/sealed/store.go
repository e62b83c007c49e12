package sealed

import (
	"context"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/internal/xaes"
)

// Store returns a [core.Store] that keeps its entries encrypted in store. A dump,
// backup or replica of store reveals nothing of the sessions' content.
//
//	backend := core.ServerSide(sealed.Store(store, keys))
//
// The ring's newest key seals an entry's data and user with XAES-256-GCM
// (https://c2sp.org/XAES-256-GCM). An entry opens only under the session ID it was
// sealed for. Where store must know which sessions belong to one user, in
// [core.Entry].User and in a [core.UserIndex], it sees a pseudonym: an HMAC of
// the user under a separate key.
//
// # Entries that do not open
//
// An entry that does not open yields an error that matches [core.ErrCorrupt]. The
// request is served as if without a session, an event reports the error, and the
// entry stays in the store. This applies to entries that:
//
//   - were altered, truncated or moved
//   - were sealed with a key that is not in the ring
//   - are not encrypted: with a fallback, write access to the store would be
//     enough to forge sessions
//
// Enabling encryption therefore ends the sessions already stored, unless
// [core.Migrating] takes them over, as docs/changing-the-backend.md explains.
//
// # Key rotation
//
// Keys rotate as [Keyring] describes. The next save reseals a session with the
// newest key. An old key can go once the sessions last saved with it have expired.
// While the ring has several keys:
//
//   - saves and logins read the store more often
//   - a resealed session counts as its user's newest
//   - logins at the same moment can exceed a [core.Config.SessionLimit] while
//     instances disagree about which key is newest
//
// # Limits
//
// Session IDs, their number, expiries and versions stay visible. So do the length
// of each session, the times of its changes, which sessions are logged in, and which
// belong to the same user. With write access to the store, an attacker can:
//
//   - delete sessions
//   - put back an older entry of the same session, even one that has ended, and
//     postpone its expiry, but not past the absolute lifetime, which is in the
//     entry. Detecting this would need a record of versions outside the store;
//     there is none.
//   - take sessions out of the UserIndex. RevokeUser, List and a SessionLimit then
//     miss them; [core.Manager.RevokeAll] and [core.Config].NotBefore do not.
//
// The result keeps the abilities of store. [core.New] refuses it if store is nil or
// the ring is empty. It is safe for concurrent use; printing it shows no key.
func Store(store core.Store, keys *Keyring) core.Store {
	e := &encrypted{inner: store}
	if e.err = e.prepare(keys); e.err == nil && store == nil {
		e.err = errors.New("sealed: Store: the store is nil: give it one, such as memstore.New(memstore.Config{})")
	}
	return e.withIndex()
}

// withIndex adds a UserIndex to s if the wrapped store has one.
func (s *encrypted) withIndex() core.Store {
	index, ok := core.StoreAs[core.UserIndex](s.inner)
	if !ok {
		return s
	}
	indexed := &encryptedIndex{encrypted: s, index: index}
	if mender, ok := index.(core.Mender); ok {
		return &encryptedMender{encryptedIndex: indexed, mender: mender}
	}
	return indexed
}

// A sealed entry is a format byte, the ID of the key, and the output of xaes. The
// plaintext is the user's length, the user and the data.
const (
	sealedFormat = 0xE1 // no unsealed entry starts with it
	sealedHeader = 1 + len(keyID{})
	sealedFor    = "satchel stored entry"
	sealedAAD    = len(sealedFor) + sealedHeader + len(core.ID{})

	// pseudonymFor is the label that derives the pseudonyms' key from a ring key.
	pseudonymFor = "satchel user pseudonym 1"
)

// encrypted is an encrypting store; encryptedIndex adds a UserIndex.
type encrypted struct {
	inner core.Store
	// keys is a func for the reason given in Keyring.
	keys func() []*storeKey
	err  error // why it cannot be used
}

// storeKey is a key of the ring, ready for use.
type storeKey struct {
	id   keyID
	aead *xaes.Cipher
	macs sync.Pool // of mac, for pseudonyms
}

// mac is the part of hash.Hash that pseudonyms need.
type mac interface {
	io.Writer
	Sum(b []byte) []byte
	Reset()
}

var (
	_ core.Store                    = (*encrypted)(nil)
	_ core.Validator                = (*encrypted)(nil)
	_ core.Configurable[core.Store] = (*encrypted)(nil)
)

func (s *encrypted) prepare(ring *Keyring) error {
	if ring.Len() == 0 {
		return errors.New("sealed: Store: no keys; pass the ring that ParseKeyring or NewKeyring returned without an error")
	}
	keys := make([]*storeKey, 0, ring.Len())
	for _, k := range ring.all() {
		aead, err := xaes.New(&k.key)
		if err != nil {
			return fmt.Errorf("sealed: Store: %w", err)
		}
		// The ring's keys are random, so there is nothing to extract.
		names, err := hkdf.Expand(sha256.New, k.key[:], pseudonymFor, sha256.Size)
		if err != nil {
			return fmt.Errorf("sealed: Store: %w", err)
		}
		keys = append(keys, &storeKey{
			id: k.id, aead: aead,
			macs: sync.Pool{New: func() any { return hmac.New(sha256.New, names) }},
		})
	}
	s.keys = func() []*storeKey { return keys }
	return nil
}

// Validate implements [core.Validator], for the wrapped store too.
func (s *encrypted) Validate() error {
	if s.err != nil {
		return s.err
	}
	if v, ok := core.StoreAs[core.Validator](s.inner); ok {
		return v.Validate()
	}
	return nil
}

// WithConfig implements [core.Configurable], for a wrapped store that does.
func (s *encrypted) WithConfig(c core.Config) (core.Store, error) {
	clone := *s
	if inner, ok := s.inner.(core.Configurable[core.Store]); ok {
		var err error
		if clone.inner, err = inner.WithConfig(c); err != nil {
			return nil, err
		}
	}
	return clone.withIndex(), nil
}

// Unwrap returns the wrapped store. Abilities that deal only with session IDs need
// no translation.
func (s *encrypted) Unwrap() core.Store { return s.inner }

// String returns a text such as "sealed.Store(2 keys)".
func (s *encrypted) String() string {
	if s.err != nil {
		return redacted("sealed.Store", 0)
	}
	return redacted("sealed.Store", len(s.keys()))
}

// Format implements [fmt.Formatter]: every verb prints String.
func (s *encrypted) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.String()) }

// MarshalText implements [encoding.TextMarshaler]: JSON shows String.
func (s *encrypted) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// LogValue implements [slog.LogValuer]: logs show String.
func (s *encrypted) LogValue() slog.Value { return slog.StringValue(s.String()) }

// Load implements [core.Store].
func (s *encrypted) Load(ctx context.Context, id core.ID) (core.Entry, error) {
	if s.err != nil {
		return core.Entry{}, s.err
	}
	e, err := s.inner.Load(ctx, id)
	if err != nil {
		return core.Entry{}, err
	}
	if e.User, e.Data, err = s.open(id, e.Data); err != nil {
		return core.Entry{}, err
	}
	return e, nil
}

// Save implements [core.Store].
func (s *encrypted) Save(ctx context.Context, id core.ID, e core.Entry, base core.Version) (core.Version, error) {
	if s.err != nil {
		return 0, s.err
	}
	k := s.keys()[0]
	data, err := k.seal(id, e.User, e.Data)
	if err != nil {
		return 0, err
	}
	e.User, e.Data = k.pseudonym(e.User), data
	return s.inner.Save(ctx, id, e, base)
}

// Touch implements [core.Store].
func (s *encrypted) Touch(ctx context.Context, id core.ID, base core.Version, expires time.Time) error {
	if s.err != nil {
		return s.err
	}
	return s.inner.Touch(ctx, id, base, expires)
}

// Delete implements [core.Store]. Entries that cannot be decrypted can still be
// deleted.
func (s *encrypted) Delete(ctx context.Context, id core.ID) error {
	if s.err != nil {
		return s.err
	}
	return s.inner.Delete(ctx, id)
}

// seal returns the sealed entry of user and data.
func (k *storeKey) seal(id core.ID, user string, data []byte) ([]byte, error) {
	plain := make([]byte, 0, binary.MaxVarintLen32+len(user)+len(data))
	plain = binary.AppendUvarint(plain, uint64(len(user)))
	plain = append(append(plain, user...), data...)
	sealed := make([]byte, 0, sealedHeader+len(plain)+xaes.Overhead)
	sealed = append(append(sealed, sealedFormat), k.id[:]...)
	aad := sealedAADs.Get().(*[sealedAAD]byte)
	defer sealedAADs.Put(aad)
	sealed, err := k.aead.AppendSeal(sealed, plain, fillSealedAAD(aad, k.id, id))
	if err != nil {
		return nil, fmt.Errorf("sealed: Store: seal: %w", err)
	}
	return sealed, nil
}

// open is the reverse of seal. Its errors match ErrCorrupt and reveal nothing of
// the content.
func (s *encrypted) open(id core.ID, sealed []byte) (user string, data []byte, err error) {
	if len(sealed) < sealedHeader+xaes.Overhead || sealed[0] != sealedFormat {
		return "", nil, fmt.Errorf("%w: not an encrypted entry", core.ErrCorrupt)
	}
	by := keyID(sealed[1:sealedHeader])
	for _, k := range s.keys() {
		if k.id != by {
			continue
		}
		aad := sealedAADs.Get().(*[sealedAAD]byte)
		defer sealedAADs.Put(aad)
		plain, err := k.aead.Open(nil, sealed[sealedHeader:], fillSealedAAD(aad, by, id))
		if err != nil {
			return "", nil, fmt.Errorf("%w: the encrypted entry does not open", core.ErrCorrupt)
		}
		length, n := binary.Uvarint(plain)
		if n <= 0 || length > uint64(len(plain)-n) {
			return "", nil, fmt.Errorf("%w: malformed encrypted entry", core.ErrCorrupt)
		}
		plain = plain[n:]
		return string(plain[:length]), plain[length:], nil
	}
	return "", nil, fmt.Errorf("%w: encrypted with a key that is not in the ring", core.ErrCorrupt)
}

// fillSealedAAD writes the additional data, which the tag authenticates but the
// entry does not contain. Each part has a fixed length. The additional data of
// cookies starts differently.
func fillSealedAAD(aad *[sealedAAD]byte, key keyID, id core.ID) []byte {
	b := append(aad[:0], sealedFor...)
	b = append(b, sealedFormat)
	b = append(b, key[:]...)
	return append(b, id[:]...)
}

// sealedAADs reuses the buffers for additional data.
var sealedAADs = sync.Pool{New: func() any { return new([sealedAAD]byte) }}

// pseudonym returns the name of user in the wrapped store: 96 bits of the HMAC. Without
// the key nobody can look for two users with one name; of 2^32 users, two have one with
// a probability of 2^-33. It is text, for stores
// with text columns, and has a fixed length. The empty user stays empty.
func (k *storeKey) pseudonym(user string) string {
	if user == "" {
		return ""
	}
	m := k.macs.Get().(mac)
	defer k.macs.Put(m)
	m.Reset()
	_, _ = io.WriteString(m, user) // a hash never fails
	return encoding.EncodeToString(m.Sum(make([]byte, 0, sha256.Size))[:12])
}
