package core_test

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/memstore"
)

// networked is a store on a network, whose calls fail as the test says.
type networked struct {
	*memstore.Store
	fail  atomic.Pointer[func(context.Context) error] // nil: it answers
	calls atomic.Int64
}

func (r *networked) Local() bool { return false }

// down makes every call return err.
func (r *networked) down(err error) { r.failing(func(context.Context) error { return err }) }

func (r *networked) failing(f func(context.Context) error) { r.fail.Store(&f) }

func (r *networked) up() { r.fail.Store(nil) }

func (r *networked) call(ctx context.Context) error {
	r.calls.Add(1)
	if f := r.fail.Load(); f != nil {
		return (*f)(ctx)
	}
	return nil
}

func (r *networked) Load(ctx context.Context, id core.ID) (core.Entry, error) {
	if err := r.call(ctx); err != nil {
		return core.Entry{}, err
	}
	return r.Store.Load(ctx, id)
}

func (r *networked) Save(ctx context.Context, id core.ID, e core.Entry, base core.Version) (core.Version, error) {
	if err := r.call(ctx); err != nil {
		return 0, err
	}
	return r.Store.Save(ctx, id, e, base)
}

func (r *networked) Touch(ctx context.Context, id core.ID, base core.Version, expires time.Time) error {
	if err := r.call(ctx); err != nil {
		return err
	}
	return r.Store.Touch(ctx, id, base, expires)
}

func (r *networked) Delete(ctx context.Context, id core.ID) error {
	if err := r.call(ctx); err != nil {
		return err
	}
	return r.Store.Delete(ctx, id)
}

func (r *networked) Reserve(ctx context.Context, user string, id core.ID, limit int, policy core.LimitPolicy) ([]core.ID, error) {
	if err := r.call(ctx); err != nil {
		return nil, err
	}
	return r.Store.Reserve(ctx, user, id, limit, policy)
}

func (r *networked) List(ctx context.Context, user string) ([]core.ID, error) {
	if err := r.call(ctx); err != nil {
		return nil, err
	}
	return r.Store.List(ctx, user)
}

func (r *networked) DeleteAll(ctx context.Context) error {
	if err := r.call(ctx); err != nil {
		return err
	}
	return r.Store.DeleteAll(ctx)
}

// away is a Manager on a networked store, with a client that has a session.
type away struct {
	*world
	store *networked
	c     *client
}

func newAway(t *testing.T, edit ...func(*core.Config)) *away {
	w := server(t)
	store := &networked{Store: w.store}
	w.m = w.manager(core.ServerSide(store), edit...)
	return &away{w, store, login(t, w, "ann")}
}

// load loads the session and reports whether the store was asked.
func (a *away) load() (asked bool, err error) {
	before := a.store.calls.Load()
	_, err = a.m.Load(a.c.exchange())
	return a.store.calls.Load() > before, err
}

// wantAsked loads n times, which must fail, and checks that the store was asked each time.
func (a *away) wantAsked(n int, when string) {
	a.Helper()
	for i := range n {
		if asked, err := a.load(); !asked || !errors.Is(err, core.ErrUnavailable) {
			a.Fatalf("%s: load %d: asked %v, %v", when, i+1, asked, err)
		}
	}
}

// wantRefused checks that a load fails without asking the store.
func (a *away) wantRefused(when string) {
	a.Helper()
	began := time.Now()
	if asked, err := a.load(); asked || !errors.Is(err, core.ErrUnavailable) || time.Since(began) != 0 {
		a.Fatalf("%s: asked %v, %v after %v; want a refusal at once", when, asked, err, time.Since(began))
	}
}

// open takes the store away until loads are refused.
func (a *away) open() {
	a.Helper()
	a.store.down(refused)
	a.wantAsked(9, "before")
	time.Sleep(time.Second)
	a.wantAsked(1, "at the threshold")
}

func (a *away) wantEvents(gone, back int) {
	a.Helper()
	if g, b := a.events.count(core.EventAway), a.events.count(core.EventBack); g != gone || b != back {
		a.Errorf("%d events away, %d back; want %d and %d", g, b, gone, back)
	}
}

var refused error = &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}

func TestL3StoreAwayFailsFast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAway(t)
		a.open()
		a.wantEvents(1, 0)
		began := time.Now()
		for trials := 0; trials < 20; {
			time.Sleep(time.Millisecond)
			asked, err := a.load()
			if !errors.Is(err, core.ErrUnavailable) || !errors.Is(err, syscall.ECONNREFUSED) {
				t.Fatalf("a load meanwhile: %v; want ErrUnavailable, and why", err)
			}
			if took := time.Since(began); asked && took < 100*time.Millisecond || !asked && took > 300*time.Millisecond {
				t.Fatalf("asked %v after %v, want a trial every 100 to 300 ms", asked, took)
			}
			if asked {
				began = time.Now()
				trials++
			}
		}
		a.store.up()
		a.wantRefused("before the next trial")
		a.wantEvents(1, 0)
		time.Sleep(300 * time.Millisecond)
		for range 20 {
			if asked, err := a.load(); !asked || err != nil {
				t.Fatalf("when the store is back: asked %v, %v", asked, err)
			}
		}
		a.wantEvents(1, 1)
		a.store.down(refused)
		a.wantAsked(9, "the next outage")
		a.wantEvents(1, 1)
	})
}

// A timeout of the Manager's is no answer, and one trial at a time waits for it.
func TestL3StoreAwayGetsOneTrialAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAway(t, func(c *core.Config) { c.LoadTimeout = 500 * time.Millisecond })
		a.store.failing(func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() })
		for range 3 { // three batches of 500 ms: the first ends at 0.5 s, the third a second later
			var wg sync.WaitGroup
			for range 5 {
				wg.Go(func() { _, _ = a.load() })
			}
			wg.Wait()
		}
		a.wantEvents(1, 0)
		time.Sleep(300 * time.Millisecond)
		before := a.store.calls.Load()
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() { _, _ = a.load() })
		}
		began := time.Now()
		for time.Since(began) < 499*time.Millisecond {
			time.Sleep(time.Millisecond)
			_, _ = a.load()
		}
		if trials := a.store.calls.Load() - before; trials != 1 {
			t.Errorf("%d trials while one is waiting", trials)
		}
		wg.Wait()
	})
}

// Ten calls in less than a second are a hiccup, and so is a run that a success ends.
func TestL3HiccupDoesNotFailFast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAway(t)
		a.store.down(refused)
		a.wantAsked(100, "within a second")
		a.store.up()
		if _, err := a.load(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Second)
		a.store.down(refused)
		a.wantAsked(8, "after a success")
		time.Sleep(2 * time.Second)
		a.wantAsked(1, "nine in two seconds")
		a.store.up()
		_, _ = a.load()
		a.store.down(refused)
		a.wantAsked(30, "after another")
		a.wantEvents(0, 0)
	})
}

func TestL3WhatFailsFast(t *testing.T) {
	for name, c := range map[string]struct {
		err   error
		opens bool
	}{
		"refused":           {refused, true},
		"timeout":           {&net.OpError{Op: "read", Err: &net.DNSError{IsTimeout: true}}, true},
		"no such host":      {&net.DNSError{IsNotFound: true}, true},
		"broken":            {io.EOF, true},
		"cut off":           {io.ErrUnexpectedEOF, true},
		"reset":             {&net.OpError{Op: "read", Err: syscall.ECONNRESET}, true},
		"disk is full":      {syscall.ENOSPC, false},
		"closed":            {net.ErrClosed, true},
		"store's timeout":   {context.DeadlineExceeded, true},
		"an answer":         {errors.New("LOADING Redis is loading the dataset in memory"), false},
		"not found":         {core.ErrNotFound, false},
		"corrupt":           {core.ErrCorrupt, false},
		"cancelled by them": {context.Canceled, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := newAway(t)
				a.store.down(c.err)
				for range 30 {
					_, _ = a.load()
					time.Sleep(100 * time.Millisecond)
				}
				if got := a.events.count(core.EventAway) > 0; got != c.opens {
					t.Errorf("failing fast: %v, want %v", got, c.opens)
				}
			})
		})
	}
}

// A request whose client has gone, or whose own time is over, says nothing about the store.
func TestL3CancelledRequestsDoNotFailFast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAway(t)
		a.store.failing(func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() })
		for i := range 40 {
			ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
			if i < 20 {
				ctx, cancel = context.WithCancel(t.Context())
				time.AfterFunc(100*time.Millisecond, cancel)
			}
			x := a.c.exchange()
			x.ctx = ctx
			_, _ = a.m.Load(x)
			_, _ = a.m.Load(x) // its context has ended before
			cancel()
		}
		a.wantEvents(0, 0)
	})
}

func TestL3StoreAwayEndsAndOperatesNevertheless(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAway(t)
		id := a.c.id()
		ending, own, other, writer := a.c.begin(), a.c.begin(), a.c.begin(), a.c.begin()
		a.open()
		ctx := t.Context()
		nothing := func(s *core.Session) error { s.Set("k", "v"); return nil }
		for name, f := range map[string]func() error{
			"Logout":       func() error { ending.s.Logout(); return ending.s.Commit(ctx) },
			"RevokeOwn":    func() error { return own.s.RevokeOwn(ctx, id) },
			"RevokeOthers": func() error { return other.s.RevokeOthers(ctx) },
			"Revoke":       func() error { return a.m.Revoke(ctx, id) },
			"RevokeUser":   func() error { _, err := a.m.RevokeUser(ctx, "ann"); return err },
			"RevokeAll":    func() error { return a.m.RevokeAll(ctx) },
			"List":         func() error { _, err := a.m.List(ctx, "ann"); return err },
			"View":         func() error { return a.m.View(ctx, id, nothing) },
			"Update":       func() error { return a.m.Update(ctx, id, nothing) },
			"UpdateUser":   func() error { return a.m.UpdateUser(ctx, "ann", nothing) },
			"Done":         func() error { _, err := a.m.Done(ctx, id); return err },
		} {
			before := a.store.calls.Load()
			if err := f(); !errors.Is(err, core.ErrUnavailable) || a.store.calls.Load() == before {
				t.Errorf("%s: %v after %d calls; want it to try", name, err, a.store.calls.Load()-before)
			}
		}
		before := a.store.calls.Load()
		writer.s.Set("k", "v")
		if err := writer.s.Commit(ctx); !errors.Is(err, core.ErrUnavailable) {
			t.Errorf("a commit: %v", err)
		}
		fresh := newClient(t, a.m).begin()
		fresh.s.Login("bob")
		if err := fresh.end(200); !errors.Is(err, core.ErrUnavailable) {
			t.Errorf("a login: %v", err)
		}
		if n := a.store.calls.Load() - before; n != 0 {
			t.Errorf("a commit and a login made %d calls, want refusals", n)
		}
		a.store.up()
		if err := a.m.Update(ctx, id, nothing); err != nil {
			t.Fatal(err)
		}
		a.wantEvents(1, 1)
		a.c.do(func(s *core.Session) {
			if v, _ := core.Get[string](s, "k"); v != "v" {
				t.Errorf("after an operator's call has succeeded, a request reads %q", v)
			}
		})
	})
}

// A save by a job is tried too, although its load has not failed.
func TestL3StoreAwayTriesTheSavesOfJobs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAway(t)
		err := a.m.Update(t.Context(), a.c.id(), func(s *core.Session) error {
			a.open()
			a.store.up()
			s.Set("k", "v")
			return nil
		})
		if err != nil {
			t.Errorf("an update: %v, want it to try", err)
		}
	})
}

func TestL3NoFailFast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAway(t, func(c *core.Config) { c.NoFailFast = true })
		a.open()
		a.wantAsked(50, "without it")
		a.wantEvents(0, 0)
	})
}

// nearby is a networked store that says it is none.
type nearby struct{ *networked }

func (nearby) Local() bool { return true }

func TestL3LocalStoresDoNotFailFast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAway(t)
		a.m = a.manager(core.ServerSide(nearby{a.store}))
		a.open()
		a.wantAsked(50, "in memory")
		a.wantEvents(0, 0)
	})
}

// Each Manager has its own view of the store.
func TestL3FailFastIsPerManager(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAway(t)
		other := a.manager(core.ServerSide(a.store))
		a.open()
		before := a.store.calls.Load()
		if _, err := other.Load(a.c.exchange()); !errors.Is(err, core.ErrUnavailable) || a.store.calls.Load() == before {
			t.Errorf("another Manager: %v", err)
		}
	})
}

// A store that panics ends its trial too, and is not back.
func TestL3PanickingTrialIsNotTheLast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAway(t)
		a.open()
		a.store.failing(func(context.Context) error { panic("the driver") })
		time.Sleep(300 * time.Millisecond)
		func() {
			defer func() { _ = recover() }()
			_, _ = a.load()
		}()
		a.store.up()
		a.wantRefused("right after a trial that panicked")
		time.Sleep(300 * time.Millisecond)
		if asked, err := a.load(); !asked || err != nil {
			t.Errorf("after a trial that panicked: asked %v, %v", asked, err)
		}
	})
}

// A store that does not obey its context may hold a trial for ever, and is back nevertheless.
func TestL3HangingTrialIsNotTheLast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAway(t, func(c *core.Config) { c.LoadTimeout = 500 * time.Millisecond })
		a.open()
		hang := make(chan struct{})
		a.store.failing(func(context.Context) error { <-hang; return refused })
		time.Sleep(300 * time.Millisecond)
		go func() { _, _ = a.load() }()
		synctest.Wait()
		a.store.up()
		time.Sleep(500 * time.Millisecond)
		a.wantRefused("until the trial should be over")
		time.Sleep(300 * time.Millisecond)
		if asked, err := a.load(); !asked || err != nil {
			t.Errorf("after a trial that hangs: asked %v, %v", asked, err)
		}
		close(hang)
		synctest.Wait()
		a.wantEvents(1, 1)
	})
}

// What ends an outage while a trial is under way ends no trials of the next outage.
func TestL3TrialThatIsOvertakenIsNotTheLast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAway(t)
		id := a.c.id()
		a.open()
		answer := make(chan struct{})
		a.store.failing(func(context.Context) error { <-answer; return nil })
		time.Sleep(300 * time.Millisecond)
		go func() { _, _ = a.load() }()
		synctest.Wait()
		a.store.up()
		if err := a.m.View(t.Context(), id, func(*core.Session) error { return nil }); err != nil {
			t.Fatal(err)
		}
		close(answer)
		synctest.Wait()
		a.open()
		a.store.up()
		time.Sleep(300 * time.Millisecond)
		if asked, err := a.load(); !asked || err != nil {
			t.Errorf("after the second outage: asked %v, %v", asked, err)
		}
	})
}

// Many requests at once, while the store goes and comes. For the race detector.
func TestL3FailFastUnderLoad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAway(t)
		stop := make(chan struct{})
		var wg sync.WaitGroup
		for i := range 16 {
			wg.Go(func() {
				for {
					select {
					case <-stop:
						return
					case <-time.After(time.Duration(i+1) * time.Millisecond):
						_, _ = a.load()
					}
				}
			})
		}
		for range 5 {
			time.Sleep(time.Second)
			a.store.down(refused)
			time.Sleep(1500 * time.Millisecond)
			before := a.store.calls.Load()
			time.Sleep(3 * time.Second)
			if n := a.store.calls.Load() - before; n < 10 || n > 30 {
				t.Errorf("%d calls in three seconds of an outage, want 10 to 30", n)
			}
			a.store.up()
			time.Sleep(310 * time.Millisecond)
			before = a.store.calls.Load()
			time.Sleep(time.Second)
			if n := a.store.calls.Load() - before; n < 1000 {
				t.Errorf("%d calls in a second after an outage, want every request", n)
			}
		}
		close(stop)
		wg.Wait()
		a.wantEvents(5, 5)
		open := false
		a.events.mu.Lock()
		defer a.events.mu.Unlock()
		for _, e := range a.events.all {
			if e.Kind == core.EventAway || e.Kind == core.EventBack {
				if open == (e.Kind == core.EventAway) {
					t.Errorf("two events %q in a row", e.Kind)
				}
				open = !open
			}
		}
	})
}

func TestL3FailFastAllocatesNothing(t *testing.T) {
	a := newAway(t)
	without := a.manager(core.ServerSide(a.store), func(c *core.Config) { c.NoFailFast = true })
	x := a.c.exchange()
	measure := func(m *core.Manager) float64 {
		return testing.AllocsPerRun(200, func() {
			if _, err := m.Load(x); err != nil {
				t.Fatal(err)
			}
		})
	}
	if with, without := measure(a.m), measure(without); with > without {
		t.Errorf("a load allocates %v times, without it %v times", with, without)
	}
}
