package core

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// A store that is away would be asked by every request, and each would wait until
// its timeout. Therefore a Manager watches the answers to all its calls. After a run
// of calls without any answer it refuses loads and commits at once, and lets one
// through now and then to see whether the store is back.

const (
	// awayCalls and awayTime are how many calls in a row must get no answer, and for
	// how long. A lost packet or a short pause of the store takes less.
	awayCalls = 10
	awayTime  = time.Second

	// A trial follows the last one after a random time between these, so that
	// processes do not come back in step.
	earliestTrial = 100 * time.Millisecond
	latestTrial   = 300 * time.Millisecond
)

// errDeadline is the cause that ends a call by a deadline of the Manager's own.
var errDeadline = fmt.Errorf("the Manager's deadline: %w", context.DeadlineExceeded)

// errNotAsked is part of the errors with which a failFast refuses calls.
var errNotAsked = errors.New("it was not asked, because it has stopped answering")

// errUnfinished is what answered is given of a call that has panicked.
var errUnfinished = errors.New("the call has not returned")

// failFast decides which calls a backend gets. The nil failFast lets all through and
// remembers nothing. It goes by the monotonic clock, for no answer of the store
// depends on Config.Now.
type failFast struct {
	tell func(context.Context, Event)

	troubled atomic.Bool // a run of unanswered calls is under way
	away     atomic.Bool // calls are refused

	mu      sync.Mutex
	calls   int       // the length of the run
	since   time.Time // when its first call ended
	refusal error
	next    time.Time // when the next trial may begin
}

// call is a call that failFast has let through.
type call struct {
	trial bool
	spent bool // its context had ended before
}

type insistKey struct{}

// insisting returns a context whose calls are never refused: for operators, jobs and
// revocations.
func insisting(ctx context.Context) context.Context {
	return context.WithValue(ctx, insistKey{}, true)
}

// insist lets a call through.
func (f *failFast) insist(ctx context.Context) call {
	return call{spent: f != nil && ctx.Err() != nil}
}

// ask lets a call through, or returns an error that matches ErrUnavailable. After
// either function, the caller calls answered, unless there is an error.
func (f *failFast) ask(ctx context.Context) (call, error) {
	c := f.insist(ctx)
	if f == nil || !f.away.Load() || ctx.Value(insistKey{}) != nil {
		return c, nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case !f.away.Load():
		return c, nil
	case time.Now().Before(f.next):
		return c, f.refusal
	}
	c.trial = true
	overdue, _ := ctx.Deadline() // for a backend that does not obey it
	f.next = overdue.Add(latestTrial)
	return c, nil
}

// answered takes in the result of a call.
func (f *failFast) answered(ctx context.Context, c call, err error) {
	if f == nil || err == nil && !f.troubled.Load() {
		return
	}
	if e := f.judge(ctx, c, err); e.Kind != "" {
		f.tell(withoutSession{ctx}, e) // the session may be locked
	}
}

func (f *failFast) judge(ctx context.Context, c call, err error) (e Event) {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := time.Now()
	if c.trial {
		f.next = now.Add(earliestTrial + rand.N(latestTrial-earliestTrial)) //nolint:gosec // jitter is no secret
	}
	away := f.away.Load()
	switch {
	case err == nil || aboutTheSession(err):
		if away {
			e = Event{Kind: EventBack, Detail: fmt.Sprintf("it had not answered for %v", now.Sub(f.since).Round(time.Millisecond))}
		}
		f.reset()
	case c.spent || errors.Is(err, errUnfinished) || ctx.Err() != nil && !errors.Is(context.Cause(ctx), errDeadline):
		// The request was cancelled, its own time was over, or the call has panicked.
	case !noAnswer(err):
		if !away { // it has answered, though it could not do what was asked
			f.reset()
		}
	default:
		f.troubled.Store(true)
		if f.calls++; f.calls == 1 {
			f.since = now
		}
		if !away && f.calls >= awayCalls && now.Sub(f.since) >= awayTime {
			f.refusal = fmt.Errorf("%w: %w: %w", ErrUnavailable, errNotAsked, err)
			f.next = now.Add(earliestTrial + rand.N(latestTrial-earliestTrial)) //nolint:gosec // jitter is no secret
			f.away.Store(true)
			e = Event{Kind: EventAway, Err: err, Detail: fmt.Sprintf("%d calls without an answer in %v", f.calls, now.Sub(f.since).Round(time.Millisecond))}
		}
	}
	return e
}

func (f *failFast) reset() {
	f.calls = 0
	f.away.Store(false)
	f.troubled.Store(false)
}

// aboutTheSession reports whether err is a backend's ordinary answer.
func aboutTheSession(err error) bool {
	return isGone(err) || isUnreadable(err) || errors.Is(err, ErrConflict) || errors.Is(err, ErrSessionLimit)
}

// noAnswer reports whether err means that nothing came back: a timeout, or a
// connection that could not be made or broke.
func noAnswer(err error) bool {
	var (
		timeout   net.Error // also context.DeadlineExceeded
		network   *net.OpError
		unknownIP *net.DNSError
	)
	return errors.As(err, &timeout) && timeout.Timeout() || errors.As(err, &network) || errors.As(err, &unknownIP) ||
		errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed)
}

// asked is a backend whose calls pass failFast. Of these calls, requests make Load,
// Reload, Save and Touch, which it may refuse. It never refuses to end a session, nor
// what only operators, jobs and lists do.
type asked struct {
	Backend
	dir Registry // the Backend's, nil if it has none
	*failFast
}

func (b *asked) Load(ctx context.Context, scope Scope, presented Tokens) (l LoadResult, err error) {
	c, err := b.ask(ctx)
	if err != nil {
		return l, err
	}
	err = errUnfinished
	defer func() { b.answered(ctx, c, err) }() // even if it panics: a trial must end
	return b.Backend.Load(ctx, scope, presented)
}

func (b *asked) Reload(ctx context.Context, scope Scope, handle Handle) (l LoadResult, err error) {
	c, err := b.ask(ctx)
	if err != nil {
		return l, err
	}
	err = errUnfinished
	defer func() { b.answered(ctx, c, err) }()
	return b.Backend.Reload(ctx, scope, handle)
}

func (b *asked) Save(ctx context.Context, scope Scope, r *Record, base Handle, renew bool) (h Handle, token string, err error) {
	c, err := b.ask(ctx)
	if err != nil {
		return nil, "", err
	}
	err = errUnfinished
	defer func() { b.answered(ctx, c, err) }()
	return b.Backend.Save(ctx, scope, r, base, renew)
}

func (b *asked) Touch(ctx context.Context, scope Scope, r *Record, base Handle) (h Handle, t Tokens, err error) {
	c, err := b.ask(ctx)
	if err != nil {
		return nil, t, err
	}
	err = errUnfinished
	defer func() { b.answered(ctx, c, err) }()
	return b.Backend.Touch(ctx, scope, r, base)
}

func (b *asked) Delete(ctx context.Context, handle Handle) (err error) {
	c, err := b.insist(ctx), errUnfinished
	defer func() { b.answered(ctx, c, err) }()
	return b.Backend.Delete(ctx, handle)
}

func (b *asked) LoadID(ctx context.Context, id ID) (l LoadResult, err error) {
	c, err := b.insist(ctx), errUnfinished
	defer func() { b.answered(ctx, c, err) }()
	return b.dir.LoadID(ctx, id)
}

func (b *asked) DeleteID(ctx context.Context, id ID) (err error) {
	c, err := b.insist(ctx), errUnfinished
	defer func() { b.answered(ctx, c, err) }()
	return b.dir.DeleteID(ctx, id)
}

func (b *asked) DeleteAll(ctx context.Context) (err error) {
	c, err := b.insist(ctx), errUnfinished
	defer func() { b.answered(ctx, c, err) }()
	return b.dir.DeleteAll(ctx)
}

func (b *asked) Users() UserIndex { return b.dir.Users() }
