package core

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// donePoll is how often Done looks whether another process has ended a
// session. What this Manager ends is known at once.
const donePoll = 5 * time.Second

// watchers are the callers of Done who wait for sessions to end.
type watchers struct {
	mu      sync.Mutex
	waiting map[ID]map[chan struct{}]struct{}
}

func (w *watchers) add(id ID) chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.waiting == nil {
		w.waiting = make(map[ID]map[chan struct{}]struct{})
	}
	if w.waiting[id] == nil {
		w.waiting[id] = make(map[chan struct{}]struct{})
	}
	poke := make(chan struct{}, 1)
	w.waiting[id][poke] = struct{}{}
	return poke
}

func (w *watchers) remove(id ID, poke chan struct{}) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.waiting[id], poke)
	if len(w.waiting[id]) == 0 {
		delete(w.waiting, id)
	}
}

// tell makes those who wait for id look again.
func (w *watchers) tell(id ID) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for poke := range w.waiting[id] {
		select {
		case poke <- struct{}{}:
		default: // has not looked since the last time
		}
	}
}

func (w *watchers) tellAll() {
	w.mu.Lock()
	ids := make([]ID, 0, len(w.waiting))
	for id := range w.waiting {
		ids = append(ids, id)
	}
	w.mu.Unlock()
	for _, id := range ids {
		w.tell(id)
	}
}

// Done returns a channel that is closed when the session id has ended: logged
// out, revoked or expired. It ends WebSockets and streams with their session.
// An end by this Manager is noticed at once, any other within 5 seconds; a
// backend that is unavailable ends nothing. Watching does not count as activity. It stops,
// and the channel closes, when ctx is done: pass the connection's context.
//
// The error matches [ErrNotFound] if there is no such session, [ErrUnavailable] or
// [ErrUnsupported].
func (m *Manager) Done(ctx context.Context, id ID) (<-chan struct{}, error) {
	if m.dir == nil {
		return nil, fmt.Errorf("core: wait for a session's end: %w", ErrUnsupported)
	}
	poke := m.watchers.add(id) // before looking, so that no end is missed
	if _, err := m.loadID(ctx, id); err != nil {
		m.watchers.remove(id, poke)
		return nil, err
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer m.watchers.remove(id, poke)
		m.watch(ctx, id, poke)
	}()
	return done, nil
}

// watch returns when the session id has ended, or ctx is done.
func (m *Manager) watch(ctx context.Context, id ID, poke <-chan struct{}) {
	ticker := time.NewTicker(donePoll)
	defer ticker.Stop()
	for {
		l, err := m.loadID(ctx, id)
		if isGone(err) {
			return
		}
		var expires <-chan time.Time
		if err == nil {
			if left := l.Record.Expires.Sub(m.config.Now()); left < donePoll {
				expires = time.After(left)
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-poke:
		case <-ticker.C:
		case <-expires:
		}
	}
}
