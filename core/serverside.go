package core

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"time"
)

// ServerSide returns a [Backend] that keeps sessions in store; clients carry
// only a token. It keeps every promise of this package, listing and revoking
// included as far as store has the optional abilities.
func ServerSide(store Store) Backend { return &serverSide{store: store} }

type serverSide struct {
	store Store
	rand  io.Reader
}

// serverHandle notes which state of an entry was loaded, and by which right.
type serverHandle struct {
	id       ID
	version  Version
	expires  time.Time
	current  hash // the hash that the presented token has; unused when byID
	previous hash // the hash before it
	minted   bool // its token was made in this request, and nobody has it yet
	byID     bool // loaded without a token: whatever token is current stays so
}

// An entry is a version byte, the hash of the current secret, the hash of the
// one before (zero: none), and the record.
const (
	entryVersion = 1
	entryRecord  = 1 + 2*len(hash{})
	entryShort   = 1 + len(hash{}) // without a previous hash, entryVersion|entryNoPrevious
	entryNoPrev  = 0x80
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
	return &serverSide{store: b.store, rand: c.Rand}, nil
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
	case h.previous != hash{} && subtle.ConstantTimeCompare(presented[:], h.previous[:]) == 1:
		return Loaded{Superseded: true}, nil
	}
	return Loaded{}, ErrNotFound
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
	if err := l.Record.parse(record); err != nil {
		return nil, err
	}
	if l.Record.ID != id {
		// Something between us and the store mixed up answers. Nobody may see
		// this record, and nobody may be logged out because of it.
		return nil, fmt.Errorf("%w: the store answered with another session's record", ErrUnavailable)
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
	h.previous = hash(data[entryShort:entryRecord])
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
		h.minted = true
		h.current = hashSecret(scope, r.ID, sec)
		token = formatToken(r.ID, sec)
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
