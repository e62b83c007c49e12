// Package memstore keeps sessions in the memory of this process: the store to
// start with, and the right one for tests and for apps that run as a single
// process and may forget their sessions at a restart.
//
//	store := memstore.New()
//	defer store.Close()
//
// [NewWith] takes a [Config] with the bounds. A [Store] is bounded in sessions
// and in bytes, because anyone can start an anonymous session. When it is full
// it first removes what has expired, then refuses new sessions with [ErrFull].
// A logged-in session is never ended to make room. An anonymous one is, for a
// login only: so a flood of anonymous sessions locks nobody out.
//
// The store has every optional ability that makes sense within one process:
// [core.UserIndex], [core.AllDeleter] and [core.Sweeper]. [Store.Reserve] deletes the sessions that it takes out
// of the index in the same step, so a session limit is exact at every moment.
//
// Limits: sessions are gone when the process ends, and two processes do not
// share them. Memory that the store once used for its tables is kept for later
// sessions and not given back.
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
)

var (
	// ErrFull means that a session was not stored because the store is at its
	// bounds. Sessions that are in the store go on working.
	ErrFull = errors.New("memory store is full")

	// ErrClosed means that the store was used after [Store.Close].
	ErrClosed = errors.New("memory store is closed")
)

// Config bounds a [Store]. The zero value means the defaults.
type Config struct {
	// MaxSessions is the largest number of sessions. Default 1,000,000.
	MaxSessions int

	// MaxBytes is the most memory for sessions, in bytes: for each its data,
	// its user's name and a fixed share for the tables. Default 256 MiB.
	MaxBytes int64

	// SweepInterval is the time between two removals of expired sessions in
	// the background. Default 1 minute. Negative: none in the background;
	// expired sessions then stay in memory, unreadable, until the store is
	// full or [Store.Sweep] is called.
	SweepInterval time.Duration

	// Now tells the time. Default [time.Now]. It is for tests, is called from
	// many goroutines, and must not call the store.
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
// run side by side; a power of two makes picking one cheap.
const shardCount = 64

// Store is an in-memory [core.Store]. Make it with [New] or [NewWith]; the
// zero value is not usable. It is safe for concurrent use.
//
// Lock order, for maintainers: a user shard's lock may be held when a session
// shard's lock is taken, never the other way round, and nobody but DeleteAll
// holds two locks of one kind. What removes a session and then cleans the
// index lets go of the session shard first; see forget.
type Store struct {
	now    func() time.Time
	budget budget
	seed   maphash.Seed // users choose their names, so where they land is secret

	// ticks numbers saves and reservations in one sequence. A save's number is
	// the entry's version; it is never given twice, so a version says for ever
	// which state of which entry it means.
	ticks atomic.Uint64

	turn   atomic.Uint32 // where the next search for something to evict begins
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
	_ core.AllDeleter = (*Store)(nil)
	_ core.Sweeper    = (*Store)(nil)
	_ core.InProcess  = (*Store)(nil)
)

// New returns an empty store with the default bounds. Close it to end its
// background goroutine.
func New() *Store {
	return open(Config{}.withDefaults())
}

// NewWith returns an empty store with the bounds of c, or an error that says
// which field to change. Close the store to end its background goroutine.
func NewWith(c Config) (*Store, error) {
	c = c.withDefaults()
	if err := c.validate(); err != nil {
		return nil, err
	}
	return open(c), nil
}

// open builds a store from a complete, valid configuration.
func open(c Config) *Store {
	s := &Store{
		now:    c.Now,
		budget: budget{max: room{sessions: int64(c.MaxSessions), bytes: c.MaxBytes}},
		seed:   maphash.MakeSeed(),
		stop:   make(chan struct{}),
		done:   make(chan struct{}),
	}
	for i := range s.shards {
		s.shards[i].reset()
		s.users[i].reset()
	}
	if c.SweepInterval < 0 {
		close(s.done)
	} else {
		go s.sweepEvery(c.SweepInterval)
	}
	return s
}

// Close ends the background sweeper and waits for it. From then on every
// operation returns [ErrClosed]. Closing again does nothing; the error is
// always nil.
func (s *Store) Close() error {
	s.closing.Do(func() {
		s.closed.Store(true)
		close(s.stop)
	})
	<-s.done
	return nil
}

// Len returns how many sessions are in memory, expired ones that are not yet
// removed included.
func (s *Store) Len() int { return int(s.budget.sessions.Load()) }

// Bytes returns how many bytes the sessions count for; see [Config.MaxBytes].
func (s *Store) Bytes() int64 { return s.budget.bytes.Load() }

// check says why op cannot run now: the store is closed or ctx is over.
func (s *Store) check(ctx context.Context, op string) error {
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
