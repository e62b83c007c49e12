package goredisstore

import (
	"context"
	"encoding/base64"
	"slices"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/satchel-go/satchel/core"
)

// batch is how many keys one step of DeleteAll examines: few enough not to keep
// other commands waiting.
const batch = 500

// everySession is published when all sessions have ended.
const everySession = "*"

// DeleteAll implements [core.AllDeleter]. It walks through the keys in small
// steps, on every master of a cluster. [Config.Timeout] bounds each step, but
// only ctx bounds the whole. Keys under the prefix that no Store writes stay: they
// are another application's, with a longer prefix.
func (s *Store) DeleteAll(ctx context.Context) error {
	err := s.onMasters(ctx, s.deleteFrom)
	s.publish(context.WithoutCancel(ctx), everySession) // after an error too: some have ended
	if err != nil {
		return failed("delete all", err)
	}
	return nil
}

// onMasters calls f with every master, several at once, and returns an error of it.
func (s *Store) onMasters(ctx context.Context, f func(context.Context, redis.Cmdable) error) error {
	on := func(ctx context.Context, c *redis.Client) error { return f(ctx, c) }
	switch c := s.client.(type) {
	case *redis.ClusterClient:
		return c.ForEachMaster(ctx, on)
	case *redis.Ring:
		return c.ForEachShard(ctx, on)
	default:
		return f(ctx, c)
	}
}

func (s *Store) deleteFrom(ctx context.Context, c redis.Cmdable) error {
	pattern := globEscaper.Replace(s.config.Prefix) + "*"
	var cursor uint64
	for {
		next, err := s.deleteBatch(ctx, c, cursor, pattern)
		if err != nil {
			return err
		}
		if cursor = next; cursor == 0 {
			return nil
		}
	}
}

func (s *Store) deleteBatch(ctx context.Context, c redis.Cmdable, cursor uint64, pattern string) (uint64, error) {
	var next uint64
	err := s.Within(ctx, func(ctx context.Context) error {
		keys, after, err := c.Scan(ctx, cursor, pattern, batch).Result()
		next = after
		keys = slices.DeleteFunc(keys, func(key string) bool { return !s.owns(key) })
		if err != nil || len(keys) == 0 {
			return err
		}
		// One command per key: in a cluster they lie in different slots.
		// The error is the first one: five hundred may be the same.
		_, err = c.Pipelined(ctx, func(p redis.Pipeliner) error {
			for _, key := range keys {
				p.Unlink(ctx, key)
			}
			return nil
		})
		return err
	})
	if err != nil {
		return 0, err
	}
	return next, nil
}

// owns reports whether key has the form of a session's or of an index'.
func (s *Store) owns(key string) bool {
	rest := strings.TrimPrefix(key, s.config.Prefix)
	if text, ok := strings.CutPrefix(rest, userMark); ok {
		hash, err := base64.RawURLEncoding.DecodeString(text)
		return err == nil && len(hash) == userHash
	}
	_, err := core.ParseID(rest)
	return err == nil
}

// globEscaper makes SCAN take a prefix literally.
var globEscaper = strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`, `]`, `\]`)
