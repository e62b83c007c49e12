package metrics

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/memstore"
	"github.com/satchel-go/satchel/core/sealed"
	"github.com/satchel-go/satchel/core/storetest"
)

// counts is a Recorder that counts calls.
type counts struct {
	mu    sync.Mutex
	calls map[Call]int
}

func (c *counts) Called(place int, took time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if took < 0 || took > time.Hour {
		panic(fmt.Sprintf("a call took %v", took))
	}
	if c.calls == nil {
		c.calls = map[Call]int{}
	}
	c.calls[AllCalls()[place]]++
}

func (c *counts) Same(r Recorder) bool { return r == Recorder(c) }

func (c *counts) of(operation, outcome, errorType string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.calls[Call{operation, outcome, errorType}]
}

func memory(tb testing.TB, c memstore.Config) *memstore.Store {
	tb.Helper()
	store := memstore.New(c)
	tb.Cleanup(func() { _ = store.Close() })
	return store
}

func keyring(t *testing.T) *sealed.Keyring {
	t.Helper()
	keys, err := sealed.ParseKeyring(sealed.GenerateKey())
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

func measureOnly(store core.Store) core.Store { m, _ := Store(store, &counts{}); return m }

// wraps are ways in which a store may be measured.
func wraps(t *testing.T) map[string]func(core.Store) core.Store {
	t.Helper()
	keys := keyring(t)
	return map[string]func(core.Store) core.Store{
		"twice":                          func(s core.Store) core.Store { return measureOnly(measureOnly(s)) },
		"inside and outside encryption":  func(s core.Store) core.Store { return measureOnly(sealed.Store(measureOnly(s), keys)) },
		"as a Manager has configured it": func(s core.Store) core.Store { return configured(t, measureOnly(s)) },
	}
}

// configured returns what a Manager uses for store.
func configured(t *testing.T, store core.Store) core.Store {
	t.Helper()
	if c, ok := store.(core.Configurable[core.Store]); ok {
		var err error
		if store, err = c.WithConfig(core.Config{Now: time.Now}); err != nil {
			t.Fatal(err)
		}
	}
	return store
}

func TestMeasuredStore(t *testing.T) {
	for name, wrap := range wraps(t) {
		t.Run(name, func(t *testing.T) {
			storetest.RunWithClock(t, func(t *testing.T) (core.Store, storetest.Clock) {
				clock := storetest.NewFakeClock()
				return wrap(memory(t, memstore.Config{Now: clock.Now, SweepInterval: -1})), clock
			})
		})
	}
}

// abilities returns which abilities the core finds, in the way in which it looks.
func abilities(s core.Store) map[string]bool {
	has := map[string]bool{}
	index, ok := core.StoreAs[core.UserIndex](s)
	has["UserIndex"] = ok
	_, has["Mender"] = index.(core.Mender)
	_, has["TouchMender"] = s.(core.TouchMender)
	_, has["AllDeleter"] = core.StoreAs[core.AllDeleter](s)
	_, has["Sweeper"] = core.StoreAs[core.Sweeper](s)
	_, has["Counter"] = core.StoreAs[core.Counter](s)
	_, has["UserNamer"] = core.StoreAs[core.UserNamer](s)
	watcher, ok := core.StoreAs[core.Watcher](s)
	has["Watcher"] = ok
	_, has["PulseWatcher"] = watcher.(core.PulseWatcher)
	_, has["Validator"] = core.StoreAs[core.Validator](s)
	local, ok := core.StoreAs[core.Local](s)
	has["Local"] = ok && local.Local()
	return has
}

// Parts of stores.
type (
	bare    struct{ core.Store }
	watched struct {
		bare
		core.PulseWatcher
	}
	touching struct {
		*memstore.Store
		core.TouchMender
	}
	indexOnly struct {
		bare
		core.UserIndex
	}
)

func (indexOnly) Forgetful(int) {} // is no Mender

func TestI2MeasuredStoreKeepsEachAbility(t *testing.T) {
	store := memory(t, memstore.Config{})
	for name, s := range map[string]core.Store{
		"memory":      store,
		"sealed":      sealed.Store(store, keyring(t)),
		"none":        bare{store},
		"watched":     watched{bare: bare{store}},
		"TouchMender": touching{Store: store},
		"index alone": indexOnly{bare{store}, struct{ core.UserIndex }{store}},
	} {
		want := abilities(s)
		for times, m := 1, s; times <= 2; times++ {
			m = measureOnly(m)
			for ability, ok := range abilities(m) {
				if ok != want[ability] {
					t.Errorf("%s, measured %d times: %s: %v, want %v", name, times, ability, ok, want[ability])
				}
			}
		}
	}
	if !abilities(touching{Store: store})["TouchMender"] || !abilities(watched{bare: bare{store}})["PulseWatcher"] ||
		abilities(indexOnly{bare{store}, struct{ core.UserIndex }{store}})["Mender"] {
		t.Error("the stores of this test are not what they are to be")
	}
}

// touchMender answers TouchAndMend.
type touchMender struct{ err error }

func (m touchMender) TouchAndMend(context.Context, string, core.ID, core.Version, time.Time) error {
	return m.err
}

// refusing is a store that answers with an error.
type refusing struct {
	core.Store
	err error
}

func (s refusing) Load(context.Context, core.ID) (core.Entry, error) { return core.Entry{}, s.err }

func TestCallsAreMeasured(t *testing.T) {
	for _, tc := range []struct {
		err                error
		outcome, errorType string
	}{
		{nil, "ok", ""},
		{fmt.Errorf("load: %w", core.ErrNotFound), "not_found", ""},
		{core.ErrConflict, "conflict", ""},
		{core.ErrSessionLimit, "limit", ""},
		{core.ErrCorrupt, "unreadable", ""},
		{core.ErrNewerVersion, "unreadable", ""},
		{&core.IncompleteError{}, "ok", ""},
		{context.DeadlineExceeded, "error", "timeout"},
		{context.Canceled, "error", "canceled"},
		{errors.New("refused"), "error", Other},
		{fmt.Errorf("%w: %w", core.ErrUnavailable, core.ErrNotFound), "error", Other}, // unknown is not absent
		{fmt.Errorf("%w: %w", core.ErrUnavailable, core.ErrConflict), "error", Other},
	} {
		var c counts
		m, added := Store(refusing{memory(t, memstore.Config{}), tc.err}, &c)
		if _, err := m.Load(t.Context(), core.ID{1}); !added || !errors.Is(err, tc.err) {
			t.Errorf("%v became %v", tc.err, err)
		}
		if c.of("load", tc.outcome, tc.errorType) != 1 {
			t.Errorf("%v: %v", tc.err, c.calls)
		}
	}

	var c counts
	ctx, id, expires := t.Context(), core.ID{1}, time.Now().Add(time.Hour)
	measured, _ := Store(touching{memory(t, memstore.Config{}), touchMender{core.ErrNotFound}}, &c)
	m := measured.(interface {
		core.Store
		core.UserIndex
		core.Mender
		core.TouchMender
	})
	v, err := m.Save(ctx, id, core.Entry{Data: []byte("d"), Expires: expires, User: "ann"}, 0)
	if err != nil {
		t.Fatal(err)
	}
	_ = m.Touch(ctx, id, v, expires)
	_ = m.TouchAndMend(ctx, "ann", id, v, expires)
	_, _ = m.Reserve(ctx, "ann", id, 0, core.EndOldest)
	_ = m.Confirm(ctx, "ann", id, time.Time{})
	_ = m.Mend(ctx, "ann", id, expires)
	_, _ = m.List(ctx, "ann")
	_, _ = m.Search(ctx, "ann")
	_ = m.Release(ctx, "ann", id)
	_ = m.Delete(ctx, id)
	for _, operation := range operations {
		want := 1
		if operation == "load" {
			want = 0
		}
		if n := c.of(operation, "ok", ""); n != want {
			t.Errorf("%s was measured %d times, want %d", operation, n, want)
		}
	}
	if c.of("touch", "not_found", "") != 1 {
		t.Errorf("TouchAndMend: %v", c.calls)
	}
}

func TestCallsCountOnce(t *testing.T) {
	var c, other counts
	keys := keyring(t)
	once, _ := Store(memory(t, memstore.Config{}), &c)
	for name, s := range map[string]core.Store{"itself": once, "encrypted": sealed.Store(once, keys)} {
		if again, added := Store(s, &c); again != s || added {
			t.Errorf("%s: measured twice by one", name)
		}
		if again, added := Store(s, &other); again == s || !added {
			t.Errorf("%s: not measured by another", name)
		}
	}
	if s, added := Store(nil, &c); s != nil || added {
		t.Errorf("nil became %v", s)
	}
	twice, _ := Store(once, &other)
	_, _ = twice.Load(t.Context(), core.ID{})
	if c.of("load", "not_found", "") != 1 || other.of("load", "not_found", "") != 1 {
		t.Errorf("measured %v and %v", c.calls, other.calls)
	}
}

// A store that returns a copy for a Manager is measured there too.
func TestConfiguredStoreIsMeasured(t *testing.T) {
	var c counts
	s, _ := Store(sealed.Store(memory(t, memstore.Config{}), keyring(t)), &c)
	s = configured(t, s)
	_, _ = s.Load(t.Context(), core.ID{})
	if c.of("load", "not_found", "") != 1 {
		t.Errorf("measured %v", c.calls)
	}
	wrong := errors.New("wrong")
	m, _ := Store(choosy{bare{memory(t, memstore.Config{})}, wrong}, &c)
	if _, err := core.New(core.ServerSide(m), core.Config{}); !errors.Is(err, wrong) {
		t.Errorf("New: %v", err)
	}
}

// choosy is a store that refuses every Config.
type choosy struct {
	bare
	err error
}

func (s choosy) WithConfig(core.Config) (core.Store, error) { return nil, s.err }

// secret is a store that prints nothing of itself.
type secret struct {
	bare
	password string
}

func (secret) Format(f fmt.State, _ rune) { _, _ = fmt.Fprint(f, "secret store") }

func TestSEC67MeasuredStorePrintsAsTheStoreInside(t *testing.T) {
	s := measureOnly(measureOnly(secret{bare{memory(t, memstore.Config{})}, "hunter2"}))
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
		if got := fmt.Sprintf(verb, s); got != "secret store" {
			t.Errorf("%s prints %s", verb, got)
		}
	}
}
