package nearcache_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/memstore"
	"github.com/satchel-go/satchel/core/nearcache"
)

// perfect is a store as if on a network, that reports each change before anybody is told
// that it was made.
type perfect struct {
	*memstore.Store

	mu       sync.Mutex
	watchers map[int]func(core.ID)
	n        int
	loads    int
	err      error // of Invalidations, at once
	silent   bool  // it calls alive no more
}

func newPerfect(t testing.TB, now func() time.Time) *perfect {
	store := memstore.New(memstore.Config{Now: now, SweepInterval: -1})
	t.Cleanup(func() { _ = store.Close() })
	return &perfect{Store: store, watchers: map[int]func(core.ID){}}
}

func (p *perfect) Local() bool { return false }

func (p *perfect) tell(id core.ID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, changed := range p.watchers {
		changed(id)
	}
}

func (p *perfect) Invalidations(ctx context.Context, interval time.Duration, changed func(core.ID), alive func(time.Time)) error {
	p.mu.Lock()
	if p.err != nil {
		p.mu.Unlock()
		return p.err
	}
	n := p.n
	p.n++
	p.watchers[n] = changed
	changed(core.ID{})
	p.mu.Unlock()
	defer func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.watchers, n)
	}()
	for ctx.Err() == nil {
		p.mu.Lock()
		silent, err := p.silent, p.err
		if !silent && err == nil {
			alive(time.Now())
		}
		p.mu.Unlock()
		if err != nil {
			return err
		}
		select {
		case <-ctx.Done():
		case <-time.After(interval):
		}
	}
	return nil
}

func (p *perfect) set(edit func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	edit()
}

// asked returns how often the store was asked for an entry.
func (p *perfect) asked() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.loads
}

func (p *perfect) Load(ctx context.Context, id core.ID) (core.Entry, error) {
	p.set(func() { p.loads++ })
	return p.Store.Load(ctx, id)
}

func (p *perfect) Save(ctx context.Context, id core.ID, e core.Entry, base core.Version) (core.Version, error) {
	defer p.tell(id)
	return p.Store.Save(ctx, id, e, base)
}

func (p *perfect) Touch(ctx context.Context, id core.ID, base core.Version, expires time.Time) error {
	defer p.tell(id)
	return p.Store.Touch(ctx, id, base, expires)
}

func (p *perfect) Delete(ctx context.Context, id core.ID) error {
	defer p.tell(id)
	return p.Store.Delete(ctx, id)
}

func (p *perfect) DeleteAll(ctx context.Context) error {
	defer p.tell(core.ID{})
	return p.Store.DeleteAll(ctx)
}

func (p *perfect) Reserve(ctx context.Context, user string, id core.ID, limit int, policy core.LimitPolicy) ([]core.ID, error) {
	defer p.tell(core.ID{}) // it may delete
	return p.Store.Reserve(ctx, user, id, limit, policy)
}

// near returns a Store around store.
func near(t testing.TB, store core.Store, c nearcache.Config) *nearcache.Store {
	t.Helper()
	s, err := nearcache.New(store, c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func id(n int) core.ID { return core.ID{byte(n), byte(n >> 8), byte(n >> 16), 1} }

func entry(data string) core.Entry {
	return core.Entry{Data: []byte(data), Expires: time.Now().Add(time.Hour)}
}

// must saves and returns the version.
func must(t testing.TB, s core.Store, id core.ID, data string, base core.Version) core.Version {
	t.Helper()
	v, err := s.Save(t.Context(), id, entry(data), base)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// read loads what is stored, "gone" if nothing is.
func read(ctx context.Context, t testing.TB, s core.Store, id core.ID) string {
	t.Helper()
	e, err := s.Load(ctx, id)
	if errors.Is(err, core.ErrNotFound) {
		return "gone"
	}
	if err != nil {
		return fmt.Sprint(err)
	}
	return string(e.Data)
}
