package filestore

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/satchel-go/satchel/core"
)

var background = context.Background()

// fail puts the layer and the operation in front of what the log says.
func fail(op string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("filestore: %s: %w", op, err)
}

// Load implements [core.Store]. It reads memory, and allocates nothing when it finds
// the entry. If the entry was changed just now, Load waits until that is on disk, or the
// disk has failed: nobody shall have read what a crash undoes.
func (s *Store) Load(ctx context.Context, id core.ID) (e core.Entry, err error) {
	if e, err = s.mem.Load(ctx, id); err != nil {
		return e, s.gone(ctx, "load", id, err)
	}
	if err := s.log.sync(ctx, id); err != nil && ctx.Err() != nil {
		return core.Entry{}, fail("load", err)
	}
	return e, nil
}

// gone returns err. But if that is that id is gone, gone first makes sure that it is
// gone from the disk too: the caller may take it for an answer.
func (s *Store) gone(ctx context.Context, op string, id core.ID, err error) error {
	if errors.Is(err, core.ErrNotFound) {
		if syncErr := s.log.sync(ctx, id); syncErr != nil {
			return fail(op, syncErr)
		}
	}
	return err
}

// Save implements [core.Store]. It refuses a new entry, or one that grows, with
// [ErrFull] when there is no room, and an entry that would not fit into an empty
// store with a [core.SizeError]. While the log cannot be written, it refuses all.
func (s *Store) Save(ctx context.Context, id core.ID, e core.Entry, base core.Version) (core.Version, error) {
	if err := s.log.check(); err != nil {
		return 0, fail("save", err)
	}
	v, err := s.mem.Save(ctx, id, e, base)
	if err != nil {
		return 0, s.gone(ctx, "save", id, err)
	}
	if err := s.log.sync(ctx, id); err != nil {
		return 0, fail("save", err)
	}
	return v, nil
}

// Touch implements [core.Store]. It does not wait for the disk.
func (s *Store) Touch(ctx context.Context, id core.ID, base core.Version, expires time.Time) error {
	if err := s.mem.Touch(ctx, id, base, expires); err != nil {
		return s.gone(ctx, "touch", id, err)
	}
	return nil
}

// Delete implements [core.Store]. The entry is gone from memory whatever Delete returns,
// unless ctx was done before.
func (s *Store) Delete(ctx context.Context, id core.ID) error {
	if err := s.mem.Delete(ctx, id); err != nil {
		return err
	}
	return fail("delete", s.log.sync(ctx, id)) // also what another call has deleted
}

// Local implements [core.Local]: saves wait for the disk.
func (s *Store) Local() bool { return false }

// Reserve implements [core.UserIndex]. A reservation lapses after one minute, and with
// the process. It deletes the sessions that it takes out of the index in the same step.
func (s *Store) Reserve(ctx context.Context, user string, id core.ID, limit int, policy core.LimitPolicy) ([]core.ID, error) {
	if err := s.log.check(); err != nil {
		return nil, fail("reserve", err)
	}
	return s.mem.Reserve(ctx, user, id, limit, policy)
}

// Confirm implements [core.UserIndex].
func (s *Store) Confirm(ctx context.Context, user string, id core.ID, until time.Time) error {
	if err := s.mem.Confirm(ctx, user, id, until); err != nil {
		return err
	}
	return fail("confirm", s.log.sync(ctx, id))
}

// Mend implements [core.Mender].
func (s *Store) Mend(ctx context.Context, user string, id core.ID, until time.Time) error {
	return s.mem.Mend(ctx, user, id, until)
}

// Search implements [core.Mender].
func (s *Store) Search(ctx context.Context, users ...string) ([]core.ID, error) {
	ids, err := s.mem.Search(ctx, users...)
	if err != nil {
		return nil, err
	}
	return ids, fail("search", s.log.syncAll(ctx))
}

// Forgetful implements [core.Mender].
func (s *Store) Forgetful() bool { return false }

// Release implements [core.UserIndex].
func (s *Store) Release(ctx context.Context, user string, id core.ID) error {
	return s.mem.Release(ctx, user, id)
}

// List implements [core.UserIndex]. It leaves out sessions that are gone.
func (s *Store) List(ctx context.Context, user string) ([]core.ID, error) {
	ids, err := s.mem.List(ctx, user)
	var lost *core.IncompleteError
	if err != nil && !errors.As(err, &lost) {
		return nil, err
	}
	// What is not in the list is gone from the disk too.
	if syncErr := s.log.syncAll(ctx); syncErr != nil {
		return nil, fail("list", syncErr)
	}
	return ids, err
}

// DeleteAll implements [core.AllDeleter] in one step: no other operation sees it half
// done. As with Delete, the entries are gone from memory whatever it returns.
func (s *Store) DeleteAll(ctx context.Context) error {
	if err := s.mem.DeleteAll(ctx); err != nil {
		return err
	}
	return fail("delete all", s.log.syncAll(ctx))
}

// Sweep implements [core.Sweeper].
func (s *Store) Sweep(ctx context.Context) (int, error) { return s.mem.Sweep(ctx) }

// Count implements [core.Counter].
func (s *Store) Count(ctx context.Context) (int, error) { return s.mem.Count(ctx) }
