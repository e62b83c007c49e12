package core

import (
	"context"
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"
)

// ServerSide returns a [Backend] that keeps sessions in store; clients carry
// only a token. It keeps every promise of this package, listing and revoking
// included as far as store has the optional abilities.
func ServerSide(store Store) Backend { return &serverSide{store: store, now: time.Now} }

type serverSide struct {
	store Store
	rand  io.Reader
	now   func() time.Time
}

// serverHandle notes which state of an entry was loaded, and by which right.
type serverHandle struct {
	id       ID
	version  Version
	expires  time.Time
	current  hash  // the hash that the presented token has; unused when byID
	previous hash  // the hash before it, zero if there is none or it no longer matters
	rotated  int64 // when current took its place, in Unix milliseconds; unused without previous
	minted   bool  // its token was made in this request, and nobody has it yet
	byID     bool  // loaded without a token: whatever token is current stays so
}

// supersededFor is how long a request with a token that was replaced is taken
// for a late one, which must not disturb the new token (promise L4). After
// that, it is from a client that never got the new one: of a login or renewal
// whose answer was lost. It may start over.
const supersededFor = 5 * time.Minute

// An entry is a version byte, the hash of the current secret, the hash of the
// one before, the time of its replacement (Unix milliseconds, big-endian), and
// the record. With entryNoPrev in the version byte, the hash before and the
// time are left out.
const (
	entryVersion = 1
	entryNoPrev  = 0x80
	entryShort   = 1 + len(hash{})
	entryRotated = entryShort + len(hash{})
	entryRecord  = entryRotated + 8
)

func (b *serverSide) start(c *Config) (Backend, error) {
	if b.store == nil {
		return nil, errors.New("core: ServerSide(nil): give it a store, such as memstore.New()")
	}
	if v, ok := storeAs[Validator](b.store); ok {
		if err := v.Validate(); err != nil {
			return nil, err
		}
	}
	return &serverSide{store: b.store, rand: c.Rand, now: c.Now}, nil
}

func (b *serverSide) Traits() Traits {
	local, ok := storeAs[InProcess](b.store)
	return Traits{InProcess: ok && local.InProcess()}
}

func (b *serverSide) Load(ctx context.Context, scope Scope, token string) (Loaded, error) {
	id, sec, ok := parseToken(token)
	if !ok {
		return Loaded{}, ErrNotFound
	}
	var l Loaded
	h, err := b.load(ctx, id, &l)
	if err != nil {
		return Loaded{}, err
	}
	return b.admit(hashSecret(scope, id, sec), h, l)
}

// admit returns what a token with the hash presented gets of the session that was loaded.
func (b *serverSide) admit(presented hash, h *serverHandle, l Loaded) (Loaded, error) {
	switch {
	case l.Record.move.hidden():
	case subtle.ConstantTimeCompare(presented[:], h.current[:]) == 1:
		l.Handle = h
		return l, nil
	case b.late(h) && subtle.ConstantTimeCompare(presented[:], h.previous[:]) == 1:
		return Loaded{Superseded: true}, nil
	}
	return Loaded{}, ErrNotFound
}

// late reports whether requests with h's previous token may still be under way.
func (b *serverSide) late(h *serverHandle) bool {
	return h.previous != hash{} && b.now().UnixMilli()-h.rotated < supersededFor.Milliseconds()
}

func (b *serverSide) Reload(ctx context.Context, _ Scope, handle Handle) (Loaded, error) {
	old := handle.(*serverHandle)
	var l Loaded
	h, err := b.load(ctx, old.id, &l)
	if err != nil {
		return Loaded{}, err
	}
	return b.again(old, h, l)
}

// again returns what was loaded anew for whoever has the handle old.
func (b *serverSide) again(old, h *serverHandle, l Loaded) (Loaded, error) {
	switch {
	case l.Record.move.hidden():
		return Loaded{}, ErrNotFound
	case old.byID:
		h.byID = true
	case h.current != old.current:
		return Loaded{}, ErrNotFound
	default:
		if h.minted = old.minted; h.minted { // still nobody has it
			h.previous = old.previous // which clients have, though others may have forgotten it by now
		}
	}
	l.Handle = h
	return l, nil
}

func (b *serverSide) LoadID(ctx context.Context, id ID) (Loaded, error) {
	var l Loaded
	h, err := b.load(ctx, id, &l)
	if err == nil && l.Record.move.hidden() {
		err = ErrNotFound
	}
	if err != nil {
		return Loaded{}, err
	}
	h.byID = true
	l.Handle = h
	return l, nil
}

// load reads the entry of id and its record into l, also one that is hidden.
func (b *serverSide) load(ctx context.Context, id ID, l *Loaded) (*serverHandle, error) {
	e, err := b.store.Load(ctx, id)
	if err != nil {
		return nil, err
	}
	h := &serverHandle{id: id, version: e.Version, expires: e.Expires}
	record, err := h.open(e.Data)
	if err != nil {
		return nil, err
	}
	l.Record.ID = id
	// If something between us and the store mixed up answers, nobody may see
	// this record, and nobody may be logged out because of it.
	if err := l.Record.parse(record); err != nil {
		return nil, err
	}
	if l.Record.ID != id {
		return nil, errOtherID
	}
	l.Record.Expires = e.Expires
	return h, nil
}

func (h *serverHandle) open(data []byte) (record []byte, err error) {
	if len(data) < entryShort {
		return nil, fmt.Errorf("%w: entry of %d bytes", ErrCorrupt, len(data))
	}
	switch v := data[0] &^ entryNoPrev; {
	case v > entryVersion:
		return nil, fmt.Errorf("%w: entry %d", ErrNewerVersion, v)
	case v < entryVersion:
		return nil, fmt.Errorf("%w: entry version %d", ErrCorrupt, v)
	}
	h.current = hash(data[1:entryShort])
	if data[0]&entryNoPrev != 0 {
		return data[entryShort:], nil
	}
	if len(data) < entryRecord {
		return nil, fmt.Errorf("%w: entry of %d bytes", ErrCorrupt, len(data))
	}
	h.previous = hash(data[entryShort:entryRotated])
	h.rotated = int64(binary.BigEndian.Uint64(data[entryRotated:entryRecord]))
	return data[entryRecord:], nil
}

func (b *serverSide) Save(ctx context.Context, scope Scope, r *Record, base Handle, renew bool) (Handle, string, error) {
	h := &serverHandle{id: r.ID, expires: r.Expires}
	if base != nil {
		*h = *base.(*serverHandle)
		h.expires = r.Expires
	}
	var token string
	if base == nil || renew {
		sec, err := newSecret(b.rand)
		if err != nil {
			return nil, "", err
		}
		if !h.minted { // else what clients have is the one before
			h.previous = h.current
		}
		h.minted, h.rotated = true, b.now().UnixMilli()
		h.current = hashSecret(scope, r.ID, sec)
		token = formatToken(r.ID, sec)
	}
	if !b.late(h) {
		h.previous = hash{}
	}
	version, err := b.store.Save(ctx, r.ID, Entry{Data: h.seal(r), Expires: r.Expires, User: scopedUser(scope.Namespace, r.User)}, h.version)
	if err != nil {
		return nil, "", err
	}
	h.version = version
	return h, token, nil
}

func (h *serverHandle) seal(r *Record) []byte {
	data := make([]byte, 0, entryRecord+r.sizeHint())
	if h.previous == (hash{}) {
		data = append(data, entryVersion|entryNoPrev)
		data = append(data, h.current[:]...)
	} else {
		data = append(data, entryVersion)
		data = append(data, h.current[:]...)
		data = append(data, h.previous[:]...)
		data = binary.BigEndian.AppendUint64(data, uint64(h.rotated))
	}
	return r.appendTo(data, false)
}

func (b *serverSide) Touch(ctx context.Context, _ Scope, r *Record, base Handle) (Handle, string, error) {
	h := *base.(*serverHandle)
	if err := b.store.Touch(ctx, h.id, h.version, r.Expires); err != nil {
		return nil, "", err
	}
	h.expires = r.Expires
	return &h, "", nil
}

func (b *serverSide) Delete(ctx context.Context, handle Handle) error {
	return b.store.Delete(ctx, handle.(*serverHandle).id)
}

func (b *serverSide) DeleteID(ctx context.Context, id ID) error { return b.store.Delete(ctx, id) }

func (b *serverSide) Users() UserIndex {
	index, ok := storeAs[UserIndex](b.store)
	if !ok {
		return nil
	}
	return index
}

func (b *serverSide) DeleteAll(ctx context.Context) error {
	all, ok := storeAs[AllDeleter](b.store)
	if !ok {
		return ErrUnsupported
	}
	return all.DeleteAll(ctx)
}

// Watch implements [Watcher].
func (b *serverSide) Watch(ctx context.Context, ended func(ID)) error {
	w, ok := storeAs[Watcher](b.store)
	if !ok {
		return ErrUnsupported
	}
	return w.Watch(ctx, ended)
}
