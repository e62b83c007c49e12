package inplace

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"
)

func TestLateTokensAreBounded(t *testing.T) {
	l, now := newLateTokens(), time.Now()
	for i := range maxLate + 100 {
		l.add(fmt.Sprint(i), "next", now)
	}
	if len(l.next) != maxLate || l.successor("0", LateFor, now) != "" || l.successor(fmt.Sprint(maxLate), LateFor, now) != "next" {
		t.Errorf("%d are remembered", len(l.next))
	}
	l.add("new", "next", now.Add(FollowedFor))
	if len(l.next) != 1 {
		t.Errorf("%d are remembered after %v", len(l.next), FollowedFor)
	}
}

func TestSessionLocksWaitNoLongerThanTheirContext(t *testing.T) {
	l := newLocks()
	unlock, err := l.lock(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := l.lock(ctx, "a"); !errors.Is(err, context.Canceled) {
		t.Errorf("waiting: %v", err)
	}
	var order []int
	var wg sync.WaitGroup
	wg.Go(func() {
		unlock, err := l.lock(t.Context(), "a")
		if err != nil {
			t.Error(err)
			return
		}
		order = append(order, 2)
		unlock()
	})
	order = append(order, 1)
	unlock()
	wg.Wait()
	if !slices.Equal(order, []int{1, 2}) || len(l.all) != 0 {
		t.Errorf("order %v, %d locks are left", order, len(l.all))
	}
}

func TestK1SessionLocksHaveOneOwner(t *testing.T) {
	l := newLocks()
	first, err := l.lock(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	second := make(chan func())
	go func() {
		unlock, _ := l.lock(t.Context(), "a")
		second <- unlock
	}()
	for waiting := false; !waiting; {
		l.mu.Lock()
		waiting = l.all["a"].users == 2
		l.mu.Unlock()
	}
	first()
	unlock := <-second
	l.mu.Lock()
	one := l.all["a"]
	l.mu.Unlock()
	if one == nil {
		t.Error("a lock is forgotten while somebody has it: the next one gets another")
	}
	unlock()
	if len(l.all) != 0 {
		t.Errorf("%d locks are left", len(l.all))
	}
}
