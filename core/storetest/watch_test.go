package storetest

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/memstore"
)

// telling is a store that is a Watcher; its fields break it.
type telling struct {
	*memstore.Store
	hub *hub

	quiet    bool // reports nothing when it begins to listen
	mute     bool // reports no Delete
	muteAll  bool // reports no DeleteAll
	eviction bool // reports no Delete of what Reserve has already deleted
	chatty   bool // reports saves too
	one      bool // reports to one watcher only
	late     bool // reports even after Watch has returned
	stuck    bool // does not return when the context is done
}

// hub is what stores on the same data share.
type hub struct {
	mu       sync.Mutex
	watchers []*func(core.ID)
}

func newTelling(s *memstore.Store, breakIt func(*telling)) *telling {
	t := &telling{Store: s, hub: new(hub)}
	if breakIt != nil {
		breakIt(t)
	}
	return t
}

func (t *telling) Watch(ctx context.Context, ended func(core.ID)) error {
	t.hub.mu.Lock()
	t.hub.watchers = append(t.hub.watchers, &ended)
	if !t.quiet {
		ended(core.ID{})
	}
	t.hub.mu.Unlock()
	<-ctx.Done()
	if t.stuck {
		select {}
	}
	t.hub.mu.Lock()
	defer t.hub.mu.Unlock()
	if !t.late {
		t.hub.watchers = slices.DeleteFunc(t.hub.watchers, func(w *func(core.ID)) bool { return w == &ended })
	}
	return nil
}

func (t *telling) tell(id core.ID) {
	t.hub.mu.Lock()
	defer t.hub.mu.Unlock()
	for _, w := range t.hub.watchers {
		(*w)(id)
		if t.one {
			return
		}
	}
}

func (t *telling) Save(ctx context.Context, id core.ID, e core.Entry, base core.Version) (core.Version, error) {
	v, err := t.Store.Save(ctx, id, e, base)
	if t.chatty {
		t.tell(id)
	}
	return v, err
}

func (t *telling) Delete(ctx context.Context, id core.ID) error {
	_, loadErr := t.Load(ctx, id)
	err := t.Store.Delete(ctx, id)
	if !t.mute && (loadErr == nil || !t.eviction) {
		t.tell(id)
	}
	return err
}

func (t *telling) DeleteAll(ctx context.Context) error {
	err := t.Store.DeleteAll(ctx)
	if !t.muteAll {
		t.tell(core.ID{})
	}
	return err
}

// TestRunShared runs the suite on two stores with the same data.
func TestRunShared(t *testing.T) {
	RunShared(t, func(t *testing.T) (a, b core.Store) {
		inner := newMemstore(t)
		one := newTelling(inner, nil)
		return one, &telling{Store: inner, hub: one.hub}
	})
}

// impatient makes cases give up soon on a store that does not answer.
func impatient(t *testing.T) {
	before := patience
	patience = 100 * time.Millisecond
	t.Cleanup(func() { patience = before })
}

func newMemstore(t *testing.T) *memstore.Store {
	inner := memstore.New(memstore.Config{})
	t.Cleanup(func() { _ = inner.Close() })
	return inner
}

// TestSharedCasesCatchAStoreThatHearsOnlyItself needs two stores, so it is not
// among the other faults.
func TestSharedCasesCatchAStoreThatHearsOnlyItself(t *testing.T) {
	impatient(t)
	c := findCase(t, "Watcher/I2_a_delete_is_told")
	inner := newMemstore(t)
	r := recordOn(t, c, newTelling(inner, nil), newTelling(inner, nil), realClock{})
	if !r.Failed() {
		t.Errorf("%s passes", c.name)
	}
	c = sharedCases[0]
	if r := recordOn(t, c, newMemstore(t), newMemstore(t), realClock{}); !r.Failed() {
		t.Errorf("%s passes", c.name)
	}
}

var watchFaults = []fault{
	{"watch does not say that it listens", func(s *memstore.Store, _ Clock) core.Store {
		return newTelling(s, func(t *telling) { t.quiet = true })
	}, []string{"Watcher/watch_says_when_it_listens"}},

	{"watch hears no delete", func(s *memstore.Store, _ Clock) core.Store {
		return newTelling(s, func(t *telling) { t.mute = true })
	}, []string{"Watcher/I2_a_delete_is_told", "Watcher/I1_a_login_that_ends_another_is_told"}},

	{"watch hears no delete all", func(s *memstore.Store, _ Clock) core.Store {
		return newTelling(s, func(t *telling) { t.muteAll = true })
	}, []string{"Watcher/I2_delete_all_is_told"}},

	{"watch hears no eviction", func(s *memstore.Store, _ Clock) core.Store {
		return newTelling(s, func(t *telling) { t.eviction = true })
	}, []string{"Watcher/I1_a_login_that_ends_another_is_told"}},

	{"watch tells of saves", func(s *memstore.Store, _ Clock) core.Store {
		return newTelling(s, func(t *telling) { t.chatty = true })
	}, []string{"Watcher/what_lives_is_not_told"}},

	{"one watcher is told", func(s *memstore.Store, _ Clock) core.Store {
		return newTelling(s, func(t *telling) { t.one = true })
	}, []string{"Watcher/I2_every_watcher_is_told"}},

	{"watch tells after it has returned", func(s *memstore.Store, _ Clock) core.Store {
		return newTelling(s, func(t *telling) { t.late = true })
	}, []string{"Watcher/watch_ends_with_its_context"}},

	{"watch does not return", func(s *memstore.Store, _ Clock) core.Store {
		return newTelling(s, func(t *telling) { t.stuck = true })
	}, []string{"Watcher/watch_ends_with_its_context"}},
}
