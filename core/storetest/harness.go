package storetest

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"sync"
	"time"

	"github.com/satchel-go/satchel/core"
)

// harness is what a case works with.
type harness struct {
	reporter

	store core.Store
	other core.Store // another store on the same data; except in RunShared, the same store
	clock Clock
	short time.Duration // an expiry that a case can wait for
}

// margin is how long after an expiry the suite looks, for stores that round.
const margin = 20 * time.Millisecond

// newID returns a random ID.
func newID() core.ID {
	var id core.ID
	_, _ = rand.Read(id[:]) // never fails
	return id
}

// newIDs returns n random IDs.
func newIDs(n int) []core.ID {
	ids := make([]core.ID, n)
	for i := range ids {
		ids[i] = newID()
	}
	return ids
}

// entry returns an anonymous entry that lives for an hour.
func (h *harness) entry(data string) core.Entry { return h.entryFor("", data, time.Hour) }

// entryFor returns an entry of user that lives for d.
func (h *harness) entryFor(user, data string, d time.Duration) core.Entry {
	return core.Entry{Data: []byte(data), User: user, Expires: h.clock.Now().Add(d)}
}

// save saves e at base and fails the case if it cannot.
func (h *harness) save(id core.ID, e core.Entry, base core.Version) core.Version {
	h.Helper()
	v, err := h.store.Save(h.Context(), id, e, base)
	if err != nil {
		h.Fatalf("Save at base %d: %v", base, err)
	}
	if v == 0 || v == base {
		h.Fatalf("Save at base %d returned version %d; want one that is neither zero nor the base", base, v)
	}
	return v
}

// load loads id and fails the case if it is not there.
func (h *harness) load(id core.ID) core.Entry {
	h.Helper()
	e, err := h.store.Load(h.Context(), id)
	if err != nil {
		h.Fatalf("Load: %v", err)
	}
	return e
}

// wantData checks what is stored.
func (h *harness) wantData(id core.ID, want string) {
	h.Helper()
	if got := h.load(id).Data; !bytes.Equal(got, []byte(want)) {
		h.Errorf("Load returned data %.40q (%d bytes), want %.40q (%d bytes)", got, len(got), want, len(want))
	}
}

// wantGone checks that id is not stored.
func (h *harness) wantGone(id core.ID) {
	h.Helper()
	if e, err := h.store.Load(h.Context(), id); !errors.Is(err, core.ErrNotFound) {
		h.Errorf("Load returned %.40q, error %v; want ErrNotFound", e.Data, err)
	}
}

// wantErr checks which sentinel err matches, nil for success.
func (h *harness) wantErr(what string, err, want error) {
	h.Helper()
	if !errors.Is(err, want) {
		h.Errorf("%s: error is %v, want %v", what, err, want)
	}
}

// exists reports whether id is stored. Any error but ErrNotFound fails the case.
func (h *harness) exists(id core.ID) bool {
	h.Helper()
	_, err := h.store.Load(h.Context(), id)
	if err != nil && !errors.Is(err, core.ErrNotFound) {
		h.Errorf("Load: %v", err)
	}
	return err == nil
}

// remove deletes id.
func (h *harness) remove(id core.ID) {
	h.Helper()
	if err := h.store.Delete(h.Context(), id); err != nil {
		h.Fatalf("Delete: %v", err)
	}
}

// waitUntil lets time pass until t is past for the store.
func (h *harness) waitUntil(t time.Time) {
	if d := t.Sub(h.clock.Now()); d >= 0 {
		h.clock.Advance(d + margin)
	}
}

// beforeExpiry runs f, which saves something that expires after the given time
// and must act on it before. If the machine stalls and f acts too late in real
// time, it runs again with more. f returns the expiry and what went wrong.
func (h *harness) beforeExpiry(f func(short time.Duration) (time.Time, error)) time.Time {
	h.Helper()
	for short, tries := h.short, 0; ; short, tries = 4*short, tries+1 {
		expires, err := f(short)
		if err == nil {
			return expires
		}
		if tries == 3 || h.clock.Now().Before(expires) {
			h.Fatalf("before the expiry: %v", err)
		}
	}
}

// together starts n goroutines at the same time and waits for them. They may
// call Errorf, but not Fatalf.
func together(n int, f func(i int)) {
	var wg sync.WaitGroup
	start := make(chan struct{})
	for i := range n {
		wg.Go(func() {
			<-start
			f(i)
		})
	}
	close(start)
	wg.Wait()
}

// update works as the core does: it loads, changes and saves, retrying on
// conflict until that works or the entry is gone. change is pure.
func (h *harness) update(ctx context.Context, id core.ID, change func([]byte) []byte) error {
	for {
		e, err := h.store.Load(ctx, id)
		if err != nil {
			return err
		}
		base := e.Version
		pause() // others get in between, as in real use
		e.Data = change(e.Data)
		if _, err = h.store.Save(ctx, id, e, base); !errors.Is(err, core.ErrConflict) {
			return err
		}
	}
}
