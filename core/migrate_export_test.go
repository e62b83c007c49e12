package core

import (
	"context"
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
