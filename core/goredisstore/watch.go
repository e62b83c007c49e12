package goredisstore

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/satchel-go/satchel/core"
)

// channel is where deletions are published.
func (s *Store) channel() string { return s.config.Prefix + "ended" }

const (
	// pingEvery is how often Watch asks whether its connection still answers.
	pingEvery = 2 * time.Second

	// pingTimeout is how long an answer may be overdue before Watch gives the
	// connection up.
	pingTimeout = 5 * time.Second

	// watchPause is the wait between two tries to connect again.
	watchPause = 100 * time.Millisecond
)

// Watch implements [core.Watcher]; see [Store.WatchPulse].
func (s *Store) Watch(ctx context.Context, ended func(core.ID)) error {
	return s.WatchPulse(ctx, ended, func() {})
}

// WatchPulse implements [core.PulseWatcher] with a subscription, on a separate
// connection that go-redis re-establishes. It sends a PING every two seconds. It
// returns an error if none is answered for five.
func (s *Store) WatchPulse(ctx context.Context, ended func(core.ID), alive func()) error {
	sub := s.client.Subscribe(ctx, s.channel())
	var pong atomic.Pointer[time.Time]
	answered := func() { now := time.Now(); pong.Store(&now) }
	answered()
	over, cancel := context.WithCancel(ctx)
	pinging := make(chan struct{})
	go func() {
		defer close(pinging)
		defer func() { _ = sub.Close() }()
		ping(over, sub, &pong)
	}()
	defer func() { cancel(); <-pinging }()
	for listens := false; ; {
		m, err := sub.Receive(ctx) // its deadline is ping's
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil && !listens:
			return fmt.Errorf("goredisstore: subscribe: %w", err)
		case errors.Is(err, redis.ErrClosed):
			return errors.New("goredisstore: the subscription has ended: its connection does not answer")
		case err != nil:
			select {
			case <-ctx.Done():
			case <-time.After(watchPause):
			}
			continue
		}
		switch m := m.(type) {
		case *redis.Pong:
			answered()
			alive()
		case *redis.Subscription:
			listens = true
			answered()
			ended(core.ID{}) // sessions may have ended before we listened, or while we did not
		case *redis.Message:
			id, err := core.ParseID(m.Payload)
			if err != nil && m.Payload != everySession {
				continue
			}
			ended(id)
		}
	}
}

// ping sends a PING on sub every few seconds. It returns when ctx is done, or when
// the last answer is too old.
func ping(ctx context.Context, sub *redis.PubSub, pong *atomic.Pointer[time.Time]) {
	ticker := time.NewTicker(pingEvery)
	defer ticker.Stop()
	for time.Since(*pong.Load()) < pingTimeout {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			_ = sub.Ping(ctx) // an answer is what counts
		}
	}
}
