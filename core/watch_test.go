package core_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/memstore"
)

// hearing is a store whose Watch the test controls.
type hearing struct {
	*memstore.Store
	watches chan *watch
}

// watch is one call of Watch.
type watch struct {
	ctx   context.Context
	ended func(core.ID)
	fail  chan error // what Watch returns
}

func (s *hearing) Watch(ctx context.Context, ended func(core.ID)) error {
	w := &watch{ctx, ended, make(chan error)}
	s.watches <- w
	select {
	case <-ctx.Done():
		return ctx.Err()
	case err := <-w.fail:
		return err
	}
}

// pulsing is a hearing store that also tells that it hears, unless it is deaf, and
// counts loads.
type pulsing struct {
	hearing
	deaf  atomic.Bool
	loads atomic.Int64
}

func (s *pulsing) Load(ctx context.Context, id core.ID) (core.Entry, error) {
	s.loads.Add(1)
	return s.hearing.Load(ctx, id)
}

func (s *pulsing) WatchPulse(ctx context.Context, ended func(core.ID), alive func()) error {
	over := make(chan struct{})
	defer close(over)
	go func() {
		for {
			if !s.deaf.Load() {
				alive()
			}
			select {
			case <-over:
				return
			case <-time.After(2 * time.Second):
			}
		}
	}()
	return s.Watch(ctx, ended)
}

// watched is a Manager on a hearing store, and another one, like that of
// another process, on the same data.
type watched struct {
	*world
	other *core.Manager
	store *hearing
}

func newWatched(t *testing.T) *watched {
	w := server(t)
	store := &hearing{w.store, make(chan *watch, 100)}
	other := w.m
	w.m = w.manager(core.ServerSide(store))
	return &watched{w, other, store}
}

// wait returns the channel of a Done that lasts as long as the test.
func (w *watched) wait(ctx context.Context, id core.ID) <-chan struct{} {
	w.Helper()
	done, err := w.m.Done(ctx, id)
	if err != nil {
		w.Fatal(err)
	}
	synctest.Wait()
	return done
}

// watch returns the Watch that has just begun.
func (w *watched) watch() *watch {
	w.Helper()
	synctest.Wait()
	select {
	case call := <-w.store.watches:
		return call
	default:
		w.Fatal("nobody watches")
		return nil
	}
}

// wantNoWatch checks that no Watch has begun since the last one.
func (w *watched) wantNoWatch(when string) {
	w.Helper()
	synctest.Wait()
	if n := len(w.store.watches); n != 0 {
		w.Errorf("%s: %d more calls of Watch", when, n)
	}
}

func isClosed(done <-chan struct{}) bool {
	synctest.Wait()
	select {
	case <-done:
		return true
	default:
		return false
	}
}

func TestI2DoneHearsOfAnEndInAnotherProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWatched(t)
		ann, bob := login(t, w.world, "ann").id(), login(t, w.world, "bob").id()
		annDone, bobDone := w.wait(t.Context(), ann), w.wait(t.Context(), bob)
		call, begun := w.watch(), time.Now()

		call.ended(ann) // a false alarm
		call.ended(core.ID{})
		if isClosed(annDone) || isClosed(bobDone) {
			t.Fatal("closed although the session lives")
		}
		if err := w.other.Revoke(t.Context(), ann); err != nil {
			t.Fatal(err)
		}
		if isClosed(annDone) {
			t.Fatal("closed before anybody told: this test shows nothing")
		}
		call.ended(ann)
		if !isClosed(annDone) || isClosed(bobDone) {
			t.Error("told of one end: not closed, or another one's closed")
		}
		if err := w.other.RevokeAll(t.Context()); err != nil {
			t.Fatal(err)
		}
		call.ended(core.ID{})
		if !isClosed(bobDone) {
			t.Error("told to look again at all: not closed")
		}
		if d := time.Since(begun); d != 0 {
			t.Errorf("it took %v, which is the poll's doing", d)
		}
	})
}

func TestDoneWatchesOnlyWhileSomebodyWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWatched(t)
		id := login(t, w.world, "ann").id()
		if _, err := w.m.Done(t.Context(), core.ID{1}); !errors.Is(err, core.ErrNotFound) {
			t.Fatal(err)
		}
		w.wantNoWatch("nobody waits")
		for range 2 {
			first, endFirst := context.WithCancel(t.Context())
			second, endSecond := context.WithCancel(t.Context())
			a, b := w.wait(first, id), w.wait(second, id)
			call := w.watch()
			w.wantNoWatch("two wait")

			endFirst()
			if !isClosed(a) || isClosed(b) || call.ctx.Err() != nil {
				t.Error("the first of two left: his channel is open, the other's closed, or the Watch has ended")
			}
			endSecond()
			if !isClosed(b) || call.ctx.Err() == nil {
				t.Error("nobody waits, but the Watch goes on")
			}
			w.wantNoWatch("nobody waits any more")
		}
		// The bubble would report a goroutine that is left.
	})
}

func TestDonePollsWhileTheWatchFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWatched(t)
		ann, bob := login(t, w.world, "ann").id(), login(t, w.world, "bob").id()
		annDone, bobDone := w.wait(t.Context(), ann), w.wait(t.Context(), bob)
		if err := w.other.Revoke(t.Context(), ann); err != nil {
			t.Fatal(err)
		}
		begun, tries := time.Now(), 0
		for open := true; open; {
			select {
			case call := <-w.store.watches:
				call.fail <- errors.New("connection refused")
				tries++
			case <-annDone:
				open = false
			}
		}
		d := time.Since(begun) // looks are spread over five seconds
		if d > 5*time.Second {
			t.Errorf("noticed after %v", d)
		}
		if tries < int(d/(1500*time.Millisecond)) || tries > 10 {
			t.Errorf("%d tries in %v", tries, d)
		}
		if n := w.events.count(core.EventUnavailable); n != 1 {
			t.Errorf("%d events for one trouble", n)
		}

		call := <-w.store.watches // it is back
		call.ended(core.ID{})
		call.fail <- nil // and gone again
		at := time.Now()
		call = <-w.store.watches
		if d := time.Since(at); d > 100*time.Millisecond {
			t.Errorf("the first try after a Watch that worked came after %v", d)
		}
		if n := w.events.count(core.EventUnavailable); n != 2 {
			t.Errorf("%d events for two troubles", n)
		}
		if err := w.other.Revoke(t.Context(), bob); err != nil {
			t.Fatal(err)
		}
		call.ended(bob)
		if !isClosed(bobDone) {
			t.Error("the Watch is back, but nobody listens")
		}
	})
}

// Many sockets beside a healthy Watch cost a load a minute each, and never all at once.
// When it hears no longer, they look every five seconds.
func TestI2DoneLooksRarelyBesideAHealthyWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := server(t)
		store := &pulsing{hearing: hearing{w.store, make(chan *watch, 100)}}
		other := w.m
		w.m = w.manager(core.ServerSide(store))
		id := login(t, w, "ann").id()
		const sockets = 600
		var dones []<-chan struct{}
		for range sockets {
			done, err := w.m.Done(t.Context(), id)
			if err != nil {
				t.Fatal(err)
			}
			dones = append(dones, done)
		}
		loadsIn := func(d time.Duration) int64 {
			before := store.loads.Load()
			time.Sleep(d)
			return store.loads.Load() - before
		}
		for second := range 180 {
			if n := loadsIn(time.Second); n > 30 {
				t.Errorf("%d loads in second %d, want about %d", n, second, sockets/60)
			}
		}
		if n := loadsIn(10 * time.Minute); n < 9*sockets || n > 11*sockets {
			t.Errorf("%d loads in ten minutes, want %d", n, 10*sockets)
		}
		call := <-store.watches
		call.ended(core.ID{})
		time.Sleep(time.Millisecond)
		for second := range 120 {
			if n := loadsIn(time.Second); n > 30 {
				t.Errorf("%d loads in second %d after all have looked, want about %d", n, second, sockets/60)
			}
		}
		store.deaf.Store(true)
		time.Sleep(10 * time.Second)
		for second := range 30 {
			if n := loadsIn(time.Second); n < sockets/5/3 || n > 3*sockets/5 {
				t.Errorf("%d loads in second %d beside a deaf Watch, want about %d", n, second, sockets/5)
			}
		}
		store.deaf.Store(false)
		time.Sleep(time.Minute)
		store.deaf.Store(true)
		if err := other.Revoke(t.Context(), id); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Second)
		for _, done := range dones {
			if !isClosed(done) {
				t.Fatal("an end is not noticed 10 seconds after the Watch became deaf")
			}
		}
	})
}

// An expiry needs nobody to tell.
func TestI2DoneNoticesAnExpiryInTimeBesideAHealthyWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := server(t, func(c *core.Config) { c.Now, c.IdleTimeout = time.Now, 2*time.Minute })
		store := &pulsing{hearing: hearing{newMemory(t), make(chan *watch, 100)}}
		w.m = w.manager(core.ServerSide(store), func(c *core.Config) { c.Now, c.IdleTimeout = time.Now, 2*time.Minute })
		done, err := w.m.Done(t.Context(), login(t, w, "ann").id())
		if err != nil {
			t.Fatal(err)
		}
		begun := time.Now()
		<-done
		if took := time.Since(begun); took != 2*time.Minute {
			t.Errorf("noticed after %v, want 2 minutes", took)
		}
	})
}

// A healthy subscription does not mean that the session itself can be loaded: in a
// Cluster, it may be on another node.
func TestI2DoneLooksSoonAfterALookThatFailed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := server(t, func(c *core.Config) { c.Now, c.IdleTimeout = time.Now, 2*time.Minute })
		store := &pulsing{hearing: hearing{newMemory(t), make(chan *watch, 100)}}
		away := &networked{Store: store.Store}
		w.m = w.manager(core.ServerSide(struct {
			core.PulseWatcher
			*networked
		}{store, away}), func(c *core.Config) { c.Now, c.IdleTimeout = time.Now, 2*time.Minute })
		for range 20 {
			done, err := w.m.Done(t.Context(), login(t, w, "ann").id())
			if err != nil {
				t.Fatal(err)
			}
			time.Sleep(119 * time.Second)
			away.down(refused)
			time.Sleep(10 * time.Second)
			away.up()
			begun := time.Now()
			<-done
			if took := time.Since(begun); took > 5*time.Second {
				t.Fatalf("an expiry meanwhile is noticed %v after the return of the store, want 5 seconds at most", took)
			}
		}
	})
}

func TestDoneAsksOnceWhereNothingCanTell(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWatched(t)
		id := login(t, w.world, "ann").id()
		done := w.wait(t.Context(), id)
		w.watch().fail <- core.ErrUnsupported
		if err := w.other.Revoke(t.Context(), id); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Second)
		if !isClosed(done) {
			t.Error("not noticed within 5 seconds")
		}
		w.wantNoWatch("it is not supported")
		if n := w.events.count(core.EventUnavailable); n != 0 {
			t.Errorf("%d events", n)
		}
	})
}

func TestI2OwnRevocationsAreNoticedAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := server(t)
		var id core.ID
		newClient(t, w.m).do(func(s *core.Session) { s.Login("ann") })
		list, err := w.m.List(t.Context(), "ann")
		if err != nil || len(list) != 1 {
			t.Fatalf("ann has %v, %v", list, err)
		}
		id = list[0].ID
		plain := w.manager(core.ServerSide(&hooked{Store: w.store}))
		done, err := plain.Done(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		begun := time.Now()
		if err := plain.Revoke(t.Context(), id); err != nil {
			t.Fatal(err)
		}
		<-done
		if d := time.Since(begun); d != 0 {
			t.Errorf("noticed after %v", d)
		}
	})
}
