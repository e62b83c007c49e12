package sqlsessions

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/satchel-go/satchel/core"
)

// Nothing depends on the clean-up but the size of the tables. It runs in batches, each a
// statement of its own, and one instance at a time does it: the one that takes the lease,
// a row among the members.
const (
	sweepBatch = 1000
	sweepPause = 10 * time.Millisecond // between two batches

	// counterLasts is how long a counter stays whose user has no members.
	counterLasts = 24 * time.Hour
)

// The leases are members of no user.
var (
	nobody     = []byte{0}
	sweepLease = []byte("s")
	tidyLease  = []byte("t") // for members whose sessions are gone, once a day
)

// sweeper is the clean-up in the background.
type sweeper struct {
	once     sync.Once
	closing  sync.Once
	stop     chan struct{}
	done     sync.WaitGroup
	observer atomic.Pointer[core.Observer]
}

// start begins the clean-up, with the first write, unless it is off.
func (w *sweeper) start(s *Store) {
	if s.config.SweepInterval < 0 {
		return
	}
	w.once.Do(func() {
		select {
		case <-w.stop:
		default:
			w.done.Go(func() { s.sweepEvery(s.config.SweepInterval) })
		}
	})
}

func (w *sweeper) close() {
	w.closing.Do(func() { close(w.stop) })
	w.once.Do(func() {}) // it does not start any more
	w.done.Wait()
}

// Report makes o receive the events of the clean-up, in the place of an earlier one.
func (s *Store) Report(o core.Observer) { s.sweeper.observer.Store(&o) }

// sweepEvery sweeps at intervals, never at once: processes start together.
func (s *Store) sweepEvery(interval time.Duration) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		select {
		case <-s.sweeper.stop:
			cancel()
		case <-ctx.Done():
		}
	}()
	for s.wait(ctx, interval*4/5+rand.N(interval*2/5+1)) { //nolint:gosec // jitter is no secret
		s.sweepIfDue(ctx, interval)
	}
}

// wait reports whether d has passed, and not ctx ended.
func (s *Store) wait(ctx context.Context, d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-ctx.Done():
		return false
	}
}

// sweepIfDue sweeps if no other instance has done so in the interval. Errors are left to
// the next sweep: requests report them better.
func (s *Store) sweepIfDue(ctx context.Context, interval time.Duration) {
	if mine, err := s.take(ctx, sweepLease, interval); err != nil || !mine {
		return
	}
	// Of the present hour most live, so it is not looked at yet.
	until := s.config.Now().UnixMilli() / hour
	sweep, end := sweeping{s: s}, time.Now().Add(interval)
	for {
		if more, err := sweep.batch(ctx, until); err != nil || !more {
			break
		}
		if !s.wait(ctx, sweepPause) {
			return
		}
		if time.Now().After(end) { // and the lease with it
			s.event(ctx, core.Event{
				Kind: core.EventSweepLags, Time: s.config.Now(),
				Detail: fmt.Sprintf("%d expired sessions were removed in %v, and more are left: shorten SweepInterval, "+
					"call Sweep when the database has time for it, or find out who makes so many", sweep.removed, interval),
			})
			return
		}
	}
	if mine, err := s.take(ctx, tidyLease, counterLasts); err == nil && mine {
		_ = s.tidy(ctx)
	}
}

func (s *Store) event(ctx context.Context, e core.Event) {
	observer := core.SlogObserver(nil)
	if o := s.sweeper.observer.Load(); o != nil && *o != nil {
		observer = *o
	}
	observer(ctx, e)
}

// take takes a lease until d has passed, unless somebody has it.
func (s *Store) take(ctx context.Context, lease []byte, d time.Duration) (mine bool, err error) {
	err = s.call(ctx, func(ctx context.Context, _ bool) error {
		now := s.config.Now()
		n, err := s.db.Exec(ctx, s.st.lease, nobody, lease, now.Add(d).UnixMilli(), now.UnixMilli())
		if err == nil && n == 0 {
			n, err = s.db.Exec(ctx, s.st.firstLease, nobody, lease, now.Add(d).UnixMilli())
		}
		mine = n > 0
		return err
	})
	return mine, err
}

// Sweep implements [core.Sweeper]. It removes every session that has expired, in small
// batches: ten seconds bound each, but only ctx bounds the whole. The clean-up in
// the background waits for the full hour instead.
func (s *Store) Sweep(ctx context.Context) (int, error) {
	sweep := sweeping{s: s}
	for {
		more, err := sweep.batch(ctx, bucket(s.config.Now().UnixMilli()))
		if err == nil && more && !s.wait(ctx, sweepPause) {
			err = ctx.Err()
		}
		if err != nil {
			return sweep.removed, s.failed("sweep", err)
		}
		if !more {
			return sweep.removed, nil
		}
	}
}

// sweeping is one sweep.
type sweeping struct {
	s       *Store
	removed int
	idle    int // batches in a row of which nothing could be removed
}

// batch removes one batch of the expired sessions of the hours until the given one, and
// their members. It reports whether there may be more.
func (w *sweeping) batch(ctx context.Context, until int64) (more bool, _ error) {
	s, found, n := w.s, 0, 0
	err := s.step(ctx, func(ctx context.Context) error {
		now := s.config.Now().UnixMilli()
		if s.dialect == Postgres {
			err := s.db.Query(ctx, s.st.sweep, func(scan Scan) error { return scan(&n) }, until, now)
			found = n
			return err
		}
		keys, err := s.expired(ctx, until, now)
		if err == nil {
			found = len(keys)
			n, err = s.remove(ctx, keys, now)
		}
		return err
	})
	w.removed += n
	if w.idle++; n > 0 {
		w.idle = 0
	}
	return found == sweepBatch && w.idle < 3, err // another sweep may have been faster
}

// memberKey names a member.
type memberKey struct {
	owner []byte
	id    core.ID
}

// expired reads a batch of what has expired.
func (s *Store) expired(ctx context.Context, until, now int64) (found []memberKey, err error) {
	err = s.db.Query(ctx, s.st.expired, func(scan Scan) error {
		var (
			raw []byte
			k   memberKey
		)
		if err := scan(&raw, &k.owner); err != nil {
			return err
		}
		copy(k.id[:], raw)
		found = append(found, k)
		return nil
	}, until, now)
	return found, err
}

// remove deletes what is still expired, by its key, which locks nothing else, and then the
// members of what is gone.
func (s *Store) remove(ctx context.Context, found []memberKey, now int64) (removed int, _ error) {
	var owned []memberKey
	ids := make([]core.ID, len(found))
	for i, k := range found {
		ids[i] = k.id
		if k.owner != nil {
			owned = append(owned, k)
		}
	}
	for len(ids) > 0 {
		part := ids[:min(len(ids), endAtOnce)]
		ids = ids[len(part):]
		n, args := padded(part)
		deleted, err := s.db.Exec(ctx, s.st.several(s, n, `DELETE FROM {s} WHERE expires <= $1 AND id IN `), append([]any{now}, args...)...)
		if err != nil {
			return removed, err
		}
		removed += int(deleted)
	}
	return removed, s.removeMembers(ctx, owned, now)
}

// removeMembers removes those of the members that have no session and no reservation.
func (s *Store) removeMembers(ctx context.Context, of []memberKey, now int64) error {
	const atOnce = 64
	for len(of) > 0 {
		part := of[:min(len(of), atOnce)]
		of = of[len(part):]
		n := 1
		for n < len(part) {
			n *= 2
		}
		args := make([]any, 1, 1+2*n)
		args[0] = now
		for i := range n { // repeated as padded does
			k := part[min(i, len(part)-1)]
			args = append(args, k.owner, k.id[:])
		}
		if _, err := s.db.Exec(ctx, s.st.pairs(s, n), args...); err != nil {
			return err
		}
	}
	return nil
}

// tidy removes members whose sessions are gone and were not swept, marks that have
// lapsed, and counters of users without members. It goes through the table in the order
// of the key.
func (s *Store) tidy(ctx context.Context) error {
	t := tidying{s: s, owner: []byte{}, id: []byte{}}
	for more := true; more; {
		err := s.step(ctx, func(ctx context.Context) (err error) {
			more, err = t.batch(ctx)
			return err
		})
		if err != nil {
			return err
		}
		if !s.wait(ctx, sweepPause) {
			return ctx.Err()
		}
	}
	return nil
}

// tidying is one tidy.
type tidying struct {
	s         *Store
	owner, id []byte // where it is

	counter *row // the counter of owner, if it has been seen
}

// row is a member as tidy sees it.
type row struct {
	owner, id []byte
	lapses    int64
	live      int
}

func (t *tidying) batch(ctx context.Context) (more bool, _ error) {
	s := t.s
	now := s.config.Now()
	var rows []row
	err := s.db.Query(ctx, s.st.orphans, func(scan Scan) error {
		var r row
		err := scan(&r.owner, &r.id, &r.lapses, &r.live)
		rows = append(rows, r)
		return err
	}, t.owner, t.id)
	if err != nil {
		return false, err
	}
	var over []memberKey
	for i := range rows {
		r := &rows[i]
		lapsed := r.lapses <= now.UnixMilli()
		switch {
		case bytes.Equal(r.owner, nobody): // leases
		case bytes.Equal(r.id, counterRow):
			if r.lapses < now.Add(-counterLasts).UnixMilli() {
				t.counter = r
			}
		case len(r.id) == len(core.ID{}):
			if r.live == 0 && lapsed {
				over = append(over, memberKey{r.owner, core.ID(r.id)})
			} else if t.counter != nil && bytes.Equal(t.counter.owner, r.owner) {
				t.counter = nil // it has members
			}
		case bytes.Equal(r.id, markRow) && lapsed:
			_, err = s.db.Exec(ctx, s.st.dropRow, r.owner, r.id, r.lapses)
		}
		last := i == len(rows)-1 && len(rows) < sweepBatch
		if c := t.counter; c != nil && err == nil && (last || i+1 < len(rows) && !bytes.Equal(rows[i+1].owner, c.owner)) {
			t.counter = nil
			_, err = s.db.Exec(ctx, s.st.dropRow, c.owner, c.id, c.lapses)
		}
		if err != nil {
			return false, err
		}
	}
	if err := s.removeMembers(ctx, over, now.UnixMilli()); err != nil {
		return false, err
	}
	if len(rows) > 0 {
		t.owner, t.id = rows[len(rows)-1].owner, rows[len(rows)-1].id
	}
	return len(rows) == sweepBatch, nil
}
