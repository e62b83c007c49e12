package nearcache_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/nearcache"
)

// chaos is a store with a slow network, and reports that are as bad as the contract allows:
// late, in any order, repeated, and cut off. Entries are numbers that grow.
type chaos struct {
	mu       sync.Mutex
	rng      *rand.Rand
	window   time.Duration
	entries  map[core.ID]core.Entry
	made     []change
	untold   map[int]time.Time // numbers of changes that are under way to the listener
	listens  func(core.ID)
	restarts int
}

// change is what the store knows of its past.
type change struct {
	id     core.ID
	number uint64
	at     time.Time
}

var errAway = errors.New("away")

// sleep lets up to d pass.
func (c *chaos) sleep(d time.Duration) {
	c.mu.Lock()
	d = time.Duration(c.rng.Int64N(int64(d)))
	c.mu.Unlock()
	time.Sleep(d)
}

func (c *chaos) Load(_ context.Context, id core.ID) (core.Entry, error) {
	c.sleep(20 * time.Millisecond)
	c.mu.Lock()
	e, ok := c.entries[id]
	fails := c.rng.IntN(50) == 0
	c.mu.Unlock()
	c.sleep(60 * time.Millisecond)
	switch {
	case fails:
		return core.Entry{}, errAway
	case !ok:
		return core.Entry{}, core.ErrNotFound
	}
	return e, nil
}

func (c *chaos) Save(_ context.Context, id core.ID, e core.Entry, base core.Version) (core.Version, error) {
	c.sleep(20 * time.Millisecond)
	c.mu.Lock()
	conflict := c.entries[id].Version != base
	lost := c.rng.IntN(20) == 0
	if !conflict {
		e.Version = base + 1
		binary.BigEndian.PutUint64(e.Data, uint64(e.Version))
		c.entries[id] = e
		c.changed(id, uint64(e.Version))
	}
	c.mu.Unlock()
	c.sleep(20 * time.Millisecond)
	switch {
	case conflict:
		return 0, core.ErrConflict
	case lost:
		return 0, errAway
	}
	return e.Version, nil
}

func (c *chaos) Touch(context.Context, core.ID, core.Version, time.Time) error { return nil }
func (c *chaos) Delete(context.Context, core.ID) error                         { return nil }

// changed notes a change, and sends a report on its way.
func (c *chaos) changed(id core.ID, number uint64) {
	c.made = append(c.made, change{id, number, time.Now()})
	n, listens := len(c.made), c.listens
	if listens == nil {
		return
	}
	c.untold[n] = time.Now()
	times := 1 + c.rng.IntN(2)
	late := 2 * time.Millisecond
	if c.rng.IntN(4) == 0 {
		late = 5 * c.window
	}
	restarts := c.restarts
	for range times {
		d := time.Duration(c.rng.Int64N(int64(late)))
		go func() {
			time.Sleep(d)
			c.mu.Lock()
			defer c.mu.Unlock()
			if c.restarts == restarts && c.listens != nil {
				c.listens(id)
				delete(c.untold, n)
			}
		}()
	}
}

func (c *chaos) Invalidations(ctx context.Context, interval time.Duration, changed func(core.ID), alive func(time.Time)) error {
	c.sleep(c.window)
	c.mu.Lock()
	changed(core.ID{})
	c.listens = changed
	c.restarts++
	clear(c.untold)
	lasts := time.Now().Add(time.Duration(c.rng.Int64N(int64(20 * c.window))))
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.listens = nil
	}()
	for time.Now().Before(lasts) && ctx.Err() == nil {
		c.mu.Lock()
		t := time.Now() // everything from before is told, but for what is under way
		for _, at := range c.untold {
			if at.Before(t) {
				t = at
			}
		}
		alive(t)
		c.mu.Unlock()
		c.sleep(2 * interval)
	}
	return errAway
}

// at returns the number that id had at a time.
func (c *chaos) at(id core.ID, t time.Time) (number uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, m := range c.made {
		if m.id == id && !m.at.After(t) {
			number = m.number
		}
	}
	return number
}

// TestL4NoCopyIsOlderThanTheWindow, whatever happens to the reports. Fresh answers are the
// newest, and a writer sees what it has written.
func TestL4NoCopyIsOlderThanTheWindow(t *testing.T) {
	const window = 100 * time.Millisecond
	runs := 30
	if testing.Short() {
		runs = 5
	}
	var hits uint64
	for seed := range runs {
		synctest.Test(t, func(t *testing.T) {
			c := &chaos{
				rng: rand.New(rand.NewPCG(uint64(seed), 1)), window: window,
				entries: map[core.ID]core.Entry{}, untold: map[int]time.Time{},
			}
			s, err := nearcache.New(c, nearcache.Config{Window: window})
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			var all sync.WaitGroup
			own := map[core.ID]uint64{} // what this instance was told that it has saved
			var mu sync.Mutex
			write := func(store core.Store, id core.ID, pause time.Duration) {
				for ctx.Err() == nil {
					c.sleep(pause)
					e, err := store.Load(core.Fresh(ctx), id)
					if err != nil && !errors.Is(err, core.ErrNotFound) {
						continue
					}
					v, err := store.Save(ctx, id, core.Entry{Data: make([]byte, 8), Expires: time.Now().Add(time.Hour)}, e.Version)
					if err == nil && store == core.Store(s) {
						mu.Lock()
						own[id] = max(own[id], uint64(v))
						mu.Unlock()
					}
				}
			}
			for i := range 3 {
				all.Go(func() { write(c, id(i), 2*window) })
				all.Go(func() { write(s, id(i), 4*window) })
			}
			for i := range 12 {
				all.Go(func() {
					for ctx.Err() == nil {
						c.sleep(20 * time.Millisecond)
						id, began, reading, since := id(i%3), time.Now(), ctx, window
						if i >= 9 {
							reading, since = core.Fresh(ctx), 0
						}
						mu.Lock()
						mine := own[id]
						mu.Unlock()
						e, err := s.Load(reading, id)
						if err != nil {
							continue
						}
						got := binary.BigEndian.Uint64(e.Data)
						if least := c.at(id, began.Add(-since)); got < least {
							t.Errorf("L4: seed %d, %v: number %d, when %v ago it was %d", seed, time.Since(began), got, since, least)
							cancel()
						}
						if got < mine {
							t.Errorf("K1: seed %d: number %d, after this instance had saved %d", seed, got, mine)
							cancel()
						}
					}
				})
			}
			time.Sleep(20 * time.Second)
			cancel()
			all.Wait()
			st := s.Stats()
			hits += st.Hits
			_ = s.Close()
			time.Sleep(10 * window) // for reports under way
			if st.Hits < 1000 || st.Invalidations < 100 || st.LeasesLost < 5 {
				t.Errorf("seed %d shows little: %+v", seed, st)
			}
		})
	}
	t.Log(fmt.Sprint(hits, " answers from copies"))
}
