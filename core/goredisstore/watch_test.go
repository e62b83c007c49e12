package goredisstore_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/goredisstore"
	"github.com/satchel-go/satchel/internal/testing/redistest"
	"github.com/satchel-go/satchel/internal/testing/tcpproxy"
)

// While the connection was broken, Watch may have missed an end, so all callers
// look again. When Watch returns, it leaves no subscription behind.
func TestI2WatchLooksAgainAfterABreak(t *testing.T) {
	t.Parallel()
	srv := redistest.Start(t)
	proxy := redistest.StartProxy(t, srv.Addr())
	store := goredisstore.New(newClient(t, proxy.Addr()), goredisstore.Config{})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	looks, done := make(chan core.ID, 10), make(chan error, 1)
	go func() { done <- store.Watch(ctx, func(id core.ID) { looks <- id }) }()
	look := func(when string) {
		t.Helper()
		select {
		case id := <-looks:
			if !id.IsZero() {
				t.Errorf("%s: Watch tells %v, want the zero ID", when, id)
			}
		case err := <-done:
			t.Fatalf("%s: Watch has ended: %v", when, err)
		case <-time.After(5 * time.Second):
			t.Fatalf("%s: Watch does not say that something may have ended", when)
		}
	}
	look("at the start")
	for len(looks) > 0 {
		<-looks
	}
	proxy.CutAll()
	look("after a break")
	cancel()
	if err := <-done; err != nil {
		t.Errorf("Watch: %v", err)
	}
	until(t, "the subscription is over", func() bool {
		n, ok := srv.MustDo("PUBSUB", "NUMSUB", goredisstore.DefaultPrefix+"ended").([]any)
		return ok && len(n) == 2 && n[1] == int64(0)
	})
}

// A connection that breaks without notice shows no sign of life, and ends the Watch.
func TestI2WatchNoticesASilentBreak(t *testing.T) {
	t.Parallel()
	proxy := redistest.StartProxy(t, redistest.Shared(t).Addr())
	store := goredisstore.New(newClient(t, proxy.Addr()), goredisstore.Config{Prefix: redistest.UniquePrefix(t)})
	var pulses atomic.Int64
	done := make(chan error, 1)
	go func() { done <- store.WatchPulse(t.Context(), func(core.ID) {}, func() { pulses.Add(1) }) }()
	until(t, "the Watch hears", func() bool { return pulses.Load() > 0 })
	proxy.Blackhole()
	heard, began := pulses.Load(), time.Now()
	select {
	case err := <-done:
		if err == nil {
			t.Error("Watch has returned without an error")
		}
	case <-time.After(20 * time.Second):
		t.Error("Watch goes on")
	}
	if n := pulses.Load() - heard; n > 1 {
		t.Errorf("%d signs of life in %v without a connection", n, time.Since(began))
	}
}

// Behind one address may be another server from one moment to the next, while the one that
// Watch listens to still answers: nothing is published there any more.
func TestI2WatchFollowsTheServer(t *testing.T) {
	t.Parallel()
	one, other := redistest.Start(t), redistest.Start(t)
	proxy := tcpproxy.Start(t, one.Addr())
	store := goredisstore.New(newClient(t, proxy.Addr()), goredisstore.Config{})
	var pulses atomic.Int64
	done := make(chan error, 1)
	go func() { done <- store.WatchPulse(t.Context(), func(core.ID) {}, func() { pulses.Add(1) }) }()
	until(t, "the Watch hears", func() bool { return pulses.Load() > 0 })
	proxy.Redirect(other.Addr()) // a connection that is there stays
	one.MustDo("CLIENT", "KILL", "TYPE", "normal")
	heard := pulses.Load()
	select {
	case err := <-done:
		if err == nil {
			t.Error("Watch has returned without an error")
		}
	case <-time.After(20 * time.Second):
		t.Error("I2: Watch goes on where nothing is published any more")
	}
	if n := pulses.Load() - heard; n > 1 {
		t.Errorf("I2: %d signs of life from another server", n)
	}
}
