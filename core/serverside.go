package core

import (
	"bytes"
	"context"
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"
)

// ServerSide returns a [Backend] that keeps sessions in store; clients carry only a
// token. It keeps every promise of this package. Listing and revoking a user's or all
// sessions needs the optional abilities [UserIndex] and [AllDeleter] of store.
func ServerSide(store Store) Backend { return &serverSide{store: store, now: time.Now} }

type serverSide struct {
	store  Store
	window time.Duration // of store
	fresh  bool          // it is a side of a Migration, which goes by the newest state alone
	rand   io.Reader
	now    func() time.Time

	config *Config // nil without a Manager
}

// serverHandle says which state of an entry was loaded, and with which right.
type serverHandle struct {
	id       ID
	version  Version
	expires  time.Time // of the entry
	current  hash      // the hash of the current token's secret
	previous hash      // the hash before it, zero if there is none or it no longer matters
	rotated  int64     // when current replaced previous, in Unix milliseconds; unused without previous
	minted   bool      // its token was made in this request, and no client has it yet
	byID     bool      // loaded without a token, so any current token stays current
}

// supersededFor is how long a request with a replaced token counts as late: it must
// not disturb the new token (promise L4). After that, its client never got the new
// token, because the answer to a login or renewal was lost. It may start over. Until
// then it can store nothing, not even what a login needs, so this must be short.
const supersededFor = 30 * time.Second

// An entry's data is a version byte, the hash of the current secret, the hash of the
// previous one, the time of its replacement (Unix milliseconds, big-endian), and
// the record. With entryNoPrev in the version byte, the previous hash and the time
// are left out. The user is in the entry alone; the record says whether there is one.
const (
	entryVersion = 1
	entryNoPrev  = 0x80
	entryShort   = 1 + len(hash{})
	entryRotated = entryShort + len(hash{})
	entryRecord  = entryRotated + 8
)

// WithConfig implements [Configurable].
func (b *serverSide) WithConfig(c Config) (Backend, error) {
	if b.store == nil {
		return nil, errors.New("core: ServerSide(nil): give it a store, such as memstore.New(memstore.Config{})")
	}
	store, err := configured(b.store, c)
	if err != nil {
		return nil, err
	}
	s := &serverSide{store: store, rand: c.Rand, now: c.Now, config: &c}
	if w, ok := StoreAs[Windowed](store); ok {
		s.window = w.Window()
	}
	return s, nil
}

func (b *serverSide) Traits() Traits {
	local, ok := StoreAs[Local](b.store)
	t := Traits{Local: ok && local.Local(), Window: b.window}
	if b.fresh {
		t.Window = 0
	}
	return t
}

func (b *serverSide) Load(ctx context.Context, scope Scope, presented Tokens) (LoadResult, error) {
	id, sec, ok := parseToken(presented.Session)
	if !ok {
		return LoadResult{}, ErrNotFound
	}
	var l LoadResult
	h, err := b.load(ctx, id, &l)
	if err != nil {
		return LoadResult{}, err
	}
	return b.admit(hashSecret(scope, id, sec), h, l)
}

// admit returns what a token with the hash presented may have of the loaded session.
func (b *serverSide) admit(presented hash, h *serverHandle, l LoadResult) (LoadResult, error) {
	switch {
	case l.Record.move.hidden():
	case subtle.ConstantTimeCompare(presented[:], h.current[:]) == 1:
		l.Handle = h
		return l, nil
	case b.late(h) && subtle.ConstantTimeCompare(presented[:], h.previous[:]) == 1:
		return l.superseded(h), nil
	}
	return LoadResult{}, ErrNotFound
}

// superseded returns what a late request may have of l: enough to end the session.
func (l *LoadResult) superseded(h Handle) LoadResult {
	return LoadResult{Record: *l.Record.WithContent(nil, nil), Handle: h, Superseded: true}
}

// late reports whether requests with h's previous token may still be in progress.
func (b *serverSide) late(h *serverHandle) bool {
	return h.previous != hash{} && b.now().UnixMilli()-h.rotated < supersededFor.Milliseconds()
}

func (b *serverSide) Reload(ctx context.Context, _ Scope, handle Handle) (LoadResult, error) {
	old := handle.(*serverHandle)
	var l LoadResult
	h, err := b.load(b.newest(ctx), old.id, &l)
	if err != nil {
		return LoadResult{}, err
	}
	return b.again(old, h, l)
}

// again returns what the holder of the handle old gets of a reloaded session.
func (b *serverSide) again(old, h *serverHandle, l LoadResult) (LoadResult, error) {
	switch {
	case l.Record.move.hidden():
		return LoadResult{}, ErrNotFound
	case old.byID:
		h.byID = true
	case h.current != old.current:
		if b.late(h) && h.previous == old.current {
			return l.superseded(h), nil
		}
		return LoadResult{}, ErrNotFound
	default:
		if h.minted = old.minted; h.minted { // no client has it yet
			h.previous = old.previous // clients have it, though another save may have dropped it
		}
	}
	l.Handle = h
	return l, nil
}

func (b *serverSide) LoadID(ctx context.Context, id ID) (LoadResult, error) {
	var l LoadResult
	h, err := b.load(b.newest(ctx), id, &l)
	if err == nil && l.Record.move.hidden() {
		err = ErrNotFound
	}
	if err != nil {
		return LoadResult{}, err
	}
	h.byID = true
	l.Handle = h
	return l, nil
}

// newest returns a context with which the store does not answer from a copy.
func (b *serverSide) newest(ctx context.Context) context.Context {
	if b.window == 0 {
		return ctx
	}
	return Fresh(ctx)
}

// load reads the entry of id and its record into l, even if the record is hidden.
func (b *serverSide) load(ctx context.Context, id ID, l *LoadResult) (*serverHandle, error) {
	if b.fresh {
		ctx = b.newest(ctx)
	}
	e, err := b.store.Load(ctx, id)
	if err != nil {
		return nil, err
	}
	h := &serverHandle{id: id, version: e.Version, expires: e.Expires}
	if err := h.read(&e, &l.Record); err != nil {
		return nil, err
	}
	if b.config != nil && l.Record.move.place == placeHere {
		b.config.shortenLifetime(&l.Record) // what is stored from now on is kept by this deadline
		l.Record.setKept(e.Expires)
	}
	return h, nil
}

// read reads the entry e of h's session, and its record into r.
func (h *serverHandle) read(e *Entry, r *Record) error {
	record, err := h.open(e.Data)
	if err != nil {
		return err
	}
	r.ID = h.id
	if r.User, err = unscopedUser(e.User); err != nil {
		return err
	}
	// If something between here and the store mixed up answers, no client may see
	// this record, and none may be logged out because of it.
	if err := r.parse(record, false); err != nil {
		return err
	}
	r.setKept(e.Expires)
	return nil
}

// ParseEntry returns the record in an entry that a backend made by [ServerSide] has
// stored under id, for tools that look into a store. The entry comes from the Load of
// the same store, a sealed one included. Errors match [ErrCorrupt] or
// [ErrNewerVersion]; for the marker of a session that a migration has moved away or
// ended, [ErrNotFound]; for another session's record, [ErrUnavailable]. A record gives no
// access to its session.
func ParseEntry(id ID, e Entry) (*Record, error) {
	r := new(Record)
	if err := (&serverHandle{id: id}).read(&e, r); err != nil {
		return nil, err
	}
	if r.move.hidden() {
		return nil, fmt.Errorf("core: parse entry: %w", ErrNotFound)
	}
	return r, nil
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
	h := &serverHandle{id: r.ID}
	if base != nil {
		*h = *base.(*serverHandle)
	}
	h.expires = r.KeepUntil()
	var token string
	if base == nil || renew {
		sec, err := newSecret(b.rand)
		if err != nil {
			return nil, "", err
		}
		if !h.minted { // otherwise clients have the previous token
			h.previous = h.current
		}
		h.minted, h.rotated = true, b.now().UnixMilli()
		h.current = hashSecret(scope, r.ID, sec)
		token = formatToken(r.ID, sec)
	}
	if !b.late(h) {
		h.previous = hash{}
	}
	version, err := b.store.Save(ctx, r.ID, Entry{Data: h.seal(r), Expires: h.expires, User: scopedUser(scope.Namespace, r.User)}, h.version)
	if err != nil {
		return nil, "", err
	}
	h.version = version
	return h, token, nil
}

func (h *serverHandle) seal(r *Record) []byte {
	var scratch [1 << 10]byte // most fit
	data := scratch[:0]
	if most := entryRecord + r.sizeHint(); most > len(scratch) {
		data = make([]byte, 0, most)
	}
	if h.previous == (hash{}) {
		data = append(data, entryVersion|entryNoPrev)
		data = append(data, h.current[:]...)
	} else {
		data = append(data, entryVersion)
		data = append(data, h.current[:]...)
		data = append(data, h.previous[:]...)
		data = binary.BigEndian.AppendUint64(data, uint64(h.rotated))
	}
	return bytes.Clone(r.appendTo(data, false)) // exactly as long as needed: stores in memory keep it
}

func (b *serverSide) Touch(ctx context.Context, scope Scope, r *Record, base Handle) (Handle, Tokens, error) {
	h := *base.(*serverHandle)
	h.expires = r.KeepUntil()
	if err := b.touch(ctx, scopedUser(scope.Namespace, r.User), &h, h.expires); err != nil {
		return nil, Tokens{}, err
	}
	return &h, Tokens{}, nil
}

// touch moves the expiry of the entry, and mends the index of user if that can be mended. A
// member that could not be put back fails nothing: the next touch tries again.
func (b *serverSide) touch(ctx context.Context, user string, h *serverHandle, expires time.Time) error {
	if t, ok := b.store.(TouchMender); ok && user != "" {
		return t.TouchAndMend(ctx, user, h.id, h.version, expires)
	}
	err := b.store.Touch(ctx, h.id, h.version, expires)
	if err != nil || user == "" {
		return err
	}
	if mender, ok := b.Users().(Mender); ok {
		_ = mender.Mend(ctx, user, h.id, expires)
	}
	return nil
}

func (b *serverSide) Delete(ctx context.Context, handle Handle) error {
	return b.store.Delete(ctx, handle.(*serverHandle).id)
}

func (b *serverSide) DeleteID(ctx context.Context, id ID) error { return b.store.Delete(ctx, id) }

func (b *serverSide) Users() UserIndex {
	index, ok := StoreAs[UserIndex](b.store)
	if !ok {
		return nil
	}
	return index
}

func (b *serverSide) DeleteAll(ctx context.Context) error {
	all, ok := StoreAs[AllDeleter](b.store)
	if !ok {
		return ErrUnsupported
	}
	return all.DeleteAll(ctx)
}

// Watch implements [Watcher].
func (b *serverSide) Watch(ctx context.Context, ended func(ID)) error {
	return b.WatchPulse(ctx, ended, func() {})
}

// WatchPulse implements [PulseWatcher], for a store that is at least a [Watcher].
func (b *serverSide) WatchPulse(ctx context.Context, ended func(ID), alive func()) error {
	w, ok := StoreAs[Watcher](b.store)
	if !ok {
		return ErrUnsupported
	}
	return watchPulse(ctx, w, ended, alive)
}
