package goredisstore

import (
	"context"
	"errors"
	"fmt"

	"github.com/redis/go-redis/v9"

	"github.com/satchel-go/satchel/core"
)

// channel is where deletions are published.
func (s *Store) channel() string { return s.config.Prefix + "ended" }

// Watch implements [core.Watcher] by a subscription, on a connection of its
// own that go-redis re-establishes.
func (s *Store) Watch(ctx context.Context, ended func(core.ID)) error {
	sub := s.client.Subscribe(ctx, s.channel())
	defer func() { _ = sub.Close() }()
	if _, err := sub.Receive(ctx); err != nil {
		return fmt.Errorf("goredisstore: subscribe: %w", err)
	}
	ended(core.ID{}) // what has ended before we listened
	messages := sub.ChannelWithSubscriptions()
	for {
		select {
		case <-ctx.Done():
			return nil
		case m, ok := <-messages:
			if !ok {
				return errors.New("goredisstore: the subscription has ended")
			}
			switch m := m.(type) {
			case *redis.Subscription:
				ended(core.ID{}) // connected again: something may have been missed
			case *redis.Message:
				id, err := core.ParseID(m.Payload)
				if err != nil && m.Payload != everySession {
					continue
				}
				ended(id)
			}
		}
	}
}
