package target

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/satchel-go/satchel/core"
)

// CanWalk reports whether Walk works.
func (t *Target) CanWalk() bool {
	_, ok := t.bare.(walker)
	return ok
}

// ErrEnough ends a Walk early, without an error.
var ErrEnough = errors.New("enough")

// Walk calls yield with the IDs of the sessions in the store, in batches and in no
// order. An ID may come twice while a Redis server changes its tables, and a session
// may have ended.
func (t *Target) Walk(ctx context.Context, yield func([]core.ID) error) error {
	w, ok := t.bare.(walker)
	if !ok {
		return Refused("a store of this kind cannot list all of its sessions")
	}
	if err := w.walk(ctx, yield); !errors.Is(err, ErrEnough) {
		return err
	}
	return nil
}

// Count returns how many sessions live. Where the store does not know it, Count walks,
// tells progress how far it is, and stops at most if that is above zero.
func (t *Target) Count(ctx context.Context, most int, progress func(int)) (int, error) {
	if counter, ok := core.StoreAs[core.Counter](t.bare); ok {
		ctx, cancel := context.WithTimeout(ctx, max(t.timeout, time.Minute))
		defer cancel()
		return counter.Count(ctx)
	}
	n := 0
	err := t.Walk(ctx, func(ids []core.ID) error {
		n += len(ids)
		progress(n)
		if most > 0 && n >= most {
			return ErrEnough
		}
		return nil
	})
	return n, err
}

// Item is a session as the store has it.
type Item struct {
	ID     core.ID
	Record *core.Record // nil if it cannot be read; see Err
	Bytes  int          // of the entry's data
	Data   []byte       // of an entry that cannot be read
	Err    error        // why; core.ErrNotFound if it has ended meanwhile
}

// Sealed reports whether the item is encrypted, as what [sealed.Store] writes begins.
func (i *Item) Sealed() bool { return len(i.Data) > 0 && i.Data[0] == 0xE1 }

// NeedsKeys returns an error if the store is encrypted and STORE_KEYS is not set: users then
// have other names in it.
func (t *Target) NeedsKeys(ctx context.Context) error {
	if t.Keys != nil || !t.CanWalk() {
		return nil
	}
	sealed := false
	err := t.Walk(ctx, func(ids []core.ID) error {
		for _, item := range t.LoadAll(ctx, ids[:min(len(ids), loaders)]) {
			sealed = sealed || item.Sealed()
		}
		return ErrEnough
	})
	if sealed {
		return errors.New("the store is encrypted: set STORE_KEYS as the application has it")
	}
	return err
}

// Load loads one session.
func (t *Target) Load(ctx context.Context, id core.ID) Item {
	ctx, cancel := context.WithTimeout(ctx, t.timeout)
	defer cancel()
	e, err := t.Store.Load(ctx, id)
	if err != nil {
		return Item{ID: id, Err: err}
	}
	item := Item{ID: id, Bytes: len(e.Data)}
	if item.Record, item.Err = core.ParseEntry(id, e); item.Err != nil {
		item.Record, item.Data = nil, e.Data
		switch {
		case item.Sealed():
			item.Err = fmt.Errorf("%w: it is encrypted: set STORE_KEYS as the application has it", core.ErrCorrupt)
		case errors.Is(item.Err, core.ErrUnavailable): // for an application; here the other sessions still count
			item.Err = fmt.Errorf("%w: it is the copy of another session", core.ErrCorrupt)
		}
	}
	return item
}

// loaders is how many sessions are loaded at once.
const loaders = 16

// LoadAll loads sessions, in the order of ids.
func (t *Target) LoadAll(ctx context.Context, ids []core.ID) []Item {
	items := make([]Item, len(ids))
	var all sync.WaitGroup
	for worker := range loaders {
		all.Go(func() {
			for i := worker; i < len(ids) && ctx.Err() == nil; i += loaders {
				items[i] = t.Load(ctx, ids[i])
			}
		})
	}
	all.Wait()
	for i := range items {
		if items[i].ID.IsZero() {
			items[i] = Item{ID: ids[i], Err: ctx.Err()}
		}
	}
	return items
}

// usualIdle is the core's default for Config.IdleTimeout.
const usualIdle = 30 * time.Minute

// LastSeen returns when r was last used, as far as its expiry and its last save tell.
func (t *Target) LastSeen(r *core.Record) time.Time {
	idle := t.Config.IdleTimeout
	if idle == 0 {
		idle = usualIdle
	}
	if idle < 0 {
		return r.SavedAt
	}
	if seen := r.Expires.Add(-idle); seen.After(r.SavedAt) && !seen.After(t.now()) {
		return seen
	}
	return r.SavedAt
}

// Plural returns n and what there are n of.
func Plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return strconv.Itoa(n) + " " + what + "s"
}
