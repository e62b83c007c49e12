package storetest

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/memstore"
	"github.com/satchel-go/satchel/internal/testing/recorder"
)

// reporting is a store that is an Invalidator; its fields break it.
type reporting struct {
	*memstore.Store

	mu        sync.Mutex
	listeners map[int]func(core.ID)
	n         int

	quiet  bool          // does not say that it listens
	muted  string        // reports no change of this kind
	after  time.Duration // reports so late
	ahead  bool          // says that all is told until now, whatever is under way
	silent bool          // calls alive once
	late   bool          // reports even after Invalidations has returned
	ending bool          // ends with an error in the place of the zero ID
	failed chan struct{}
}

func (r *reporting) tell(kind string, id core.ID) {
	if kind == r.muted {
		return
	}
	report := func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		if id.IsZero() && r.ending {
			close(r.failed)
			return
		}
		for _, changed := range r.listeners {
			changed(id)
		}
	}
	if r.after > 0 {
		time.AfterFunc(r.after, report)
		return
	}
	report()
}

func (r *reporting) Save(ctx context.Context, id core.ID, e core.Entry, base core.Version) (core.Version, error) {
	kind := "save"
	if base == 0 {
		kind = "create"
	}
	defer r.tell(kind, id)
	return r.Store.Save(ctx, id, e, base)
}

func (r *reporting) Touch(ctx context.Context, id core.ID, base core.Version, expires time.Time) error {
	defer r.tell("touch", id)
	return r.Store.Touch(ctx, id, base, expires)
}

func (r *reporting) TouchAndMend(ctx context.Context, _ string, id core.ID, base core.Version, expires time.Time) error {
	defer r.tell("touch and mend", id)
	return r.Store.Touch(ctx, id, base, expires)
}

func (r *reporting) Delete(ctx context.Context, id core.ID) error {
	defer r.tell("delete", id)
	return r.Store.Delete(ctx, id)
}

func (r *reporting) DeleteAll(ctx context.Context) error {
	defer r.tell("delete all", core.ID{})
	return r.Store.DeleteAll(ctx)
}

func (r *reporting) Reserve(ctx context.Context, user string, id core.ID, limit int, policy core.LimitPolicy) ([]core.ID, error) {
	ids, err := r.Store.Reserve(ctx, user, id, limit, policy)
	for _, id := range ids {
		r.tell("delete", id)
	}
	return ids, err
}

func (r *reporting) Invalidations(ctx context.Context, interval time.Duration, changed func(core.ID), alive func(time.Time)) error {
	r.mu.Lock()
	n := r.n
	r.n++
	if r.listeners == nil {
		r.listeners, r.failed = map[int]func(core.ID){}, make(chan struct{})
	}
	failed := r.failed
	r.listeners[n] = changed
	if !r.quiet {
		changed(core.ID{})
	}
	r.mu.Unlock()
	defer func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		if !r.late {
			delete(r.listeners, n)
		}
	}()
	for calls := 0; ; calls++ {
		r.mu.Lock()
		if !r.silent || calls == 0 {
			t := time.Now()
			if r.after > 0 && !r.ahead {
				t = t.Add(-2*r.after - time.Second/2)
			}
			alive(t)
		}
		r.mu.Unlock()
		select {
		case <-ctx.Done():
			return nil
		case <-failed:
			return errors.New("everything was deleted")
		case <-time.After(interval):
		}
	}
}

// TestInvalidatorSuite runs the suite on stores that keep the contract, and shows that it
// finds those that do not.
func TestInvalidatorSuite(t *testing.T) {
	defer func(d time.Duration) { patience = d }(patience)
	for name, r := range map[string]struct {
		breakIt  func(*reporting)
		caughtBy string
	}{
		"sound":                     {func(*reporting) {}, ""},
		"ends in place of all":      {func(r *reporting) { r.ending = true }, ""},
		"tells late, and says so":   {func(r *reporting) { r.after = time.Millisecond }, ""},
		"does not say it listens":   {func(r *reporting) { r.quiet = true }, "it_says_when_it_listens"},
		"no creations":              {func(r *reporting) { r.muted = "create" }, "L4_every_change_is_told"},
		"no saves":                  {func(r *reporting) { r.muted = "save" }, "L4_every_change_is_told"},
		"no touches":                {func(r *reporting) { r.muted = "touch" }, "L4_every_change_is_told"},
		"no touches that mend":      {func(r *reporting) { r.muted = "touch and mend" }, "L4_every_change_is_told"},
		"no deletes":                {func(r *reporting) { r.muted = "delete" }, "L4_every_change_is_told"},
		"no delete of all":          {func(r *reporting) { r.muted = "delete all" }, "I2_delete_all_is_told"},
		"no ends by logins":         {func(r *reporting) { r.muted = "delete" }, "I1_a_login_that_ends_another_is_told"},
		"alive ahead of changes":    {func(r *reporting) { r.after, r.ahead = time.Millisecond, true }, "L4_alive_is_never_ahead"},
		"alive once":                {func(r *reporting) { r.silent = true }, "alive_keeps_pace"},
		"reports after it returned": {func(r *reporting) { r.late = true }, "it_ends_with_its_context"},
	} {
		t.Run(name, func(t *testing.T) {
			pair := func() (a, b core.Store) {
				store := memstore.New(memstore.Config{SweepInterval: -1})
				t.Cleanup(func() { _ = store.Close() })
				s := &reporting{Store: store}
				r.breakIt(s)
				return s, s
			}
			patience = 10 * time.Second
			if r.caughtBy != "" {
				patience = 200 * time.Millisecond
			}
			for _, c := range invalidatorCases {
				if r.caughtBy != "" && c.name != r.caughtBy {
					continue
				}
				a, b := pair()
				rec := recorder.Run(t, func(rec *recorder.Recorder) { runCaseOn(rec, c, a, b, realClock{}) })
				if failed := rec.Failed(); failed != (r.caughtBy != "") {
					t.Errorf("%s: failed %t: %s", c.name, failed, rec.Said())
				}
			}
		})
	}
}
