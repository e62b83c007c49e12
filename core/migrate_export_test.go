package core

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"strings"
	"time"
)

// NewForeign returns a Backend of another module's making on store: it has a
// format of its own, which has no place for what migrations note in a record.
func NewForeign(store Store) Backend { return &foreignBackend{inner: &serverSide{store: store}} }

type foreignBackend struct{ inner *serverSide }

type foreignHandle struct{ h *serverHandle }

func (b *foreignBackend) start(c *Config) (Backend, error) {
	inner, err := b.inner.start(c)
	if err != nil {
		return nil, err
	}
	return &foreignBackend{inner.(*serverSide)}, nil
}

func (b *foreignBackend) loaded(l Loaded, err error) (Loaded, error) {
	l.Record.move = moveState{}
	if h, ok := l.Handle.(*serverHandle); ok {
		l.Handle = &foreignHandle{h}
	}
	return l, err
}

func (b *foreignBackend) saved(h Handle, token string, err error) (Handle, string, error) {
	if err != nil {
		return nil, "", err
	}
	if token != "" {
		token = "foreign" + token
	}
	return &foreignHandle{h.(*serverHandle)}, token, nil
}

func (b *foreignBackend) Traits() Traits { return b.inner.Traits() }

func (b *foreignBackend) Load(ctx context.Context, scope Scope, token string) (Loaded, error) {
	const prefix = "foreign"
	if len(token) < len(prefix) || token[:len(prefix)] != prefix {
		return Loaded{}, ErrNotFound
	}
	return b.loaded(b.inner.Load(ctx, scope, token[len(prefix):]))
}

func (b *foreignBackend) Reload(ctx context.Context, scope Scope, h Handle) (Loaded, error) {
	return b.loaded(b.inner.Reload(ctx, scope, h.(*foreignHandle).h))
}

func (b *foreignBackend) Save(ctx context.Context, scope Scope, r *Record, base Handle, renew bool) (Handle, string, error) {
	c := *r
	c.move = moveState{}
	if base == nil {
		return b.saved(b.inner.Save(ctx, scope, &c, nil, renew))
	}
	return b.saved(b.inner.Save(ctx, scope, &c, base.(*foreignHandle).h, renew))
}

func (b *foreignBackend) Touch(ctx context.Context, scope Scope, r *Record, base Handle) (Handle, string, error) {
	return b.saved(b.inner.Touch(ctx, scope, r, base.(*foreignHandle).h))
}

func (b *foreignBackend) Delete(ctx context.Context, h Handle) error {
	return b.inner.Delete(ctx, h.(*foreignHandle).h)
}

func (b *foreignBackend) LoadID(ctx context.Context, id ID) (Loaded, error) {
	return b.loaded(b.inner.LoadID(ctx, id))
}

func (b *foreignBackend) DeleteID(ctx context.Context, id ID) error {
	return b.inner.DeleteID(ctx, id)
}

func (b *foreignBackend) Users() UserIndex { return b.inner.Users() }

func (b *foreignBackend) DeleteAll(ctx context.Context) error { return b.inner.DeleteAll(ctx) }

// NewDirless is NewForeign for a backend that finds sessions by their tokens alone.
func NewDirless(store Store) Backend {
	return &dirlessBackend{NewForeign(store)}
}

type dirlessBackend struct{ Backend }

func (b *dirlessBackend) start(c *Config) (Backend, error) {
	inner, err := b.Backend.(*foreignBackend).start(c)
	return &dirlessBackend{inner}, err
}

// NewLinked is NewDirless for one that keeps all that is in a record, and says
// what is under a token: its tokens may be chosen by the test's migrations.
func NewLinked(store Store) Backend { return &linkedBackend{store: store} }

// linkedBackend keeps each session under an ID made of its token.
type linkedBackend struct {
	store Store
	now   func() time.Time
	rand  io.Reader
}

type linkedEntry struct {
	token   string
	version Version
}

func (b *linkedBackend) start(c *Config) (Backend, error) {
	if b.store == nil {
		return nil, ErrUnavailable
	}
	return &linkedBackend{b.store, c.Now, c.Rand}, nil
}

func (b *linkedBackend) Traits() Traits { return Traits{} }

func (b *linkedBackend) key(token string) ID {
	sum := sha256.Sum256([]byte(token))
	return ID(sum[:16])
}

func (b *linkedBackend) Load(ctx context.Context, _ Scope, token string) (Loaded, error) {
	e, err := b.store.Load(ctx, b.key(token))
	if err != nil {
		return Loaded{}, err
	}
	if strings.HasPrefix(string(e.Data), "renewed ") {
		return Loaded{Superseded: true}, nil
	}
	r, err := ParseRecord(e.Data)
	if err != nil {
		return Loaded{}, err
	}
	r.Expires = e.Expires
	return Loaded{Record: *r, Handle: &linkedEntry{token, e.Version}}, nil
}

func (b *linkedBackend) Reload(ctx context.Context, scope Scope, h Handle) (Loaded, error) {
	l, err := b.Load(ctx, scope, h.(*linkedEntry).token)
	if err == nil && l.Superseded {
		err = ErrNotFound
	}
	return l, err
}

func (b *linkedBackend) put(ctx context.Context, r *Record, at *linkedEntry) (Handle, error) {
	data, err := r.MarshalBinary()
	if err != nil {
		return nil, err
	}
	v, err := b.store.Save(ctx, b.key(at.token), Entry{Data: data, Expires: r.Expires}, at.version)
	if err != nil {
		return nil, err
	}
	return &linkedEntry{at.token, v}, nil
}

func (b *linkedBackend) Save(ctx context.Context, scope Scope, r *Record, base Handle, renew bool) (Handle, string, error) {
	if base != nil && !renew {
		h, err := b.put(ctx, r, base.(*linkedEntry))
		return h, "", err
	}
	vacant, token, err := b.Vacant(scope, "", r.ID)
	if err != nil {
		return nil, "", err
	}
	h, err := b.put(ctx, r, vacant.(*linkedEntry))
	if err != nil || base == nil {
		return h, token, err
	}
	old := base.(*linkedEntry)
	if _, err = b.store.Save(ctx, b.key(old.token), Entry{Data: []byte("renewed " + token), Expires: b.now().Add(5 * time.Minute)}, old.version); err != nil {
		return nil, "", errors.Join(err, b.store.Delete(ctx, b.key(token)))
	}
	return h, token, nil
}

func (b *linkedBackend) Touch(ctx context.Context, _ Scope, r *Record, base Handle) (Handle, string, error) {
	h, err := b.put(ctx, r, base.(*linkedEntry))
	if errors.Is(err, ErrConflict) {
		return base, "", nil
	}
	return h, "", err
}

func (b *linkedBackend) Delete(ctx context.Context, h Handle) error {
	at := *h.(*linkedEntry)
	for {
		e, err := b.store.Load(ctx, b.key(at.token))
		if err != nil && !isGone(err) {
			return err
		}
		next, renewed := strings.CutPrefix(string(e.Data), "renewed ")
		if !renewed {
			return b.store.Delete(ctx, b.key(at.token))
		}
		at.token = next
	}
}

func (b *linkedBackend) Vacant(_ Scope, token string, _ ID) (Handle, string, error) {
	if token == "" {
		sec, err := newSecret(b.rand)
		if err != nil {
			return nil, "", err
		}
		token = "linked" + hex.EncodeToString(sec[:])
	}
	return &linkedEntry{token: token}, token, nil
}

// WatchBackend is Watch of the backend that m has.
func WatchBackend(ctx context.Context, m *Manager, ended func(ID)) error {
	return m.backend.(Watcher).Watch(ctx, ended)
}

// SealLink is what a ServerSide keeps of the token of a linked backend for who
// has its own token, and OpenLink the reverse.
func SealLink(own, token string) (string, error) { return sealLink(own, token) }

// OpenLink opens what SealLink made.
func OpenLink(own, link string) (string, error) { return openLink(own, link) }
