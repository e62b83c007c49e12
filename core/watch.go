package core

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// donePoll is how often Done looks whether somebody else has ended a
	// session. What this Manager ends, and what a Watcher tells, is known at once;
	// but a Watcher's connection may be dead without anybody knowing.
	donePoll = 5 * time.Second

	// watchPause is the wait before a Watch that failed is tried again. It
	// doubles from failure to failure, up to donePoll.
	watchPause = 100 * time.Millisecond
)

// watchers are the callers of Done who wait for sessions to end.
type watchers struct {
	mu      sync.Mutex
	waiting map[ID]map[chan struct{}]struct{}
	stop    context.CancelFunc // ends the listening; nil while nobody listens
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
	if len(w.waiting) == 0 && w.stop != nil {
		w.stop()
		w.stop = nil
	}
}

// listen runs f, unless it runs already, until nobody waits any more. The
// caller waits for a session.
func (w *watchers) listen(f func(context.Context)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.stop != nil {
		return
	}
	// Not the caller's context: others may wait for longer.
	ctx, cancel := context.WithCancel(context.Background())
	w.stop = cancel
	go f(ctx)
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
// Watching does not count as activity.
//
// An end by this Manager is noticed at once, and so is one by another process
// if the store is a [Watcher]; any other within 5 seconds. A backend that is
// unavailable ends nothing, and what ended meanwhile is noticed within 5 seconds
// of its return.
//
// The channel is also closed when ctx is done, for then nobody watches any
// more: pass the connection's context, and see ctx.Err() for which it was.
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
	if w, ok := m.backend.(Watcher); ok {
		m.watchers.listen(func(ctx context.Context) { m.listen(ctx, w) })
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

// listen tells those who wait of the ends that w tells of, until ctx is done.
// While w cannot, they look for themselves, as they do every few seconds.
func (m *Manager) listen(ctx context.Context, w Watcher) {
	pause := watchPause
	for told := false; ; {
		var heard atomic.Bool
		err := w.Watch(ctx, func(id ID) {
			heard.Store(true)
			if id.IsZero() {
				m.watchers.tellAll()
				return
			}
			m.watchers.tell(id)
		})
		if ctx.Err() != nil || errors.Is(err, ErrUnsupported) {
			return
		}
		if heard.Load() {
			pause, told = watchPause, false
		}
		if err == nil {
			err = errors.New("watch ended by itself")
		}
		if !told {
			m.observe(ctx, nil, Event{Kind: EventUnavailable, Detail: "watching for ended sessions", Err: unavailable("watch", err)})
			told = true
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause/2 + rand.N(pause/2)): //nolint:gosec // so that processes do not come back in step
		}
		pause = min(2*pause, donePoll)
	}
}
