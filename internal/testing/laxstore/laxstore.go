// Package laxstore has a store whose index of users is as lax as the contract
// allows, for tests.
package laxstore

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/memstore"
)

// Store is a store whose index knows names and IDs and nothing else, as one in
// Redis does: it does not compare a member's name with its entry's, and
// notices only at a limit that an entry is gone. (The memory store is strict.)
type Store struct {
	*memstore.Store
	mu      sync.Mutex
	members map[string][]core.ID
	pending map[core.ID]bool
	marks   map[string]*core.IncompleteError
}

// New returns s with such an index of its own, still empty.
func New(s *memstore.Store) *Store {
	return &Store{Store: s, members: map[string][]core.ID{}, pending: map[core.ID]bool{}, marks: map[string]*core.IncompleteError{}}
}

// take removes id from user's members, and reports whether it was one.
func (x *Store) take(user string, id core.ID) bool {
	i := slices.Index(x.members[user], id)
	if i >= 0 {
		x.members[user] = slices.Delete(x.members[user], i, i+1)
	}
	return i >= 0
}

// Reserve implements [core.UserIndex].
func (x *Store) Reserve(ctx context.Context, user string, id core.ID, limit int, policy core.LimitPolicy) ([]core.ID, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	var end []core.ID
	if limit > 0 {
		others := []core.ID{}
		for _, m := range x.members[user] {
			if _, err := x.Load(ctx, m); m != id && (err == nil || x.pending[m]) {
				others = append(others, m)
			}
		}
		if excess := len(others) + 1 - limit; excess > 0 {
			if policy == core.RefuseLogin {
				return nil, core.ErrSessionLimit
			}
			end = others[:excess]
			for _, m := range end {
				if err := x.Delete(ctx, m); err != nil {
					return nil, err
				}
				x.take(user, m)
			}
		}
	}
	if !x.take(user, id) {
		x.pending[id] = true
	}
	x.members[user] = append(x.members[user], id)
	return end, nil
}

// Confirm implements [core.UserIndex].
func (x *Store) Confirm(_ context.Context, user string, id core.ID, _ time.Time) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	if !slices.Contains(x.members[user], id) {
		return core.ErrNotFound
	}
	delete(x.pending, id)
	return nil
}

// Mend implements [core.Mender].
func (x *Store) Mend(ctx context.Context, user string, id core.ID, _ time.Time) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	if _, err := x.Load(ctx, id); err == nil && !slices.Contains(x.members[user], id) {
		x.members[user] = append(x.members[user], id)
		if x.marks[user] == nil {
			x.mark(user)
		}
	}
	return nil
}

func (x *Store) mark(user string) {
	set := &core.IncompleteError{}
	set.Restored = func(context.Context) error {
		x.mu.Lock()
		defer x.mu.Unlock()
		if x.marks[user] == set {
			delete(x.marks, user)
		}
		return nil
	}
	x.marks[user] = set
}

// Release implements [core.UserIndex].
func (x *Store) Release(_ context.Context, user string, id core.ID) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.take(user, id)
	return nil
}

// List implements [core.UserIndex].
func (x *Store) List(_ context.Context, user string) ([]core.ID, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	ids := slices.Clone(x.members[user])
	if set := x.marks[user]; set != nil {
		return ids, set
	}
	return ids, nil
}
