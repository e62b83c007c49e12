package core

import (
	"context"
	"crypto/sha256"
	"errors"
	"time"
)

// Sealer turns a [Record] into a self-contained token and back. The token can be an
// encrypted cookie or a JWT. A Sealer is safe for concurrent use. Its optional
// abilities are [Configurable] and [Validator].
type Sealer interface {
	// Seal returns a token that carries r. Tokens consist of characters allowed in
	// a cookie value (RFC 6265 section 4.1.1), except "~". With a header as the [Carrier],
	// they are those of RFC 6750 section 2.1.
	Seal(ctx context.Context, scope Scope, r *Record) (token string, err error)

	// Open returns the record that token carries, if Seal made it for the same
	// scope. Any error means that the token is not one of ours, and is treated as
	// no session, except for an error that matches [ErrUnavailable]. The core checks
	// expiry and not-before. Open returns expired records too, because a touch may
	// have prolonged them.
	Open(ctx context.Context, scope Scope, token string) (*Record, error)
}

// Scope tells a [Sealer] what a token is for, so that a token made for one purpose
// does not open for another.
type Scope struct {
	Namespace string // [Config.Namespace]: the application
	Name      string // the cookie's name, or "header:" and the lower-case name of the header
	Purpose   string // the token's content: "session", "touch" (see [Tokens]), or "copy" (see [Hybrid])
}

const (
	purposeSession = "session"
	purposeTouch   = "touch"
	purposeCopy    = "copy"
)

// ClientSide returns a [Backend] that keeps the whole session in the client's
// cookie, sealed by sealer. The server stores nothing, so this backend cannot keep
// some promises:
//
//   - Overlapping requests that write overwrite each other's changes. Showing a flash
//     is a write; reading is not. Its touch travels in a cookie called NAME-touch,
//     or in a header of its own ([Carrier]), which moves only the expiry of the token
//     that it was made for.
//   - A copied cookie works until RevokeAll or its timeouts end it. If it stays in
//     use, only the lifetime ends it.
//   - Sessions cannot be listed or revoked one by one.
func ClientSide(sealer Sealer) Backend { return &clientSide{sealer: sealer} }

type clientSide struct {
	sealer Sealer
	config *Config
}

// WithConfig implements [Configurable].
func (b *clientSide) WithConfig(c Config) (Backend, error) {
	if b.sealer == nil {
		return nil, errors.New("core: ClientSide(nil): give it a sealer, such as sealed.Cookie(keys)")
	}
	sealer, err := configured(b.sealer, c)
	if err != nil {
		return nil, err
	}
	return &clientSide{sealer: sealer, config: &c}, nil
}

func (b *clientSide) Traits() Traits { return Traits{ClientSide: true, Local: true} }

func (b *clientSide) Load(ctx context.Context, scope Scope, presented Tokens) (LoadResult, error) {
	r, err := b.sealer.Open(ctx, scope, presented.Session)
	if err != nil {
		if errors.Is(err, ErrUnavailable) || errors.Is(err, ErrNewerVersion) || errors.Is(err, ErrCorrupt) {
			return LoadResult{}, err
		}
		return LoadResult{}, ErrNotFound
	}
	l := LoadResult{Record: *r, Handle: b}
	l.Record.token = presented.Session
	if presented.Touch != "" {
		opened, err := b.prolong(ctx, scope, &l.Record, presented.Touch)
		if err != nil {
			return LoadResult{}, err
		}
		if !opened {
			l.Handle = Tokens{Touch: presented.Touch}
		}
	}
	return l, nil
}

// Reload is never needed: a client-side Save has no conflicts.
func (b *clientSide) Reload(context.Context, Scope, Handle) (LoadResult, error) {
	return LoadResult{}, ErrNotFound
}

func (b *clientSide) Save(ctx context.Context, scope Scope, r *Record, _ Handle, _ bool) (Handle, string, error) {
	token, err := b.sealer.Seal(ctx, scope, r)
	if err != nil {
		return nil, "", err
	}
	r.token = token
	return b, token, nil
}

// Touch seals the time of the touch alone. A new token with the whole record would
// bring back what the request had loaded, over what others have written since.
// ErrConflict means that the client's touch, unopened until now, is recent: another
// release made it, whose touches are due sooner.
func (b *clientSide) Touch(ctx context.Context, scope Scope, r *Record, base Handle) (Handle, Tokens, error) {
	now := b.config.Now()
	if unopened, ok := base.(Tokens); ok {
		t, err := b.openTouch(ctx, scope, r, unopened.Touch)
		if err != nil {
			return nil, Tokens{}, err
		}
		if t != nil {
			last := *r
			if last.Expires = b.config.expiry(r, t.SavedAt); !b.config.touchable(&last, now) {
				return nil, Tokens{}, ErrConflict
			}
		}
	}
	scope.Purpose = purposeTouch
	touch, err := b.sealer.Seal(ctx, scope, &Record{ID: touchID(r.token), CreatedAt: now, SavedAt: now, Expires: r.Expires})
	return b, Tokens{Touch: touch}, err
}

// Delete does nothing; the core deletes the cookies.
func (b *clientSide) Delete(context.Context, Handle) error { return nil }

// clockSkew is how far ahead the clock of the server that made a touch may be.
// Touches from beyond that are ignored.
const clockSkew = time.Minute

// prolong moves r's expiry as touch says. It is opened only if it can matter. The
// error is that of a sealer which is unavailable while the session hangs on its answer.
func (b *clientSide) prolong(ctx context.Context, scope Scope, r *Record, touch string) (opened bool, _ error) {
	now := b.config.Now()
	shortened := b.config.outlasts(r)
	if !shortened && !b.config.touchable(r, now) {
		return false, nil
	}
	t, err := b.openTouch(ctx, scope, r, touch)
	if err != nil && r.expired(now) {
		return true, err
	}
	if t == nil {
		return true, nil
	}
	touched := t.SavedAt
	if touched.After(now) {
		touched = now
	}
	// Where the idle timeout was shortened, the first touch under today's ends the rest
	// of the longer one. A touch of then came too seldom to tell.
	if expires := b.config.expiry(r, touched); expires.After(r.Expires) || shortened && !b.config.outlasts(t) {
		r.Expires = expires
	}
	return true, nil
}

// openTouch returns r's touch, or nil if it is damaged or was made for another token.
// The error is that of a sealer which is unavailable.
func (b *clientSide) openTouch(ctx context.Context, scope Scope, r *Record, touch string) (*Record, error) {
	scope.Purpose = purposeTouch
	t, err := b.sealer.Open(ctx, scope, touch)
	switch {
	case errors.Is(err, ErrUnavailable):
		return nil, err
	case err != nil, t.ID != touchID(r.token), t.SavedAt.After(b.config.Now().Add(clockSkew)):
		return nil, nil
	}
	return t, nil
}

// touchID returns the ID of a touch for token: half of its SHA-256. Sessions have
// random IDs, so that neither can be taken for the other.
func touchID(token string) ID {
	hash := sha256.Sum256([]byte(token))
	return ID(hash[:len(ID{})])
}
