// Package memstore keeps sessions in the memory of this process. Start with it,
// and keep it for tests and for apps that run as a single process and may lose
// their sessions at a restart.
//
//	store := memstore.New(memstore.Config{})
//	defer store.Close()
//
// The [Config] has the bounds. A [Store] is bounded in sessions
// and in bytes, because anyone can start an anonymous session. When it is full,
// it first removes expired sessions, then refuses new ones with [ErrFull]. It
// never ends a logged-in session to make room. It ends an anonymous one only
// for a login, so a flood of anonymous sessions locks no user out.
//
// The store has every optional ability that makes sense within one process:
// [core.UserIndex], [core.Mender], [core.AllDeleter], [core.Sweeper] and [core.Counter]. [Store.Reserve] deletes the sessions
// that it takes out of the index in the same step, so a session limit is exact at every moment.
//
// Limits: sessions are gone when the process ends (see package
// [github.com/satchel-go/satchel/core/filestore]), and two processes do not share them. The store keeps the memory of its tables for later sessions and
// does not give it back.
package memstore

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"sync"
	"sync/atomic"
	"time"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/internal/journal"
)

var (
	// ErrFull means that a session was not stored because the store is at its
	// bounds. Sessions already in the store keep working.
	ErrFull = errors.New("memory store is full")

	// ErrClosed means that the store was used after [Store.Close].
	ErrClosed = errors.New("memory store is closed")
)

// Config bounds a [Store]. The zero value means the defaults.
type Config struct {
	// MaxSessions is the maximum number of sessions. Default 1,000,000.
	MaxSessions int

	// MaxBytes is the maximum memory for sessions, in bytes. Each session
	// counts its data, its user's name and a fixed share for the tables.
	// Default 256 MiB.
	MaxBytes int64

	// SweepInterval is the time between two background removals of expired
	// sessions. Default 1 minute. If it is negative, there are none: expired
	// sessions then stay in memory, unreadable, until the store is full or
	// [Store.Sweep] is called.
	SweepInterval time.Duration

	// Now tells the time. Default [time.Now]. It is for tests. Many
	// goroutines call it, and it must not call the store.
	Now func() time.Time
}

// withDefaults returns c with every zero field filled in.
func (c Config) withDefaults() Config {
	if c.MaxSessions == 0 {
		c.MaxSessions = 1_000_000
	}
	if c.MaxBytes == 0 {
		c.MaxBytes = 256 << 20
	}
	if c.SweepInterval == 0 {
		c.SweepInterval = time.Minute
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return c
}

// validate refuses bounds under which no session would fit.
func (c Config) validate() error {
	if c.MaxSessions < 0 {
		return fmt.Errorf("memstore: MaxSessions is %d; use 1 or more, or 0 for the default", c.MaxSessions)
	}
	if c.MaxBytes < 0 || c.MaxBytes < overhead {
		return fmt.Errorf("memstore: MaxBytes is %d; use %d or more, or 0 for the default", c.MaxBytes, overhead)
	}
	return nil
}

// shardCount is how many parts the tables have. More parts let more requests
// run in parallel; a power of two makes picking one cheap.
const shardCount = 64

// Store is an in-memory [core.Store]. Make it with [New]; the zero value is not
// usable. It is safe for concurrent use.
//
// Lock order, for maintainers: code may take a session shard's lock while it
// holds a user shard's, never the other way round. Only DeleteAll holds two
// locks of one kind. Code that removes a session and then cleans the index
// unlocks the session shard first; see forget.
type Store struct {
	err     error // what Validate has to say
	now     func() time.Time
	budget  budget
	journal journal.Journal
	seed    maphash.Seed // users choose their names, so where they land is secret

	// ticks numbers saves and reservations in one sequence. A save's number is
	// the entry's version. No number is given twice, so a version always means
	// one state of one entry.
	ticks atomic.Uint64

	turn   atomic.Uint32 // where the next search for a session to evict begins
	shards [shardCount]shard
	users  [shardCount]userShard

	closed  atomic.Bool
	closing sync.Once
	stop    chan struct{} // closed by Close
	done    chan struct{} // closed when the background sweeper has returned
}

var (
	_ core.Store      = (*Store)(nil)
	_ core.UserIndex  = (*Store)(nil)
	_ core.Mender     = (*Store)(nil)
	_ core.AllDeleter = (*Store)(nil)
	_ core.Sweeper    = (*Store)(nil)
	_ core.Counter    = (*Store)(nil)
	_ core.Local      = (*Store)(nil)
	_ core.Validator  = (*Store)(nil)
)

// New returns an empty store with the bounds of c. Close it to end its background
// goroutine. Bounds under which no session would fit are an error of [core.New].
func New(c Config) *Store {
	c = c.withDefaults()
	s := newStore(c)
	s.start(c.SweepInterval)
	return s
}

// newStore returns a store that is not started. Defaults are filled in.
func newStore(c Config) *Store {
	s := &Store{
		err:     c.validate(),
		now:     c.Now,
		journal: journal.None{},
		budget:  budget{max: room{sessions: int64(c.MaxSessions), bytes: c.MaxBytes}},
		seed:    maphash.MakeSeed(),
		stop:    make(chan struct{}),
		done:    make(chan struct{}),
	}
	for i := range s.shards {
		s.shards[i].reset()
		s.users[i].reset()
	}
	return s
}

// start starts the background sweeper.
func (s *Store) start(interval time.Duration) {
	if interval < 0 || s.err != nil {
		close(s.done)
	} else {
		go s.sweepEvery(interval)
	}
}

// Validate implements [core.Validator]: [core.New] calls it. It says which field of
// the Config to change.
func (s *Store) Validate() error { return s.err }

// Close stops the background sweeper and waits for it. From then on every
// operation returns [ErrClosed]. Closing again does nothing. The error is
// always nil.
func (s *Store) Close() error {
	s.closing.Do(func() {
		s.closed.Store(true)
		close(s.stop)
	})
	<-s.done
	return nil
}

// Len returns how many sessions are in memory, including expired ones that are
// not removed yet.
func (s *Store) Len() int { return int(s.budget.sessions.Load()) }

// Bytes returns how many bytes the sessions count for; see [Config.MaxBytes].
func (s *Store) Bytes() int64 { return s.budget.bytes.Load() }

// check returns why op cannot run now: the store is closed, ctx is done, or the
// Config is invalid.
func (s *Store) check(ctx context.Context, op string) error {
	if s.err != nil {
		return s.err
	}
	if s.closed.Load() {
		return fail(op, ErrClosed)
	}
	if err := ctx.Err(); err != nil {
		return fail(op, err)
	}
	return nil
}

// fail puts the layer and the operation in front of err.
func fail(op string, err error) error { return fmt.Errorf("memstore: %s: %w", op, err) }
