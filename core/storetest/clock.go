package storetest

import (
	"sync"
	"time"
)

// Clock is the clock that a store under test reads.
type Clock interface {
	// Now returns the store's time.
	Now() time.Time
	// Advance lets at least d pass. Several goroutines call it.
	Advance(d time.Duration)
}

// FakeClock is a [Clock] that moves only in Advance. It is safe for concurrent
// use.
type FakeClock struct {
	mu  sync.Mutex
	now time.Time
}

// NewFakeClock returns a clock that is stopped at the present time.
func NewFakeClock() *FakeClock { return &FakeClock{now: time.Now()} }

// Now returns the clock's time. Pass the method value to a store as its source of
// time.
func (c *FakeClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Advance moves the clock forward by d.
func (c *FakeClock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// realClock is for stores that use real time: letting time pass means waiting.
type realClock struct{}

func (realClock) Now() time.Time          { return time.Now() }
func (realClock) Advance(d time.Duration) { time.Sleep(d) }
