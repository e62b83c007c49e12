package core

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
)

// Encrypted returns a [Store] that keeps its entries in store, encrypted: who
// gets hold of a dump, a backup or a replica reads nothing of the sessions.
//
//	backend := core.ServerSide(core.Encrypted(store, keys))
//
// An entry's data and its user are sealed with XAES-256-GCM
// (https://c2sp.org/XAES-256-GCM) under the ring's newest key. An entry opens
// only under the session ID that it was sealed for. Where store must know
// which sessions are one user's, in [Entry].User and in a [UserIndex], it sees
// a pseudonym: an HMAC of the user under a key of its own.
//
// An entry that does not open is an error that matches [ErrCorrupt]: the
// request is served as if without a session, an event tells, and the entry is
// left alone. That goes for entries that were altered, cut or moved, those of
// a key that is not in the ring, and those that are not encrypted: there is no
// fallback, or whoever can write to the store could forge sessions. So switching
// encryption on ends the sessions that are stored already; [Migrating] takes them
// over. docs/changing-the-backend.md says how.
//
// Keys rotate as [Keyring] says. What an older key sealed opens, and is sealed
// with the newest at the next save; so an old key can go once the sessions that
// were last saved with it have expired. While a ring has several keys, saves and
// logins read the store more often, a session that was sealed anew counts
// among its user's as entered then, and while instances differ about which key is
// the newest, logins at the same moment can exceed a [Config.SessionLimit].
//
// What stays visible: session IDs, their number, expiries and versions, when
// they change and how long they are, which are logged in, and which of them are the same
// user's. Somebody who can write to the store can delete sessions, put
// back an older entry of the same session, also of one that has ended, and put off
// its expiry, though not beyond the absolute lifetime, which is in the entry. Such a
// rollback needs a record of versions outside of the store to be noticed, and there is
// none. They can also take sessions out of the UserIndex, so that RevokeUser, List and
// a SessionLimit miss them; [Manager.RevokeAll] and [Config].NotBefore do not.
//
// The abilities of store are kept. [New] refuses the result if store is nil or
// the ring empty. It is safe for concurrent use; printing it shows no key.
func Encrypted(store Store, keys *Keyring) Store {
	e := &encrypted{inner: store}
	if e.err = e.prepare(keys); e.err == nil && store == nil {
		e.err = errors.New("core: Encrypted: the store is nil: give it one, such as memstore.New()")
	}
	if index, ok := storeAs[UserIndex](store); ok {
		return &encryptedIndex{encrypted: e, index: index}
	}
	return e
}

// A sealed entry is a format byte, the ID of the key, and what xaes wrote. In
// it are the user's length, the user and the data.
const (
	sealedFormat = 0xE1 // unlike the first byte of an entry that is not sealed
	sealedHeader = 1 + len(keyID{})
	sealedFor    = "satchel stored entry"
	sealedAAD    = len(sealedFor) + sealedHeader + len(ID{})

	// pseudonymFor derives the key of the pseudonyms from a key of the ring.
	pseudonymFor = "satchel user pseudonym 1"
)

// encrypted is an encrypting store; see encryptedIndex for those with a UserIndex.
type encrypted struct {
	inner Store
	// keys is a func for the reason given in Keyring.
	keys func() []*storeKey
	err  error // why it cannot be used
}

// storeKey is a key of the ring, ready for use.
type storeKey struct {
	id   keyID
	aead *xaes
	macs sync.Pool // of mac, for pseudonyms
}

// mac is what is needed of a hash.Hash.
type mac interface {
	io.Writer
	Sum(b []byte) []byte
	Reset()
}

var (
	_ Store     = (*encrypted)(nil)
	_ Validator = (*encrypted)(nil)
)

func (s *encrypted) prepare(ring *Keyring) error {
	if ring.Len() == 0 {
		return errors.New("core: Encrypted: no keys; pass the ring that ParseKeyring or NewKeyring returned without an error")
	}
	keys := make([]*storeKey, 0, ring.Len())
	for _, k := range ring.all() {
		aead, err := newXAES(&k.key)
		if err != nil {
			return fmt.Errorf("core: Encrypted: %w", err)
		}
		// The ring's keys are random, so there is nothing to extract.
		names, err := hkdf.Expand(sha256.New, k.key[:], pseudonymFor, sha256.Size)
		if err != nil {
			return fmt.Errorf("core: Encrypted: %w", err)
		}
		keys = append(keys, &storeKey{
			id: k.id, aead: aead,
			macs: sync.Pool{New: func() any { return hmac.New(sha256.New, names) }},
		})
	}
	s.keys = func() []*storeKey { return keys }
	return nil
}

// Validate implements [Validator], for the wrapped store too.
func (s *encrypted) Validate() error {
	if s.err != nil {
		return s.err
	}
	if v, ok := storeAs[Validator](s.inner); ok {
		return v.Validate()
	}
	return nil
}

// Unwrap returns the wrapped store. Its abilities that deal with IDs alone
// need no translation.
func (s *encrypted) Unwrap() Store { return s.inner }

// String returns a text such as "core.Encrypted(2 keys)".
func (s *encrypted) String() string {
	if s.err != nil {
		return redacted("core.Encrypted", 0)
	}
	return redacted("core.Encrypted", len(s.keys()))
}

// Format implements [fmt.Formatter]: every verb prints String.
func (s *encrypted) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.String()) }

// MarshalText implements [encoding.TextMarshaler]: JSON shows String.
func (s *encrypted) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// LogValue implements [slog.LogValuer]: logs show String.
func (s *encrypted) LogValue() slog.Value { return slog.StringValue(s.String()) }

// Load implements [Store].
func (s *encrypted) Load(ctx context.Context, id ID) (Entry, error) {
	if s.err != nil {
		return Entry{}, s.err
	}
	e, err := s.inner.Load(ctx, id)
	if err != nil {
		return Entry{}, err
	}
	if e.User, e.Data, err = s.open(id, e.Data); err != nil {
		return Entry{}, err
	}
	return e, nil
}

// Save implements [Store].
func (s *encrypted) Save(ctx context.Context, id ID, e Entry, base Version) (Version, error) {
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

// Touch implements [Store].
func (s *encrypted) Touch(ctx context.Context, id ID, base Version, expires time.Time) error {
	if s.err != nil {
		return s.err
	}
	return s.inner.Touch(ctx, id, base, expires)
}

// Delete implements [Store]. Also what cannot be opened can be deleted.
func (s *encrypted) Delete(ctx context.Context, id ID) error {
	if s.err != nil {
		return s.err
	}
	return s.inner.Delete(ctx, id)
}

// seal returns the sealed entry.
func (k *storeKey) seal(id ID, user string, data []byte) ([]byte, error) {
	plain := make([]byte, 0, binary.MaxVarintLen32+len(user)+len(data))
	plain = append(appendString(plain, user), data...)
	sealed := make([]byte, 0, sealedHeader+len(plain)+xaesOverhead)
	sealed = append(append(sealed, sealedFormat), k.id[:]...)
	aad := sealedAADs.Get().(*[sealedAAD]byte)
	defer sealedAADs.Put(aad)
	sealed, err := k.aead.appendSeal(sealed, plain, fillSealedAAD(aad, k.id, id))
	if err != nil {
		return nil, fmt.Errorf("core: Encrypted: seal: %w", err)
	}
	return sealed, nil
}

// open returns what seal was given. Its errors match ErrCorrupt, and say of
// the content nothing.
func (s *encrypted) open(id ID, sealed []byte) (user string, data []byte, err error) {
	if len(sealed) < sealedHeader+xaesOverhead || sealed[0] != sealedFormat {
		return "", nil, fmt.Errorf("%w: not an encrypted entry", ErrCorrupt)
	}
	by := keyID(sealed[1:sealedHeader])
	for _, k := range s.keys() {
		if k.id != by {
			continue
		}
		aad := sealedAADs.Get().(*[sealedAAD]byte)
		defer sealedAADs.Put(aad)
		plain, err := k.aead.open(nil, sealed[sealedHeader:], fillSealedAAD(aad, by, id))
		if err != nil {
			return "", nil, fmt.Errorf("%w: the encrypted entry does not open", ErrCorrupt)
		}
		c := cursor{buf: plain}
		user = string(c.bytes())
		if c.bad {
			return "", nil, fmt.Errorf("%w: malformed encrypted entry", ErrCorrupt)
		}
		return user, c.buf, nil
	}
	return "", nil, fmt.Errorf("%w: encrypted with a key that is not in the ring", ErrCorrupt)
}

// fillSealedAAD writes the additional data, which the tag protects without carrying
// it. Every part has its fixed length. What cookies are sealed with begins otherwise.
func fillSealedAAD(aad *[sealedAAD]byte, key keyID, id ID) []byte {
	b := append(aad[:0], sealedFor...)
	b = append(b, sealedFormat)
	b = append(b, key[:]...)
	return append(b, id[:]...)
}

// sealedAADs lends room for additional data, which would otherwise be allocated each time.
var sealedAADs = sync.Pool{New: func() any { return new([sealedAAD]byte) }}

// pseudonym returns what the wrapped store knows user by: text, for stores
// with text columns, and always of the same length. Nobody stays nobody.
func (k *storeKey) pseudonym(user string) string {
	if user == "" {
		return ""
	}
	m := k.macs.Get().(mac)
	defer k.macs.Put(m)
	m.Reset()
	_, _ = io.WriteString(m, user) // a hash never fails
	return idEncoding.EncodeToString(m.Sum(make([]byte, 0, sha256.Size)))
}
