package core

import (
	"context"
	"errors"
)

// ClientSide returns a [Backend] that keeps the whole session in the client's
// cookie, as sealer made it. Nothing is stored on the server, and so some
// things cannot be promised: overlapping requests overwrite each other's
// changes, a copied cookie works until RevokeAll or its timeouts end it, the lifetime if it is kept in use, and
// sessions cannot be listed or revoked one by one.
func ClientSide(sealer Sealer) Backend { return &clientSide{sealer: sealer} }

type clientSide struct{ sealer Sealer }

func (b *clientSide) start(c *Config) (Backend, error) {
	if b.sealer == nil {
		return nil, errors.New("core: ClientSide(nil): give it a sealer, such as NewCookieSealer(keys)")
	}
	if v, ok := b.sealer.(Validator); ok {
		if err := v.Validate(); err != nil {
			return nil, err
		}
	}
	sealer, err := configured(b.sealer, c)
	if err != nil {
		return nil, err
	}
	return &clientSide{sealer: sealer}, nil
}

func (b *clientSide) Traits() Traits { return Traits{ClientSide: true, InProcess: true} }

func (b *clientSide) Load(ctx context.Context, scope Scope, token string) (Loaded, error) {
	r, err := b.sealer.Open(ctx, scope, token)
	if err != nil {
		if errors.Is(err, ErrUnavailable) || errors.Is(err, ErrNewerVersion) || errors.Is(err, ErrCorrupt) {
			return Loaded{}, err
		}
		return Loaded{}, ErrNotFound
	}
	return Loaded{Record: *r, Handle: b, Refresh: r.oldKey}, nil
}

// Reload is never needed: a client-side Save knows no conflicts.
func (b *clientSide) Reload(context.Context, Scope, Handle) (Loaded, error) {
	return Loaded{}, ErrNotFound
}

func (b *clientSide) Save(ctx context.Context, scope Scope, r *Record, _ Handle, _ bool) (Handle, string, error) {
	token, err := b.sealer.Seal(ctx, scope, r)
	if err != nil {
		return nil, "", err
	}
	return b, token, nil
}

func (b *clientSide) Touch(ctx context.Context, scope Scope, r *Record, base Handle) (Handle, string, error) {
	return b.Save(ctx, scope, r, base, false)
}

// Delete can do nothing but let the core delete the cookie.
func (b *clientSide) Delete(context.Context, Handle) error { return nil }
