package goredisstore

import (
	"context"
	"sync/atomic"
	"time"
)

// bounds gives contexts their timeout. A timer of its own would cost a call more than
// all else that this package does. So calls that begin at about the same time share one,
// which ends the wait for a connection: go-redis looks at Done there and before it tries
// again. Reading and writing go by Deadline, which is exact.
type bounds struct{ shared atomic.Pointer[sharedEnd] }

// sharedEnd is the end of the calls that begin before closes.
type sharedEnd struct {
	context.Context
	closes time.Time
	cancel context.CancelFunc // never called: the timer ends it
}

// slots is how many of these an uninterrupted row of calls needs within the timeout.
const slots = 16

// within returns ctx with a timeout. It ends by itself between 15/16 of the timeout and
// all of it. That ctx is cancelled does not end it: nothing else in go-redis does either
// once a command is under way.
func (b *bounds) within(ctx context.Context, timeout time.Duration) context.Context {
	now := time.Now()
	end := b.shared.Load()
	if end == nil || !now.Before(end.closes) {
		end = &sharedEnd{closes: now.Add(timeout / slots)}
		end.Context, end.cancel = context.WithDeadline(context.Background(), now.Add(timeout)) //nolint:gosec // the timer ends it
		b.shared.Store(end)                                                                    // if another call was faster, both serve
	}
	return &boundContext{Context: ctx, end: end, at: now.Add(timeout)}
}

// boundContext is a context that ends with end.
type boundContext struct {
	context.Context // for its values
	end             *sharedEnd
	at              time.Time
}

// Deadline implements [context.Context].
func (c *boundContext) Deadline() (time.Time, bool) { return c.at, true }

// Done implements [context.Context].
func (c *boundContext) Done() <-chan struct{} { return c.end.Done() }

// Err implements [context.Context].
func (c *boundContext) Err() error { return c.end.Err() }
