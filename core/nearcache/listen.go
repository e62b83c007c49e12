package nearcache

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/satchel-go/satchel/core"
)

// retryAfter is the wait before a store is asked again to report changes.
const retryAfter = 100 * time.Millisecond

// listener is what listens to a store's reports, in the background.
type listener struct {
	cancel context.CancelFunc
	done   sync.WaitGroup
	lost   atomic.Uint64
	failed atomic.Pointer[error]
}

// listen begins to listen to reports. It returns once the store has answered for the first
// time, or with an error once that is known.
func (c *cache) listen(reports core.Invalidator) error {
	ctx, cancel := context.WithCancel(context.Background())
	c.cancel = cancel
	first := make(chan error, 1)
	c.done.Go(func() {
		for ctx.Err() == nil {
			err := c.hear(ctx, reports, first)
			select {
			case first <- err:
			default:
			}
			if errors.Is(err, core.ErrUnsupported) && c.lost.Load() == 0 {
				return // it never will
			}
			select {
			case <-ctx.Done():
			case <-time.After(retryAfter):
			}
		}
	})
	select {
	case err := <-first:
		return err
	case <-time.After(startTime):
		return errors.New("nearcache: the store does not report changes yet")
	}
}

// hear listens until the store no longer reports. Then nothing may be kept: what changed
// meanwhile is never told.
func (c *cache) hear(ctx context.Context, reports core.Invalidator, first chan<- error) error {
	err := reports.Invalidations(ctx, c.config.Window/4, c.changed, func(t time.Time) {
		c.alive(t)
		select {
		case first <- nil:
		default:
		}
	})
	if err == nil && ctx.Err() == nil {
		err = errors.New("nearcache: the store has stopped to report changes")
	}
	c.deaf(err)
	return err
}

// changed is told of a change.
func (c *cache) changed(id core.ID) {
	if id.IsZero() {
		c.clear()
		c.listening.Store(true)
		return
	}
	s := c.shard(id)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.invalidations++
	s.forget(id)
}

// alive is told that all changes before t have been reported.
func (c *cache) alive(t time.Time) {
	now := c.clock()
	until := min(int64(t.Sub(c.start)), now) + int64(c.config.Window)
	old := c.lease.Load()
	if old > 0 && old <= now {
		c.lost.Add(1)
	}
	if until > old {
		c.lease.Store(until)
	}
	c.failed.Store(nil)
}

// deaf notes that changes are not reported, because of err.
func (c *cache) deaf(err error) {
	c.listening.Store(false) // before clear, so that nothing is kept after it
	if c.lease.Swap(0) > 0 {
		c.lost.Add(1)
	}
	c.clear()
	if err != nil {
		c.failed.Store(&err)
	}
}

// Close ends the reports and forgets all copies. The Store goes on without any; what it wraps
// is not closed. Close returns nil.
func (c *cache) Close() error {
	if c.cancel != nil {
		c.cancel()
		c.done.Wait()
	}
	c.lease.Store(0)
	c.deaf(nil)
	return nil
}
