package goredisstore_test

import (
	"context"
	"testing"
	"time"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/goredisstore"
	"github.com/satchel-go/satchel/internal/redistest"
)

// While the connection was broken an end may have been missed: all look again.
// A Watch that is over leaves no subscription behind.
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
