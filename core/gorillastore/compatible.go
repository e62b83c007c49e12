package gorillastore

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/rbcervilla/redisstore/v9"
	"github.com/redis/go-redis/v9"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/goredisstore"
	"github.com/satchel-go/satchel/core/internal/inplace"
)

// CompatibleConfig configures [RedisCompatible]. Use the settings that the programs
// sharing its sessions gave to redisstore. The zero value has redisstore's defaults.
type CompatibleConfig struct {
	// UserKey and UserValue are as in [FromConfig].
	UserKey   string
	UserValue func(user string) (any, error)

	// KeyPrefix is redisstore's. Default [RedisPrefix].
	KeyPrefix string

	// Serializer is redisstore's. Default its GobSerializer.
	Serializer redisstore.SessionSerializer

	// KeyGen is redisstore's. Default 64 random bytes in base32, like redisstore's.
	KeyGen redisstore.KeyGenFunc

	// Token reports whether KeyGen can have made a cookie's value; no other value
	// is looked up in Redis. The default accepts keys of the default KeyGen. With
	// another KeyGen it is the default of [FromConfig].Token.
	Token func(token string) bool

	// Timeout bounds every call. Default 500 milliseconds.
	Timeout time.Duration

	// AllowEviction and SkipChecks are as in [goredisstore.Config].
	AllowEviction bool
	SkipChecks    bool
}

// RedisCompatible returns a backend that keeps sessions in Redis as
// rbcervilla/redisstore does: with the same keys, bytes and cookies. Programs that
// use redisstore read and change Satchel's sessions, and Satchel reads and changes
// theirs.
//
// Satchel's processes compare and set: they lose no update and revive no ended
// session. Programs that use redisstore directly still overwrite blindly; the
// package doc lists the limits.
//
// client must meet the requirements of [goredisstore.New].
func RedisCompatible(client redis.UniversalClient, c CompatibleConfig) core.Backend {
	if c.KeyPrefix == "" {
		c.KeyPrefix = RedisPrefix
	}
	if c.Serializer == nil {
		c.Serializer = redisstore.GobSerializer{}
	}
	if c.Token == nil {
		c.Token = isKey
		if c.KeyGen != nil {
			c.Token = isPlain
		}
	}
	native := goredisstore.New(client, goredisstore.Config{
		Prefix: c.KeyPrefix, Timeout: c.Timeout, AllowEviction: c.AllowEviction, SkipChecks: c.SkipChecks,
	})
	b := &compatible{mapping: newMapping(keepsText(c.Serializer), c.UserKey, c.UserValue), adopter: newAdopter(), config: c, native: native, random: rand.Reader}
	if native.Client() != nil {
		b.redisstore = newRedisStore(timedClient{native.Client()}, c.KeyPrefix, c.Serializer)
	}
	return b
}

// compatible is a core.Backend on the keys of redisstore.
type compatible struct {
	mapping
	adopter

	config     CompatibleConfig
	redisstore *redisstore.RedisStore // loads sessions
	native     *goredisstore.Store    // provides the client, the checks and the deadlines
	random     io.Reader
}

var (
	_ core.Configurable[core.Backend] = (*compatible)(nil)
	_ core.Watcher                    = (*compatible)(nil)
	_ core.Leaver                     = (*compatible)(nil)
)

// Format implements [fmt.Formatter]: no verb prints anything of the client.
func (b *compatible) Format(f fmt.State, _ rune) {
	_, _ = io.WriteString(f, "gorillastore.RedisCompatible")
}

// WithConfig implements [core.Configurable].
func (b *compatible) WithConfig(c core.Config) (core.Backend, error) {
	if err := b.native.Validate(); err != nil {
		return nil, err
	}
	if err := errors.Join(b.validate(), cookiesOnly("RedisCompatible", c)); err != nil {
		return nil, err
	}
	clone := *b
	clone.Codec, clone.random = c.Codec, c.Rand
	clone.configure(c)
	return &clone, nil
}

// Traits implements [core.Backend].
func (b *compatible) Traits() core.Traits { return core.Traits{} }

// compatibleHandle records the loaded state of a session and its token.
type compatibleHandle struct {
	name   string
	token  string
	id     core.ID
	sum    string      // of the bytes in Redis
	others map[any]any // values that a Record cannot hold
}

// Format implements [fmt.Formatter]: no verb prints the token.
func (*compatibleHandle) Format(f fmt.State, _ rune) {
	_, _ = io.WriteString(f, "gorillastore.handle")
}

// Load implements [core.Backend], in one round trip.
func (b *compatible) Load(ctx context.Context, scope core.Scope, presented core.Tokens) (core.LoadResult, error) {
	k, err := b.fetch(ctx, scope.Name, presented.Session)
	if err != nil {
		return core.LoadResult{}, err
	}
	if k.next != "" && b.now().Sub(k.renewed) < inplace.LateFor {
		return b.superseded(ctx, scope, k.next)
	}
	return b.loaded(scope, presented.Session, k)
}

// superseded returns what a late request may have of the session that token has the
// right to by now: enough to end it, unless that token was replaced in its turn.
func (b *compatible) superseded(ctx context.Context, scope core.Scope, token string) (core.LoadResult, error) {
	k, err := b.fetch(ctx, scope.Name, token)
	if err != nil {
		return inplace.Late(nil, nil, err)
	}
	l, err := b.loaded(scope, token, k)
	return inplace.Late(&l.Record, l.Handle, err)
}

func (b *compatible) loaded(scope core.Scope, token string, k keptSession) (core.LoadResult, error) {
	if k.next != "" {
		return core.LoadResult{}, errAbsent
	}
	// redisstore deletes what is saved with a MaxAge of 0, the browser's end.
	head, adopted, err := b.head(scope, k.values, origin{id: token, left: k.left, persistent: true})
	if err != nil {
		return core.LoadResult{}, err
	}
	r, err := b.fromGorilla(head, k.values)
	if err != nil {
		return core.LoadResult{}, err
	}
	h := &compatibleHandle{name: scope.Name, token: token, id: r.ID, sum: k.sum, others: b.unmapped(k.values)}
	return core.LoadResult{Record: *r, Handle: h, Refresh: adopted}, nil
}

// Reload implements [core.Backend], in one round trip.
func (b *compatible) Reload(ctx context.Context, scope core.Scope, handle core.Handle) (core.LoadResult, error) {
	return b.Load(ctx, scope, core.Tokens{Session: handle.(*compatibleHandle).token})
}

// Save implements [core.Backend], in one round trip, or in three with renew.
func (b *compatible) Save(ctx context.Context, scope core.Scope, r *core.Record, base core.Handle, renew bool) (core.Handle, string, error) {
	if base == nil {
		return b.create(ctx, scope, r, nil)
	}
	h := base.(*compatibleHandle)
	if renew {
		return b.renew(ctx, scope, r, h)
	}
	next, err := b.overwrite(ctx, scope, r, h)
	if err != nil {
		return nil, "", err
	}
	return next, "", nil
}

// create stores r under a new key.
func (b *compatible) create(ctx context.Context, scope core.Scope, r *core.Record, others map[any]any) (*compatibleHandle, string, error) {
	token, err := b.newToken()
	if err != nil {
		return nil, "", err
	}
	h, err := b.overwrite(ctx, scope, r, &compatibleHandle{name: scope.Name, token: token, id: r.ID, others: others})
	if err != nil {
		return nil, "", err
	}
	return h, token, nil
}

// overwrite replaces base with r. base must be unchanged since it was loaded.
func (b *compatible) overwrite(ctx context.Context, scope core.Scope, r *core.Record, base *compatibleHandle) (*compatibleHandle, error) {
	values, err := b.toGorilla(inplace.WithName(scope), r, base.others)
	if err != nil {
		return nil, err
	}
	sum, err := b.replace(ctx, base, values, r.KeepUntil().Sub(b.now()))
	if err != nil {
		return nil, err
	}
	h := *base
	h.sum = sum
	if len(h.others) > 0 {
		h.others = b.unmapped(values) // without those that r has replaced
	}
	return &h, nil
}

// renew stores r under a new key, then replaces the old session with a note of the
// renewal. The note decides: until it is there, no client has the new token, and
// the first request to end or renew the old session wins.
func (b *compatible) renew(ctx context.Context, scope core.Scope, r *core.Record, base *compatibleHandle) (core.Handle, string, error) {
	h, token, err := b.create(ctx, scope, r, base.others)
	if err != nil {
		return nil, "", err
	}
	if _, err := b.replace(ctx, base, b.note(token), inplace.FollowedFor); err != nil {
		_, _ = b.remove(context.WithoutCancel(ctx), h) // if this fails too, the session expires; no client has its token
		return nil, "", err
	}
	return h, token, nil
}

// Touch implements [core.Backend], in one round trip.
func (b *compatible) Touch(ctx context.Context, scope core.Scope, r *core.Record, base core.Handle) (core.Handle, core.Tokens, error) {
	h, err := b.overwrite(ctx, scope, r, base.(*compatibleHandle))
	if errors.Is(err, core.ErrConflict) {
		return base, core.Tokens{}, nil
	}
	if err != nil {
		return nil, core.Tokens{}, err
	}
	return h, core.Tokens{}, nil
}

// Delete implements [core.Backend]. It takes one round trip, more if the session
// was changed or renewed, and another one to notify watchers.
func (b *compatible) Delete(ctx context.Context, handle core.Handle) error {
	h := *handle.(*compatibleHandle)
	for {
		deleted, err := b.remove(ctx, &h)
		if err != nil {
			return err
		}
		if deleted {
			return b.native.Deleted(ctx, h.id, nil)
		}
		k, err := b.fetch(ctx, h.name, h.token)
		if err != nil && !errors.Is(err, core.ErrCorrupt) {
			return inplace.IgnoreAbsent(err)
		}
		h.sum = k.sum
		if k.next != "" {
			h.token, h.sum = k.next, ""
		}
	}
}

// Leave implements [core.Leaver]: to redisstore, the session is empty from now on.
func (b *compatible) Leave(ctx context.Context, scope core.Scope, r *core.Record, base core.Handle) error {
	h := *base.(*compatibleHandle)
	values := map[any]any{inplace.LeftKey: b.Bytes(inplace.Left(scope, r))}
	for {
		_, err := b.replace(ctx, &h, values, r.KeepUntil().Sub(b.now()))
		if !errors.Is(err, core.ErrConflict) {
			return err
		}
		k, err := b.fetch(ctx, h.name, h.token)
		if err == nil && k.next != "" {
			err = errAbsent
		}
		if err != nil {
			return err
		}
		h.sum = k.sum
	}
}

// LoadLeft implements [core.Leaver].
func (b *compatible) LoadLeft(ctx context.Context, scope core.Scope, presented core.Tokens) (*core.Record, error) {
	k, err := b.fetch(ctx, scope.Name, presented.Session)
	if err != nil {
		return nil, err
	}
	if left := left(k.values); left != nil {
		return inplace.ParseLeft(scope, left, b.now())
	}
	return nil, errAbsent
}

// Watch implements [core.Watcher].
func (b *compatible) Watch(ctx context.Context, ended func(core.ID)) error {
	return b.native.Watch(ctx, ended)
}
