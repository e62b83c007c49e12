package modeltest

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/satchel-go/satchel/core"
)

// broken is a store that does some things wrong.
type broken struct {
	full
	load    func(ctx context.Context, id core.ID) (core.Entry, error)
	save    func(ctx context.Context, id core.ID, e core.Entry, base core.Version) (core.Version, error)
	touch   func(ctx context.Context, id core.ID, base core.Version, expires time.Time) error
	delete  func(ctx context.Context, id core.ID) error
	reserve func(ctx context.Context, user string, id core.ID, limit int, policy core.LimitPolicy) ([]core.ID, error)
	confirm func(ctx context.Context, user string, id core.ID, until time.Time) error
	release func(ctx context.Context, user string, id core.ID) error
	list    func(ctx context.Context, user string) ([]core.ID, error)
	all     func(ctx context.Context) error
}

// newBroken returns a store that does what s does.
func newBroken(s full) *broken {
	return &broken{s, s.Load, s.Save, s.Touch, s.Delete, s.Reserve, s.Confirm, s.Release, s.List, s.DeleteAll}
}

func (b *broken) Load(ctx context.Context, id core.ID) (core.Entry, error) { return b.load(ctx, id) }

func (b *broken) Save(ctx context.Context, id core.ID, e core.Entry, base core.Version) (core.Version, error) {
	return b.save(ctx, id, e, base)
}

func (b *broken) Touch(ctx context.Context, id core.ID, base core.Version, expires time.Time) error {
	return b.touch(ctx, id, base, expires)
}

func (b *broken) Delete(ctx context.Context, id core.ID) error { return b.delete(ctx, id) }

func (b *broken) Reserve(ctx context.Context, user string, id core.ID, limit int, policy core.LimitPolicy) ([]core.ID, error) {
	return b.reserve(ctx, user, id, limit, policy)
}

func (b *broken) Confirm(ctx context.Context, user string, id core.ID, until time.Time) error {
	return b.confirm(ctx, user, id, until)
}

func (b *broken) Release(ctx context.Context, user string, id core.ID) error {
	return b.release(ctx, user, id)
}

func (b *broken) List(ctx context.Context, user string) ([]core.ID, error) { return b.list(ctx, user) }

func (b *broken) DeleteAll(ctx context.Context) error { return b.all(ctx) }

// breakages are ways to break the promises, each with the promises that may be
// found broken first.
var breakages = []struct {
	name     string
	promises []string
	breaking breakage
}{
	{"a save ignores what has changed", []string{"K1", "K3", "F6", "T1"}, func(b *broken) {
		b.save = func(ctx context.Context, id core.ID, e core.Entry, base core.Version) (core.Version, error) {
			if now, err := b.full.Load(ctx, id); err == nil && base != 0 {
				base = now.Version
			}
			return b.full.Save(ctx, id, e, base)
		}
	}},
	{"a save brings back what is gone", []string{"K2"}, func(b *broken) {
		b.save = func(ctx context.Context, id core.ID, e core.Entry, base core.Version) (core.Version, error) {
			v, err := b.full.Save(ctx, id, e, base)
			if errors.Is(err, core.ErrNotFound) {
				return b.full.Save(ctx, id, e, 0)
			}
			return v, err
		}
	}},
	{"a conflict counts as stored", []string{"K1", "K3", "F6", "T1"}, func(b *broken) {
		b.save = func(ctx context.Context, id core.ID, e core.Entry, base core.Version) (core.Version, error) {
			v, err := b.full.Save(ctx, id, e, base)
			if errors.Is(err, core.ErrConflict) {
				return base, nil
			}
			return v, err
		}
	}},
	{"a conflict counts as gone", []string{"K1"}, func(b *broken) {
		b.save = func(ctx context.Context, id core.ID, e core.Entry, base core.Version) (core.Version, error) {
			v, err := b.full.Save(ctx, id, e, base)
			if errors.Is(err, core.ErrConflict) {
				err = core.ErrNotFound
			}
			return v, err
		}
	}},
	{"what was stored counts as a conflict", []string{"K1", "K2", "C1"}, func(b *broken) {
		n := 0
		b.save = func(ctx context.Context, id core.ID, e core.Entry, base core.Version) (core.Version, error) {
			v, err := b.full.Save(ctx, id, e, base)
			if n++; err == nil && n%5 == 0 {
				return 0, core.ErrConflict
			}
			return v, err
		}
	}},
	{"a save keeps the old expiry", []string{"T1"}, func(b *broken) {
		b.save = func(ctx context.Context, id core.ID, e core.Entry, base core.Version) (core.Version, error) {
			if old, err := b.full.Load(ctx, id); err == nil {
				e.Expires = old.Expires
			}
			return b.full.Save(ctx, id, e, base)
		}
	}},
	{"a save forgets the user", []string{"I2", "I1", "K1"}, func(b *broken) {
		b.save = func(ctx context.Context, id core.ID, e core.Entry, base core.Version) (core.Version, error) {
			e.User = ""
			return b.full.Save(ctx, id, e, base)
		}
	}},
	{"loads lag behind", []string{"K1", "T2", "F6", "L3", "L4", "L1", "I1", "T1"}, func(b *broken) {
		old := map[core.ID]core.Entry{}
		b.load = func(ctx context.Context, id core.ID) (core.Entry, error) {
			e, err := b.full.Load(ctx, id)
			lagging, ok := old[id]
			if old[id] = e; ok && err == nil {
				return lagging, nil
			}
			return e, err
		}
	}},
	{"an outage counts as not found", []string{"L3"}, func(b *broken) {
		n := 0
		b.load = func(ctx context.Context, id core.ID) (core.Entry, error) {
			if n++; n%7 == 0 {
				return core.Entry{}, core.ErrNotFound
			}
			return b.full.Load(ctx, id)
		}
	}},
	{"loads mix up the sessions", []string{"L3", "K1", "C3", "I2"}, func(b *broken) {
		var last core.ID
		b.load = func(ctx context.Context, id core.ID) (core.Entry, error) {
			other := last
			last = id
			if e, err := b.full.Load(ctx, other); err == nil {
				return e, nil
			}
			return b.full.Load(ctx, id)
		}
	}},
	{"a touch does nothing", []string{"T1"}, func(b *broken) {
		b.touch = func(context.Context, core.ID, core.Version, time.Time) error { return nil }
	}},
	{"a touch of a busy session counts as gone", []string{"T1", "K2"}, func(b *broken) {
		b.touch = func(ctx context.Context, id core.ID, base core.Version, expires time.Time) error {
			if e, err := b.full.Load(ctx, id); err == nil && e.Version != base {
				return core.ErrNotFound
			}
			return b.full.Touch(ctx, id, base, expires)
		}
	}},
	{"a deletion does nothing", []string{"K2"}, forgetsDeletions},
	{"a deletion takes another session with it", []string{"C1", "K1", "K2", "L3", "L4", "I1", "I2"}, func(b *broken) {
		var last core.ID
		b.save = func(ctx context.Context, id core.ID, e core.Entry, base core.Version) (core.Version, error) {
			last = id
			return b.full.Save(ctx, id, e, base)
		}
		b.delete = func(ctx context.Context, id core.ID) error {
			return errors.Join(b.full.Delete(ctx, last), b.full.Delete(ctx, id))
		}
	}},
	{"the session limit is forgotten", []string{"I1"}, func(b *broken) {
		b.reserve = func(ctx context.Context, user string, id core.ID, _ int, policy core.LimitPolicy) ([]core.ID, error) {
			return b.full.Reserve(ctx, user, id, 0, policy)
		}
	}},
	{"the session limit is one too low", []string{"I1"}, func(b *broken) {
		b.reserve = func(ctx context.Context, user string, id core.ID, limit int, policy core.LimitPolicy) ([]core.ID, error) {
			if limit == 1 && policy == core.RefuseLogin {
				return nil, core.ErrSessionLimit
			}
			return b.full.Reserve(ctx, user, id, limit, policy)
		}
	}},
	{"of two places, there is one", []string{"I1"}, func(b *broken) {
		b.reserve = func(ctx context.Context, user string, id core.ID, limit int, policy core.LimitPolicy) ([]core.ID, error) {
			if limit == 2 {
				limit = 1
			}
			return b.full.Reserve(ctx, user, id, limit, policy)
		}
	}},
	{"the newest makes room", []string{"I1"}, func(b *broken) {
		b.reserve = func(ctx context.Context, user string, id core.ID, limit int, policy core.LimitPolicy) ([]core.ID, error) {
			if ids, err := b.full.List(ctx, user); err == nil && len(ids) == limit && limit == 2 && policy == core.EndOldest && !slices.Contains(ids, id) {
				if err := b.full.Release(ctx, user, ids[1]); err != nil {
					return nil, err
				}
				end, err := b.full.Reserve(ctx, user, id, limit, policy)
				return append(end, ids[1]), err
			}
			return b.full.Reserve(ctx, user, id, limit, policy)
		}
	}},
	{"a reservation is not entered", []string{"I1"}, func(b *broken) {
		b.reserve = func(context.Context, string, core.ID, int, core.LimitPolicy) ([]core.ID, error) { return nil, nil }
	}},
	{"a login is confirmed whatever happened", []string{"I2", "I1"}, func(b *broken) {
		b.confirm = func(ctx context.Context, user string, id core.ID, until time.Time) error {
			if err := b.full.Confirm(ctx, user, id, until); !errors.Is(err, core.ErrNotFound) {
				return err
			}
			return nil
		}
	}},
	{"a release does nothing", []string{"I1", "I2"}, func(b *broken) {
		b.release = func(context.Context, string, core.ID) error { return nil }
	}},
	{"a list lacks the newest", []string{"I2"}, func(b *broken) {
		b.list = func(ctx context.Context, user string) ([]core.ID, error) {
			ids, err := b.full.List(ctx, user)
			return ids[:max(0, len(ids)-1)], err
		}
	}},
	{"not all are deleted", []string{"I2"}, func(b *broken) {
		b.all = func(context.Context) error { return nil }
	}},
}

func forgetsDeletions(b *broken) { b.delete = func(context.Context, core.ID) error { return nil } }

// TestModelCatchesBrokenStores shows that the test can fail: with a store that
// breaks a promise, it soon fails and says which.
func TestModelCatchesBrokenStores(t *testing.T) {
	for _, way := range breakages {
		t.Run(way.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				mustCatch(t, 5000, way.promises, func(seed uint64) (*violation, string) {
					return try(seed, counts{}, way.breaking)
				})
			})
		})
	}
}

// mustCatch runs up to most schedules, of which one must find one of the promises broken.
func mustCatch(t *testing.T, most uint64, promises []string, run func(seed uint64) (*violation, string)) {
	t.Helper()
	for seed := range most {
		if v, text := run(seed); v != nil {
			t.Logf("caught at schedule %d:\n%s", seed, text)
			if !slices.Contains(promises, v.promise) {
				t.Errorf("found %s, want one of %v", v.promise, promises)
			}
			return
		}
	}
	t.Errorf("not caught in %d schedules", most)
}
