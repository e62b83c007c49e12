package core_test

import (
	"context"
	"sync"
	"time"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/memstore"
)

// probe is a store that counts calls, fails and blocks where the test says.
type probe struct {
	*memstore.Store
	mu    sync.Mutex
	calls map[string]int
	// before is called before each operation; an error is its result.
	before func(op string, id core.ID) error
}

func (p *probe) at(ctx context.Context, op string, id core.ID) error {
	if a, ok := ctx.Value(actorKey{}).(*actor); ok {
		a.step(op)
	}
	p.mu.Lock()
	p.calls[op]++
	before := p.before
	p.mu.Unlock()
	if before == nil {
		return nil
	}
	return before(op, id)
}

func (p *probe) hook(before func(op string, id core.ID) error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.before = before
}

// count returns the calls since the last count.
func (p *probe) count() map[string]int {
	p.mu.Lock()
	defer p.mu.Unlock()
	calls := p.calls
	p.calls = map[string]int{}
	return calls
}

func (p *probe) Load(ctx context.Context, id core.ID) (core.Entry, error) {
	if err := p.at(ctx, "load", id); err != nil {
		return core.Entry{}, err
	}
	return p.Store.Load(ctx, id)
}

func (p *probe) Save(ctx context.Context, id core.ID, e core.Entry, base core.Version) (core.Version, error) {
	if err := p.at(ctx, "save", id); err != nil {
		return 0, err
	}
	return p.Store.Save(ctx, id, e, base)
}

func (p *probe) Touch(ctx context.Context, id core.ID, base core.Version, expires time.Time) error {
	if err := p.at(ctx, "touch", id); err != nil {
		return err
	}
	return p.Store.Touch(ctx, id, base, expires)
}

func (p *probe) Delete(ctx context.Context, id core.ID) error {
	if err := p.at(ctx, "delete", id); err != nil {
		return err
	}
	return p.Store.Delete(ctx, id)
}

func (p *probe) DeleteAll(ctx context.Context) error {
	if err := p.at(ctx, "delete all", core.ID{}); err != nil {
		return err
	}
	return p.Store.DeleteAll(ctx)
}

func (p *probe) Reserve(ctx context.Context, user string, id core.ID, limit int, policy core.LimitPolicy) ([]core.ID, error) {
	if err := p.at(ctx, "reserve", id); err != nil {
		return nil, err
	}
	return p.Store.Reserve(ctx, user, id, limit, policy)
}

func (p *probe) Confirm(ctx context.Context, user string, id core.ID, until time.Time) error {
	if err := p.at(ctx, "confirm", id); err != nil {
		return err
	}
	return p.Store.Confirm(ctx, user, id, until)
}

func (p *probe) Mend(ctx context.Context, user string, id core.ID, until time.Time) error {
	if err := p.at(ctx, "mend", id); err != nil {
		return err
	}
	return p.Store.Mend(ctx, user, id, until)
}

func (p *probe) Release(ctx context.Context, user string, id core.ID) error {
	if err := p.at(ctx, "release", id); err != nil {
		return err
	}
	return p.Store.Release(ctx, user, id)
}

func (p *probe) List(ctx context.Context, user string) ([]core.ID, error) {
	if err := p.at(ctx, "list", core.ID{}); err != nil {
		return nil, err
	}
	return p.Store.List(ctx, user)
}

// actor is somebody whose calls of stores wait until the test lets them go on.
type actor struct {
	arrived chan string   // the call that waits
	proceed chan struct{} // lets it go on
	done    chan struct{} // closed when there are no more
	waiting bool
	trace   []string
}

type actorKey struct{}

// start begins f, whose calls of stores with the context that it gets wait. It
// returns when f has come to the first.
func start(ctx context.Context, f func(ctx context.Context)) *actor {
	a := &actor{arrived: make(chan string), proceed: make(chan struct{}), done: make(chan struct{})}
	go func() {
		defer close(a.done)
		f(context.WithValue(ctx, actorKey{}, a))
	}()
	a.run(0)
	return a
}

func (a *actor) step(op string) {
	a.arrived <- op
	<-a.proceed
}

// run lets a make n calls, and returns when it waits before the next. It
// reports false if a is done.
func (a *actor) run(n int) bool {
	for ; ; n-- {
		if !a.waiting {
			select {
			case op := <-a.arrived:
				a.waiting = true
				a.trace = append(a.trace, op)
			case <-a.done:
				return false
			}
		}
		if n == 0 {
			return true
		}
		a.waiting = false
		a.proceed <- struct{}{}
	}
}

// finish lets a run to its end.
func (a *actor) finish() {
	for a.run(1) {
	}
}
