package core

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// donePoll is how often Done checks whether another process has ended a
	// session. It learns at once what this Manager ends and what a Watcher reports,
	// but a Watcher's connection may be dead without notice.
	donePoll = 5 * time.Second

	// donePollHealthy is donePoll beside a PulseWatcher whose last sign of life is
	// younger than pulseAge. It is for what even such a Watcher may not hear of.
	donePollHealthy = time.Minute
	pulseAge        = 5 * time.Second

	// watchPause is the wait before a failed Watch is tried again. It doubles from
	// failure to failure, up to donePoll.
	watchPause = 100 * time.Millisecond
)

// watchers are the callers of Done that wait for sessions to end.
type watchers struct {
	mu      sync.Mutex
	waiting map[ID]map[chan struct{}]struct{}
	stop    context.CancelFunc // ends listen's function; nil while none runs

	pulse atomic.Pointer[time.Time] // when the Watcher last showed that it hears; nil if it does not
}

func (w *watchers) alive() {
	now := time.Now()
	w.pulse.Store(&now)
}

func (w *watchers) healthy() bool {
	pulse := w.pulse.Load()
	return pulse != nil && time.Since(*pulse) < pulseAge
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

// listen runs f, unless it runs already, until the last waiter is removed. The
// caller is one of the waiters.
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

// wake makes those that wait for id check again.
func (w *watchers) wake(id ID) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for poke := range w.waiting[id] {
		select {
		case poke <- struct{}{}:
		default: // it has not checked since the last poke
		}
	}
}

func (w *watchers) wakeAll() {
	w.mu.Lock()
	ids := make([]ID, 0, len(w.waiting))
	for id := range w.waiting {
		ids = append(ids, id)
	}
	w.mu.Unlock()
	for _, id := range ids {
		w.wake(id)
	}
}

// Done returns a channel that is closed when the session id has ended: logged
// out, revoked or expired. Use it to end WebSockets and streams with their session.
// Watching does not count as activity.
//
// Done notices at once when this Manager ends the session, or when another process
// does and the store is a [Watcher]. It looks for any other end every 5 seconds, or
// every minute while the store is a [PulseWatcher] that hears. It notices an expiry in
// time, but one that SetTimeouts has moved to sooner only when it looks. An
// unavailable backend ends nothing; Done notices what ended meanwhile within 5 seconds
// of the backend's return, or 10 if the connection broke without notice.
//
// The channel is also closed when ctx is done, because Done then stops watching.
// Pass the connection's context, and check ctx.Err() to tell the two apart.
//
// The error matches [ErrNotFound] if there is no such session, [ErrUnavailable] or
// [ErrUnsupported]; for a session that cannot be read, [ErrCorrupt] or
// [ErrNewerVersion].
func (m *Manager) Done(ctx context.Context, id ID) (<-chan struct{}, error) {
	if m.dir == nil {
		return nil, unsupported("wait for a session's end")
	}
	poke := m.watchers.add(id) // before looking, so that no end is missed
	l, err := m.loadID(ctx, id)
	if err != nil {
		m.watchers.remove(id, poke)
		return nil, err
	}
	if w, ok := m.bare.(Watcher); ok {
		m.watchers.listen(func(ctx context.Context) { m.listen(ctx, w) })
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer m.watchers.remove(id, poke)
		m.watch(ctx, id, poke, l.Record.Expires)
	}()
	return done, nil
}

// watch returns when the session id, which expires unless it is extended, has ended,
// or ctx is done. Those that begin at the same time look at different times.
func (m *Manager) watch(ctx context.Context, id ID, poke <-chan struct{}, expires time.Time) {
	due := rand.N(donePollHealthy) //nolint:gosec // spreading is no secret
	looked := time.Now()
	timer := time.NewTimer(due % donePoll)
	defer timer.Stop()
	for {
		var expired <-chan time.Time
		if left := expires.Sub(m.config.Now()); !expires.IsZero() && left < donePoll {
			expired = time.After(left)
		}
		select {
		case <-ctx.Done():
			return
		case <-poke:
			due = rand.N(donePollHealthy) //nolint:gosec // as above: many were woken at once
			timer.Reset(due % donePoll)
		case <-expired:
		case <-timer.C:
			timer.Reset(donePoll)
			if m.watchers.healthy() && time.Since(looked) < due {
				continue
			}
			due = donePollHealthy
		}
		l, err := m.loadID(ctx, id)
		if isGone(err) {
			return
		}
		if err != nil {
			due = 0 // the Watcher may hear nevertheless, so look again soon
		}
		looked, expires = time.Now(), l.Record.Expires // zero if that could not be read
	}
}

// listen wakes those that wait for the sessions whose end w reports, until ctx is
// done. While w cannot report, they rely on their own checks every few seconds.
func (m *Manager) listen(ctx context.Context, w Watcher) {
	pause := watchPause
	for told := false; ; {
		var heard atomic.Bool
		err := watchPulse(ctx, w, func(id ID) {
			heard.Store(true)
			if id.IsZero() {
				m.watchers.wakeAll()
				return
			}
			m.watchers.wake(id)
		}, m.watchers.alive)
		m.watchers.pulse.Store(nil)
		if ctx.Err() != nil || errors.Is(err, ErrUnsupported) {
			return
		}
		if heard.Load() {
			pause, told = watchPause, false
		}
		if err == nil {
			err = errors.New("watch returned before its context was done")
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

// watchPulse is Watch, and tells when w is alive if w can.
func watchPulse(ctx context.Context, w Watcher, ended func(ID), alive func()) error {
	if p, ok := w.(PulseWatcher); ok {
		return p.WatchPulse(ctx, ended, alive)
	}
	return w.Watch(ctx, ended)
}
