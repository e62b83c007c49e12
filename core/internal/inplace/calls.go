package inplace

import (
	"context"
	"fmt"
)

// MaxCalls is how many calls a store may leave unanswered. More would only pile up
// goroutines and requests in memory.
const MaxCalls = 512

// Calls asks a store that may never answer.
type Calls struct {
	unanswered chan struct{} // holds an element for each unanswered call
}

// NewCalls returns a Calls.
func NewCalls() *Calls { return &Calls{make(chan struct{}, MaxCalls)} }

// Call runs f, which calls the store, and waits until f returns or ctx is done: many
// stores ignore deadlines and wait for minutes. After an error that is not f's own, f
// may still be running, so do not read what it writes.
func (c *Calls) Call(ctx context.Context, f func() error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case c.unanswered <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	answer, over := make(chan error, 1), make(chan struct{})
	go func() {
		defer func() { <-c.unanswered }()
		defer close(over)
		defer func() {
			// In this goroutine, an unrecovered panic would end the process.
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

// turn is one request's exclusive use of a session. It ends only when the store has
// finished the request's calls, even if the request has given up. Otherwise a late
// save could follow another request's.
type turn struct {
	unlock     func()
	unfinished <-chan struct{}
}

type turnKey struct{}

// turn waits until no other request uses the session id. It returns a ctx for the
// store's calls during the turn.
func (b *Backend[E]) turn(ctx context.Context, id string) (context.Context, *turn, error) {
	unlock, err := b.locks.lock(ctx, id)
	if err != nil {
		return nil, nil, err
	}
	t := &turn{unlock: unlock}
	return context.WithValue(ctx, turnKey{}, t), t, nil
}

// end gives the session to the next request.
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
