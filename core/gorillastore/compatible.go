package gorillastore

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"maps"
	"time"

	"github.com/rbcervilla/redisstore/v9"
	"github.com/redis/go-redis/v9"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/goredisstore"
)

// CompatibleConfig is how [RedisCompatible] uses Redis: with what the programs
// that share its sessions gave to redisstore. The zero value stands for
// redisstore's defaults.
type CompatibleConfig struct {
	// KeyPrefix is redisstore's. Default [RedisPrefix].
	KeyPrefix string

	// Serializer is redisstore's. Default its GobSerializer.
	Serializer redisstore.SessionSerializer

	// KeyGen is redisstore's. Default: 64 random bytes in base32, as there.
	KeyGen redisstore.KeyGenFunc

	// Token reports whether a cookie's value can be one of KeyGen's: Redis is
	// asked nothing else. Default: those of the default KeyGen, and with
	// another one, what [FromConfig] says of its Token.
	Token func(token string) bool

	// Timeout ends every call. Default 500 milliseconds.
	Timeout time.Duration

	// AllowEviction and SkipChecks are as in [goredisstore.Config].
	AllowEviction bool
	SkipChecks    bool
}

// RedisCompatible returns a backend that keeps sessions in Redis as
// rbcervilla/redisstore does, under the same keys, in the same bytes, with the
// same cookies: programs that use redisstore read and change Satchel's
// sessions, and Satchel theirs.
//
// Among Satchel's processes no update is lost and nothing that is gone comes
// back, for they compare and set. What redisstore does not promise is in
// [CompatibleLimits]; programs that use it directly overwrite blindly, as ever.
//
// The demands on client are those of [goredisstore.New].
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
	b := &compatible{mapping: mapping{core.CBOR(), keepsText(c.Serializer)}, arrivals: newArrivals(), config: c, native: native, random: rand.Reader}
	if native.Client() != nil {
		b.redisstore = newRedisStore(native.Client(), c)
	}
	return b
}

// CompatibleLimits returns the promises that sessions of [RedisCompatible]
// cannot keep, as [Limits] does.
func CompatibleLimits() map[string]string { return maps.Clone(compatibleLimits) }

var compatibleLimits = map[string]string{
	"I2":   "redisstore finds sessions by their cookies alone: they cannot be listed, counted or ended one by one",
	"SEC7": "redisstore has the tokens themselves: who reads Redis can take sessions over",
}

// compatible is a core.Backend on the keys of redisstore.
type compatible struct {
	mapping
	arrivals

	config     CompatibleConfig
	redisstore *redisstore.RedisStore // loads
	native     *goredisstore.Store    // lends the client, the checks and the deadlines
	random     io.Reader
}

var (
	_ core.ConfigurableBackend = (*compatible)(nil)
	_ core.Watcher             = (*compatible)(nil)
)

// Format implements [fmt.Formatter]: whatever the verb, nothing of the client is printed.
func (b *compatible) Format(f fmt.State, _ rune) {
	_, _ = io.WriteString(f, "gorillastore.RedisCompatible")
}

// WithConfig implements [core.ConfigurableBackend].
func (b *compatible) WithConfig(c core.Config) (core.Backend, error) {
	if err := b.native.Validate(); err != nil {
		return nil, err
	}
	clone := *b
	clone.codec, clone.random = c.Codec, c.Rand
	clone.configure(c)
	return &clone, nil
}

// Traits implements [core.Backend].
func (b *compatible) Traits() core.Traits { return core.Traits{} }

// compatibleHandle notes which state of a session was loaded, and by which token.
type compatibleHandle struct {
	name   string
	token  string
	id     core.ID
	sum    string      // of the bytes in Redis
	others map[any]any // what a Record has no place for
}

// Format implements [fmt.Formatter]: whatever the verb, no token is printed.
func (*compatibleHandle) Format(f fmt.State, _ rune) {
	_, _ = io.WriteString(f, "gorillastore.handle")
}

// Load implements [core.Backend], in one round trip.
func (b *compatible) Load(ctx context.Context, scope core.Scope, token string) (core.Loaded, error) {
	k, err := b.fetch(ctx, scope.Name, token)
	if err != nil {
		return core.Loaded{}, err
	}
	if k.next != "" && b.now().Sub(k.renewed) < lateFor {
		return core.Loaded{Superseded: true}, nil
	}
	return b.loaded(scope, token, k)
}

func (b *compatible) loaded(scope core.Scope, token string, k kept) (core.Loaded, error) {
	if k.next != "" {
		return core.Loaded{}, fmt.Errorf("gorillastore: load: %w", core.ErrNotFound)
	}
	head, adopted, err := b.head(scope, k.values, arrival{id: token, left: k.left})
	if err != nil {
		return core.Loaded{}, err
	}
	h := &compatibleHandle{name: scope.Name, token: token, id: head.ID, sum: k.sum, others: b.homeless(k.values)}
	return core.Loaded{Record: *b.fromGorilla(head, k.values), Handle: h, Refresh: adopted}, nil
}

// Reload implements [core.Backend], in one round trip.
func (b *compatible) Reload(ctx context.Context, scope core.Scope, handle core.Handle) (core.Loaded, error) {
	token := handle.(*compatibleHandle).token
	k, err := b.fetch(ctx, scope.Name, token)
	if err != nil {
		return core.Loaded{}, err
	}
	return b.loaded(scope, token, k)
}

// Save implements [core.Backend], in one round trip, or three with renew.
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

// overwrite stores r in the place of base, which must be unchanged since.
func (b *compatible) overwrite(ctx context.Context, scope core.Scope, r *core.Record, base *compatibleHandle) (*compatibleHandle, error) {
	values, err := b.toGorilla(named(scope), r)
	if err != nil {
		return nil, err
	}
	maps.Copy(values, base.others)
	sum, err := b.replace(ctx, base, values, r.Expires.Sub(b.now()))
	if err != nil {
		return nil, err
	}
	h := *base
	h.sum = sum
	return &h, nil
}

// renew stores r under a new key, and then puts a note into the old one that
// says so. That is the one step that counts: until then nobody has the new
// token, and whoever ends or renews the old session first has won.
func (b *compatible) renew(ctx context.Context, scope core.Scope, r *core.Record, base *compatibleHandle) (core.Handle, string, error) {
	h, token, err := b.create(ctx, scope, r, base.others)
	if err != nil {
		return nil, "", err
	}
	if _, err := b.replace(ctx, base, b.note(token), lateFor); err != nil {
		_, _ = b.remove(context.WithoutCancel(ctx), h) // if that fails too, it expires, and nobody has its token
		return nil, "", err
	}
	return h, token, nil
}

// Touch implements [core.Backend], in one round trip.
func (b *compatible) Touch(ctx context.Context, scope core.Scope, r *core.Record, base core.Handle) (core.Handle, string, error) {
	h, err := b.overwrite(ctx, scope, r, base.(*compatibleHandle))
	if errors.Is(err, core.ErrConflict) {
		return base, "", nil
	}
	if err != nil {
		return nil, "", err
	}
	return h, "", nil
}

// Delete implements [core.Backend]: in one round trip, unless the session has
// been changed or renewed since, and one more to tell those who wait for its end.
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
			return absentIsFine(err)
		}
		h.sum = k.sum
		if k.next != "" {
			h.token, h.sum = k.next, ""
		}
	}
}

// Watch implements [core.Watcher].
func (b *compatible) Watch(ctx context.Context, ended func(core.ID)) error {
	return b.native.Watch(ctx, ended)
}
