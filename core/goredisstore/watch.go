package goredisstore

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/satchel-go/satchel/core"
)

// channel is where deletions are published.
func (s *Store) channel() string { return s.config.Prefix + "ended" }

const (
	// beatEvery is how often Watch publishes something to itself.
	beatEvery = 2 * time.Second

	// pingTimeout is how long an answer may be overdue before a connection is given up.
	pingTimeout = 5 * time.Second

	// watchPause is the wait between two tries to connect again.
	watchPause = 100 * time.Millisecond
)

// Watch implements [core.Watcher]; see [Store.WatchPulse].
func (s *Store) Watch(ctx context.Context, ended func(core.ID)) error {
	return s.WatchPulse(ctx, ended, func() {})
}

// WatchPulse implements [core.PulseWatcher] with a subscription, on a separate
// connection that go-redis re-establishes. Every two seconds it publishes something to
// itself, through the client as a deletion does. It returns an error if nothing of that
// arrives for five: the connection may be dead, the user may not publish, or the client
// may by now be led to another server.
func (s *Store) WatchPulse(ctx context.Context, ended func(core.ID), alive func()) error {
	word := rand.Text()
	own := s.channel() + ":" + word // which nobody else hears
	if _, ok := s.client.(*redis.Ring); ok {
		own = s.channel() // which surely is on the same server
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	sub := s.client.Subscribe(ctx, s.channel(), own)
	defer func() { _ = sub.Close() }()
	defer context.AfterFunc(ctx, func() { _ = sub.Close() })() // go-redis need not obey ctx
	go s.beat(ctx, own, word)
	heard := time.Now()
	for listens := false; ; {
		m, err := sub.ReceiveTimeout(ctx, max(time.Until(heard.Add(pingTimeout)), time.Millisecond))
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil && !listens:
			return fmt.Errorf("goredisstore: subscribe: %w", err)
		case time.Since(heard) > pingTimeout:
			return errors.Join(errors.New("goredisstore: the subscription has ended: what the client publishes does not arrive"), err)
		case err != nil:
			select {
			case <-ctx.Done():
			case <-time.After(watchPause):
			}
			continue
		}
		switch m := m.(type) {
		case *redis.Subscription:
			if m.Channel != s.channel() {
				continue
			}
			listens = true
			heard = time.Now()
			ended(core.ID{}) // sessions may have ended before we listened, or while we did not
		case *redis.Message:
			if m.Payload == word {
				heard = time.Now()
				alive()
				continue
			}
			id, err := core.ParseID(m.Payload)
			if err != nil && m.Payload != everySession {
				continue
			}
			ended(id)
		}
	}
}

// beat publishes word every few seconds. Whether it arrives is what counts.
func (s *Store) beat(ctx context.Context, channel, word string) {
	ticker := time.NewTicker(beatEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			_ = s.client.Publish(ctx, channel, word).Err()
		}
	}
}
