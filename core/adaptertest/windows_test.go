package adaptertest_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/adaptertest"
	"github.com/satchel-go/satchel/core/httpadapter/httpapp"
	"github.com/satchel-go/satchel/core/memstore"
)

const window = 100 * time.Millisecond

// copies is a store with a window: what it was asked for in the last tenth of a second it
// answers from a copy, unless it has saved something since. Deletions happen elsewhere.
type copies struct {
	*memstore.Store
	now         func() time.Time
	evenIfFresh bool // a fault
	forever     bool // a fault

	mu   sync.Mutex
	kept map[core.ID]dated
}

type dated struct {
	entry core.Entry
	at    time.Time
}

func (c *copies) Unwrap() core.Store    { return c.Store }
func (c *copies) Window() time.Duration { return window }

func (c *copies) Load(ctx context.Context, id core.ID) (core.Entry, error) {
	now := c.now()
	c.mu.Lock()
	k, ok := c.kept[id]
	c.mu.Unlock()
	if (!core.IsFresh(ctx) || c.evenIfFresh) && ok && (now.Sub(k.at) < window || c.forever) && k.entry.Expires.After(now) {
		return k.entry, nil
	}
	e, err := c.Store.Load(ctx, id)
	if err == nil {
		c.mu.Lock()
		c.kept[id] = dated{e, now}
		c.mu.Unlock()
	}
	return e, err
}

func (c *copies) Save(ctx context.Context, id core.ID, e core.Entry, base core.Version) (core.Version, error) {
	v, err := c.Store.Save(ctx, id, e, base)
	c.mu.Lock()
	delete(c.kept, id)
	c.mu.Unlock()
	return v, err
}

func (c *copies) Touch(ctx context.Context, id core.ID, base core.Version, expires time.Time) error {
	err := c.Store.Touch(ctx, id, base, expires)
	c.mu.Lock()
	delete(c.kept, id)
	c.mu.Unlock()
	return err
}

func withWindow(edit func(*copies)) adaptertest.Backend {
	return adaptertest.Backend{Name: "copies", Window: window, Store: func(t *testing.T, now func() time.Time) core.Store {
		c := &copies{Store: memstore.New(memstore.Config{Now: now, SweepInterval: -1}), now: now, kept: map[core.ID]dated{}}
		t.Cleanup(func() { _ = c.Close() })
		edit(c)
		return c
	}}
}

// TestConformanceWindow runs the suite on a backend that keeps its window, and shows that it finds
// those that do not.
func TestConformanceWindow(t *testing.T) {
	adaptertest.Run(t, "nethttp", httpapp.New, withWindow(func(*copies) {}))
	for name, broken := range map[string]struct {
		edit     func(*copies)
		caughtBy string
	}{
		"copies where the newest state was asked for": {func(c *copies) { c.evenIfFresh = true }, "K2_SEC15_logout_kills_on_the_server_for_writers"},
		"copies that are older than the window":       {func(c *copies) { c.forever = true }, "K2_SEC15_logout_kills_on_the_server"},
	} {
		if failed, _ := adaptertest.Record(t, broken.caughtBy, httpapp.New, withWindow(broken.edit)); !failed {
			t.Errorf("%s: %s passes", name, broken.caughtBy)
		}
	}
	undeclared := withWindow(func(*copies) {})
	undeclared.Window = 0
	if failed, _ := adaptertest.Record(t, "I3_logout_removes_the_cookie", httpapp.New, undeclared); !failed {
		t.Error("a window that the Backend does not declare passes")
	}
}
