package gorillastore

import (
	"context"
	"fmt"
)

// patience is how many questions a store may leave unanswered: more would be a
// pile of goroutines, and of requests kept in memory, without a purpose.
const patience = 512

// ask runs f, which asks the store, and waits for it no longer than ctx lasts:
// many stores know of no deadlines, and wait for minutes. What f writes to may be
// looked at only if the error is f's own, for f may still be running otherwise.
func (b *fromBackend) ask(ctx context.Context, f func() error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case b.asking <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	answer, over := make(chan error, 1), make(chan struct{})
	go func() {
		defer func() { <-b.asking }()
		defer close(over)
		defer func() {
			// Here nobody else would, and the process would end.
			if p := recover(); p != nil {
				answer <- fmt.Errorf("the store panicked: %v", p)
			}
		}()
		answer <- f()
	}()
	select {
	case err := <-answer:
		return err
	case <-ctx.Done():
		if t, ok := ctx.Value(turnKey{}).(*turn); ok {
			t.unfinished = over
		}
		return ctx.Err()
	}
}

// turn is the time in which one request has a session for itself. It ends when
// the store has finished what the request has asked of it, though the request may
// have given up: a save that is late must not come after another's.
type turn struct {
	unlock     func()
	unfinished <-chan struct{}
}

type turnKey struct{}

// turn waits until nobody else has the session id, and returns a ctx for what
// is asked of the store meanwhile.
func (b *fromBackend) turn(ctx context.Context, id string) (context.Context, *turn, error) {
	unlock, err := b.sessions.lock(ctx, id)
	if err != nil {
		return nil, nil, err
	}
	t := &turn{unlock: unlock}
	return context.WithValue(ctx, turnKey{}, t), t, nil
}

// end lets the next one have the session.
func (t *turn) end() {
	if t.unfinished == nil {
		t.unlock()
		return
	}
	go func() {
		<-t.unfinished
		t.unlock()
	}()
}
