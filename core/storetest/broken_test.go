package storetest

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/memstore"
)

// broken is a store with some operations replaced by wrong ones. A nil field
// leaves the operation as it is.
type broken struct {
	*memstore.Store
	load   func(context.Context, core.ID) (core.Entry, error)
	save   func(context.Context, core.ID, core.Entry, core.Version) (core.Version, error)
	touch  func(context.Context, core.ID, core.Version, time.Time) error
	remove func(context.Context, core.ID) error
}

func (b broken) Load(ctx context.Context, id core.ID) (core.Entry, error) {
	if b.load == nil {
		return b.Store.Load(ctx, id)
	}
	return b.load(ctx, id)
}

func (b broken) Save(ctx context.Context, id core.ID, e core.Entry, base core.Version) (core.Version, error) {
	if b.save == nil {
		return b.Store.Save(ctx, id, e, base)
	}
	return b.save(ctx, id, e, base)
}

func (b broken) Touch(ctx context.Context, id core.ID, base core.Version, expires time.Time) error {
	if b.touch == nil {
		return b.Store.Touch(ctx, id, base, expires)
	}
	return b.touch(ctx, id, base, expires)
}

func (b broken) Delete(ctx context.Context, id core.ID) error {
	if b.remove == nil {
		return b.Store.Delete(ctx, id)
	}
	return b.remove(ctx, id)
}

// TestBrokenStoresAreCaught shows that the suite can fail. Each store has a fault
// that real stores had, and the cases listed for it must find it.
func TestBrokenStoresAreCaught(t *testing.T) {
	impatient(t)
	for _, fault := range slices.Concat(faults, indexFaults, watchFaults) {
		t.Run(fault.name, func(t *testing.T) {
			for _, path := range fault.caughtBy {
				c := findCase(t, path)
				failed, said := record(t, c, fault.wrap)
				if !failed {
					t.Errorf("%s passes", path)
				} else if !strings.Contains(said, c.why) {
					t.Errorf("%s fails without its explanation:\n%s", path, said)
				}
			}
		})
	}
}

// fault is one way in which a store can be wrong.
type fault struct {
	name     string
	wrap     func(*memstore.Store, Clock) core.Store // puts the fault into a sound store
	caughtBy []string                                // the cases that must fail
}

var faults = []fault{
	{"save re-creates what is gone", func(s *memstore.Store, _ Clock) core.Store {
		return broken{Store: s, save: func(ctx context.Context, id core.ID, e core.Entry, base core.Version) (core.Version, error) {
			v, err := s.Save(ctx, id, e, base)
			if errors.Is(err, core.ErrNotFound) {
				return s.Save(ctx, id, e, 0)
			}
			return v, err
		}}
	}, []string{
		"versions/SEC16_save_never_recreates", "concurrency/K2_logout_wins", "expiry/SEC13_expired_is_not_found",
		"basics/unknown_ID_is_not_found", "AllDeleter/SEC16_nothing_in_flight_survives", "AllDeleter/K2_racing_saves_lose",
	}},

	{"save goes ahead on conflict", func(s *memstore.Store, _ Clock) core.Store {
		return broken{Store: s, save: func(ctx context.Context, id core.ID, e core.Entry, base core.Version) (core.Version, error) {
			for {
				v, err := s.Save(ctx, id, e, base)
				if base == 0 || !errors.Is(err, core.ErrConflict) {
					return v, err
				}
				now, err := s.Load(ctx, id)
				if err != nil {
					return 0, err
				}
				base = now.Version
			}
		}}
	}, []string{"versions/SEC39_stale_base_conflicts", "concurrency/K1_no_lost_update", "versions/K2_a_new_entry_is_not_at_an_old_base"}},

	{"base zero overwrites", func(s *memstore.Store, _ Clock) core.Store {
		return broken{Store: s, save: func(ctx context.Context, id core.ID, e core.Entry, base core.Version) (core.Version, error) {
			if now, err := s.Load(ctx, id); base == 0 && err == nil {
				base = now.Version
			}
			return s.Save(ctx, id, e, base)
		}}
	}, []string{"versions/SEC69_create_only_if_absent", "concurrency/SEC69_one_creator_wins"}},

	{"checks first, stores later", func(s *memstore.Store, _ Clock) core.Store {
		return broken{Store: s, save: func(ctx context.Context, id core.ID, e core.Entry, base core.Version) (core.Version, error) {
			now, err := s.Load(ctx, id)
			if base == 0 || err != nil || now.Version != base {
				return s.Save(ctx, id, e, base)
			}
			pause()
			for {
				if v, err := s.Save(ctx, id, e, now.Version); !errors.Is(err, core.ErrConflict) {
					return v, err
				}
				if now, err = s.Load(ctx, id); err != nil {
					return 0, err
				}
			}
		}}
	}, []string{"concurrency/K1_no_lost_update"}},

	{"expired entries are returned", func(s *memstore.Store, _ Clock) core.Store {
		return broken{Store: s, save: func(ctx context.Context, id core.ID, e core.Entry, base core.Version) (core.Version, error) {
			e.Expires = e.Expires.Add(24 * time.Hour)
			return s.Save(ctx, id, e, base)
		}, load: func(ctx context.Context, id core.ID) (core.Entry, error) {
			e, err := s.Load(ctx, id)
			e.Expires = e.Expires.Add(-24 * time.Hour)
			return e, err
		}}
	}, []string{
		"expiry/SEC13_expired_is_not_found", "expiry/saved_as_expired_is_never_returned",
		"expiry/an_expired_entry_does_not_exist_for_base_zero", "expiry/save_moves_the_expiry", "SessionLimit/expired_sessions_do_not_count",
	}},

	{"touch bumps the version", func(s *memstore.Store, _ Clock) core.Store {
		return broken{Store: s, touch: func(ctx context.Context, id core.ID, base core.Version, expires time.Time) error {
			e, err := s.Load(ctx, id)
			if err != nil || e.Version != base {
				return err
			}
			e.Expires = expires
			_, err = s.Save(ctx, id, e, base)
			return err
		}}
	}, []string{"expiry/touch_leaves_the_rest"}},

	{"touch ignores its base", func(s *memstore.Store, _ Clock) core.Store {
		return broken{Store: s, touch: func(ctx context.Context, id core.ID, _ core.Version, expires time.Time) error {
			e, err := s.Load(ctx, id)
			if err != nil {
				return err
			}
			return s.Touch(ctx, id, e.Version, expires)
		}}
	}, []string{"expiry/touch_at_a_stale_base_does_nothing"}},

	{"expiries are rounded to seconds", func(s *memstore.Store, _ Clock) core.Store {
		return broken{Store: s, touch: func(ctx context.Context, id core.ID, base core.Version, expires time.Time) error {
			return s.Touch(ctx, id, base, expires.Truncate(time.Second).Add(time.Second))
		}}
	}, []string{"expiry/touch_extends"}},

	{"touch does nothing", func(s *memstore.Store, _ Clock) core.Store {
		return broken{Store: s, touch: func(context.Context, core.ID, core.Version, time.Time) error { return nil }}
	}, []string{"expiry/touch_extends", "expiry/touch_shortens", "versions/SEC16_save_never_recreates", "Sweeper/SEC70_sweep_spares_the_live"}},

	{"touch creates", func(s *memstore.Store, _ Clock) core.Store {
		return broken{Store: s, touch: func(ctx context.Context, id core.ID, base core.Version, expires time.Time) error {
			err := s.Touch(ctx, id, base, expires)
			if errors.Is(err, core.ErrNotFound) {
				_, _ = s.Save(ctx, id, core.Entry{Expires: expires}, 0)
			}
			return err
		}}
	}, []string{"concurrency/K2_touch_never_brings_back", "versions/SEC16_save_never_recreates"}},

	{"an outage passes for absence", func(s *memstore.Store, _ Clock) core.Store {
		return broken{Store: s, load: func(ctx context.Context, id core.ID) (core.Entry, error) {
			e, err := s.Load(ctx, id)
			if err != nil {
				err = core.ErrNotFound
			}
			return e, err
		}}
	}, []string{"context/L3_a_cancelled_context_is_no_absence", "context/L3_a_passed_deadline_is_no_absence"}},

	{"the context is ignored", func(s *memstore.Store, _ Clock) core.Store {
		return broken{Store: s, save: func(_ context.Context, id core.ID, e core.Entry, base core.Version) (core.Version, error) {
			return s.Save(context.Background(), id, e, base)
		}}
	}, []string{"context/L3_a_cancelled_context_is_no_absence"}},

	{"deleting the absent is an error", func(s *memstore.Store, _ Clock) core.Store {
		return broken{Store: s, remove: func(ctx context.Context, id core.ID) error {
			if _, err := s.Load(ctx, id); err != nil {
				return err
			}
			return s.Delete(ctx, id)
		}}
	}, []string{"basics/deleting_the_absent_is_no_error"}},

	{"delete does nothing", func(s *memstore.Store, _ Clock) core.Store {
		return broken{Store: s, remove: func(context.Context, core.ID) error { return nil }}
	}, []string{"basics/SEC15_delete_removes", "concurrency/K2_logout_wins"}},

	{"loads share one buffer", func(s *memstore.Store, _ Clock) core.Store {
		var mu sync.Mutex
		buffer := make([]byte, 0, 1024)
		return broken{Store: s, load: func(ctx context.Context, id core.ID) (core.Entry, error) {
			mu.Lock()
			defer mu.Unlock()
			e, err := s.Load(ctx, id)
			e.Data = append(buffer[:0], e.Data...)
			return e, err
		}}
	}, []string{"data/loaded_bytes_stay"}},

	{"data is text", func(s *memstore.Store, _ Clock) core.Store {
		return broken{Store: s, save: func(ctx context.Context, id core.ID, e core.Entry, base core.Version) (core.Version, error) {
			e.Data = []byte(strings.ToValidUTF8(string(e.Data), "?"))
			e.User = strings.TrimSpace(e.User)
			return s.Save(ctx, id, e, base)
		}}
	}, []string{"data/binary_data", "data/user_names"}},

	{"IDs end at a NUL", func(s *memstore.Store, _ Clock) core.Store {
		cut := func(id core.ID) core.ID {
			var short core.ID
			copy(short[:], strings.SplitN(string(id[:]), "\x00", 2)[0])
			return short
		}
		return broken{Store: s, save: func(ctx context.Context, id core.ID, e core.Entry, base core.Version) (core.Version, error) {
			return s.Save(ctx, cut(id), e, base)
		}, load: func(ctx context.Context, id core.ID) (core.Entry, error) { return s.Load(ctx, cut(id)) }}
	}, []string{"data/ID_bytes"}},

	{
		"versions start again", func(s *memstore.Store, _ Clock) core.Store { return newCounting(s) },
		[]string{"versions/K2_a_new_entry_is_not_at_an_old_base"},
	},
}
