package memstore

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/satchel-go/satchel/core"
)

// Load implements [core.Store]. It allocates nothing when it finds the entry.
func (s *Store) Load(ctx context.Context, id core.ID) (core.Entry, error) {
	if err := s.check(ctx, "load"); err != nil {
		return core.Entry{}, err
	}
	sh := s.shardOf(id)
	sh.mu.RLock()
	defer sh.mu.RUnlock()
	it := sh.items[id]
	if it == nil || !it.live(s.now()) {
		return core.Entry{}, fail("load", core.ErrNotFound)
	}
	return core.Entry{Data: it.data, Expires: it.expires, User: it.user, Version: it.version}, nil
}

// Save implements [core.Store]. It refuses a new entry, or one that grows, with
// [ErrFull] when there is no room. It refuses an entry that would not fit into
// an empty store with a [core.SizeError].
func (s *Store) Save(ctx context.Context, id core.ID, e core.Entry, base core.Version) (core.Version, error) {
	if err := s.check(ctx, "save"); err != nil {
		return 0, err
	}
	if size, limit := roomFor(e.Data, e.User).bytes, s.budget.max.bytes; size > limit {
		return 0, fail("save", &core.SizeError{Total: int(size), Limit: int(limit)})
	}
	e.Data = slices.Clip(e.Data)   // the bytes are shared; spare capacity stays the caller's
	e.Expires = e.Expires.Round(0) // by the wall clock, which runs on while the machine sleeps

	var credit room
	for swept := false; ; swept = true {
		v, err := s.put(id, e, base, &credit)
		if errors.Is(err, ErrFull) && s.makeRoom(ctx, id, e.User, &credit, swept) {
			continue
		}
		s.budget.give(credit)
		if err != nil {
			return 0, fail("save", err)
		}
		return v, nil
	}
}

// put makes one attempt to save: it checks and stores in one step. It takes the
// room out of credit first.
func (s *Store) put(id core.ID, e core.Entry, base core.Version, credit *room) (core.Version, error) {
	sh := s.shardOf(id)
	sh.mu.Lock()
	old := sh.items[id]
	if err := admits(old, base, s.now()); err != nil {
		sh.mu.Unlock()
		return 0, err
	}
	need := roomFor(e.Data, e.User)
	var before item
	if old != nil {
		before = *old
		need = need.minus(old.room())
	}
	if !s.budget.take(need.minus(*credit)) {
		sh.mu.Unlock()
		return 0, ErrFull
	}
	*credit = room{}
	v := core.Version(s.ticks.Add(1))
	sh.put(id, old, e, v)
	e.Version = v
	s.journal.Put(id, e)
	sh.mu.Unlock()

	if before.user != "" && before.user != e.User {
		s.forget(before.user, id, before.version)
	}
	return v, nil
}

// admits returns nil if a save at base may replace old, which is nil if there is
// no entry. An expired entry counts as none.
func admits(old *item, base core.Version, now time.Time) error {
	there := old != nil && old.live(now)
	switch {
	case base == 0 && there:
		return core.ErrConflict
	case base != 0 && !there:
		return core.ErrNotFound
	case base != 0 && old.version != base:
		return core.ErrConflict
	}
	return nil
}

// Touch implements [core.Store].
func (s *Store) Touch(ctx context.Context, id core.ID, base core.Version, expires time.Time) error {
	if err := s.check(ctx, "touch"); err != nil {
		return err
	}
	sh := s.shardOf(id)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	it := sh.items[id]
	if it == nil || !it.live(s.now()) {
		return fail("touch", core.ErrNotFound)
	}
	if it.version == base {
		it.expires = expires.Round(0)
		sh.queueOf(it.user).moved(it)
		s.journal.Touch(id, base, it.expires)
	}
	return nil
}

// Delete implements [core.Store].
func (s *Store) Delete(ctx context.Context, id core.ID) error {
	if err := s.check(ctx, "delete"); err != nil {
		return err
	}
	sh := s.shardOf(id)
	sh.mu.Lock()
	it := sh.items[id]
	if it != nil {
		s.budget.give(sh.drop(it))
		s.journal.Delete(id)
	}
	sh.mu.Unlock()

	if it != nil && it.user != "" {
		s.forget(it.user, id, it.version)
	}
	return nil
}

// Local implements [core.Local]: no call waits for a network.
func (s *Store) Local() bool { return true }
