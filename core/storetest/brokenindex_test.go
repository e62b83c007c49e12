package storetest

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/memstore"
)

// counting gives each entry the versions 1, 2, 3, and starts again when an entry
// is created anew.
type counting struct {
	*memstore.Store
	mu    sync.Mutex
	count map[core.ID]core.Version                  // the version that callers see
	real  map[core.ID]map[core.Version]core.Version // the inner store's version for each
}

func newCounting(s *memstore.Store) *counting {
	return &counting{Store: s, count: map[core.ID]core.Version{}, real: map[core.ID]map[core.Version]core.Version{}}
}

func (c *counting) Save(ctx context.Context, id core.ID, e core.Entry, base core.Version) (core.Version, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if base == 0 {
		c.count[id], c.real[id] = 0, map[core.Version]core.Version{}
	}
	v, err := c.Store.Save(ctx, id, e, c.real[id][base])
	if err != nil {
		return 0, err
	}
	c.count[id]++
	c.real[id][c.count[id]] = v
	return c.count[id], nil
}

// brokenIndex is a store with operations of its optional abilities replaced by
// wrong ones. A nil field leaves the operation as it is.
type brokenIndex struct {
	*memstore.Store
	reserve   func(ctx context.Context, user string, id core.ID, limit int, policy core.LimitPolicy) ([]core.ID, error)
	confirm   func(ctx context.Context, user string, id core.ID, until time.Time) error
	list      func(ctx context.Context, user string) ([]core.ID, error)
	mend      func(ctx context.Context, user string, id core.ID, until time.Time) error
	search    func(ctx context.Context, users ...string) ([]core.ID, error)
	deleteAll func(ctx context.Context) error
	sweep     func(ctx context.Context) (int, error)
}

func (b brokenIndex) Reserve(ctx context.Context, user string, id core.ID, limit int, policy core.LimitPolicy) ([]core.ID, error) {
	if b.reserve == nil {
		return b.Store.Reserve(ctx, user, id, limit, policy)
	}
	return b.reserve(ctx, user, id, limit, policy)
}

func (b brokenIndex) Confirm(ctx context.Context, user string, id core.ID, until time.Time) error {
	if b.confirm == nil {
		return b.Store.Confirm(ctx, user, id, until)
	}
	return b.confirm(ctx, user, id, until)
}

func (b brokenIndex) List(ctx context.Context, user string) ([]core.ID, error) {
	if b.list == nil {
		return b.Store.List(ctx, user)
	}
	return b.list(ctx, user)
}

func (b brokenIndex) Mend(ctx context.Context, user string, id core.ID, until time.Time) error {
	if b.mend == nil {
		return b.Store.Mend(ctx, user, id, until)
	}
	return b.mend(ctx, user, id, until)
}

func (b brokenIndex) Search(ctx context.Context, users ...string) ([]core.ID, error) {
	if b.search == nil {
		return b.Store.Search(ctx, users...)
	}
	return b.search(ctx, users...)
}

func (b brokenIndex) DeleteAll(ctx context.Context) error {
	if b.deleteAll == nil {
		return b.Store.DeleteAll(ctx)
	}
	return b.deleteAll(ctx)
}

func (b brokenIndex) Sweep(ctx context.Context) (int, error) {
	if b.sweep == nil {
		return b.Store.Sweep(ctx)
	}
	return b.sweep(ctx)
}

var indexFaults = []fault{
	{"the limit is ignored", func(s *memstore.Store, _ Clock) core.Store {
		return brokenIndex{Store: s, reserve: func(ctx context.Context, user string, id core.ID, _ int, policy core.LimitPolicy) ([]core.ID, error) {
			return s.Reserve(ctx, user, id, 0, policy)
		}}
	}, []string{
		"SessionLimit/I1_end_oldest", "SessionLimit/I1_refuse_login", "SessionLimit/I1_a_lowered_limit_ends_several",
		"IndexRaces/SEC18_parallel_logins_end_the_oldest", "IndexRaces/SEC18_parallel_logins_are_refused",
	}},

	// All logins of the case count before the first one enters, however busy the
	// machine is.
	{"counts first, enters later", func(s *memstore.Store, _ Clock) core.Store {
		meet := newMeeting(racingLogins)
		return brokenIndex{Store: s, reserve: func(ctx context.Context, user string, id core.ID, limit int, policy core.LimitPolicy) ([]core.ID, error) {
			ids, err := s.List(ctx, user)
			if err != nil {
				return nil, err
			}
			meet.wait()
			if limit > 0 && len(ids) >= limit && policy == core.RefuseLogin {
				return nil, core.ErrSessionLimit
			}
			var end []core.ID
			if limit > 0 && len(ids) >= limit {
				end = ids[:len(ids)+1-limit]
			}
			_, err = s.Reserve(ctx, user, id, 0, policy)
			return end, err
		}}
	}, []string{"IndexRaces/SEC18_parallel_logins_are_refused", "IndexRaces/SEC18_parallel_logins_end_the_oldest"}},

	// A later login ends them, but a revocation does not find them.
	{"names what it takes out to later logins alone", func(s *memstore.Store, _ Clock) core.Store {
		var taken []core.ID
		return brokenIndex{Store: s, reserve: func(ctx context.Context, user string, id core.ID, limit int, policy core.LimitPolicy) ([]core.ID, error) {
			ids, err := s.List(ctx, user)
			if err != nil {
				return nil, err
			}
			if n := len(ids) + 1 - limit; limit > 0 && n > 0 && policy == core.EndOldest {
				for _, old := range ids[:n] {
					if err := s.Release(ctx, user, old); err != nil {
						return nil, err
					}
				}
				taken = append(taken, ids[:n]...)
			}
			_, err = s.Reserve(ctx, user, id, 0, policy)
			return slices.Clone(taken), err
		}}
	}, []string{"SessionLimit/SEC17_what_was_taken_out_is_listed_until_deleted"}},

	{"confirm enters what is not there", func(s *memstore.Store, _ Clock) core.Store {
		return brokenIndex{Store: s, confirm: func(ctx context.Context, user string, id core.ID, until time.Time) error {
			err := s.Confirm(ctx, user, id, until)
			if errors.Is(err, core.ErrNotFound) {
				if _, err := s.Reserve(ctx, user, id, 0, core.EndOldest); err != nil {
					return err
				}
				return s.Confirm(ctx, user, id, until)
			}
			return err
		}}
	}, []string{
		"UserIndex/confirm_without_reservation", "UserIndex/SEC17_a_released_reservation_fails_confirm",
		"SessionLimit/SEC18_a_withdrawn_reservation_fails_confirm", "AllDeleter/SEC17_deletes_every_reservation",
		"IndexRaces/SEC18_parallel_logins_end_the_oldest",
	}},

	{"the list is newest first", func(s *memstore.Store, _ Clock) core.Store {
		return brokenIndex{Store: s, list: func(ctx context.Context, user string) ([]core.ID, error) {
			ids, err := s.List(ctx, user)
			slices.Reverse(ids)
			return ids, err
		}}
	}, []string{"UserIndex/SEC17_list_is_oldest_first"}},

	{"the index is written after the session", func(s *memstore.Store, _ Clock) core.Store {
		return brokenIndex{Store: s, reserve: func(context.Context, string, core.ID, int, core.LimitPolicy) ([]core.ID, error) {
			return nil, nil
		}, confirm: func(ctx context.Context, user string, id core.ID, until time.Time) error {
			if _, err := s.Reserve(ctx, user, id, 0, core.EndOldest); err != nil {
				return err
			}
			return s.Confirm(ctx, user, id, until)
		}}
	}, []string{"UserIndex/reserved_sessions_are_listed", "UserIndex/SEC17_a_released_reservation_fails_confirm"}},

	{"what was taken out is told once", func(s *memstore.Store, _ Clock) core.Store {
		// Save the entry of what is taken out again, as if Reserve had only named
		// it. Then only the first login knows about it.
		return brokenIndex{Store: s, reserve: func(ctx context.Context, user string, id core.ID, limit int, policy core.LimitPolicy) ([]core.ID, error) {
			ids, err := s.List(ctx, user)
			if err != nil {
				return nil, err
			}
			kept := map[core.ID]core.Entry{}
			for _, old := range ids {
				if e, err := s.Load(ctx, old); err == nil {
					kept[old] = e
				}
			}
			end, err := s.Reserve(ctx, user, id, limit, policy)
			for _, old := range end {
				if e, ok := kept[old]; ok {
					_, _ = s.Save(ctx, old, e, 0)
				}
			}
			return end, err
		}}
	}, []string{"SessionLimit/SEC18_a_stuck_login_leaves_no_extra_session"}},

	{"mend enters anew", func(s *memstore.Store, _ Clock) core.Store {
		return brokenIndex{Store: s, mend: func(ctx context.Context, user string, id core.ID, until time.Time) error {
			if _, err := s.Reserve(ctx, user, id, 0, core.EndOldest); err != nil {
				return err
			}
			return s.Confirm(ctx, user, id, until)
		}}
	}, []string{"Mender/I2_mend_leaves_members_alone", "Mender/SEC17_mend_confirms_no_reservation"}},

	{"mend does nothing", func(s *memstore.Store, _ Clock) core.Store {
		return brokenIndex{Store: s, mend: func(context.Context, string, core.ID, time.Time) error { return nil }}
	}, []string{"Mender/I2_mend_puts_back"}},

	{"mend leaves no mark", func(s *memstore.Store, _ Clock) core.Store {
		return brokenIndex{Store: s, list: func(ctx context.Context, user string) ([]core.ID, error) {
			ids, err := s.List(ctx, user)
			if errors.As(err, new(*core.IncompleteError)) {
				err = nil
			}
			return ids, err
		}}
	}, []string{"Mender/SEC17_mend_marks_the_index", "Mender/SEC17_mark_outlives_the_member", "Mender/SEC17_search_leaves_a_later_mark"}},

	{"mend always leaves a mark", func(s *memstore.Store, _ Clock) core.Store {
		return brokenIndex{Store: s, list: func(ctx context.Context, user string) ([]core.ID, error) {
			ids, err := s.List(ctx, user)
			if err == nil && len(ids) > 0 {
				err = &core.IncompleteError{Restored: func(context.Context) error { return nil }}
			}
			return ids, err
		}}
	}, []string{"Mender/I2_mend_leaves_members_alone", "Mender/SEC17_mend_marks_the_index"}},

	{"any search takes the mark away", func(s *memstore.Store, _ Clock) core.Store {
		return brokenIndex{Store: s, list: func(ctx context.Context, user string) ([]core.ID, error) {
			ids, err := s.List(ctx, user)
			if errors.As(err, new(*core.IncompleteError)) {
				err = &core.IncompleteError{Restored: func(ctx context.Context) error {
					_, err := s.List(ctx, user)
					if lost := (*core.IncompleteError)(nil); errors.As(err, &lost) {
						return lost.Restored(ctx)
					}
					return err
				}}
			}
			return ids, err
		}}
	}, []string{"Mender/SEC17_search_leaves_a_later_mark"}},

	{"search asks the index", func(s *memstore.Store, _ Clock) core.Store {
		return brokenIndex{Store: s, search: func(ctx context.Context, users ...string) (found []core.ID, _ error) {
			for _, user := range users {
				ids, _ := s.List(ctx, user) // an error looks like the end
				found = append(found, ids...)
			}
			return found, nil
		}}
	}, []string{"Mender/I2_search_finds_what_the_index_lost", "Mender/I2_search_that_does_not_finish_is_an_error"}},

	{"delete all leaves reservations", func(s *memstore.Store, _ Clock) core.Store {
		return brokenIndex{Store: s, deleteAll: func(ctx context.Context) error {
			ids, err := s.List(ctx, "alice")
			for _, id := range ids {
				err = errors.Join(err, s.Delete(ctx, id))
			}
			return err
		}}
	}, []string{"AllDeleter/SEC17_deletes_every_reservation", "AllDeleter/SEC17_deletes_every_entry"}},

	{"sweep removes the live", func(s *memstore.Store, _ Clock) core.Store {
		return brokenIndex{Store: s, sweep: func(ctx context.Context) (int, error) { return 0, s.DeleteAll(ctx) }}
	}, []string{"Sweeper/SEC70_sweep_removes_only_the_expired", "Sweeper/SEC70_sweep_spares_the_live", "Sweeper/SEC70_sweep_spares_the_reborn"}},

	{"count includes the expired", func(s *memstore.Store, _ Clock) core.Store {
		return miscounting{s, func(context.Context) (int, error) { return s.Len(), nil }}
	}, []string{"Counter/I2_counts_the_living"}},

	{"count follows sessions of users alone", func(s *memstore.Store, _ Clock) core.Store {
		return miscounting{s, func(ctx context.Context) (int, error) {
			ids, err := s.List(ctx, "alice")
			return len(ids), err
		}}
	}, []string{"Counter/I2_counts_the_living"}},
}

// miscounting is a store with another Count.
type miscounting struct {
	*memstore.Store
	count func(context.Context) (int, error)
}

func (c miscounting) Count(ctx context.Context) (int, error) { return c.count(ctx) }

// meeting holds callers until n have come, then lets them continue together.
type meeting struct {
	missing atomic.Int64
	all     chan struct{}
}

func newMeeting(n int64) *meeting {
	m := &meeting{all: make(chan struct{})}
	m.missing.Store(n)
	return m
}

func (m *meeting) wait() {
	if m.missing.Add(-1) == 0 {
		close(m.all)
	}
	<-m.all
}
