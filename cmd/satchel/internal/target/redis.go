package target

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/goredisstore"
)

// gorillaPrefix is that of gorillastore.RedisStore, whose keys and values are those of
// goredisstore.
const gorillaPrefix = "session:"

// idLength is the length of an ID as text.
var idLength = len(core.ID{1}.String())

// Redis is a store in Redis.
type Redis struct {
	*goredisstore.Store
	Client redis.UniversalClient
	Prefix string

	config   goredisstore.Config
	timeout  time.Duration
	unlinked atomic.Int64
}

func openRedis(t *Target, c *Config, rest string) (driver, error) {
	redis.SetLogger(silent{})
	scheme, gorilla := strings.CutPrefix(t.Scheme, "gorilla-")
	client, err := goredisstore.NewClient(scheme + ":" + rest)
	if err != nil {
		return nil, Usage("%w", err)
	}
	t.onClose(client.Close)
	t.Prefix = c.Prefix
	switch {
	case t.Prefix == "" && gorilla:
		t.Prefix = gorillaPrefix
	case t.Prefix == "":
		t.Prefix = goredisstore.DefaultPrefix
	}
	r := &Redis{Client: client, Prefix: t.Prefix, timeout: c.Timeout}
	switch client := client.(type) {
	case *redis.ClusterClient: // its commands go through clients of the nodes
		client.OnNewNode(func(node *redis.Client) { node.AddHook(counting{r}) })
	default:
		client.AddHook(counting{r})
	}
	r.config = goredisstore.Config{Prefix: t.Prefix, Timeout: c.Timeout, Now: c.Now, AllowEviction: true}
	r.Store = goredisstore.New(client, r.config)
	t.Redis = r
	return r, nil
}

// Validate implements [core.Validator]. It accepts a server that evicts. Then an index may
// have been evicted, and the Manager searches; otherwise that would take long for nothing.
func (r *Redis) Validate() error {
	if err := r.Store.Validate(); err != nil {
		return err
	}
	r.config.AllowEviction = r.evicts()
	r.Store = goredisstore.New(r.Client, r.config)
	return nil
}

// evicts reports whether the server throws keys away, as far as the user may know.
func (r *Redis) evicts() bool {
	ctx, cancel := context.WithTimeout(context.Background(), r.timeout)
	defer cancel()
	info, err := r.Client.Info(ctx, "memory").Result()
	return err == nil && !strings.Contains(info, "maxmemory_policy:noeviction")
}

// OnMasters calls f with every master, one at a time.
func (r *Redis) OnMasters(ctx context.Context, f func(context.Context, *redis.Client) error) error {
	switch c := r.Client.(type) {
	case *redis.ClusterClient:
		var one sync.Mutex
		return c.ForEachMaster(ctx, func(ctx context.Context, node *redis.Client) error {
			one.Lock()
			defer one.Unlock()
			return f(ctx, node)
		})
	case *redis.Client:
		return f(ctx, c)
	}
	return nil
}

// scanCount is how many keys one step looks at.
const scanCount = 1000

// Scan calls yield with the keys that match a pattern, in batches.
func (r *Redis) Scan(ctx context.Context, pattern string, yield func(*redis.Client, []string) error) error {
	return r.OnMasters(ctx, func(ctx context.Context, c *redis.Client) error {
		for cursor := uint64(0); ; {
			step, cancel := context.WithTimeout(ctx, r.timeout)
			keys, next, err := c.Scan(step, cursor, pattern, scanCount).Result()
			cancel()
			if err == nil && len(keys) > 0 {
				err = yield(c, keys)
			}
			if err != nil {
				return err
			}
			if cursor = next; cursor == 0 {
				return nil
			}
		}
	})
}

// Escaped returns the prefix as patterns want it.
func (r *Redis) Escaped() string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`, `]`, `\]`).Replace(r.Prefix)
}

// IDOf returns the ID in the key of a session.
func (r *Redis) IDOf(key string) (core.ID, bool) {
	id, err := core.ParseID(strings.TrimPrefix(key, r.Prefix))
	return id, err == nil
}

func (r *Redis) walk(ctx context.Context, yield func([]core.ID) error) error {
	return r.Scan(ctx, r.Escaped()+strings.Repeat("?", idLength), func(_ *redis.Client, keys []string) error {
		ids := make([]core.ID, 0, len(keys))
		for _, key := range keys {
			if id, ok := r.IDOf(key); ok {
				ids = append(ids, id)
			}
		}
		return yield(ids)
	})
}

// Unlinked returns how many sessions this process has deleted in bulk.
func (r *Redis) Unlinked() int { return int(r.unlinked.Load()) }

// counting counts the sessions that UNLINK has removed.
type counting struct{ r *Redis }

func (counting) DialHook(next redis.DialHook) redis.DialHook { return next }

func (counting) ProcessHook(next redis.ProcessHook) redis.ProcessHook { return next }

func (h counting) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, commands []redis.Cmder) error {
		err := next(ctx, commands)
		for _, c := range commands {
			n, ok := c.(*redis.IntCmd)
			if !ok || c.Name() != "unlink" {
				continue
			}
			if _, session := h.r.IDOf(n.Args()[1].(string)); session {
				h.r.unlinked.Add(n.Val())
			}
		}
		return err
	}
}

// silent is a logger for go-redis, which writes to stderr what its errors say too.
type silent struct{}

func (silent) Printf(context.Context, string, ...any) {}
