package goredisstore

import (
	"context"
	"errors"
	"strings"

	"github.com/redis/go-redis/v9"
)

// batch is how many keys one step of DeleteAll looks at: small enough not to
// keep other commands waiting.
const batch = 500

// everySession is published when all have ended.
const everySession = "*"

// DeleteAll implements [core.AllDeleter]: it walks through the keys in small
// steps, on every master of a cluster. A step ends after [Config.Timeout];
// the whole takes as long as it takes, or until ctx ends.
func (s *Store) DeleteAll(ctx context.Context) error {
	var err error
	switch c := s.client.(type) {
	case *redis.ClusterClient:
		err = c.ForEachMaster(ctx, s.deleteOn)
	case *redis.Ring:
		err = c.ForEachShard(ctx, s.deleteOn)
	default:
		err = s.deleteFrom(ctx, c)
	}
	if err != nil {
		return failed("delete all", err)
	}
	s.publish(ctx, everySession)
	return nil
}

func (s *Store) deleteOn(ctx context.Context, c *redis.Client) error { return s.deleteFrom(ctx, c) }

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
		if err != nil || len(keys) == 0 {
			return err
		}
		// One command each: in a cluster they lie in different slots.
		cmds, err := c.Pipelined(ctx, func(p redis.Pipeliner) error {
			for _, key := range keys {
				p.Unlink(ctx, key)
			}
			return nil
		})
		for _, cmd := range cmds {
			err = errors.Join(err, cmd.Err())
		}
		return err
	})
	if err != nil {
		return 0, err
	}
	return next, nil
}

// globEscaper makes SCAN take a prefix literally.
var globEscaper = strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`, `]`, `\]`)
