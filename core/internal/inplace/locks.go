package inplace

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/satchel-go/satchel/core"
)

// locks serialises this process's changes to each session, for stores that
// cannot compare and set. A lock exists only while a request holds or awaits it.
type locks struct {
	mu  sync.Mutex // guards everything below
	all map[string]*sessionLock
}

type sessionLock struct {
	users int           // requests that hold or await it
	taken chan struct{} // has room for one
}

func newLocks() *locks { return &locks{all: map[string]*sessionLock{}} }

// lock waits until it holds the lock of id or ctx is done.
func (l *locks) lock(ctx context.Context, id string) (unlock func(), err error) {
	l.mu.Lock()
	one := l.all[id]
	if one == nil {
		one = &sessionLock{taken: make(chan struct{}, 1)}
		l.all[id] = one
	}
	one.users++
	l.mu.Unlock()
	select {
	case one.taken <- struct{}{}:
		return func() { <-one.taken; l.leave(id, one) }, nil
	case <-ctx.Done():
		l.leave(id, one)
		return nil, ctx.Err()
	}
}

func (l *locks) leave(id string, one *sessionLock) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if one.users--; one.users == 0 {
		delete(l.all, id)
	}
}

// Waiting returns how many requests hold or await a session's turn. Tests use it.
func (b *Backend[E]) Waiting() (n int) {
	b.locks.mu.Lock()
	defer b.locks.mu.Unlock()
	for _, one := range b.locks.all {
		n += one.users
	}
	return n
}

const (
	// LateFor is how long a request with a replaced token counts as late (promise
	// L4), as in package core.
	LateFor = 30 * time.Second

	// FollowedFor is how long a request that began with such a token can still
	// find the session, to end it (promise K2).
	FollowedFor = 5 * time.Minute

	// maxLate is how many renewals are remembered.
	maxLate = 16 << 10
)

// lateTokens remembers the sessions that this process has recently renewed. It is
// safe for concurrent use.
type lateTokens struct {
	mu    sync.Mutex // guards everything below
	next  map[string]renewed
	order []string // IDs, oldest first
}

type renewed struct {
	token string // the new one
	at    time.Time
}

func newLateTokens() *lateTokens { return &lateTokens{next: map[string]renewed{}} }

// add records that token has replaced the session id.
func (l *lateTokens) add(id, token string, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for len(l.order) > 0 && (len(l.order) >= maxLate || !l.next[l.order[0]].within(FollowedFor, now)) {
		delete(l.next, l.order[0])
		l.order = l.order[1:]
	}
	l.next[id] = renewed{token, now}
	l.order = append(l.order, id)
}

// successor returns the token that replaced the session id within d, or "".
func (l *lateTokens) successor(id string, d time.Duration, now time.Time) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if r, ok := l.next[id]; ok && r.within(d, now) {
		return r.token
	}
	return ""
}

func (r renewed) within(d time.Duration, now time.Time) bool { return now.Sub(r.at) < d }

// Late returns the answer to a token that was replaced. R, h and err say what has
// become of the session. One that has ended or cannot be read leaves nothing to end.
func Late(r *core.Record, h core.Handle, err error) (core.LoadResult, error) {
	l := core.LoadResult{Superseded: true}
	switch {
	case err == nil:
		l.Record, l.Handle = *r.WithContent(nil, nil), h
	case errors.Is(err, core.ErrUnavailable):
		return core.LoadResult{}, err
	}
	return l, nil
}
