package core

import (
	"context"
	"strings"
)

// NewForeign returns a Backend of another module's making on store: it has a
// format of its own, which has no place for what migrations note in a record.
func NewForeign(store Store) Backend { return &foreignBackend{inner: &serverSide{store: store}} }

type foreignBackend struct{ inner *serverSide }

type foreignHandle struct{ h *serverHandle }

func (b *foreignBackend) WithConfig(c Config) (Backend, error) {
	inner, err := b.inner.WithConfig(c)
	if err != nil {
		return nil, err
	}
	return &foreignBackend{inner.(*serverSide)}, nil
}

func (b *foreignBackend) loaded(l LoadResult, err error) (LoadResult, error) {
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

func (b *foreignBackend) Load(ctx context.Context, scope Scope, presented Tokens) (LoadResult, error) {
	token, ours := strings.CutPrefix(presented.Session, "foreign")
	if !ours {
		return LoadResult{}, ErrNotFound
	}
	return b.loaded(b.inner.Load(ctx, scope, Tokens{Session: token}))
}

func (b *foreignBackend) Reload(ctx context.Context, scope Scope, h Handle) (LoadResult, error) {
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

func (b *foreignBackend) Touch(ctx context.Context, scope Scope, r *Record, base Handle) (Handle, Tokens, error) {
	h, tokens, err := b.inner.Touch(ctx, scope, r, base.(*foreignHandle).h)
	if err != nil {
		return nil, Tokens{}, err
	}
	return &foreignHandle{h.(*serverHandle)}, tokens, nil
}

func (b *foreignBackend) Delete(ctx context.Context, h Handle) error {
	return b.inner.Delete(ctx, h.(*foreignHandle).h)
}

func (b *foreignBackend) LoadID(ctx context.Context, id ID) (LoadResult, error) {
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

func (b *dirlessBackend) WithConfig(c Config) (Backend, error) {
	inner, err := configured(b.Backend, c)
	return &dirlessBackend{inner}, err
}

// WatchBackend is Watch of the backend that m has.
func WatchBackend(ctx context.Context, m *Manager, ended func(ID)) error {
	return m.bare.(Watcher).Watch(ctx, ended)
}
