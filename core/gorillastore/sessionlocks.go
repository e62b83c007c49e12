package gorillastore

import (
	"context"
	"sync"
	"time"
)

// sessionLocks serialises what this process does to one session of a store
// that cannot compare and set. Locks exist only while somebody has them or waits.
type sessionLocks struct {
	mu  sync.Mutex // guards all below
	all map[string]*sessionLock
}

type sessionLock struct {
	users int           // who has it or waits for it
	taken chan struct{} // has room for one
}

func newSessionLocks() *sessionLocks { return &sessionLocks{all: map[string]*sessionLock{}} }

// lock waits until nobody else has id, or until ctx is over.
func (l *sessionLocks) lock(ctx context.Context, id string) (unlock func(), err error) {
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

func (l *sessionLocks) leave(id string, one *sessionLock) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if one.users--; one.users == 0 {
		delete(l.all, id)
	}
}

const (
	// lateFor is how long a request with a token that was replaced is taken
	// for a late one (promise L4), as in package core.
	lateFor = 5 * time.Minute

	// maxLate bounds what is remembered of them.
	maxLate = 16 << 10
)

// lateTokens remembers which sessions this process has renewed lately. It is
// safe for concurrent use.
type lateTokens struct {
	mu    sync.Mutex // guards all below
	next  map[string]renewed
	order []string // IDs, oldest first
}

type renewed struct {
	token string // that has taken its place
	at    time.Time
}

func newLateTokens() *lateTokens { return &lateTokens{next: map[string]renewed{}} }

// add notes that token has taken the place of the session id.
func (l *lateTokens) add(id, token string, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for len(l.order) > 0 && (len(l.order) >= maxLate || !l.next[l.order[0]].late(now)) {
		delete(l.next, l.order[0])
		l.order = l.order[1:]
	}
	l.next[id] = renewed{token, now}
	l.order = append(l.order, id)
}

// successor returns the token that has taken the place of the session id
// lately, or "".
func (l *lateTokens) successor(id string, now time.Time) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if r, ok := l.next[id]; ok && r.late(now) {
		return r.token
	}
	return ""
}

func (r renewed) late(now time.Time) bool { return now.Sub(r.at) < lateFor }
