package memcachedstore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/internal/memcached"
)

const (
	// batch is how many sessions one step of DeleteAll deletes.
	batch = 500

	// pause is how long a server may take between two parts of the list of its keys.
	pause = 10 * time.Second

	// busyPause follows when a server is busy with looking for expired items.
	busyPause = 20 * time.Millisecond
)

// DeleteAll implements [core.AllDeleter]. It lists the keys of every server, other
// applications' included, and deletes those of sessions. [Config.Timeout] bounds each
// deletion of some, but only ctx bounds the whole. Servers that were started with
// no_lru_crawler cannot list their keys.
func (s *Store) DeleteAll(ctx context.Context) error {
	if s.err != nil {
		return s.err
	}
	for _, server := range s.servers {
		if err := s.deleteFrom(ctx, server); err != nil {
			return failed("delete all", fmt.Errorf("server %s: %w", server.address, err))
		}
	}
	return nil
}

func (s *Store) deleteFrom(ctx context.Context, server *server) error {
	ids, err := s.idsOn(ctx, server)
	for errors.Is(err, memcached.ErrBusy) {
		select {
		case <-time.After(busyPause):
		case <-ctx.Done():
			return ctx.Err()
		}
		ids, err = s.idsOn(ctx, server)
	}
	if err != nil {
		return err
	}
	for some := range slices.Chunk(ids, batch) {
		keys := make([]string, len(some))
		for i, id := range some {
			keys[i] = s.Key(id)
		}
		if err := s.within(ctx, server, func(c *memcached.Conn) error { return c.DeleteAll(keys) }); err != nil {
			return err
		}
	}
	return nil
}

// idsOn returns the IDs of all sessions on a server.
func (s *Store) idsOn(ctx context.Context, server *server) (ids []core.ID, err error) {
	err = server.client.Do(ctx, func(c *memcached.Conn) error {
		ids = ids[:0]
		return c.Keys(ctx, pause, func(key string) {
			if text, ok := strings.CutPrefix(key, s.config.Prefix); ok {
				if id, err := core.ParseID(text); err == nil { // else another application's
					ids = append(ids, id)
				}
			}
		})
	})
	return ids, err
}
